"""A program in Go sends what the library for Go sends, and reads the answers as it does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.client_programs import FOLDER, Judge, Program, are_sent, by_method, failed, settled
from support.client_stage import ClientStage, Conversation
from support.conformance_table import PROGRAM, About
from support.contract_answers import SOUND, TEXT, Change, ContractServer, Said, with_envelope, with_first, with_status
from support.peers import require_peer

KINDS = {
    "InitiateCall": "made call",
    "Calls": "list of calls",
    "CallByID": "call",
    "(*Call).Delete": "done",
    "(*Leg).Recordings": "list of recordings",
    "Recordings": "list of recordings",
    "ReadRecording": "recording",
    "(*Recording).DownloadFile": "sound",
    "CreateTranscription": "made transcription",
    "(*Recording).Transcriptions": "list of transcriptions",
    "(*Transcription).Contents": "text",
    "Delete": "done",
    "(*CallFlow).Create": "made flow",
    "CallFlows": "list of flows",
    "CallFlowByID": "flow",
    "(*CallFlow).Update": "changed flow",
    "(*CallFlow).Delete": "done",
    "CreateWebHook": "made webhook",
    "Webhooks": "list of webhooks",
    "(*Webhook).Update": "changed webhook",
    "(*Webhook).Delete": "done",
}
DEFECTS = {
    "(*Call).Legs": "AnsweredAt of a leg is filled from endedAt",
    "CallFlowByID": "it cannot read a flow with a sendKeys step, nor one that plays several files",
    "CallFlows": "it cannot read a list that has a flow with a sendKeys step, or one that plays several files",
}


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Program:
    compiler, folder = require_peer("go", apt="golang-go"), tmp_path_factory.mktemp("go")
    surroundings = os.environ | {
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }
    line = [compiler, "build", "-o", str(folder / "program"), "."]
    done = subprocess.run(line, cwd=FOLDER / "go", env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = About("Go", "github.com/messagebird/go-rest-api/v9", PROGRAM)
    return Program("go", about, "§6.3", frozenset(), [str(folder / "program")])


def test_what_is_sent_to_the_contract(go: Program, tmp_path: Path) -> None:
    with ContractServer() as server:
        lines = go.run_by_contract(server, tmp_path)
    are_sent(go, lines, server)
    assert failed(lines) == []
    found = by_method(lines)
    assert found["(*Recording).DownloadFile"].read["bytes"] == len(SOUND)
    assert found["(*Transcription).Contents"].read == TEXT
    (leg,) = found["(*Call).Legs"].read
    assert (leg["answeredAt"], leg["endedAt"]) == ("2024-05-02T10:00:15Z", "2024-05-02T10:00:15Z")


def steps(*made: dict[str, Any]) -> Change:
    return with_first(steps=list(made))


@pytest.mark.parametrize(
    ("changes", "unreadable"),
    [
        (
            {
                "GET /calls": with_first(updatedAt=None),
                "GET /calls/{call}": with_first(createdAt=""),
                "GET /call-flows": steps({"action": "sendKeys", "options": {"keys": "1"}}),
                "PUT /call-flows/{flow}": steps({"action": "play", "options": {"media": ["one.wav", "two.wav"]}}),
                "PUT /webhooks/{webhook}": with_status(500),
                "POST /calls/{call}/legs/{leg}/recordings/{recording}/transcriptions": with_envelope(data=[]),
            },
            ["Calls", "CallByID", "CreateTranscription", "CallFlows", "(*CallFlow).Update", "(*Webhook).Update"],
        ),
        (
            {
                "GET /calls/{call}/legs/{leg}/recordings": with_first(_links={"file": None, "self": 7}),
                "GET /recordings/{recording}.wav": with_status(201),
                "GET /webhooks": lambda said: Said(404, b"<html>") if said.content["data"] == [] else said,
                # What follows is read as if nothing were the matter.
                "POST /webhooks": with_status(202),
                "GET /calls/{call}": with_envelope(errors=[]),
            },
            ["(*Leg).Recordings", "Recordings", "(*Recording).DownloadFile", "Webhooks"],
        ),
    ],
    ids=["values", "links"],
)
def test_it_fails_as_the_library_does(go: Program, tmp_path: Path, changes: dict[str, Change], unreadable: list[str]) -> None:
    with ContractServer(changes=changes) as server:
        lines = go.run_by_contract(server, tmp_path)
    assert failed(lines) == unreadable


def test_every_method_against_a_server(go: Program, clients: ClientStage, conversation: Conversation, tmp_path: Path) -> None:
    judge = Judge(clients, conversation)
    trusting = go._replace(environment={"SSL_CERT_FILE": str(clients.authority)})
    lines = trusting.run(clients.server.https, clients.server.keys["live"], judge.ids, tmp_path)
    settled(go, lines, KINDS, DEFECTS, judge)
    for leg in by_method(lines)["(*Call).Legs"].read:
        assert leg["answeredAt"] == leg["endedAt"]
    assert judge.callbacks()[0] == "callCreated"
