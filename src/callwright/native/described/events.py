"""What callbacks can tell of, and listening to them (`native.events`, `native.listening`)."""

from __future__ import annotations

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.listening import SIGN_WITH_HEADER
from callwright.openapi.operation import Access, Answer, Operation, Parameter, Place
from callwright.openapi.shapes import all_of, anything, choice, identity, moment, record, several, text, truth

EVENT_TYPE = record(
    "EventType",
    "An event that callbacks tell of.",
    {
        "event": choice("Its name.", tuple(TYPE_OF)),
        "type": choice("What it is about: a webhook asks for these.", TYPES),
        "sentence": text("What happened.", "There is a new call."),
        "when": text("When it is sent.", "Once for each call, as its first event."),
        "always": truth("Whether every webhook hears of it without asking.", True),
        "schema": text("Where the schema of its body is.", "/api/schemas/events.json#/$defs/callCreated"),
        "example": anything("A body.", {"timestamp": "2026-05-04T10:00:00Z", "items": []}),
    },
)
LISTENED = record(
    "ListenLine",
    "A line of what is listened to.",
    {
        "type": choice(
            "`ready` is the first. `alive`: nothing has happened for 15 s. `dropped` and `stopping` are the last.",
            ("ready", "event", "alive", "dropped", "stopping"),
            "event",
        ),
        "world": choice("Of `ready`: the world.", ("live", "test")),
        "resume": text("Of `ready` and `event`: what to give as `after` to go on behind it.", "c2VhbGVk"),
        "messageId": identity("Of `event`: the message."),
        "event": choice("What happened.", tuple(TYPE_OF)),
        "callId": identity("Its call."),
        "at": moment("When it happened."),
        "headers": several(
            several(
                text("Name, then value.", "webhook-id"),
                "A header.",
                minItems=2,
                maxItems=2,
                examples=[["content-type", "application/json"]],
            ),
            "Headers to post it with.",
        ),
        "body": text("The body to post.", "{}"),
        "why": text("Of `dropped` and `stopping`: a sentence.", "The server is stopping."),
    },
    optional=("world", "resume", "messageId", "event", "callId", "at", "headers", "body", "why"),
)

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/event-types",
        name="listEventTypes",
        tag="events",
        access=Access.ANYONE,
        summary="List what callbacks can tell of",
        answers=(Answer(status=200, sentence="Every event.", shape=all_of("EventTypes", EVENT_TYPE, "Events of callbacks.")),),
    ),
    Operation(
        method="GET",
        path="/api/schemas/events.json",
        name="showEventSchema",
        tag="events",
        access=Access.ANYONE,
        summary="Show the JSON Schema of the bodies of callbacks",
        answers=(
            Answer(status=200, sentence="A JSON Schema (2020-12).", shape=anything("The schema.", {"title": "Callback"})),
        ),
    ),
    Operation(
        method="GET",
        path="/api/listen",
        name="listen",
        tag="events",
        summary="Hear a world's callbacks as they happen",
        sentence="Lines of JSON for a program that will post them to `url`; `callwright listen` is made of it. There are at "
        "most ten listeners of a world.",
        parameters=(
            Parameter(name="url", shape=text("What to sign for; it is never requested.", "http://localhost:3000/hook")),
            Parameter(name="events", shape=text("Types besides calls, with commas.", "leg,recording")),
            Parameter(name="after", shape=text("The last `resume` that was seen; without it, from now on.", "c2VhbGVk")),
            Parameter(
                name=SIGN_WITH_HEADER,
                place=Place.HEADER,
                shape=text("A token to sign with in place of the signing key.", "foobar"),
            ),
        ),
        answers=(
            Answer(
                status=200,
                sentence="Lines of JSON, until either end lets go.",
                media="application/x-ndjson",
                shape={"type": "string"},
                lines=LISTENED,
            ),
        ),
    ),
)
