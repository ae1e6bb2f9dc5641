"""A program in Java sends what the library for Java sends, and reads the answers as it does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from support.client_programs import FOLDER, Judge, Program, are_sent, by_method, failed, settled
from support.client_stage import ClientStage, Conversation
from support.conformance_table import PROGRAM, About
from support.contract_answers import SOUND, TEXT, ContractServer, Said, with_envelope, with_first
from support.peers import require_peer

KINDS = {
    "sendVoiceCall": "made call",
    "listAllVoiceCalls": "list of calls",
    "viewVoiceCall": "call",
    "deleteVoiceCall": "done",
    "viewCallLegsByCallId": "list of legs",
    "viewCallLegByCallIdAndLegId": "leg",
    "viewRecording": "recording",
    "listRecordings": "list of recordings",
    "downloadRecording": "sound",
    "deleteRecording": "done",
    "createTranscription": "made transcription",
    "viewTranscription": "transcription",
    "listTranscriptions": "list of transcriptions",
    "downloadTranscription": "text",
    "sendVoiceCallFlow": "made flow",
    "listVoiceCallFlows": "list of flows",
    "viewVoiceCallFlow": "flow",
    "updateVoiceCallFlow": "changed flow",
    "deleteVoiceCallFlow": "done",
    "createWebhook": "made webhook",
    "listWebhooks": "list of webhooks",
    "viewWebhook": "webhook",
    "updateWebhook": "changed webhook",
    "deleteWebhook": "done",
}
DEFECTS: dict[str, str] = {}
APT = "default-jdk-headless"
SECRET = "changeit"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler, folder = require_peer("javac", apt=APT), tmp_path_factory.mktemp("java")
    sources = sorted(map(str, (FOLDER / "java").glob("*.java")))
    line = [compiler, "-encoding", "UTF-8", "-Xlint:all,-serial", "-Werror", "-d", str(folder), *sources]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def java(classes: Path, *options: str) -> Program:
    about = About("Java", "com.messagebird:messagebird-api 6.2.5", PROGRAM)
    # Without the second compiler it is up sooner.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    command = [require_peer("java", apt=APT), *quick, *options, "-cp", str(classes), "Program"]
    return Program("java", about, "§6.5", frozenset({"charset", "Connection"}), command)


def test_what_is_sent_to_the_contract(classes: Path, tmp_path: Path) -> None:
    with ContractServer() as server:
        lines = java(classes).run_by_contract(server, tmp_path)
    are_sent(java(classes), lines, server)
    assert failed(lines) == []
    found = by_method(lines)
    assert found["downloadRecording"].read["bytes"] == len(SOUND)
    assert found["downloadTranscription"].read == TEXT


def test_it_fails_as_the_library_does(classes: Path, tmp_path: Path) -> None:
    recordings = "/calls/{call}/legs/{leg}/recordings"
    refusal = {"data": None, "errors": [{"code": 13, "message": "none", "hint": "one key more"}]}
    changes = {
        "GET /calls": with_first(status="parked"),
        "GET /calls/{call}/legs": with_first(sipResponseCode=487),
        "GET /calls/{call}/legs/{leg}": lambda said: said._replace(content={"data": 2 * said.content["data"]}),
        f"GET {recordings}": with_first(state=None),
        f"GET {recordings}/{{recording}}/transcriptions": with_first(_links={"self": ["/"]}),
        "GET /webhooks/{webhook}": lambda said: Said(404, refusal),
        "DELETE /webhooks/{webhook}": lambda said: Said(404, b""),
        # What follows is read as if nothing were the matter.
        "GET /webhooks": lambda said: said._replace(content={"DATA": said.content["data"], "more": 1}),
        "GET /call-flows/{flow}": with_envelope(errors=[]),
    }
    with ContractServer(changes=changes) as server:
        lines = java(classes).run_by_contract(server, tmp_path)
    calls = ["listAllVoiceCalls", "listAllVoiceCalls without arguments", "viewCallLegsByCallId", "viewCallLegByCallIdAndLegId"]
    assert failed(lines) == [*calls, "listRecordings", "listTranscriptions", "viewWebhook", "deleteWebhook"]


def test_every_method_against_a_server(classes: Path, clients: ClientStage, conversation: Conversation, tmp_path: Path) -> None:
    """Its odd question for a recording is answered; an answer without arguments is a page of ten."""
    judge = Judge(clients, conversation)
    trusted = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(clients.authority.read_bytes()), b"ours")
    sealed = serialization.BestAvailableEncryption(SECRET.encode())
    (tmp_path / "trusted.p12").write_bytes(pkcs12.serialize_java_truststore([trusted], sealed))
    options = (f"-Djavax.net.ssl.trustStore={tmp_path / 'trusted.p12'}", f"-Djavax.net.ssl.trustStorePassword={SECRET}")
    program = java(classes, *options)
    lines = program.run(clients.server.https, clients.server.keys["live"], judge.ids, tmp_path)
    kinds = KINDS | {"listAllVoiceCalls without arguments": "list of calls"}
    settled(program, lines, kinds, DEFECTS, judge)
