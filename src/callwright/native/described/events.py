"""What callbacks can tell of, and listening to them (`native.events`, `native.listening`)."""

from __future__ import annotations

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.described.calls import CALL, LEG, LISTED
from callwright.native.described.filters import FILTERS
from callwright.native.described.recordings import RECORDING, TRANSCRIPTION
from callwright.native.feed import LAST_SEEN, LAST_SEEN_HEADER
from callwright.native.listening import SIGN_WITH_HEADER
from callwright.openapi.operation import Access, Answer, Operation, Parameter, Place
from callwright.openapi.shapes import (
    Named,
    all_of,
    anything,
    choice,
    extended,
    identity,
    moment,
    or_null,
    record,
    several,
    text,
    truth,
    whole,
)

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

LEG_TOLD = record("LegTold", "A leg outside of its call.", {"callId": identity("Its call."), **LEG["properties"]})
RECORDING_TOLD = record(
    "RecordingTold",
    "A recording in the live feed, where nobody is told of its file.",
    {key: shape for key, shape in RECORDING["properties"].items() if key not in ("sealed", "detail")},
)
CALL_TOLD = extended("CallTold", "A call as it was, with its legs.", LISTED, {"legs": CALL["properties"]["legs"]})
ENDPOINT_TOLD = record(
    "EndpointTold",
    "An endpoint that is not sent anything any more, or again.",
    {
        "id": identity("The endpoint."),
        "url": text("Its URL.", "https://example.com/voice"),
        "why": text("`gone`, `failing` or `asked`.", "asked"),
        "failures": whole("Attempts that failed since one was good.", 0),
        "failingSince": or_null(moment("When the first of them was."), None),
        "lastStatus": or_null(whole("The HTTP status of the last.", 503), None),
        "lastError": or_null(text("What the last failed with, in a word.", "timeout"), None),
        "updatedAt": moment("When it was switched."),
    },
)
NOTE = record(
    "FeedNote",
    "Of the events `gap` and `dropped`: something about the feed itself.",
    {"message": text("What is the matter.", "Events are gone."), "remedy": text("What to do.", "Ask for the list again.")},
)
FEED_LINE = Named(
    "FeedLine",
    {
        "description": "What a `data:` line of the live feed holds, by the `event:` before it.",
        "anyOf": [CALL_TOLD, LEG_TOLD, RECORDING_TOLD, TRANSCRIPTION, ENDPOINT_TOLD, NOTE],
    },
)
FEED_EXAMPLE = """\
: the live world
retry: 2000
id: nW0xk3jYb2cQd1ZrS5a8Vw

id: Zr5a8VwnW0xk3jYb2cQd1S
event: callUpdated
data: {"id":"01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f","world":"live","status":"ongoing",…}

: alive
"""

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/events",
        name="watchEvents",
        tag="events",
        summary="Watch what happens as it happens",
        sentence="Server-sent events: `event:` is what happened, `data:` one line of JSON, `id:` where to go on. Filters are "
        "those of the list of calls, applied to the call as it was then. It begins behind `Last-Event-ID`, else at `since`, "
        "else now. What is gone since then is said by an event `gap`. A reader that is too slow is let go with `dropped`, and "
        "comes back with its last id.",
        parameters=(
            *FILTERS,
            Parameter(
                name="type", shape=text(f"What is told of, with commas: {', '.join(TYPES)}. Without it, calls.", "call,leg")
            ),
            Parameter(name="call", shape=identity("What happens to this call alone; with `since`, from its beginning on.")),
            Parameter(name="since", shape=moment("Begin at this time.")),
            Parameter(
                name=LAST_SEEN, shape=text("The header of that name, for those who cannot send one.", "nW0xk3jYb2cQd1ZrS5a8Vw")
            ),
            Parameter(
                name=LAST_SEEN_HEADER,
                place=Place.HEADER,
                shape=text("The id of the last event that was seen.", "nW0xk3jYb2cQd1ZrS5a8Vw"),
            ),
        ),
        answers=(
            Answer(
                status=200,
                sentence="Events, until either end lets go.",
                media="text/event-stream",
                shape={"type": "string"},
                example=FEED_EXAMPLE,
                lines=FEED_LINE,
            ),
        ),
        failures=(404,),
    ),
    Operation(
        method="GET",
        path="/api/event-types",
        name="listEventTypes",
        tag="events",
        access=Access.ANYONE,
        failures=(422,),
        summary="List what callbacks can tell of",
        answers=(Answer(status=200, sentence="Every event.", shape=all_of("EventTypes", EVENT_TYPE, "Events of callbacks.")),),
    ),
    Operation(
        method="GET",
        path="/api/schemas/events.json",
        name="showEventSchema",
        tag="events",
        access=Access.ANYONE,
        failures=(422,),
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
