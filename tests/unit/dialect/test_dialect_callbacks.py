"""The bodies of callbacks, and the catalogue that says what they can be."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from callwright.calls.events import Event, Snapshot, encode_snapshot, leg_events
from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, Leg, LegStatus
from callwright.dialect import callbacks, catalogue, examples, render
from callwright.dialect.callbacks import EndpointNotice
from callwright.dialect.strictness import Strictness
from callwright.reasons import Reason
from callwright.recordings import events as recording_events
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.store import Change
from callwright.transcriptions import events as transcription_events
from callwright.transcriptions.model import Transcription, TranscriptionStatus
from support.json_schema import faults

AT = 1_714_644_000_000_000  # 2024-05-02T10:00:00Z
SECOND = 1_000_000
WORLD = UUID("00000000-0000-7000-8000-000000000001")
CALL = UUID("c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101")
IN = UUID("b4f1d3e7-2a68-4c9d-8e05-7f9b1a3c8808")
OUT = UUID("7d0b6f92-4b3a-4c55-9f0e-51c2a8d7e202")
NUMBER = UUID("8e4c0a2b-5d7f-4b9e-a3c1-1d3f5b7e7707")
FLOW = UUID("2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303")
RECORDING = UUID("9a3e7f15-6c24-4d8b-a1f0-3c5e7d9b4404")
TRANSCRIPTION = UUID("4f8d2b6a-1e3c-4a5d-9b7f-6e8c0a2d5505")

call = Call(
    id=CALL,
    world_id=WORLD,
    status=CallStatus.ENDED,
    source="31205550177",
    destination="31205550123",
    number_id=NUMBER,
    called=CalledNumber(NUMBER, "31205550123", FLOW, AT - 60 * SECOND, AT - 30 * SECOND),
    created_us=AT + 999_999,
    updated_us=AT + 15 * SECOND,
    ended_us=AT + 15 * SECOND,
)
incoming = Leg(
    id=IN,
    call_id=CALL,
    n=1,
    direction=Direction.INCOMING,
    source="31205550177",
    destination="31205550123",
    status=LegStatus.HANGUP,
    reason=Reason.CALLER_HANGUP,
    detail="private",
    sip_code=200,
    sip_call_id="secret@host",
    created_us=AT,
    updated_us=AT + 15 * SECOND,
    answered_us=AT + 9 * SECOND - 1,
    ended_us=AT + 15 * SECOND,
)
outgoing = replace(
    incoming,
    id=OUT,
    n=2,
    direction=Direction.OUTGOING,
    status=LegStatus.STARTING,
    sip_code=None,
    answered_us=None,
    ended_us=None,
)
recording = Recording(
    id=RECORDING,
    world_id=WORLD,
    call_id=CALL,
    leg_id=IN,
    type=RecordingType.IVR,
    status=RecordingStatus.DONE,
    file="2024/05/02/secret.sealed",
    key_id="secret key",
    duration_ms=11_001,
    detail="/var/secret: no space left",
    created_us=AT + 20 * SECOND,
    updated_us=AT + 33 * SECOND,
)
transcription = Transcription(
    id=TRANSCRIPTION,
    world_id=WORLD,
    recording_id=RECORDING,
    call_id=CALL,
    leg_id=IN,
    language="nl-NL",
    status=TranscriptionStatus.FAILED,
    error="No Dutch here.",
    key_id="secret key",
    created_us=AT + 34 * SECOND,
    updated_us=AT + 40 * SECOND,
)


def event_of(snapshot: Snapshot, kind: str = "callUpdated") -> Event:
    return Event(1, WORLD, UUID(int=9), CALL, 2, kind, snapshot.call.updated_us, encode_snapshot(snapshot))


def row_of(change: Change) -> Event:
    """The event as it is read back after its commit."""
    (write,) = change.writes
    assert write.query == "calls.insert_event"
    params: Any = write.params
    world, id_, call_id, seq, kind, at_us, content = params
    assert seq is None
    return Event(2, UUID(bytes=world), UUID(bytes=id_), UUID(bytes=call_id), None, kind, at_us, content)


def item_of(event: Event) -> tuple[str, dict[str, Any]]:
    """The envelope's timestamp and its one item, once the whole was held against the schema."""
    body = json.loads(callbacks.body(event, "EUR"))
    assert faults(body, catalogue.json_schema()) == []
    assert list(body) == ["timestamp", "items"]
    (item,) = body["items"]
    assert list(item) == ["type", "event", "payload"]
    return body["timestamp"], item


CALLBACK = (
    b'{"timestamp":"2024-05-02T10:00:15Z","items":[{"type":"call","event":"callUpdated","payload":{'
    b'"id":"c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101","status":"ended",'
    b'"number":{"id":"8e4c0a2b-5d7f-4b9e-a3c1-1d3f5b7e7707","number":"31205550123",'
    b'"callFlowId":"2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303",'
    b'"createdAt":"2024-05-02T09:59:00Z","updatedAt":"2024-05-02T09:59:30Z"},'
    b'"legs":[{"id":"b4f1d3e7-2a68-4c9d-8e05-7f9b1a3c8808","callId":"c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101",'
    b'"source":"31205550177","destination":"31205550123","status":"hangup","direction":"incoming",'
    b'"createdAt":"2024-05-02T10:00:00Z","updatedAt":"2024-05-02T10:00:15Z","answeredAt":"2024-05-02T10:00:08Z",'
    b'"endedAt":"2024-05-02T10:00:15Z","cost":0,"currency":"EUR","duration":7,"sipResponseCode":200},'
    b'{"id":"7d0b6f92-4b3a-4c55-9f0e-51c2a8d7e202","callId":"c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101",'
    b'"source":"31205550177","destination":"31205550123","status":"starting","direction":"outgoing",'
    b'"createdAt":"2024-05-02T10:00:00Z","updatedAt":"2024-05-02T10:00:15Z","answeredAt":null,"endedAt":null,'
    b'"cost":0,"currency":"EUR","duration":0}],'
    b'"createdAt":"2024-05-02T10:00:00Z","updatedAt":"2024-05-02T10:00:15Z","endedAt":"2024-05-02T10:00:15Z",'
    b'"source":"31205550177","destination":"31205550123"}}]}'
)


def test_the_body_of_a_callback_byte_for_byte() -> None:
    event = event_of(Snapshot(call, (incoming, outgoing)))
    assert callbacks.body(event, "EUR") == CALLBACK
    assert item_of(event)[1]["type"] == "call"
    # Which legs the change is about is for other messages.
    assert callbacks.body(event_of(Snapshot(call, (incoming, outgoing), (2,), (1,))), "EUR") == CALLBACK


@pytest.mark.parametrize("status", [CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED])
def test_a_call_that_nobody_talked_on_may_be_shown_as_ended(status: CallStatus) -> None:
    event = event_of(Snapshot(replace(call, status=status), (incoming, outgoing)))
    assert item_of(event)[1]["payload"]["status"] == status.value
    assert callbacks.body(event, "EUR", Strictness(collapse_statuses=True)) == CALLBACK


def test_the_callback_of_a_call_from_the_api_names_its_webhook_and_never_the_token() -> None:
    placed = replace(call, called=None, ended_us=None, webhook_url="https://a.test/x", webhook_token="s3cr3t")
    event = event_of(Snapshot(placed, (outgoing,)), "callCreated")
    payload = item_of(event)[1]["payload"]
    assert list(payload) == [*("id", "status", "legs", "createdAt", "updatedAt", "endedAt", "source", "destination", "webhook")]
    assert payload["webhook"] == {"url": "https://a.test/x"}
    assert b"s3cr3t" not in callbacks.body(event, "EUR")


def test_a_called_number_without_a_flow_has_no_flow_id() -> None:
    assert call.called is not None
    without = replace(call, called=replace(call.called, flow_id=None))
    payload = item_of(event_of(Snapshot(without, (incoming,))))[1]["payload"]
    assert list(payload["number"]) == ["id", "number", "createdAt", "updatedAt"]


def test_a_leg_is_told_as_it_stands_in_its_call() -> None:
    event = event_of(Snapshot(call, (incoming, outgoing), (2,), (1,)))
    legs = json.loads(CALLBACK)["items"][0]["payload"]["legs"]
    assert [item_of(one) for one in leg_events(event)] == [
        ("2024-05-02T10:00:15Z", {"type": "leg", "event": "legUpdated", "payload": legs[0]}),
        ("2024-05-02T10:00:15Z", {"type": "leg", "event": "legCreated", "payload": legs[1]}),
    ]


def test_a_recording_is_told_without_its_file_and_its_key() -> None:
    event = row_of(recording_events.updated(recording))
    assert (event.call_id, event.world_id) == (CALL, WORLD)
    at, item = item_of(event)
    shown = msgspec.to_builtins(render.recording_item(recording, linked=False))
    assert at == "2024-05-02T10:00:33Z"
    assert item == {"type": "recording", "event": "recordingUpdated", "payload": {**shown, "callId": str(CALL)}}
    assert item["payload"]["duration"] == 12
    assert b"secret" not in event.content
    assert item_of(row_of(recording_events.created(recording)))[1]["event"] == "recordingCreated"


def test_a_recording_that_pauses_is_being_recorded() -> None:
    paused = replace(recording, status=RecordingStatus.PAUSED)
    assert item_of(row_of(recording_events.updated(paused)))[1]["payload"]["status"] == "recording"


def test_a_transcription_is_told_without_its_key() -> None:
    event = row_of(transcription_events.updated(transcription))
    at, item = item_of(event)
    assert at == "2024-05-02T10:00:40Z"
    assert item == {
        "type": "transcription",
        "event": "transcriptionUpdated",
        "payload": {
            "id": str(TRANSCRIPTION),
            "recordingId": str(RECORDING),
            "legId": str(IN),
            "status": "failed",
            "error": "No Dutch here.",
            "createdAt": "2024-05-02T10:00:34Z",
            "updatedAt": "2024-05-02T10:00:40Z",
            "callId": str(CALL),
        },
    }
    assert b"secret" not in event.content
    assert item_of(row_of(transcription_events.created(transcription)))[1]["event"] == "transcriptionCreated"


@pytest.mark.parametrize(("kind", "status"), [("webhookDisabled", "disabled"), ("webhookEnabled", "enabled")])
def test_a_receiver(kind: str, status: str) -> None:
    notice = EndpointNotice(
        endpoint_id=FLOW, url="https://a.test/x", why="gone", failing_us=AT, failures=3, last_status=410, last_error="status",
        at_us=AT + SECOND,
    )  # fmt: skip
    event = Event(3, WORLD, UUID(int=9), WORLD, None, kind, AT + SECOND, msgspec.msgpack.encode(notice))
    assert item_of(event) == (
        "2024-05-02T10:00:01Z",
        {
            "type": "webhook",
            "event": kind,
            "payload": {
                "id": str(FLOW),
                "url": "https://a.test/x",
                "status": status,
                "reason": "gone",
                "failingSince": "2024-05-02T10:00:00Z",
                "failures": 3,
                "lastStatus": 410,
                "lastError": "status",
                "updatedAt": "2024-05-02T10:00:01Z",
            },
        },
    )


# the catalogue


def test_every_event_is_in_the_catalogue_once() -> None:
    assert [one.event for one in catalogue.CATALOGUE] == list(callbacks.TYPE_OF)
    assert [one.type for one in catalogue.CATALOGUE] == list(callbacks.TYPE_OF.values())
    assert sorted(set(callbacks.TYPE_OF.values())) == sorted(callbacks.TYPES)
    assert [one.event for one in catalogue.CATALOGUE if one.always] == ["callCreated", "callUpdated"]


@pytest.mark.parametrize("one", catalogue.CATALOGUE, ids=lambda one: one.event)
def test_every_event_has_an_example_that_its_own_definition_allows(one: catalogue.EventType) -> None:
    schema = catalogue.json_schema()
    example = json.loads(examples.example(one.event))
    (item,) = example["items"]
    assert (item["type"], item["event"]) == (one.type, one.event)
    assert faults(example, {"$ref": f"#/$defs/{one.event}"}, schema) == []
    others = [other.event for other in catalogue.CATALOGUE if other is not one]
    assert all(faults(example, {"$ref": f"#/$defs/{other}"}, schema) for other in others)


def test_the_schema_says_what_each_key_means_and_knows_no_other() -> None:
    schema = json.loads(json.dumps(catalogue.json_schema()))
    structs = {name: definition for name, definition in schema["$defs"].items() if "properties" in definition}
    for name, definition in structs.items():
        assert definition["description"], name
        for key, shape in definition["properties"].items():
            assert shape["description"].endswith("."), (name, key)
    named = {name: list(definition["properties"]) for name, definition in structs.items() if name not in callbacks.TYPE_OF}
    assert named == {name: list(fields) for name, fields in catalogue.FIELDS.items()}
    assert "_links" not in json.dumps(schema)
    assert 'Item"' not in json.dumps(schema)
    assert 'Payload"' not in json.dumps(schema)


def test_the_schema_finds_what_is_wrong() -> None:
    schema = catalogue.json_schema()
    good = json.loads(CALLBACK)
    assert faults(good, schema) == []
    for spoil in (
        lambda body: body.pop("timestamp"),
        lambda body: body.update(timestamp="yesterday"),
        lambda body: body["items"].append(body["items"][0]),
        lambda body: body["items"][0].update(event="legCreated"),
        lambda body: body["items"][0]["payload"].update(status="gone"),
        lambda body: body["items"][0]["payload"].update(id="1"),
        lambda body: body["items"][0]["payload"].pop("endedAt"),
        lambda body: body["items"][0]["payload"]["legs"][0].pop("cost"),
        lambda body: body["items"][0]["payload"]["legs"][0].update(duration="7"),
    ):
        body = json.loads(CALLBACK)
        spoil(body)
        assert faults(body, schema) != []


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(LookupError):
        examples.example("callDeleted")
    with pytest.raises(LookupError):
        callbacks.body(event_of(Snapshot(call, (incoming,)), "callDeleted"), "EUR")
