"""A program in PHP sends what the library for PHP sends, and reads the answers as it does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.client_programs import FOLDER, Judge, Program, are_sent, by_method, failed, settled
from support.client_stage import ClientStage, Conversation
from support.conformance_table import PROGRAM, About
from support.contract_answers import BEFORE_THE_BLANK_LINE, TEXT, ContractServer, Said, with_envelope, with_status
from support.peers import lacking, require_peer

KINDS = {
    "voiceCalls->create": "made call",
    "voiceCalls->getList": "list of calls",
    "voiceCalls->read": "call",
    "voiceCalls->update": "changed call",
    "voiceCalls->delete": "done",
    "voiceLegs->getList": "list of legs",
    "voiceLegs->read": "leg",
    "voiceRecordings->getList": "list of recordings",
    "voiceRecordings->read": "recording",
    "voiceRecordings->download": "sound",
    "voiceTranscriptions->create": "made transcription",
    "voiceTranscriptions->getList": "list of transcriptions",
    "voiceTranscriptions->read": "transcription",
    "voiceTranscriptions->download": "text",
    "voiceCallFlows->create": "made flow",
    "voiceCallFlows->getList": "list of flows",
    "voiceCallFlows->read": "flow",
    "voiceCallFlows->update": "changed flow",
    "voiceCallFlows->delete": "done",
    "voiceWebhooks->create": "made webhook",
    "voiceWebhooks->getList": "list of webhooks",
    "voiceWebhooks->read": "webhook",
    "voiceWebhooks->update": "changed webhook",
    "voiceWebhooks->delete": "done",
}
DEFECTS = {
    "Call->getEndedAt": "of a call that is not over it raises TypeError, as no end is no string",
    "voiceRecordings->download": "it cuts a sound at the bytes 0D 0A 0D 0A, which sounds of telephones hardly have",
    "voiceRecordings->delete": "the recording is deleted, and ServerException raised, as 204 has no JSON",
}


@pytest.fixture(scope="module")
def php() -> Program:
    found = require_peer("php", apt="php-cli php-curl")
    if b"curl" not in subprocess.run([found, "-m"], capture_output=True, check=True).stdout.split():
        lacking("PHP has no curl: apt-get install php-curl")
    about = About("PHP", "messagebird/php-rest-api 4.0.1", PROGRAM)
    command = [found, "-d", "display_errors=stderr", str(FOLDER / "php" / "program.php")]
    return Program("php", about, "§6.2", frozenset({"Accept-Charset", "X-MessageBird-Version"}), command)


def test_what_is_sent_to_the_contract(php: Program, tmp_path: Path) -> None:
    with ContractServer() as server:
        lines = php.run_by_contract(server, tmp_path)
    are_sent(php, lines, server)
    assert failed(lines) == []
    found = by_method(lines)
    assert found["voiceRecordings->download"].read["bytes"] == len(BEFORE_THE_BLANK_LINE)
    assert found["voiceTranscriptions->download"].read == TEXT
    assert found["Call->getEndedAt"].detail.startswith("TypeError: ")
    assert found["voiceRecordings->delete"].detail == "ServerException: Got an invalid JSON response from the server."


def without_steps(said: Said) -> Said:
    del said.content["data"][0]["steps"]
    return said


def test_it_fails_as_the_library_does(php: Program, tmp_path: Path) -> None:
    changes = {
        "GET /call-flows/{flow}": without_steps,
        "GET /calls": with_envelope(data=None),
        "PUT /webhooks/{webhook}": with_status(204),
        # What follows is read as if nothing were the matter.
        "POST /webhooks": with_status(200),
        "GET /calls/{call}/legs": with_envelope(errors=[]),
    }
    with ContractServer(changes=changes) as server:
        lines = php.run_by_contract(server, tmp_path)
    assert failed(lines) == ["voiceCalls->getList", "voiceCallFlows->read", "voiceWebhooks->update"]


def test_every_method_against_a_server(php: Program, clients: ClientStage, conversation: Conversation, tmp_path: Path) -> None:
    judge = Judge(clients, conversation)
    lines = php.run(clients.server.http, clients.server.keys["live"], judge.ids, tmp_path)
    settled(php, lines, KINDS, DEFECTS, judge)
