"""The vendor's Python library, as published, calls each of its voice methods; what became of it stands in the server's record.

It is pointed here as `callwright tls-recipe python` says: by its global, and by the file of authorities that its HTTP
library goes by.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import messagebird
import pytest
from messagebird import client as library
from messagebird.client import ErrorException
from messagebird.voice_webhook import VoiceCreateWebhookRequest, VoiceUpdateWebhookRequest

from support.client_stage import PAUSE, SAID, ClientStage, Conversation
from support.conformance_table import About, record, recorded, settle

PYTHON = "python"
NOBODY = "01970000-0000-7000-8000-000000000000"
NUMBER = "31205550190"
STEPS = [{"action": "say", "options": {"payload": "Good morning", "language": "en-GB", "voice": "female"}}]


def works(*methods: str) -> None:
    for method in methods:
        record(PYTHON, method, "works")


@pytest.fixture(scope="module")
def pointed(clients: ClientStage) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "VOICE_API_ROOT", clients.server.https)
        patch.setenv("REQUESTS_CA_BUNDLE", str(clients.authority))
        yield patch


@pytest.fixture(scope="module")
def client(clients: ClientStage, pointed: pytest.MonkeyPatch) -> messagebird.Client:
    return messagebird.Client(clients.server.keys["live"])


def record_of(clients: ClientStage, path: str) -> dict[str, Any]:
    """What the server has, by another way than the library's."""
    answer = clients.server.live.get(path)
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.content
    return found.get("data", [found])[0]


def is_gone(clients: ClientStage, path: str) -> None:
    assert clients.server.live.get(path).status == 404


def test_a_call_is_placed_read_and_ended(client: messagebird.Client, clients: ClientStage) -> None:
    webhook = {"url": clients.web.url("/python"), "token": "secret"}
    made = client.call_create("31205550100", clients.telephone.address, {"steps": [PAUSE]}, webhook).data
    assert (made.status, made.source, made.destination) == ("queued", "31205550100", clients.telephone.address)
    clients.is_up(made.id)
    read = client.call(made.id).data
    assert (read.id, read.status, read.endedAt, read.createdAt) == (made.id, "ongoing", None, made.createdAt)
    client.call_delete(made.id)
    assert clients.server.ended(made.id).status == "ended"
    clients.telephone.waits("ended")
    assert clients.web.told(made.id)[-1].call == "ended"
    ended = client.call(made.id).data
    assert (ended.status, ended.endedAt is not None) == ("ended", True)
    works("call_create", "call", "call_delete")


def test_calls_are_listed(client: messagebird.Client, clients: ClientStage, conversation: Conversation) -> None:
    first, beyond = client.call_list(), client.call_list(page=1_000)
    theirs = clients.server.live.get("/calls").content
    assert [one.id for one in first.data] == [one["id"] for one in theirs["data"]]
    assert conversation.call in [one.id for one in first.data]
    assert first.pagination == theirs["pagination"]
    assert (beyond.data, beyond.pagination["totalCount"]) == ([], theirs["pagination"]["totalCount"])
    works("call_list")


def test_a_flow_is_made_changed_listed_and_deleted(client: messagebird.Client, clients: ClientStage) -> None:
    made = client.call_flow_create(STEPS, title="Greeting")
    path = f"/call-flows/{made.id}"
    kept = record_of(clients, path)
    assert (kept["title"], kept["record"], kept["steps"][0]["options"]["payload"]) == ("Greeting", False, "Good morning")
    read = client.call_flow(made.id)
    assert (read.id, read.title, read.steps, read.createdAt is not None) == (made.id, "Greeting", kept["steps"], True)
    assert client.call_flow_list(limit=1).data[0].id == made.id
    assert client.call_flow_list(limit=1, offset=1_000).data == []
    changed = client.call_flow_update(made.id, [{"action": "hangup"}], False, True, title="No more")
    kept = record_of(clients, path)
    assert (changed.title, kept["title"], kept["record"], kept["steps"][0]["action"]) == ("No more", "No more", True, "hangup")
    assert client.call_flow_numbers_list(made.id).data == []
    added = client.call_flow_numbers_add(made.id, [NUMBER])
    (number,) = client.call_flow_numbers_list(made.id).data
    assert [one.number for one in added.data] == [number.number] == [NUMBER]
    assert (number.callFlowId, record_of(clients, f"{path}/numbers")["number"]) == (made.id, NUMBER)
    client.call_flow_delete(made.id)
    is_gone(clients, path)
    works("call_flow", "call_flow_list", "call_flow_create", "call_flow_update", "call_flow_delete")
    works("call_flow_numbers_list", "call_flow_numbers_add")


def test_a_webhook_is_made_changed_listed_and_deleted(client: messagebird.Client, clients: ClientStage) -> None:
    url = clients.web.url("/all")
    made = client.voice_create_webhook(VoiceCreateWebhookRequest(url=url, token="secret"))
    path = f"/webhooks/{made.id}"
    assert record_of(clients, path)["url"] == made.url == url
    read = client.voice_read_webhook(made.id)
    assert (read.id, read.token, read.createdAtDatetime is not None) == (made.id, "secret", True)
    assert made.id in [one.id for one in client.voice_list_webhooks().data]
    changed = client.voice_update_webhook(made.id, VoiceUpdateWebhookRequest(title="Mine", token="another"))
    kept = record_of(clients, path)
    assert (changed.url, kept["url"], changed.token, kept["token"]) == (url, url, "another", "another")
    client.voice_delete_webhook(made.id)
    is_gone(clients, path)
    works("voice_create_webhook", "voice_read_webhook", "voice_list_webhooks", "voice_update_webhook", "voice_delete_webhook")


def test_a_recording_and_what_was_written_down(
    client: messagebird.Client,
    clients: ClientStage,
    conversation: Conversation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = conversation.call, conversation.leg
    path = f"/calls/{conversation.call}/legs/{conversation.leg}/recordings/{conversation.recording}"
    (listed,) = client.voice_recording_list_recordings(*where).data
    viewed = client.voice_recording_view(*where, conversation.recording)
    kept, file = record_of(clients, path), f"/recordings/{conversation.recording}.wav"
    for one in (listed, viewed):
        assert (one.id, one.legId, one.status, one.duration) == (kept["id"], conversation.leg, "done", kept["duration"])
        assert one._links["file"] == file
    monkeypatch.chdir(tmp_path)  # it writes where it stands
    told = client.voice_recording_download(*where, conversation.recording)
    assert told == f"{clients.server.https}{conversation.recording}.wav"
    assert Path(f"{conversation.recording}.wav").read_bytes() == clients.server.live.file(f"{path}.wav").body
    works("voice_recording_list_recordings", "voice_recording_view")
    defect = "it writes the file as it should, but returns the server's address and the file's name run together"
    record(PYTHON, "voice_recording_download", "defect", defect)

    made = client.voice_transcription_create(*where, conversation.recording, "nl-NL").data[0]
    assert record_of(clients, f"{path}/transcriptions/{made.id}")["recordingId"] == conversation.recording
    listed_ids = {one.id for one in client.voice_transcription_list(*where, conversation.recording).data}
    assert listed_ids == {made.id, conversation.transcription}
    viewed = client.voice_transcription_view(*where, conversation.recording, conversation.transcription).data[0]
    assert (viewed.id, viewed.status) == (conversation.transcription, "done")
    works("voice_transcription_create", "voice_transcription_list", "voice_transcription_view")
    written = f"{conversation.transcription}.txt"
    assert clients.server.live.file(f"{path}/transcriptions/{written}").body.decode() == SAID
    with pytest.raises(json.JSONDecodeError, match=r"^Expecting value: line 1 column 1 \(char 0\)$"):
        client.voice_transcription_download(*where, conversation.recording, written)
    record(PYTHON, "voice_transcription_download", "defect", "it reads the text as JSON and raises JSONDecodeError")

    client.voice_recording_delete(*where, conversation.recording)
    is_gone(clients, path)
    works("voice_recording_delete")


def test_what_is_wrong_is_told(client: messagebird.Client) -> None:
    def told(error: ErrorException) -> list[tuple[int, str | None]]:
        assert all(one.description for one in error.errors)
        return [(one.code, one.parameter) for one in error.errors]

    for ask in (client.call, client.call_delete, client.call_flow, client.call_flow_delete, client.voice_read_webhook):
        with pytest.raises(ErrorException) as caught:
            ask(NOBODY)
        assert told(caught.value) == [(13, None)]
    with pytest.raises(ErrorException) as caught:
        client.call_create("31205550100", "31205550101", {"steps": [{"action": "dance"}]}, None)
    assert told(caught.value) == [(10, "callFlow.steps[0].action")]
    with pytest.raises(ErrorException) as caught:
        messagebird.Client("live_" + "x" * 43).call_list()
    assert told(caught.value) == [(15, None)]


def test_each_voice_method_was_called() -> None:
    named = [name for name, _ in inspect.getmembers(messagebird.Client, inspect.isfunction) if not name.startswith("_")]
    voice = [name for name in named if name.startswith(("call", "voice_")) and not name.startswith("voice_message")]
    assert sorted(recorded(PYTHON)) == sorted(voice)
    settle(PYTHON, About("Python", f"messagebird {metadata.version('messagebird')}"))
