"""An example of every event: a body as the server would send it."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from callwright.calls import events
from callwright.calls.events import Event, Snapshot
from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, Leg, LegStatus
from callwright.clock import SECOND_US
from callwright.dialect import callbacks
from callwright.recordings import events as recording_events
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.transcriptions import events as transcription_events
from callwright.transcriptions.model import Transcription, TranscriptionStatus


def example(event: str, currency: str = "EUR") -> bytes:
    """A body of this event, as the server would send it. Raises `LookupError` for one that does not exist."""
    sample = _SAMPLES[event]
    made = Event(1, _WORLD, _EVENT, sample.call_id, None, event, sample.at_us, sample.content)
    return callbacks.body(made, currency)


class _Sample(NamedTuple):
    call_id: UUID
    at_us: int
    content: bytes


_AT = 1_714_644_000 * SECOND_US  # 2024-05-02T10:00:00Z
_WORLD = UUID("018f3937-1e00-7000-8000-000000000001")
_EVENT = UUID("018f3937-1e00-7000-8000-000000000002")
_FIRST_LEG = Leg(
    id=UUID("b4f1d3e7-2a68-4c9d-8e05-7f9b1a3c8808"),
    call_id=UUID("c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101"),
    n=1,
    direction=Direction.INCOMING,
    source="31205550177",
    destination="31205550123",
    created_us=_AT,
    updated_us=_AT,
)
_ANSWERED_LEG = replace(
    _FIRST_LEG, status=LegStatus.ONGOING, sip_code=200, answered_us=_AT + 9 * SECOND_US, updated_us=_AT + 9 * SECOND_US
)
_CALL = Call(
    id=_FIRST_LEG.call_id,
    world_id=_WORLD,
    status=CallStatus.STARTING,
    source=_FIRST_LEG.source,
    destination=_FIRST_LEG.destination,
    called=CalledNumber(
        id=UUID("8e4c0a2b-5d7f-4b9e-a3c1-1d3f5b7e7707"),
        number=_FIRST_LEG.destination,
        flow_id=UUID("2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303"),
        created_us=_AT - 86_400 * SECOND_US,
        updated_us=_AT - 3_600 * SECOND_US,
    ),
    created_us=_AT,
    updated_us=_AT,
)
_ANSWERED_CALL = replace(_CALL, status=CallStatus.ONGOING, updated_us=_ANSWERED_LEG.updated_us)
_RECORDING = Recording(
    id=UUID("9a3e7f15-6c24-4d8b-a1f0-3c5e7d9b4404"),
    world_id=_WORLD,
    call_id=_CALL.id,
    leg_id=_FIRST_LEG.id,
    type=RecordingType.IVR,
    file="",
    created_us=_AT + 20 * SECOND_US,
    updated_us=_AT + 20 * SECOND_US,
)
_DONE_RECORDING = replace(_RECORDING, status=RecordingStatus.DONE, duration_ms=12_000, updated_us=_AT + 33 * SECOND_US)
_TRANSCRIPTION = Transcription(
    id=UUID("4f8d2b6a-1e3c-4a5d-9b7f-6e8c0a2d5505"),
    world_id=_WORLD,
    recording_id=_RECORDING.id,
    call_id=_CALL.id,
    leg_id=_FIRST_LEG.id,
    language="en-US",
    created_us=_DONE_RECORDING.updated_us,
    updated_us=_DONE_RECORDING.updated_us,
)
_DONE_TRANSCRIPTION = replace(_TRANSCRIPTION, status=TranscriptionStatus.DONE, updated_us=_AT + 40 * SECOND_US)
_DISABLED = callbacks.EndpointNotice(
    endpoint_id=UUID("6c2a9e7d-3f1b-4d5e-8a9c-0b2d4f6e6606"),
    url="https://hooks.example.test/voice",
    why="failing",
    failing_us=_AT - 5 * 86_400 * SECOND_US,
    failures=123,
    last_status=None,
    last_error="timeout",
    at_us=_AT,
)
_ENABLED = callbacks.EndpointNotice(
    endpoint_id=_DISABLED.endpoint_id, url=_DISABLED.url, why="asked", at_us=_AT + 3_600 * SECOND_US
)

_pack = msgspec.msgpack.Encoder().encode
_SAMPLES = {
    events.CREATED: _Sample(_CALL.id, _CALL.updated_us, _pack(Snapshot(_CALL, (_FIRST_LEG,)))),
    events.UPDATED: _Sample(_CALL.id, _ANSWERED_CALL.updated_us, _pack(Snapshot(_ANSWERED_CALL, (_ANSWERED_LEG,)))),
    events.LEG_CREATED: _Sample(_CALL.id, _FIRST_LEG.updated_us, _pack(_FIRST_LEG)),
    events.LEG_UPDATED: _Sample(_CALL.id, _ANSWERED_LEG.updated_us, _pack(_ANSWERED_LEG)),
    recording_events.CREATED: _Sample(_CALL.id, _RECORDING.updated_us, _pack(_RECORDING)),
    recording_events.UPDATED: _Sample(_CALL.id, _DONE_RECORDING.updated_us, _pack(_DONE_RECORDING)),
    transcription_events.CREATED: _Sample(_CALL.id, _TRANSCRIPTION.updated_us, _pack(_TRANSCRIPTION)),
    transcription_events.UPDATED: _Sample(_CALL.id, _DONE_TRANSCRIPTION.updated_us, _pack(_DONE_TRANSCRIPTION)),
    callbacks.WEBHOOK_DISABLED: _Sample(_WORLD, _DISABLED.at_us, _pack(_DISABLED)),
    callbacks.WEBHOOK_ENABLED: _Sample(_WORLD, _ENABLED.at_us, _pack(_ENABLED)),
}
