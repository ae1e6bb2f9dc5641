"""The vendor's Node library, as published, calls each of its voice methods over TLS, under the host name it insists on."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.client_stage import PAUSE, SAID, ClientStage, Conversation
from support.conformance_table import About, record, recorded, settle
from support.server import PATIENCE_S

HERE = Path(__file__).parent / "node"
NODE = "node"
NOBODY = "01970000-0000-7000-8000-000000000000"
STEPS = [{"action": "say", "options": {"payload": "Good morning", "language": "en-GB", "voice": "female"}}]
GREETING = {"title": "Greeting", "steps": STEPS}
DAMAGED = "it reads the sound as UTF-8 text, so what it hands over is no WAV file any more"


def works(*methods: str) -> None:
    for method in methods:
        record(NODE, method, "works")


class Library:
    """The library in a process of its own; `methods` are those it has for voice."""

    def __init__(self, node: str, clients: ClientStage) -> None:
        self._key = clients.server.keys["live"]
        surroundings = os.environ | {
            "NODE_EXTRA_CA_CERTS": str(clients.authority),
            "VOICE_SERVER": clients.server.https.removeprefix("https://"),
        }
        line = [node, "--require", str(HERE / "elsewhere.js"), str(HERE / "calls.js")]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings)
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.methods: list[str] = self._answer()

    def heard(self, method: str, *args: Any, key: str = "") -> dict[str, Any]:
        """What the callback was given: ``{"value": …}``, or ``{"error": …}`` with its message, status and errors."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"key": key or self._key, "method": method, "args": args}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = self._answer()
        return found

    def __call__(self, method: str, *args: Any) -> Any:
        heard = self.heard(method, *args)
        assert "error" not in heard, heard
        return heard["value"]

    def one(self, method: str, *args: Any) -> dict[str, Any]:
        (found,) = self(method, *args)["data"]
        return dict(found)

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)

    def _answer(self) -> Any:
        return json.loads(self._answers.get(timeout=PATIENCE_S))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)


@pytest.fixture(scope="module")
def library(node: str, clients: ClientStage) -> Iterator[Library]:
    running = Library(node, clients)
    yield running
    running.close()


def record_of(clients: ClientStage, path: str) -> dict[str, Any]:
    """What the server has, by another way than the library's."""
    return clients.server.live.get(path).made


def is_gone(clients: ClientStage, path: str) -> None:
    assert clients.server.live.get(path).status == 404


def test_a_call_is_placed_read_and_ended(library: Library, clients: ClientStage) -> None:
    body = {"source": "31205550100", "destination": clients.telephone.address, "callFlow": {"steps": [PAUSE]}}
    made = library.one("calls.create", body)
    assert (made["status"], made["destination"]) == ("queued", clients.telephone.address)
    clients.is_up(made["id"])
    read = library.one("calls.read", made["id"])
    assert read == record_of(clients, f"/calls/{made['id']}")
    assert (read["status"], read["endedAt"]) == ("ongoing", None)
    assert library("calls.delete", made["id"]) is True
    assert clients.server.ended(made["id"]).status == "ended"
    clients.telephone.waits("ended")
    works("calls.create", "calls.read", "calls.delete")


def test_calls_are_listed(library: Library, clients: ClientStage, conversation: Conversation) -> None:
    listed = library("calls.list")
    assert listed == clients.server.live.get("/calls").content
    assert conversation.call in [one["id"] for one in listed["data"]]
    works("calls.list")


def test_a_flow_is_made_changed_listed_and_deleted(library: Library, clients: ClientStage) -> None:
    made = library.one("callflows.create", GREETING)
    path = f"/call-flows/{made['id']}"
    assert made == record_of(clients, path) == library.one("callflows.read", made["id"])
    assert made["steps"][0]["options"]["payload"] == "Good morning"
    listed = made | {"_links": {"self": path}}
    assert library("callflows.list", 1, 1)["data"] == library("callflows.list")["data"][:1] == [listed]
    changed = library.one("callflows.update", made["id"], {"title": "No more", "steps": [{"action": "hangup"}]})
    assert changed == record_of(clients, path)
    assert (changed["title"], [step["action"] for step in changed["steps"]]) == ("No more", ["hangup"])
    assert library("callflows.delete", made["id"]) is True
    is_gone(clients, path)
    works("callflows.list", "callflows.create", "callflows.read", "callflows.update", "callflows.delete")


def test_a_webhook_is_made_changed_listed_and_deleted(library: Library, clients: ClientStage) -> None:
    made = library.one("voice.webhooks.create", {"url": clients.web.url("/node"), "token": "secret"})
    path = f"/webhooks/{made['id']}"
    assert made == record_of(clients, path) == library.one("voice.webhooks.read", made["id"])
    listed = made | {"_links": {"self": path}}
    assert library("voice.webhooks.list", 1, 1)["data"] == library("voice.webhooks.list")["data"][:1] == [listed]
    changed = library.one("voice.webhooks.update", made["id"], {"url": clients.web.url("/other"), "token": "another"})
    assert changed == record_of(clients, path)
    assert (changed["url"], changed["token"]) == (clients.web.url("/other"), "another")
    assert library("voice.webhooks.delete", made["id"]) is True
    is_gone(clients, path)
    works(*(f"voice.webhooks.{name}" for name in ("create", "list", "read", "update", "delete")))


def test_a_recording_and_what_was_written_down(library: Library, clients: ClientStage, conversation: Conversation) -> None:
    where = conversation.call, conversation.leg
    path = f"/calls/{conversation.call}/legs/{conversation.leg}/recordings/{conversation.recording}"
    read = library.one("recordings.read", *where, conversation.recording)
    assert read == record_of(clients, path)
    assert (read["status"], read["legId"]) == ("done", conversation.leg)
    assert [one["id"] for one in library("recordings.list", *where, 10, 0)["data"]] == [conversation.recording]
    assert library("recordings.list", *where)["data"] == library("recordings.list", *where, 10, 0)["data"]
    works("recordings.read", "recordings.list")
    whole = clients.server.live.file(f"{path}.wav").body
    heard = library("recordings.download", *where, conversation.recording)
    assert heard.startswith("RIFF")
    assert "\ufffd" in heard
    assert heard.encode() != whole
    record(NODE, "recordings.download", "defect", DAMAGED)

    made = library.one("transcriptions.create", *where, conversation.recording, "nl-NL")
    assert record_of(clients, f"{path}/transcriptions/{made['id']}")["recordingId"] == conversation.recording
    listed = library("transcriptions.list", *where, conversation.recording)["data"]
    assert {one["id"] for one in listed} == {made["id"], conversation.transcription}
    written = library.one("transcriptions.read", *where, conversation.recording, conversation.transcription)
    assert written == record_of(clients, f"{path}/transcriptions/{conversation.transcription}")
    assert library("transcriptions.download", *where, conversation.recording, conversation.transcription) == SAID
    works(*(f"transcriptions.{name}" for name in ("create", "list", "read", "download")))

    assert library("recordings.delete", *where, conversation.recording) is True
    is_gone(clients, path)
    works("recordings.delete")


def test_what_is_wrong_is_told(library: Library) -> None:
    for method in ("calls.read", "calls.delete", "callflows.read", "callflows.delete", "voice.webhooks.read"):
        error = library.heard(method, NOBODY)["error"]
        assert error["message"].startswith("api error(s): ")
        assert error["message"].endswith(" (code: 13)")
        assert (error["status"], [one["code"] for one in error["errors"]]) == (404, [13])
    dance = {"source": "31205550100", "destination": "31205550101", "callFlow": {"steps": [{"action": "dance"}]}}
    error = library.heard("calls.create", dance)["error"]
    assert error["message"].endswith(" (code: 10, parameter: callFlow.steps[0].action)")
    assert error["status"] == 422
    error = library.heard("calls.list", key="live_" + "x" * 43)["error"]
    assert (error["status"], error["message"].endswith(" (code: 15)")) == (401, True)
    assert "undefined" not in error["message"]


def test_each_voice_method_was_called(library: Library) -> None:
    assert sorted(recorded(NODE)) == sorted(library.methods)
    version = json.loads((HERE / "node_modules" / "messagebird" / "package.json").read_text())["version"]
    settle(NODE, About("Node", f"messagebird {version}"))
