"""A program in C# sends what the library for C# sends, and reads the answers as it does. It runs on Mono."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.client_programs import FOLDER, Judge, Program, are_sent, by_method, failed, settled
from support.client_stage import ClientStage, Conversation
from support.conformance_table import PROGRAM, About
from support.contract_answers import SOUND, TEXT, ContractServer, Said, with_envelope, with_first, with_status
from support.peers import require_peer

KINDS = {
    "CreateCall": "made call",
    "ListCalls": "list of calls",
    "ViewCall": "call",
    "DeleteCall": "done",
    "ListRecordings": "list of recordings",
    "ViewRecording": "recording",
    "DownloadRecording": "sound",
    "CreateTranscription": "made transcription",
    "ListTranscriptions": "list of transcriptions",
    "ViewTranscription": "transcription",
    "DownloadTranscription": "text",
    "DeleteRecording": "done",
    "CreateCallFlow": "made flow",
    "ListCallFlows": "list of flows",
    "ViewCallFlow": "flow",
    "UpdateCallFlow": "changed flow",
    "DeleteCallFlow": "done",
    "CreateWebhook": "made webhook",
    "ListWebhooks": "list of webhooks",
    "ViewWebhook": "webhook",
    "UpdateWebhook": "changed webhook",
    "DeleteWebhook": "done",
}
DEFECTS = {
    "ListCalls": "it raises where a call is no_answer, busy or failed",
    "ViewCall": "it raises for a call that is no_answer, busy or failed",
    "CreateCallFlow": "of the options of a step it sends the destination alone",
    "UpdateCallFlow": "of the options of a step it sends the destination alone",
}
APT = "mono-mcs mono-runtime libmono-system-web-extensions4.0-cil"


@pytest.fixture(scope="module")
def csharp(tmp_path_factory: pytest.TempPathFactory) -> Program:
    compiler, runtime = require_peer("mcs", apt=APT), require_peer("mono", apt=APT)
    made = tmp_path_factory.mktemp("csharp") / "program.exe"
    sources = sorted(map(str, (FOLDER / "csharp").glob("*.cs")))
    line = [compiler, "-warnaserror", "-r:System.Web.Extensions", f"-out:{made}", *sources]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return Program("csharp", About("C#", "MessageBird 4.0.1", PROGRAM), "§6.6", frozenset(), [runtime, str(made)])


def test_what_is_sent_to_the_contract(csharp: Program, tmp_path: Path) -> None:
    with ContractServer() as server:
        lines = csharp.run_by_contract(server, tmp_path)
    are_sent(csharp, lines, server)
    assert failed(lines) == []
    found = by_method(lines)
    assert found["DownloadRecording"].read["bytes"] == len(SOUND)
    assert found["DownloadTranscription"].read == TEXT


def test_it_fails_as_the_library_does(csharp: Program, tmp_path: Path) -> None:
    refusal = {"errors": [{"code": 13, "description": "none"}], "pagination": {"totalCount": 0}}
    recordings = "/calls/{call}/legs/{leg}/recordings"
    changes = {
        "GET /calls": with_first(status="no_answer"),
        "GET /calls/{call}": with_first(duration=None),
        f"GET {recordings}": with_first(_links={"self": None}),
        f"POST {recordings}/{{recording}}/transcriptions": with_status(200),
        f"GET {recordings}/{{recording}}.wav": with_status(206),
        "PUT /call-flows/{flow}": with_status(201),
        "GET /webhooks/{webhook}": lambda said: Said(404, refusal),
        "DELETE /webhooks/{webhook}": lambda said: Said(200, {}),
        # What follows is read as if nothing were the matter.
        "GET /call-flows/{flow}": with_envelope(errors=[]),
        "GET /webhooks": with_envelope(_links={}, more=1),
    }
    with ContractServer(changes=changes) as server:
        lines = csharp.run_by_contract(server, tmp_path)
    recorded = ["ListRecordings", "DownloadRecording", "CreateTranscription"]
    assert failed(lines) == ["ListCalls", "ViewCall", *recorded, "UpdateCallFlow", "ViewWebhook", "DeleteWebhook"]
    assert by_method(lines)["ViewWebhook"].detail == "ErrorException: Failed to parse the errors"


def test_every_method_against_a_server(
    csharp: Program, clients: ClientStage, conversation: Conversation, tmp_path: Path
) -> None:
    """Every call on the stage's record was answered: the library reads no list that has another."""
    judge = Judge(clients, conversation)
    lines = csharp.run(clients.server.http, clients.server.keys["live"], judge.ids, tmp_path)
    settled(csharp, lines, KINDS, DEFECTS, judge)
    assert judge.callbacks()[0] == "callCreated"
