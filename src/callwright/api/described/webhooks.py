"""``/webhooks`` and the webhook of a number (`api.webhooks`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from callwright.api.described.accepted import in_all_forms
from callwright.api.described.common import GONE, NUMBER, PAGED, STAMPS, answer, identified, links, listing, next_, path
from callwright.api.described.failures import CONFLICT
from callwright.dialect.strictness import Strictness
from callwright.openapi.operation import Access, Answer, Body, Operation, operation
from callwright.openapi.shapes import Named, Shape, exactly, identity, text

_KEYS = {
    "id": identity("The webhook."),
    "url": text("Where callbacks are posted.", "https://example.com/voice"),
    "token": text("What callbacks are signed with; not there without one.", "s3cr3t-token"),
    **STAMPS,
}
_LINKS = links({"self": path("/webhooks/{}", "The webhook.")})
WEBHOOK = exactly("VoiceWebhook", "A URL that is told what happens.", _KEYS, optional=("token",))
LISTED_WEBHOOK = exactly("ListedVoiceWebhook", "A webhook as lists have it.", _KEYS | {"_links": _LINKS}, optional=("token",))
_URL, _TOKEN = text("A URL.", "https://example.com/voice"), text("What to sign with.", "s3cr3t-token")


def _wanted(name: str, sentence: str, url: Shape, **more: list[str]) -> Named:
    keys = {"url": url, "token": in_all_forms(_TOKEN)}
    return Named(name, {"type": "object", "description": sentence, "properties": keys, **more})


WEBHOOK_WANTED = _wanted(
    "VoiceWebhookWanted",
    "A webhook. What libraries send beside, such as `title`, is passed over.",
    in_all_forms(_URL, wanted=True),
    required=["url"],
)
WEBHOOK_CHANGE = _wanted(
    "VoiceWebhookChange",
    "What is not sent, or sent as null or empty, stays as it is: Python's library sends no URL.",
    in_all_forms(_URL),
)
_about_webhooks = partial(operation, tag="voice webhooks", access=Access.NETWORK)
_of_webhook = partial(operation, tag="voice webhooks", access=Access.NETWORK, parameters=(identified("webhook"),))
_WEBHOOK_NEXT = {
    "webhook": next_("showVoiceWebhook", "The webhook.", webhook="id"),
    "change": next_("changeVoiceWebhook", "Another URL or token.", webhook="id"),
    "patch": next_("patchVoiceWebhook", "The same.", webhook="id"),
    "delete": next_("removeVoiceWebhook", "Its end.", webhook="id"),
}
_ANSWER = answer("VoiceWebhookAnswer", WEBHOOK, _LINKS)
_SHOWN = Answer(200, "The webhook.", _ANSWER)
_MADE = Answer(201, "The webhook.", _ANSWER, links=_WEBHOOK_NEXT)


def operations(strictness: Strictness) -> Sequence[Operation]:
    return (
        _about_webhooks(
            "GET /webhooks",
            "listVoiceWebhooks",
            "List webhooks",
            Answer(200, "A page of webhooks.", listing("VoiceWebhookList", LISTED_WEBHOOK, "/webhooks"), links=_WEBHOOK_NEXT),
            sentence="Those of the world; not those of numbers or calls.",
            parameters=PAGED,
        ),
        _about_webhooks(
            "POST /webhooks", "makeVoiceWebhook", "Make a webhook", _MADE, body=Body(WEBHOOK_WANTED), failures=(CONFLICT,)
        ),
        _of_webhook("GET /webhooks/{webhook}", "showVoiceWebhook", "Show a webhook", _SHOWN),
        *(
            _of_webhook(
                f"{method} /webhooks/{{webhook}}",
                f"{name}VoiceWebhook",
                "Change a webhook",
                _SHOWN,
                sentence=sentence,
                body=Body(WEBHOOK_CHANGE),
            )
            for method, name, sentence in (
                ("PUT", "change", "An empty token takes none away: remove the webhook and make it anew."),
                ("PATCH", "patch", "The same as PUT."),
            )
        ),
        _of_webhook("DELETE /webhooks/{webhook}", "removeVoiceWebhook", "Remove a webhook", GONE),
        _about_webhooks(
            "POST /numbers/{number}/webhook",
            "setVoiceNumberWebhook",
            "Give a number its webhook",
            _MADE,
            sentence="It hears of calls to that number. A second time its URL and token are replaced. The number is made where "
            "the world does not have it.",
            parameters=(NUMBER,),
            body=Body(WEBHOOK_WANTED),
        ),
    )
