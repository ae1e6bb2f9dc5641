"""What callbacks can tell of, and listening to them (`native.events`, `native.listening`)."""

from __future__ import annotations

from functools import partial

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.described.calls import CALL, LEG, LISTED
from callwright.native.described.common import headers
from callwright.native.described.filters import FILTERS
from callwright.native.described.recordings import RECORDING, TRANSCRIPTION
from callwright.native.feed import LAST_SEEN, LAST_SEEN_HEADER
from callwright.native.listening import SIGN_WITH_HEADER
from callwright.openapi.operation import Access, Answer, Parameter, Place, operation
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
        "headers": headers("Headers to post it with.", "webhook-id"),
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

_about_events = partial(operation, tag="events")

OPERATIONS = (
    _about_events(
        "GET /api/events",
        "watchEvents",
        "Watch what happens as it happens",
        Answer(
            200,
            "Events, until either end lets go.",
            {"type": "string"},
            media="text/event-stream",
            example=FEED_EXAMPLE,
            lines=FEED_LINE,
        ),
        sentence="Server-sent events: `event:` is what happened, `data:` one line of JSON, `id:` where to go on. Filters are "
        "those of the list of calls, applied to the call as it was then. It begins behind `Last-Event-ID`, else at `since`, "
        "else now. What is gone since then is said by an event `gap`. A reader that is too slow is let go with `dropped`, and "
        "comes back with its last id.",
        parameters=(
            *FILTERS,
            Parameter("type", text(f"What is told of, with commas: {', '.join(TYPES)}. Without it, calls.", "call,leg")),
            Parameter("call", identity("What happens to this call alone; with `since`, from its beginning on.")),
            Parameter("since", moment("Begin at this time.")),
            Parameter(LAST_SEEN, text("The header of that name, for those who cannot send one.", "nW0xk3jYb2cQd1ZrS5a8Vw")),
            Parameter(
                LAST_SEEN_HEADER, text("The id of the last event that was seen.", "nW0xk3jYb2cQd1ZrS5a8Vw"), place=Place.HEADER
            ),
        ),
        failures=(404,),
    ),
    _about_events(
        "GET /api/event-types",
        "listEventTypes",
        "List what callbacks can tell of",
        Answer(200, "Every event.", all_of("EventTypes", EVENT_TYPE, "Events of callbacks.")),
        failures=(422,),
        access=Access.ANYONE,
    ),
    _about_events(
        "GET /api/schemas/events.json",
        "showEventSchema",
        "Show the JSON Schema of the bodies of callbacks",
        Answer(200, "A JSON Schema (2020-12).", anything("The schema.", {"title": "Callback"})),
        failures=(422,),
        access=Access.ANYONE,
    ),
    _about_events(
        "GET /api/listen",
        "listen",
        "Hear a world's callbacks as they happen",
        Answer(
            200, "Lines of JSON, until either end lets go.", {"type": "string"}, media="application/x-ndjson", lines=LISTENED
        ),
        sentence="Lines of JSON for a program that will post them to `url`; `callwright listen` is made of it. There are at "
        "most ten listeners of a world.",
        parameters=(
            Parameter("url", text("What to sign for; it is never requested.", "http://localhost:3000/hook")),
            Parameter("events", text("Types besides calls, with commas.", "leg,recording")),
            Parameter("after", text("The last `resume` that was seen; without it, from now on.", "c2VhbGVk")),
            Parameter(
                SIGN_WITH_HEADER, text("A token to sign with in place of the signing key.", "foobar"), place=Place.HEADER
            ),
        ),
    ),
)
