"""Webhooks, their tokens, and the endpoints behind them (`native.webhooks`, `native.secrets`, `native.endpoints`)."""

from __future__ import annotations

from functools import partial

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.described.common import DONE, LIMIT, NUMBER, PAGED, identified, stamps
from callwright.native.described.deliveries import DELIVERY
from callwright.native.described.keys import FINISHED, OVERLAP
from callwright.native.webhooks import DEFAULT_TEST
from callwright.openapi.operation import Answer, Body, Parameter, operation
from callwright.openapi.shapes import (
    body,
    choice,
    extended,
    identity,
    moment,
    number,
    or_null,
    page_of,
    record,
    several,
    text,
    truth,
    whole,
)
from callwright.webhooks.health import Health
from callwright.webhooks.model import Scope

EVENTS = several(choice("A type of events.", TYPES), "What it hears of besides calls; null for the setting webhooks.events.")
TOKEN = text("What to sign with, in place of the signing key.", "foobar")
URL = text("Where callbacks are posted.", "https://example.com/voice?shop=7")
WEBHOOK = record(
    "Webhook",
    "A URL that is told what happens.",
    {
        "id": identity("The webhook."),
        "scope": choice("What it speaks for: a call, a number, or all of the world.", Scope, "account"),
        "number": or_null(text("The number it is of.", "31205550100"), None),
        "url": URL,
        "endpoint": text("The URL without its query: the program behind it.", "https://example.com/voice"),
        "events": or_null(EVENTS, ["call", "leg"]),
        "hasToken": truth("Whether it has a token; the token is shown by `/api/webhooks/{id}/secret` alone.", True),
        "oldTokenUntil": or_null(moment("Until when the token that was replaced is good."), None),
        **stamps(),
    },
)
_SETTABLE = {"url": URL, "token": or_null(TOKEN), "events": or_null(EVENTS, ["leg"])}
WEBHOOK_WANTED = body("WebhookWanted", "A webhook to be made.", _SETTABLE, wanted=("url",))
WEBHOOK_CHANGE = body("WebhookChange", "What is not sent stays; null takes token or events away.", _SETTABLE)
TOKEN_SHOWN = record(
    "WebhookToken",
    "What the callbacks of a webhook are signed with; all null where the signing key is.",
    {
        "webhookId": identity("The webhook."),
        "token": or_null(TOKEN),
        "secret": or_null(text("The same, as libraries for Standard Webhooks take it.", "whsec_Zm9vYmFy")),
        "oldToken": or_null(
            text(
                "The token it replaced, while that one is good; null with an `oldUntil` where that was the signing key.", "old"
            ),
            None,
        ),
        "oldSecret": or_null(text("The same for Standard Webhooks.", "whsec_b2xk"), None),
        "oldUntil": or_null(moment("Until when the old one is good."), None),
    },
)
TOKEN_FINISHED = extended(
    "WebhookTokenFinished",
    "The token, after the old one was let go.",
    TOKEN_SHOWN,
    FINISHED,
)
ROTATION = body(
    "TokenRotation", "A new token.", {"token": or_null(text("Without it one is made.", "barfoo")), "overlap": OVERLAP}
)
CONCURRENCY = whole("Requests to it side by side, at most; null for webhooks.per_endpoint.", 4, 1)
RATE = number("Requests to it a second, at most; null for webhooks.rate.", 20, minimum=0)
LIVE = record(
    "EndpointNow",
    "How an endpoint is at this moment.",
    {
        "health": choice(
            "`probation`: one request at a time, as it has hung. `resting`: it asked for a pause, or failed ten times in a "
            "row. `broken`: its host does not answer.",
            Health,
        ),
        "until": or_null(moment("Until when it is left alone."), None),
        "inFlight": whole("Requests under way.", 1),
        "unanswered": whole("Requests that have been under way for long.", 0),
        "concurrency": whole("Requests that may be, side by side.", 16),
        "rate": or_null(number("Requests that may be, a second.", 20), None),
    },
)
ENDPOINT = record(
    "Endpoint",
    "A program that is sent to: a URL without its query.",
    {
        "id": identity("The endpoint."),
        "url": text("Its URL.", "https://example.com/voice"),
        "concurrency": or_null(CONCURRENCY, None),
        "rate": or_null(RATE, None),
        "failures": whole("Attempts that failed since one was good.", 0),
        "failingSince": or_null(moment("When the first of them was."), None),
        "disabledAt": or_null(moment("Since when nothing is sent to it."), None),
        "disabledWhy": or_null(text("Why: `gone`, `failing` or `asked`.", "asked"), None),
        **stamps("When it was first known."),
        "pending": whole("Deliveries that wait, counted up to `countedTo`.", 0),
        "exhausted": whole("Deliveries that were given up, counted up to `countedTo`.", 0),
        "countedTo": whole("How far is counted.", 10_000),
        "live": {**or_null(LIVE), "description": "Null where nothing was sent to it of late."},
    },
)
ENDPOINTS = record(
    "EndpointPage",
    "A page of endpoints, by URL.",
    {
        "data": several(ENDPOINT, "What is on this page."),
        "next": or_null(identity("The `cursor` of what follows; null at the end."), None),
        "limit": LIMIT.shape,
    },
)
_LIMITS = {"concurrency": or_null(CONCURRENCY), "rate": or_null(RATE)}
ENDPOINT_WANTED = body(
    "EndpointLimits",
    "Limits of an endpoint's own.",
    {"url": text("Any URL of the endpoint.", "https://example.com/voice"), **_LIMITS},
    wanted=("url",),
)
ENDPOINT_CHANGE = body("EndpointChange", "What is not sent stays; null is the limit of the settings.", _LIMITS)
TEST_WANTED = body(
    "WebhookTest",
    "What to send an example of.",
    {"event": choice("An event.", tuple(TYPE_OF), DEFAULT_TEST)},
)
_about_webhooks = partial(operation, tag="webhooks")
_of_webhook = partial(operation, tag="webhooks", parameters=(identified("the webhook"),))
_of_endpoint = partial(operation, tag="webhooks", parameters=(identified("the endpoint"),))
_WEBHOOK, _ENDPOINT = Answer(200, "The webhook.", WEBHOOK), Answer(200, "The endpoint.", ENDPOINT)

OPERATIONS = (
    _about_webhooks(
        "GET /api/webhooks",
        "listWebhooks",
        "List webhooks",
        Answer(200, "A page of webhooks.", page_of("WebhookPage", WEBHOOK)),
        sentence="Those of numbers too; never a token.",
        parameters=PAGED,
    ),
    _about_webhooks(
        "POST /api/webhooks",
        "makeWebhook",
        "Make a webhook of the world",
        Answer(201, "The webhook.", WEBHOOK),
        body=Body(WEBHOOK_WANTED),
        failures=(409,),
    ),
    _of_webhook("GET /api/webhooks/{id}", "showWebhook", "Show a webhook", _WEBHOOK),
    _of_webhook(
        "PATCH /api/webhooks/{id}",
        "changeWebhook",
        "Change a webhook",
        _WEBHOOK,
        sentence="An endpoint that was disabled is sent to again.",
        body=Body(WEBHOOK_CHANGE, example={"events": ["leg", "recording"]}),
    ),
    _of_webhook(
        "DELETE /api/webhooks/{id}",
        "removeWebhook",
        "Remove a webhook",
        DONE,
        sentence="What waits for it and nobody else asks for is given up.",
    ),
    _about_webhooks(
        "PUT /api/numbers/{number}/webhook",
        "setNumberWebhook",
        "Give a number its webhook, or change it",
        _WEBHOOK,
        sentence="A number that is not there yet is registered.",
        parameters=(NUMBER,),
        body=Body(WEBHOOK_CHANGE, example={"url": "https://example.com/voice"}),
        failures=(403, 409),
    ),
    _of_webhook(
        "POST /api/webhooks/{id}/test",
        "testWebhook",
        "Send a webhook an example",
        Answer(202, "The delivery.", DELIVERY),
        sentence="It is tried once; the delivery tells how that went.",
        body=Body(TEST_WANTED, optional=True),
        failures=(409,),
    ),
    _of_webhook(
        "GET /api/webhooks/{id}/secret",
        "showWebhookToken",
        "Show what a webhook's callbacks are signed with",
        Answer(200, "Its token.", TOKEN_SHOWN),
    ),
    _of_webhook(
        "POST /api/webhooks/{id}/rotate",
        "rotateWebhookToken",
        "Replace a webhook's token",
        Answer(200, "The new token.", TOKEN_SHOWN),
        sentence="That of today stays good for the overlap; callbacks are signed with both.",
        body=Body(ROTATION, optional=True),
        failures=(409,),
    ),
    _of_webhook(
        "POST /api/webhooks/{id}/rotate/finish",
        "finishWebhookToken",
        "Let the old token go",
        Answer(200, "The token that is left.", TOKEN_FINISHED),
    ),
    _about_webhooks(
        "GET /api/endpoints",
        "listEndpoints",
        "List endpoints by URL",
        Answer(200, "A page of endpoints.", ENDPOINTS),
        sentence="Those that have failed or have limits of their own.",
        parameters=(
            LIMIT,
            Parameter("cursor", identity("The `next` of the page before.")),
            Parameter("url", text("That one alone; its query does not matter.", "https://example.com/voice")),
        ),
    ),
    _about_webhooks(
        "POST /api/endpoints",
        "limitEndpoint",
        "Give the endpoint of a URL limits of its own",
        Answer(201, "The endpoint, which is known from now on.", ENDPOINT),
        Answer(200, "The endpoint, which was known.", ENDPOINT),
        body=Body(ENDPOINT_WANTED),
    ),
    _of_endpoint("GET /api/endpoints/{id}", "showEndpoint", "Show an endpoint: how it does, and what waits for it", _ENDPOINT),
    _of_endpoint(
        "PATCH /api/endpoints/{id}", "changeEndpoint", "Change the limits of an endpoint", _ENDPOINT, body=Body(ENDPOINT_CHANGE)
    ),
    _of_endpoint(
        "POST /api/endpoints/{id}/enable",
        "enableEndpoint",
        "Send to an endpoint again",
        _ENDPOINT,
        sentence="One that rests, or whose host is left alone, is tried at once. What was given up is sent when it is resent.",
        failures=(409,),
    ),
    _of_endpoint(
        "POST /api/endpoints/{id}/disable",
        "disableEndpoint",
        "Send nothing to an endpoint",
        _ENDPOINT,
        sentence="What is pending there is given up, and kept.",
        failures=(409,),
    ),
)
