"""The body of a callback: an event of a call, a leg, a recording, a transcription, or a receiver (contract §4.1, §4.2).

It depends on the event alone, so that every attempt to deliver it sends the same bytes. What each event means is said in
`catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from callwright.calls import events
from callwright.calls.events import Event, Snapshot
from callwright.calls.model import CalledNumber, CallStatus
from callwright.clock import rfc3339
from callwright.dialect.render import (
    LegItem,
    NumberItem,
    RecordingItem,
    TranscriptionItem,
    leg_item,
    moment,
    or_unset,
    recording_item,
    transcription_item,
)
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.recordings import events as recording_events
from callwright.transcriptions import events as transcription_events

CALL, LEG, RECORDING, TRANSCRIPTION, WEBHOOK = "call", "leg", "recording", "transcription", "webhook"
TYPES = (CALL, LEG, RECORDING, TRANSCRIPTION, WEBHOOK)
WEBHOOK_DISABLED = "webhookDisabled"
WEBHOOK_ENABLED = "webhookEnabled"

TYPE_OF = {
    events.CREATED: CALL,
    events.UPDATED: CALL,
    events.LEG_CREATED: LEG,
    events.LEG_UPDATED: LEG,
    recording_events.CREATED: RECORDING,
    recording_events.UPDATED: RECORDING,
    transcription_events.CREATED: TRANSCRIPTION,
    transcription_events.UPDATED: TRANSCRIPTION,
    WEBHOOK_DISABLED: WEBHOOK,
    WEBHOOK_ENABLED: WEBHOOK,
}

_encode = msgspec.json.Encoder().encode


class CallWebhook(msgspec.Struct, frozen=True):
    """The webhook a call was placed with; its token stays with the two who know it."""

    url: str


class CallPayload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call as it is after the change, with its legs, oldest first."""

    id: UUID
    status: CallStatus
    number: NumberItem | UnsetType = UNSET
    legs: list[LegItem]
    created_at: str
    updated_at: str
    ended_at: str | None
    source: str
    destination: str
    webhook: CallWebhook | UnsetType = UNSET


class RecordingPayload(RecordingItem, frozen=True, kw_only=True, rename="camel"):
    """A recording as the REST interface shows it, and the call it is of."""

    call_id: UUID


class TranscriptionPayload(TranscriptionItem, frozen=True, kw_only=True, rename="camel"):
    """A transcription as the REST interface shows it, and the call it is of. What was heard is fetched by its id."""

    call_id: UUID


class EndpointPayload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A receiver that is not sent anything any more, or again: a webhook's URL without its query."""

    id: UUID
    url: str
    status: str
    reason: str
    failing_since: str | None
    failures: int
    last_status: int | None
    last_error: str | None
    updated_at: str


Payload = CallPayload | LegItem | RecordingPayload | TranscriptionPayload | EndpointPayload


class CallbackItem(msgspec.Struct, frozen=True):
    type: str
    event: str
    payload: Payload


class Callback(msgspec.Struct, frozen=True):
    timestamp: str
    items: tuple[CallbackItem, ...]


class EndpointNotice(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an event about a receiver, as room `webhooks` packs it, which this one does not know."""

    endpoint_id: UUID
    url: str
    at_us: int
    why: str
    failing_us: int | None = None
    failures: int = 0
    last_status: int | None = None
    last_error: str | None = None


_notice = msgspec.msgpack.Decoder(EndpointNotice)


def endpoint_notice(event: Event) -> EndpointNotice:
    """What ``webhookDisabled`` and ``webhookEnabled`` are about."""
    return _notice.decode(event.content)


def body(event: Event, currency: str, strictness: Strictness = LENIENT) -> bytes:
    """The body of a callback about an event.

    Raises `LookupError` for a kind that is unknown here, and what msgspec raises for content that is not of its kind.
    """
    item = CallbackItem(TYPE_OF[event.kind], event.kind, payload(event, currency, strictness))
    return _encode(Callback(rfc3339(event.at_us), (item,)))


def payload(event: Event, currency: str, strictness: Strictness = LENIENT) -> Payload:
    """What an event is about, as it was then; raises what `body` does."""
    return _PAYLOADS[TYPE_OF[event.kind]](event, currency, strictness)


def _call(event: Event, currency: str, strictness: Strictness) -> CallPayload:
    snapshot: Snapshot = event.snapshot
    call = snapshot.call
    return CallPayload(
        id=call.id,
        status=strictness.call_status(call.status),
        number=UNSET if call.called is None else _called_number(call.called),
        legs=[leg_item(leg, currency, linked=False) for leg in snapshot.legs],
        created_at=rfc3339(call.created_us),
        updated_at=rfc3339(call.updated_us),
        ended_at=moment(call.ended_us),
        source=call.source,
        destination=call.destination,
        webhook=UNSET if call.webhook_url is None else CallWebhook(call.webhook_url),
    )


def _called_number(called: CalledNumber) -> NumberItem:
    return NumberItem(
        id=called.id,
        number=called.number,
        call_flow_id=or_unset(called.flow_id),
        created_at=rfc3339(called.created_us),
        updated_at=rfc3339(called.updated_us),
    )


def _leg(event: Event, currency: str, strictness: Strictness) -> LegItem:
    return leg_item(event.leg, currency, linked=False)


def _recording(event: Event, currency: str, strictness: Strictness) -> RecordingPayload:
    recording = recording_events.unpack(event.content)
    item = recording_item(recording, linked=False)
    return RecordingPayload(call_id=recording.call_id, **msgspec.structs.asdict(item))


def _transcription(event: Event, currency: str, strictness: Strictness) -> TranscriptionPayload:
    transcription = transcription_events.unpack(event.content)
    item = transcription_item(transcription, linked=False)
    return TranscriptionPayload(call_id=transcription.call_id, **msgspec.structs.asdict(item))


def _endpoint(event: Event, currency: str, strictness: Strictness) -> EndpointPayload:
    notice = endpoint_notice(event)
    return EndpointPayload(
        id=notice.endpoint_id,
        url=notice.url,
        status="disabled" if event.kind == WEBHOOK_DISABLED else "enabled",
        reason=notice.why,
        failing_since=moment(notice.failing_us),
        failures=notice.failures,
        last_status=notice.last_status,
        last_error=notice.last_error,
        updated_at=rfc3339(notice.at_us),
    )


_PAYLOADS: dict[str, Callable[[Event, str, Strictness], Payload]] = {
    CALL: _call,
    LEG: _leg,
    RECORDING: _recording,
    TRANSCRIPTION: _transcription,
    WEBHOOK: _endpoint,
}
