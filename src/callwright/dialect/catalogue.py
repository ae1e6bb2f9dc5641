"""Every event customers can be told of: what it means, when it is sent, and its JSON Schema.

``docs/events.md``, ``GET /api/event-types`` and ``GET /api/schemas/events.json`` are made of it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from callwright.calls import events
from callwright.dialect import callbacks
from callwright.dialect.callbacks import (
    CALL,
    LEG,
    RECORDING,
    TRANSCRIPTION,
    TYPE_OF,
    WEBHOOK,
    CallPayload,
    EndpointPayload,
    RecordingPayload,
    TranscriptionPayload,
)
from callwright.dialect.render import LegItem
from callwright.recordings import events as recording_events
from callwright.transcriptions import events as transcription_events

TITLE = "Callback"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PREFIX = "#/$defs/"


class EventType(msgspec.Struct, frozen=True):
    """One event: `payload` names its definition in the schema; `always` says that every webhook hears of it."""

    event: str
    type: str
    sentence: str
    when: str
    payload: str

    @property
    def always(self) -> bool:
        return self.type == CALL


def _entry(event: str, sentence: str, when: str) -> EventType:
    return EventType(event, TYPE_OF[event], sentence, when, _PAYLOAD_OF[TYPE_OF[event]])


_PAYLOAD_OF = {
    CALL: "Call",
    LEG: "Leg",
    RECORDING: "Recording",
    TRANSCRIPTION: "Transcription",
    WEBHOOK: "Endpoint",
}

CATALOGUE = (
    _entry(
        events.CREATED,
        "There is a new call.",
        "Once for each call, as its first event: somebody calls a number of yours, or your program placed a call.",
    ),
    _entry(
        events.UPDATED,
        "A call or one of its legs has changed.",
        "Each time the status of the call or of a leg changes, or a leg is added. The last one has a final status and endedAt.",
    ),
    _entry(
        events.LEG_CREATED,
        "A call has a new leg.",
        "With the first event of the call, and each time a transfer, the API or the far end of a leg (REFER) adds one.",
    ),
    _entry(
        events.LEG_UPDATED,
        "The status of a leg has changed.",
        "Right after the callUpdated that shows the same change, once for each leg that changed in it.",
    ),
    _entry(
        recording_events.CREATED,
        "A recording is about to begin.",
        "When a record step, a transfer with record or a flow with record starts to record a leg.",
    ),
    _entry(
        recording_events.UPDATED,
        "A recording has changed.",
        "When sound is being written, when it pauses or goes on, and when it is over (done or failed). A failed one is told of "
        "again when some of its sound could be saved after all.",
    ),
    _entry(
        transcription_events.CREATED,
        "A recording is to be written down.",
        "When a flow or the API asks for a transcription.",
    ),
    _entry(
        transcription_events.UPDATED,
        "A transcription has changed.",
        "When somebody is at it (transcribing) and when it is done or failed. The text is fetched: it is not in the callback.",
    ),
    _entry(
        callbacks.WEBHOOK_DISABLED,
        "A receiver is not sent anything any more.",
        "When it answered 410, when nothing it was sent arrived for as long as webhooks.disable_after says, or by hand. "
        "It goes to your other webhooks of the account.",
    ),
    _entry(
        callbacks.WEBHOOK_ENABLED,
        "A receiver that was disabled is sent events again.",
        "When it was enabled again, by hand or by a change of the webhook. It goes to your other webhooks of the account.",
    ),
)


def json_schema() -> dict[str, Any]:
    """One document for all bodies; each event has a definition of its own name."""
    kinds = {entry.event: _body_schema(entry) for entry in CATALOGUE}
    return {
        "$schema": DIALECT,
        "title": TITLE,
        "description": "The body of a callback. What is not in here may be added later: leave what you do not know.",
        "anyOf": [{"$ref": _PREFIX + entry.event} for entry in CATALOGUE],
        "$defs": dict(sorted({**kinds, **_payload_schemas()}.items())),
    }


def _body_schema(entry: EventType) -> dict[str, Any]:
    item = {
        "type": "object",
        "properties": {
            "type": {"enum": [entry.type], "description": "What the payload is."},
            "event": {"enum": [entry.event], "description": "What happened to it."},
            "payload": {"$ref": _PREFIX + entry.payload},
        },
        "required": ["type", "event", "payload"],
    }
    return {
        "title": entry.event,
        "description": f"{entry.sentence} {entry.when}",
        "type": "object",
        "properties": {
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened, in whole seconds."},
            "items": {"type": "array", "items": item, "minItems": 1, "maxItems": 1, "description": "One, always."},
        },
        "required": ["timestamp", "items"],
    }


class Field(NamedTuple):
    """What a key of a payload means, and the values it can have where the types do not say them."""

    sentence: str
    values: tuple[str, ...] = ()


_CREATED = Field("When it was made.")
_UPDATED = Field("When it was changed last.")
_FROM = Field("Who calls: a number in digits, or a URI.")
_TO = Field("Who is called: a number in digits, or a URI.")
_CALL_ID = Field("The call it is of.")
_LEG_ID = Field("The leg that was recorded.")
_RECORDING_STATUS = ("initialised", "recording", "done", "failed")

FIELDS: dict[str, dict[str, Field]] = {
    "Call": {
        "id": Field("The call."),
        "status": Field("Its status; queued, starting and ongoing are not final."),
        "number": Field("The number of yours that was called; not there for a call that your program placed."),
        "legs": Field("Its legs, oldest first."),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "endedAt": Field("When it was over; null while it lasts."),
        "source": _FROM,
        "destination": _TO,
        "webhook": Field("The webhook it was placed with; not there without one."),
    },
    "CallWebhook": {"url": Field("Its URL. The token is not sent.")},
    "Number": {
        "id": Field("The number."),
        "number": Field("Its digits."),
        "callFlowId": Field("The flow that it runs; not there without one."),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
    },
    "Leg": {
        "id": Field("The leg."),
        "callId": _CALL_ID,
        "source": _FROM,
        "destination": _TO,
        "status": Field("Its status; starting, ringing and ongoing are not final."),
        "direction": Field("incoming: from the telephone network to us; outgoing: the other way."),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "answeredAt": Field("When it was answered; null when it was not, or not yet."),
        "endedAt": Field("When it was over; null while it lasts."),
        "cost": Field("0: nothing is billed here."),
        "currency": Field("The setting calls.currency."),
        "duration": Field("Seconds from answer to end, rounded up; 0 until it is over."),
        "sipResponseCode": Field("The last SIP answer, where it is among those that libraries know."),
    },
    "Recording": {
        "id": Field("The recording; GET /recordings/{id}.wav has its sound once it is done."),
        "format": Field("wav.", ("wav",)),
        "type": Field("What made it: a record step (ivr), a transfer, or a flow with record (call)."),
        "legId": _LEG_ID,
        "status": Field("done and failed are final. One that pauses is being recorded.", _RECORDING_STATUS),
        "state": Field("The same as status, by its older name.", _RECORDING_STATUS),
        "duration": Field("Seconds, rounded up; 0 until it is over."),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "deletedAt": Field("null: what was deleted is not told of."),
        "callId": _CALL_ID,
    },
    "Transcription": {
        "id": Field("The transcription; GET /transcriptions/{id}.txt has the text once it is done."),
        "recordingId": Field("The recording that is written down."),
        "legId": _LEG_ID,
        "status": Field("done and failed are final."),
        "error": Field("Why it failed; null unless it did."),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "callId": _CALL_ID,
    },
    "Endpoint": {
        "id": Field("The receiver."),
        "url": Field("A webhook's URL without its query."),
        "status": Field("What it is now.", ("disabled", "enabled")),
        "reason": Field(
            "gone: it answered 410. failing: nothing arrived for too long. asked: somebody of yours said so.",
            ("gone", "failing", "asked"),
        ),
        "failingSince": Field("When the first attempt failed of which none since was good; null when none did."),
        "failures": Field("How many attempts failed since then."),
        "lastStatus": Field("The HTTP status of the last of them; null without an answer, or when none failed."),
        "lastError": Field("What the last of them failed with, in a word; null when none failed."),
        "updatedAt": _UPDATED,
    },
}


def _payload_schemas() -> dict[str, Any]:
    structs = (CallPayload, LegItem, RecordingPayload, TranscriptionPayload, EndpointPayload)
    _, found = msgspec.json.schema_components(structs, ref_template=_PREFIX + "{name}")
    named: dict[str, dict[str, Any]] = msgspec.json.decode(_named(msgspec.json.encode(found).decode()))
    return {name: _described(name, schema) if "properties" in schema else schema for name, schema in named.items()}


def _named(schemas: str) -> str:
    """Take from names what they need in the program alone: ``LegItem`` is a leg."""
    return re.sub(r'("(?:#/\$defs/)?[A-Z]\w+?)(?:Item|Payload)"', r'\1"', schemas)


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Say what each key means, and which are always there: all whose type has no `UNSET`, as every default is sent."""
    properties: dict[str, dict[str, Any]] = schema["properties"]
    properties.pop("_links", None)  # of REST alone
    always = [key for key, shape in properties.items() if key in schema["required"] or "default" in shape]
    for key, shape in properties.items():
        field = FIELDS[name][key]
        shape.pop("default", None)
        shape["description"] = field.sentence
        if field.values:
            shape["enum"] = list(field.values)
        if key.endswith(("At", "Since")):
            for text in shape.get("anyOf", (shape,)):
                if text["type"] == "string":
                    text["format"] = "date-time"
    return {**schema, "required": always}
