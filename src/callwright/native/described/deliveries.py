"""The delivery log (`native.deliveries`)."""

from __future__ import annotations

from functools import partial

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.deliveries import MOST_HELD, MOST_IDS
from callwright.native.described.common import LIMIT, headers, identified
from callwright.openapi.operation import Answer, Body, Parameter, Place, operation
from callwright.openapi.shapes import (
    body,
    by_name,
    choice,
    extended,
    identity,
    moment,
    number,
    or_null,
    record,
    said,
    several,
    text,
    truth,
    whole,
)
from callwright.webhooks.health import Health
from callwright.webhooks.model import Scope, State

DELIVERY = record(
    "Delivery",
    "A message to one URL.",
    {
        "id": identity("The delivery."),
        "messageId": identity("The message: `webhook-id` of its requests."),
        "callId": or_null(identity("Its call; null for what belongs to none.")),
        "sequence": whole("`webhook-sequence`: its place among those of its call and URL.", 1),
        "event": choice("What happened.", tuple(TYPE_OF)),
        "test": truth("Whether it is an example that somebody asked for."),
        "scope": choice("What its webhook speaks for.", Scope, "account"),
        "webhookId": or_null(identity("Its webhook; null for that of a call.")),
        "url": text("Where it goes.", "https://example.com/voice?shop=7"),
        "endpoint": text("The same without its query.", "https://example.com/voice"),
        "state": choice("`exhausted`: it was given up, and can be sent again.", State, "delivered"),
        "passed": truth("Whether the later ones of its call do not wait for it."),
        "attempts": whole("How many were made.", 1),
        "lastStatus": or_null(whole("The HTTP status of the last.", 200)),
        "lastError": or_null(text("What the last failed with, in a word.", "timeout"), None),
        "createdAt": moment("When it happened."),
        "sinceAt": moment("Since when it is to be sent: when it happened, or was resent."),
        "nextAttemptAt": or_null(moment("When it is tried next."), None),
        "settledAt": or_null(moment("When it was delivered or given up.")),
    },
)
ATTEMPT_KEYS = {
    "n": whole("Counted from 1.", 1, 1),
    "at": moment("When it began."),
    "status": or_null(whole("The HTTP status; null without an answer.", 200)),
    "error": or_null(text("What it failed with, in a word; null for a good one.", "timeout"), None),
    "detail": or_null(text("More of it.", "connection refused"), None),
    "dnsMs": or_null(number("Milliseconds to find the address.", 1.2)),
    "connectMs": or_null(number("Milliseconds to connect.", 8.4)),
    "tlsMs": or_null(number("Milliseconds for TLS.", 12.1)),
    "firstByteMs": or_null(number("Milliseconds to the answer.", 31.0)),
    "totalMs": or_null(number("Milliseconds in all.", 52.9)),
    "whole": truth("Whether the answer came to its end, and all of it was kept.", True),
    "nextAttemptAt": or_null(moment("When the next one was to be."), None),
}
ATTEMPT = record("Attempt", "One try of a delivery.", ATTEMPT_KEYS)
_HEADERS = headers("As they went.", "content-type")
_BODY = {
    "body": {"description": "The body as JSON; null where it is none.", "examples": [None]},
    "rawBody": text("The very text that was signed, or base64.", "{}"),
    "encoding": choice("Of `rawBody`, where it is no JSON.", ("text", "base64")),
}
REQUEST = record(
    "DeliveryRequest",
    "What was sent.",
    {
        "method": choice("Always POST.", ("POST",)),
        "url": text("Where it went.", "https://example.com/voice"),
        "headers": _HEADERS,
        **_BODY,
    },
    optional=("encoding",),
)
RESPONSE = record(
    "DeliveryAnswer",
    "What came back.",
    {
        "status": whole("The HTTP status.", 200, 100, 599),
        "headers": _HEADERS,
        "body": text("The first 64 kB of it; 2 kB from the fourth attempt on.", "ok"),
        "encoding": choice("`base64` where it is no UTF-8.", ("text", "base64")),
    },
)
EXCHANGE = extended(
    "Exchange",
    "All that went to and fro in one attempt.",
    ATTEMPT,
    {
        "deliveryId": identity("The delivery."),
        "request": said(REQUEST, "What was sent."),
        "answer": {**or_null(RESPONSE), "description": "What came back; null where nothing did."},
    },
)
SHOWN = record(
    "DeliveryWithBody",
    "A delivery with its body and its attempts.",
    {**DELIVERY["properties"], **_BODY, "attemptLog": several(ATTEMPT, "Its attempts, oldest first.")},
    optional=("encoding",),
)
DELIVERIES = record(
    "DeliveryPage",
    "A page of the delivery log, newest first.",
    {
        "data": several(DELIVERY, "There may be fewer than `limit`, even none, and yet a `next`."),
        "next": or_null(text("The `cursor` of what follows; null at the end.", "c2VhbGVk"), None),
        "limit": LIMIT.shape,
    },
)
HELD = several(
    record(
        "Held",
        "An endpoint that is left alone for some time yet.",
        {
            "endpoint": text("Its URL.", "https://example.com/voice"),
            "health": choice("Why.", Health, "resting"),
            "until": or_null(moment("Until when.")),
        },
    ),
    f"Endpoints where what is resent waits, up to {MOST_HELD}.",
)
RESENT_ONE = extended(
    "ResentDelivery",
    "A delivery that is sent again.",
    DELIVERY,
    {"was": choice("Its state before.", State, "exhausted"), "held": HELD},
)
RESENT = record(
    "Resent",
    "How many are sent again.",
    {
        "resent": whole("How many.", 12),
        "wasPending": whole("How many of them were pending before, and are due now.", 0),
        "skipped": by_name(
            whole("How many.", 1),
            "How many are not, by why: `waiting` for an earlier one of the call, `endpointDisabled`, `withdrawn` as nobody "
            "asks for it any more, `emptied` as it is not kept any more, `unknown`.",
            {},
        ),
        "held": HELD,
    },
)
RESEND = body(
    "Resend",
    "What to send again: these, or all that was given up of an endpoint, of a time, or of both.",
    {
        "ids": several(identity("A delivery."), "Nothing else can be given beside them.", minItems=1, maxItems=MOST_IDS),
        "endpoint": text("An endpoint, by its id or URL.", "https://example.com/voice"),
        "url": text("The same by any URL of it.", "https://example.com/voice?shop=7"),
        "state": choice("`delivered`: what one endpoint has taken already.", ("exhausted", "delivered")),
        "since": moment("What happened from then on."),
        "until": moment("What happened before then."),
    },
)
EVENT = choice("An event's name, or a type such as `leg`.", dict.fromkeys((*TYPES, *TYPE_OF)), "leg")
_about_deliveries = partial(operation, tag="deliveries")
_of_delivery = partial(operation, tag="deliveries", parameters=(identified("the delivery"),))

OPERATIONS = (
    _about_deliveries(
        "GET /api/deliveries",
        "listDeliveries",
        "List deliveries, newest first",
        Answer(200, "A page of deliveries.", DELIVERIES),
        sentence="All that is given must be true of a delivery. One request looks at a bounded number of rows, so a page may "
        "be short and yet have a `next`.",
        parameters=(
            Parameter("endpoint", text("An endpoint, by its id or URL.", "https://example.com/voice")),
            Parameter("url", text("A URL with its query; not beside `endpoint`.", "https://example.com/voice?shop=7")),
            Parameter("webhook", identity("Those of this webhook.")),
            Parameter("event", EVENT),
            Parameter("call", identity("Those of this call.")),
            Parameter("message", identity("The `webhook-id` that the receiver saw; not beside `call`.")),
            Parameter(
                "state",
                several(choice("A state.", State, "exhausted"), "Any of these; several times, or once with commas."),
                repeated=True,
            ),
            Parameter("test", choice("Examples alone, or none of them.", ("true", "false"))),
            Parameter("from", moment("From this time on.")),
            Parameter("to", moment("Before this time.")),
            LIMIT,
            Parameter("cursor", text("The `next` of the page before, with the very same filters.", "c2VhbGVk")),
        ),
        failures=(404,),
    ),
    _about_deliveries(
        "POST /api/deliveries/resend",
        "resendDeliveries",
        "Send many again",
        Answer(202, "How many.", RESENT),
        sentence="Each under its id, those of one call in order. An endpoint that is disabled is enabled first.",
        body=Body(RESEND, example={"endpoint": "https://example.com/voice", "since": "2026-05-04T10:00:00Z"}),
        failures=(404, 409),
    ),
    _of_delivery(
        "GET /api/deliveries/{id}",
        "showDelivery",
        "Show a delivery with its body and attempts",
        Answer(200, "The delivery.", SHOWN),
    ),
    _of_delivery(
        "POST /api/deliveries/{id}/resend",
        "resendDelivery",
        "Send one again",
        Answer(202, "The delivery.", RESENT_ONE),
        sentence="Under the id it has; no other of its call waits for it.",
        failures=(409,),
    ),
    _about_deliveries(
        "GET /api/deliveries/{id}/attempts/{n}",
        "showAttempt",
        "Show all that went to and fro in one attempt",
        Answer(200, "The attempt.", EXCHANGE),
        parameters=(
            identified("the delivery"),
            Parameter("n", whole("Which attempt, counted from 1.", 1, 1), place=Place.PATH),
        ),
    ),
)
