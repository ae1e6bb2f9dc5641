"""Calls, their legs and their journal (`native.records`, `native.control`)."""

from __future__ import annotations

from functools import partial
from typing import get_args

from callwright.calls.journal import AnyEntry
from callwright.calls.labels import LONGEST_TAG, LONGEST_VALUE, MOST_METADATA, MOST_TAGS, NAME_PATTERN
from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.flows.json_schema import EXAMPLE as FLOW_EXAMPLE
from callwright.native.described.common import DONE, LIMIT, identified, stamps
from callwright.native.described.filters import FILTERS, SORT
from callwright.native.described.flows import flow_wanted
from callwright.openapi.operation import Access, Answer, Body, Parameter, operation
from callwright.openapi.shapes import (
    all_of,
    body,
    choice,
    extended,
    identity,
    moment,
    or_null,
    record,
    said,
    several,
    text,
    texts_by_name,
    truth,
    whole,
)
from callwright.reasons import Reason
from callwright.telephony import ReferOutcome

FROM, TO = text("Who calls: digits, or a URI.", "31612345678"), text("Who is called: digits, or a URI.", "31205550100")
REASON = record(
    "Reason",
    "Why a leg is over, with what to do about it.",
    {
        "name": choice("One of a closed list.", Reason, Reason.RING_TIMEOUT.value),
        "sentence": text("What happened.", Reason.RING_TIMEOUT.sentence),
        "remedy": text("What to do about it.", Reason.RING_TIMEOUT.remedy),
    },
)
LEG = record(
    "Leg",
    "A leg of a call: one telephone's connection with us.",
    {
        "id": identity("The leg."),
        "n": whole("Its number in the call, from 1.", 1, 1),
        "direction": choice("`incoming`: from the telephone network to us.", Direction),
        "source": FROM,
        "destination": TO,
        "status": choice("`hangup`, `busy`, `no_answer` and `failed` are final.", LegStatus, "hangup"),
        "intent": or_null(text("What is being done with it.", "answer"), None),
        "reason": {**or_null(REASON), "description": "Why it is over; null while it lasts."},
        "detail": text("More of it, as it was seen.", ""),
        "sipCode": or_null(whole("The last SIP answer.", 200)),
        "sipCallId": text("Its Call-ID in SIP, to find it in traces.", "8f2a@192.0.2.7"),
        "duration": whole("Seconds from answer to end, rounded up; 0 until it is over.", 42),
        **stamps(),
        "answeredAt": or_null(moment("When it was answered; null when it was not.")),
        "endedAt": or_null(moment("When it was over; null while it lasts.")),
    },
)
TAG = text("A word or a few, without a comma.", "vip", minLength=1, maxLength=LONGEST_TAG)
TAGS = several(TAG, "Words to find it by.", maxItems=MOST_TAGS)
METADATA = texts_by_name("Texts by name, to find it by.", {"customer": "42"}, maxLength=LONGEST_VALUE) | {
    "maxProperties": MOST_METADATA,
    "propertyNames": {"pattern": NAME_PATTERN},
}
# On record; what is sent has the limits above.
TAGS_KEPT = several(text("A word or a few.", "vip"), "Words to find it by.")
METADATA_KEPT = texts_by_name("Texts by name, to find it by.", {"customer": "42"})
LISTED = record(
    "ListedCall",
    "A call as lists, exports and the live feed have it.",
    {
        "id": identity("The call."),
        "world": choice("Whose it is.", ("live", "test")),
        "status": choice("`queued`, `starting` and `ongoing` are not final.", CallStatus, "ended"),
        "direction": choice("Of its first leg. `incoming`: from the telephone network to us.", Direction),
        "source": FROM,
        "destination": TO,
        "numberId": or_null(identity("The number of yours that was called, or that calls.")),
        "flowId": or_null(identity("The flow that answered it; null for a call that brought its own.")),
        "reason": or_null(choice("Why its first leg is over; null while that lasts.", Reason, Reason.RING_TIMEOUT.value)),
        "tags": TAGS_KEPT,
        "metadata": METADATA_KEPT,
        "duration": whole("Seconds from answer to end, rounded up; 0 while it lasts and when it was never answered.", 42, None),
        **stamps(),
        "answeredAt": or_null(moment("When the first of its legs was answered; null when none was.")),
        "endedAt": or_null(moment("When it was over; null while it lasts.")),
    },
)
CALL = extended(
    "Call",
    "A call with its legs.",
    LISTED,
    {
        "webhookUrl": or_null(text("The webhook it was placed with.", "https://example.com/voice"), None),
        "legs": several(LEG, "Its legs, oldest first."),
    },
)
CURSOR = text("Opaque, and good for ever with the same filters and sort.", "nW0xk3jYb2cQd1ZrS5a8Vw")
PAGE = record(
    "CallPage",
    "A page of calls. There may be fewer than `limit`, even none, and yet a `next`.",
    {
        "data": several(LISTED, "What is on this page."),
        "next": or_null(said(CURSOR, "The `cursor` of the page after this one; null at the end.")),
        "prev": or_null(said(CURSOR, "The `cursor` of the page before this one; null at the beginning."), None),
        "refresh": said(CURSOR, "The `cursor` of a list of what is made from now on."),
        "total": record(
            "Total",
            "How many match now.",
            {
                "count": whole("How many were counted.", 12_345),
                "exact": truth("False where counting stopped there: there may be more.", True),
            },
        ),
        "limit": LIMIT.shape,
    },
)
LABELS = body(
    "CallLabels",
    "What to change of a call's labels; null is as if it was not there.",
    {
        "tags": or_null(said(TAGS, "These in the place of all; not beside the next two.")),
        "addTags": or_null(said(TAGS, "These besides those that are there.")),
        "removeTags": or_null(said(TAGS, "Not these.")),
        "metadata": or_null(
            {
                "type": "object",
                "propertyNames": {"pattern": NAME_PATTERN},
                "additionalProperties": {
                    "anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE}, {"type": "null"}]
                },
                "description": "Sets what it names, takes away what it names with null, leaves the others.",
                "examples": [{"customer": "42", "draft": None}],
            }
        ),
    },
)
KINDS = tuple(str(entry.__struct_config__.tag) for entry in get_args(AnyEntry))
ENTRY = record(
    "JournalEntry",
    "Something that happened to a call, with keys of its kind beside these.",
    {
        "seq": whole("Its place, from 1.", 1, 1),
        "at": moment("When it happened."),
        "kind": choice("What it is.", KINDS, "leg_moved"),
    },
)
ENTRY["additionalProperties"] = True
WEBHOOK_OF_CALL = body(
    "CallWebhook",
    "Where to tell what happens to the call.",
    {"url": text("A URL.", "https://example.com/voice"), "token": text("What to sign with.", "foobar")},
    wanted=("url",),
)
CALL_WANTED = body(
    "CallWanted",
    "A call to be placed, as the compatible interface takes it.",
    {
        "source": text("A number of yours, or what is to be shown.", "31205550100"),
        "destination": text("Whom to call.", "31612345678"),
        "callFlow": said(flow_wanted(), "What to do once it is answered."),
        "webhook": WEBHOOK_OF_CALL,
        "tags": or_null(TAGS),
        "metadata": or_null(METADATA),
    },
    wanted=("source", "destination", "callFlow"),
)
CALL_WANTED["additionalProperties"] = True  # it is read as the compatible interface reads it
REFER = body("Refer", "Whom to call in our place.", {"to": text("A number or a sip: URI.", "31612345678")}, wanted=("to",))
REFERRED = record(
    "Referred",
    "What became of it.",
    {
        "outcome": choice("`unknown`: it took it and told no more.", (*(one.value for one in ReferOutcome), "pending")),
        "sipCode": or_null(whole("The far end's: of its new call, or of its refusal.", 200)),
        "detail": text("More of it.", ""),
    },
)

_about_calls = partial(operation, tag="calls")
_of_call = partial(operation, tag="calls", parameters=(identified("the call"),))
_CALL = Answer(200, "The call.", CALL)

OPERATIONS = (
    _about_calls(
        "GET /api/calls",
        "listCalls",
        "List calls",
        Answer(200, "A page of calls.", PAGE),
        sentence="Any page of any number of calls. All that is given must be true of a call. Calls that come or go meanwhile "
        "neither show a row twice nor hide one: a page begins behind a call, not behind a number of them.",
        parameters=(
            *FILTERS,
            SORT,
            LIMIT,
            Parameter(
                "cursor",
                said(CURSOR, "A `next`, `prev` or `refresh`, with the very filters and the sort that it was given with."),
            ),
        ),
    ),
    _about_calls(
        "GET /api/calls/export",
        "exportCalls",
        "Export calls as a file",
        Answer(
            200,
            "A file.",
            {"type": "string"},
            media="text/csv",
            headers={"Content-Disposition": "A name for the file: the world and the time are in it."},
        ),
        Answer(200, "A file.", {"type": "string"}, media="application/x-ndjson", lines=LISTED),
        sentence="All that match and are there when it begins, a line for each. When it fails midway it is broken off: what "
        "came to its end is whole. In CSV, tags stand between commas in one column, metadata as JSON, and a text that a "
        "spreadsheet would take for a formula begins with an apostrophe.",
        parameters=(
            *FILTERS,
            SORT,
            Parameter("format", choice("What it is made of.", ("csv", "ndjson")) | {"default": "csv"}),
        ),
    ),
    _about_calls(
        "POST /api/calls",
        "placeCall",
        "Place a call",
        Answer(201, "The call.", CALL),
        sentence="The body is that of the compatible `POST /calls`.",
        body=Body(CALL_WANTED, example={"source": "31205550100", "destination": "31612345678", "callFlow": FLOW_EXAMPLE}),
    ),
    _of_call(
        "GET /api/calls/{id}",
        "showCall",
        "Show a call with its legs",
        _CALL,
        sentence="Why each leg ended and what to do about it, its SIP code and Call-ID.",
    ),
    _of_call(
        "PATCH /api/calls/{id}",
        "changeCall",
        "Change the tags and metadata of a call",
        _CALL,
        sentence="At any time, also when it is over.",
        body=Body(LABELS, example={"addTags": ["paid"], "metadata": {"customer": "42", "draft": None}}),
    ),
    _of_call(
        "DELETE /api/calls/{id}/record",
        "eraseCall",
        "Erase a call that is over",
        DONE,
        sentence="With everything that is kept of it: legs, journal, recordings, transcriptions, deliveries.",
        failures=(409,),
        access=Access.SOCKET,
    ),
    _of_call(
        "GET /api/calls/{id}/journal",
        "showJournal",
        "Show everything that happened to a call, in order",
        Answer(200, "The journal.", all_of("Journal", ENTRY, "The journal of a call, in order.")),
    ),
    _about_calls(
        "POST /api/calls/{id}/legs/{leg}/refer",
        "referLeg",
        "Have the far end of a leg call someone else in our place",
        Answer(200, "What became of it.", REFERRED),
        Answer(202, "It is not known yet.", REFERRED),
        sentence="A blind transfer by REFER. The answer waits up to half a minute for what becomes of it; it is in the journal "
        "once it is known.",
        parameters=(identified("the call"), identified("the leg", "leg")),
        body=Body(REFER),
        failures=(409,),
    ),
)
