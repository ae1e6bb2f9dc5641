"""What the compatible API shows of calls, flows, recordings and the rest. Callbacks show the same: `callbacks`.

The key sets and their order are a contract of their own: superset of the vendor's first published examples, whose keys
come first. In lists an item carries ``_links``; a single answer has them in its envelope. What is not there is left out
(`UNSET`), except for the dates that clients expect to be null until they happen.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from callwright.calls.model import Call, CallStatus, Direction, Leg, LegStatus
from callwright.clock import rfc3339
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.flows.flows import StoredFlow
from callwright.numbers.numbers import Number
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.transcriptions.model import Transcription, TranscriptionStatus

Links = dict[str, str]

# Java's library cannot read an answer with any other (contract §2.2).
SIP_RESPONSE_CODES = frozenset({200, 403, 404, 408, 410, 480, 484, 486, 488, 500, 501, 502, 503})

_encode = msgspec.json.Encoder().encode


class CallItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    status: CallStatus
    number_id: UUID | UnsetType = UNSET
    created_at: str
    updated_at: str
    ended_at: str | None
    source: str
    destination: str
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class LegItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`duration` in seconds; `cost` is 0, because nothing is billed here."""

    id: UUID
    call_id: UUID
    source: str
    destination: str
    status: LegStatus
    direction: Direction
    created_at: str
    updated_at: str
    answered_at: str | None
    ended_at: str | None
    cost: int = 0
    currency: str
    duration: int
    sip_response_code: int | UnsetType = UNSET
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class NumberItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A number of the customer's."""

    id: UUID
    number: str
    call_flow_id: UUID | UnsetType = UNSET
    created_at: str
    updated_at: str
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class FlowItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`steps` is what the client sent, with ids."""

    id: UUID
    title: Any = UNSET
    record: bool
    default: bool
    max_duration: Any = UNSET
    steps: Any
    created_at: str
    updated_at: str
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class WebhookItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    url: str
    token: str | UnsetType = UNSET
    created_at: str
    updated_at: str
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class RecordingItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`state` is the older name of `status`; `duration` in whole seconds, 0 until it is over (contract §2.5)."""

    id: UUID
    format: str = "wav"
    type: RecordingType
    leg_id: UUID
    status: str
    state: str
    duration: int
    created_at: str
    updated_at: str
    deleted_at: None = None
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


class TranscriptionItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    recording_id: UUID
    leg_id: UUID
    status: TranscriptionStatus
    error: str | None
    created_at: str
    updated_at: str
    links: Links | UnsetType = msgspec.field(default=UNSET, name="_links")


def call_path(call_id: UUID) -> str:
    return f"/calls/{call_id}"


def legs_path(call_id: UUID) -> str:
    return f"/calls/{call_id}/legs"


def leg_path(leg: Leg) -> str:
    return f"/calls/{leg.call_id}/legs/{leg.id}"


def flow_path(flow_id: UUID) -> str:
    return f"/call-flows/{flow_id}"


def flow_numbers_path(flow_id: UUID) -> str:
    return f"/call-flows/{flow_id}/numbers"


def number_path(number_id: UUID) -> str:
    return f"/numbers/{number_id}"


def webhook_path(webhook_id: UUID) -> str:
    return f"/webhooks/{webhook_id}"


def recordings_path(call_id: UUID, leg_id: UUID) -> str:
    return f"/calls/{call_id}/legs/{leg_id}/recordings"


def recording_links(recording_id: UUID) -> Links:
    path = f"/recordings/{recording_id}"
    return {"self": path, "file": f"{path}.wav"}


def transcriptions_path(recording_id: UUID) -> str:
    return f"/recordings/{recording_id}/transcriptions"


def transcription_links(transcription_id: UUID) -> Links:
    path = f"/transcriptions/{transcription_id}"
    return {"self": path, "file": f"{path}.txt"}


def call_links(call_id: UUID) -> Links:
    path = call_path(call_id)
    return {"self": path, "legs": f"{path}/legs"}


def call_item(call: Call, *, linked: bool, strictness: Strictness = LENIENT) -> CallItem:
    return CallItem(
        id=call.id,
        status=strictness.call_status(call.status),
        number_id=or_unset(call.number_id),
        created_at=rfc3339(call.created_us),
        updated_at=rfc3339(call.updated_us),
        ended_at=moment(call.ended_us),
        source=call.source,
        destination=call.destination,
        links=call_links(call.id) if linked else UNSET,
    )


def leg_item(leg: Leg, currency: str, *, linked: bool) -> LegItem:
    return LegItem(
        id=leg.id,
        call_id=leg.call_id,
        source=leg.source,
        destination=leg.destination,
        status=leg.status,
        direction=leg.direction,
        created_at=rfc3339(leg.created_us),
        updated_at=rfc3339(leg.updated_us),
        answered_at=moment(leg.answered_us),
        ended_at=moment(leg.ended_us),
        currency=currency,
        duration=leg.duration_s,
        sip_response_code=leg.sip_code if leg.sip_code is not None and leg.sip_code in SIP_RESPONSE_CODES else UNSET,
        links={"self": leg_path(leg)} if linked else UNSET,
    )


def number_item(number: Number, *, linked: bool) -> NumberItem:
    return NumberItem(
        id=number.id,
        number=number.number,
        call_flow_id=or_unset(number.flow_id),
        created_at=rfc3339(number.created_us),
        updated_at=rfc3339(number.updated_us),
        links={"self": number_path(number.id)} if linked else UNSET,
    )


def flow_item(flow: StoredFlow, *, linked: bool) -> FlowItem:
    body = flow.body
    return FlowItem(
        id=flow.id,
        title=body.get("title", UNSET),
        record=body.get("record", False),
        default=body.get("default", False),
        max_duration=body.get("maxDuration", UNSET),
        steps=body["steps"],
        created_at=rfc3339(flow.created_us),
        updated_at=rfc3339(flow.updated_us),
        links={"self": flow_path(flow.id)} if linked else UNSET,
    )


def webhook_item(id_: UUID, url: str, token: str | None, created_us: int, updated_us: int, *, linked: bool) -> WebhookItem:
    return WebhookItem(
        id=id_,
        url=url,
        token=UNSET if token is None else token,
        created_at=rfc3339(created_us),
        updated_at=rfc3339(updated_us),
        links={"self": webhook_path(id_)} if linked else UNSET,
    )


def recording_item(recording: Recording, *, linked: bool = True) -> RecordingItem:
    """A recording; libraries want its links in the item as well as in the envelope. One that pauses is being recorded."""
    status = (RecordingStatus.RECORDING if recording.status is RecordingStatus.PAUSED else recording.status).value
    return RecordingItem(
        id=recording.id,
        type=recording.type,
        leg_id=recording.leg_id,
        status=status,
        state=status,
        duration=recording.duration_s,
        created_at=rfc3339(recording.created_us),
        updated_at=rfc3339(recording.updated_us),
        links=recording_links(recording.id) if linked else UNSET,
    )


def recording_body(recording: Recording) -> bytes:
    """A recording as ``onFinish`` is told of it: bare, without envelope or links (contract §4.5)."""
    return _encode(recording_item(recording, linked=False))


def transcription_item(transcription: Transcription, *, linked: bool = True) -> TranscriptionItem:
    return TranscriptionItem(
        id=transcription.id,
        recording_id=transcription.recording_id,
        leg_id=transcription.leg_id,
        status=transcription.status,
        error=transcription.error or None,
        created_at=rfc3339(transcription.created_us),
        updated_at=rfc3339(transcription.updated_us),
        links=transcription_links(transcription.id) if linked else UNSET,
    )


def moment(at_us: int | None) -> str | None:
    """The form of a date that clients expect to be null until it is known."""
    return None if at_us is None else rfc3339(at_us)


def or_unset(id_: UUID | None) -> UUID | UnsetType:
    return UNSET if id_ is None else id_
