"""Webhooks, their tokens, and the endpoints behind them (`native.webhooks`, `native.secrets`, `native.endpoints`)."""

from __future__ import annotations

from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.native.described.common import LIMIT, NUMBER, PAGED, identified
from callwright.native.described.deliveries import DELIVERY
from callwright.native.described.keys import OVERLAP
from callwright.native.webhooks import DEFAULT_TEST
from callwright.openapi.operation import Answer, Body, Operation, Parameter
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
        "createdAt": moment("When it was made."),
        "updatedAt": moment("When it was changed last."),
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
        "oldToken": or_null(text("The token it replaced, while that one is good.", "old"), None),
        "oldSecret": or_null(text("The same for Standard Webhooks.", "whsec_b2xk"), None),
        "oldUntil": or_null(moment("Until when the old one is good."), None),
    },
)
TOKEN_FINISHED = extended(
    "WebhookTokenFinished",
    "The token, after the old one was let go.",
    TOKEN_SHOWN,
    {"finished": truth("Whether there was an old one.", True)},
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
        "createdAt": moment("When it was first known."),
        "updatedAt": moment("When it was changed last."),
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
_WEBHOOK, _ENDPOINT = (identified("the webhook"),), (identified("the endpoint"),)
_SHOWN = (Answer(status=200, sentence="The webhook.", shape=WEBHOOK),)
_ENDPOINT_SHOWN = (Answer(status=200, sentence="The endpoint.", shape=ENDPOINT),)

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/webhooks",
        name="listWebhooks",
        tag="webhooks",
        summary="List webhooks",
        sentence="Those of numbers too; never a token.",
        parameters=PAGED,
        answers=(Answer(status=200, sentence="A page of webhooks.", shape=page_of("WebhookPage", WEBHOOK)),),
    ),
    Operation(
        method="POST",
        path="/api/webhooks",
        name="makeWebhook",
        tag="webhooks",
        summary="Make a webhook of the world",
        body=Body(shape=WEBHOOK_WANTED),
        answers=(Answer(status=201, sentence="The webhook.", shape=WEBHOOK),),
        failures=(409,),
    ),
    Operation(
        method="GET",
        path="/api/webhooks/{id}",
        name="showWebhook",
        tag="webhooks",
        summary="Show a webhook",
        parameters=_WEBHOOK,
        answers=_SHOWN,
    ),
    Operation(
        method="PATCH",
        path="/api/webhooks/{id}",
        name="changeWebhook",
        tag="webhooks",
        summary="Change a webhook",
        sentence="An endpoint that was disabled is sent to again.",
        parameters=_WEBHOOK,
        body=Body(shape=WEBHOOK_CHANGE, example={"events": ["leg", "recording"]}),
        answers=_SHOWN,
    ),
    Operation(
        method="DELETE",
        path="/api/webhooks/{id}",
        name="removeWebhook",
        tag="webhooks",
        summary="Remove a webhook",
        sentence="What waits for it and nobody else asks for is given up.",
        parameters=_WEBHOOK,
        answers=(Answer(status=204, sentence="It is done."),),
    ),
    Operation(
        method="PUT",
        path="/api/numbers/{number}/webhook",
        name="setNumberWebhook",
        tag="webhooks",
        summary="Give a number its webhook, or change it",
        sentence="A number that is not there yet is registered.",
        parameters=(NUMBER,),
        body=Body(shape=WEBHOOK_CHANGE, example={"url": "https://example.com/voice"}),
        answers=_SHOWN,
        failures=(403, 409),
    ),
    Operation(
        method="POST",
        path="/api/webhooks/{id}/test",
        name="testWebhook",
        tag="webhooks",
        summary="Send a webhook an example",
        sentence="It is tried once; the delivery tells how that went.",
        parameters=_WEBHOOK,
        body=Body(shape=TEST_WANTED, optional=True),
        answers=(Answer(status=202, sentence="The delivery.", shape=DELIVERY),),
        failures=(409,),
    ),
    Operation(
        method="GET",
        path="/api/webhooks/{id}/secret",
        name="showWebhookToken",
        tag="webhooks",
        summary="Show what a webhook's callbacks are signed with",
        parameters=_WEBHOOK,
        answers=(Answer(status=200, sentence="Its token.", shape=TOKEN_SHOWN),),
    ),
    Operation(
        method="POST",
        path="/api/webhooks/{id}/rotate",
        name="rotateWebhookToken",
        tag="webhooks",
        summary="Replace a webhook's token",
        sentence="That of today stays good for the overlap; callbacks are signed with both.",
        parameters=_WEBHOOK,
        body=Body(shape=ROTATION, optional=True),
        answers=(Answer(status=200, sentence="The new token.", shape=TOKEN_SHOWN),),
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/webhooks/{id}/rotate/finish",
        name="finishWebhookToken",
        tag="webhooks",
        summary="Let the old token go",
        parameters=_WEBHOOK,
        answers=(Answer(status=200, sentence="The token that is left.", shape=TOKEN_FINISHED),),
    ),
    Operation(
        method="GET",
        path="/api/endpoints",
        name="listEndpoints",
        tag="webhooks",
        summary="List endpoints by URL",
        sentence="Those that have failed or have limits of their own.",
        parameters=(
            LIMIT,
            Parameter(name="cursor", shape=identity("The `next` of the page before.")),
            Parameter(name="url", shape=text("That one alone; its query does not matter.", "https://example.com/voice")),
        ),
        answers=(Answer(status=200, sentence="A page of endpoints.", shape=ENDPOINTS),),
    ),
    Operation(
        method="POST",
        path="/api/endpoints",
        name="limitEndpoint",
        tag="webhooks",
        summary="Give the endpoint of a URL limits of its own",
        body=Body(shape=ENDPOINT_WANTED),
        answers=(
            Answer(status=201, sentence="The endpoint, which is known from now on.", shape=ENDPOINT),
            Answer(status=200, sentence="The endpoint, which was known.", shape=ENDPOINT),
        ),
    ),
    Operation(
        method="GET",
        path="/api/endpoints/{id}",
        name="showEndpoint",
        tag="webhooks",
        summary="Show an endpoint: how it does, and what waits for it",
        parameters=_ENDPOINT,
        answers=_ENDPOINT_SHOWN,
    ),
    Operation(
        method="PATCH",
        path="/api/endpoints/{id}",
        name="changeEndpoint",
        tag="webhooks",
        summary="Change the limits of an endpoint",
        parameters=_ENDPOINT,
        body=Body(shape=ENDPOINT_CHANGE),
        answers=_ENDPOINT_SHOWN,
    ),
    Operation(
        method="POST",
        path="/api/endpoints/{id}/enable",
        name="enableEndpoint",
        tag="webhooks",
        summary="Send to an endpoint again",
        sentence="One that rests, or whose host is left alone, is tried at once. What was given up is sent when it is resent.",
        parameters=_ENDPOINT,
        answers=_ENDPOINT_SHOWN,
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/endpoints/{id}/disable",
        name="disableEndpoint",
        tag="webhooks",
        summary="Send nothing to an endpoint",
        sentence="What is pending there is given up, and kept.",
        parameters=_ENDPOINT,
        answers=_ENDPOINT_SHOWN,
        failures=(409,),
    ),
)
