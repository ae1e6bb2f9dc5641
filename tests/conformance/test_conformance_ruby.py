"""A program in Ruby sends what the library for Ruby sends, and reads the answers as it does. It always speaks TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.certificates import Authority
from support.client_programs import FOLDER, Judge, Program, are_sent, by_method, failed, settled
from support.client_stage import ClientStage, Conversation
from support.conformance_table import PROGRAM, About
from support.contract_answers import SOUND, TEXT, ContractServer, Said, with_envelope, with_first, with_status
from support.peers import require_peer

KINDS = {
    "call_create": "made call",
    "call_list": "list of calls",
    "call_view": "call",
    "call_delete": "done",
    "call_leg_list": "list of legs",
    "call_leg_recording_list": "list of recordings",
    "call_leg_recording_view": "recording",
    "call_leg_recording_download": "sound",
    "call_leg_recording_delete": "done",
    "voice_transcription_create": "made transcription",
    "voice_transcriptions_list": "list of transcriptions",
    "voice_transcription_view": "transcription",
    "voice_transcription_download": "text",
    "call_flow_create": "made flow",
    "call_flow_list": "list of flows",
    "call_flow_view": "flow",
    "call_flow_delete": "done",
    "voice_webhook_create": "made webhook",
    "voice_webhooks_list": "list of webhooks",
    "voice_webhook": "webhook",
    "voice_webhook_update": "changed webhook",
    "voice_webhook_delete": "done",
}
DEFECTS = {
    "call_leg_recording_download with a block": "the block goes where a body belongs, which raises before anything is sent",
    "voice_webhooks_list without arguments": "it raises NameError, as its defaults are named and defined nowhere",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def ruby(authority: Path) -> Program:
    about = About("Ruby", "messagebird-rest 5.0.0", PROGRAM)
    command = [require_peer("ruby", apt="ruby"), "-w", str(FOLDER / "ruby" / "program.rb")]
    return Program("ruby", about, "§6.4", frozenset(), command, {"SSL_CERT_FILE": str(authority)})


def test_what_is_sent_to_the_contract(authority: Authority, tmp_path: Path) -> None:
    program = ruby(authority.file)
    with ContractServer(authority.server("127.0.0.1")) as server:
        lines = program.run_by_contract(server, tmp_path)
    are_sent(program, lines, server)
    assert failed(lines) == []
    found = by_method(lines)
    assert found["call_leg_recording_download"].read["bytes"] == len(SOUND)
    assert found["voice_transcription_download"].read == TEXT
    assert [line.method for line in lines if line.result == "defect"] == list(DEFECTS)
    assert [found[method].sent for method in DEFECTS] == [0, 0]


def without_links(said: Said) -> Said:
    """Neither in the envelope nor in its items."""
    data = [{name: value for name, value in item.items() if name != "_links"} for item in said.content["data"]]
    return said._replace(content={"data": data})


def test_it_fails_as_the_library_does(authority: Authority, tmp_path: Path) -> None:
    recordings = "/calls/{call}/legs/{leg}/recordings"
    changes = {
        "GET /calls/{call}": with_first(webhook=None),
        f"GET {recordings}": without_links,
        f"GET {recordings}/{{recording}}/transcriptions/{{transcription}}": without_links,
        "GET /webhooks/{webhook}": with_envelope(errors=[]),
        "PUT /webhooks/{webhook}": with_status(409),
        # What follows is read as if nothing were the matter.
        "GET /call-flows": with_envelope(data=None),
        "DELETE /calls/{call}": lambda said: said._replace(status=200, content={}),
    }
    with ContractServer(authority.server("127.0.0.1"), changes) as server:
        lines = ruby(authority.file).run_by_contract(server, tmp_path)
    unreadable = ["call_view", "call_leg_recording_list", "voice_transcription_view", "voice_webhook", "voice_webhook_update"]
    assert failed(lines) == unreadable
    assert by_method(lines)["voice_webhook_update"].detail == "MessageBird::ServerException: Unknown response from server: 409"


def test_every_method_against_a_server(clients: ClientStage, conversation: Conversation, tmp_path: Path) -> None:
    judge = Judge(clients, conversation)
    lines = ruby(clients.authority).run(clients.server.https, clients.server.keys["live"], judge.ids, tmp_path)
    settled(ruby(clients.authority), lines, KINDS, DEFECTS, judge)
    assert judge.callbacks()[0] == "callCreated"
