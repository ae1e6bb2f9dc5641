"""``/webhooks`` and the webhook of a number (`api.webhooks`)."""

from __future__ import annotations

from collections.abc import Sequence

from callwright.api.described.accepted import in_all_forms
from callwright.api.described.common import CHANGED, MADE, NUMBER, PAGED, answer, identified, links, listing, next_, path, time
from callwright.api.described.failures import CONFLICT
from callwright.dialect.strictness import Strictness
from callwright.openapi.operation import Access, Answer, Body, Operation
from callwright.openapi.shapes import Named, Shape, exactly, identity, text

_KEYS = {
    "id": identity("The webhook."),
    "url": text("Where callbacks are posted.", "https://example.com/voice"),
    "token": text("What callbacks are signed with; not there without one.", "s3cr3t-token"),
    "createdAt": time(MADE),
    "updatedAt": time(CHANGED),
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
_WEBHOOK = (identified("webhook"),)
_OF_WEBHOOK = {
    "webhook": next_("showVoiceWebhook", "The webhook.", webhook="id"),
    "change": next_("changeVoiceWebhook", "Another URL or token.", webhook="id"),
    "patch": next_("patchVoiceWebhook", "The same.", webhook="id"),
    "delete": next_("removeVoiceWebhook", "Its end.", webhook="id"),
}
_ANSWER = answer("VoiceWebhookAnswer", WEBHOOK, _LINKS)


def operations(strictness: Strictness) -> Sequence[Operation]:
    return (
        Operation(
            method="GET",
            path="/webhooks",
            name="listVoiceWebhooks",
            access=Access.NETWORK,
            tag="voice webhooks",
            summary="List webhooks",
            sentence="Those of the world; not those of numbers or calls.",
            parameters=PAGED,
            answers=(
                Answer(
                    status=200,
                    sentence="A page of webhooks.",
                    shape=listing("VoiceWebhookList", LISTED_WEBHOOK, "/webhooks"),
                    links=_OF_WEBHOOK,
                ),
            ),
        ),
        Operation(
            method="POST",
            path="/webhooks",
            name="makeVoiceWebhook",
            access=Access.NETWORK,
            tag="voice webhooks",
            summary="Make a webhook",
            body=Body(shape=WEBHOOK_WANTED),
            answers=(Answer(status=201, sentence="The webhook.", shape=_ANSWER, links=_OF_WEBHOOK),),
            failures=(CONFLICT,),
        ),
        Operation(
            method="GET",
            path="/webhooks/{webhook}",
            name="showVoiceWebhook",
            access=Access.NETWORK,
            tag="voice webhooks",
            summary="Show a webhook",
            parameters=_WEBHOOK,
            answers=(Answer(status=200, sentence="The webhook.", shape=_ANSWER),),
        ),
        *(
            Operation(
                method=method,
                path="/webhooks/{webhook}",
                name=f"{name}VoiceWebhook",
                access=Access.NETWORK,
                tag="voice webhooks",
                summary="Change a webhook",
                sentence=sentence,
                parameters=_WEBHOOK,
                body=Body(shape=WEBHOOK_CHANGE),
                answers=(Answer(status=200, sentence="The webhook.", shape=_ANSWER),),
            )
            for method, name, sentence in (
                ("PUT", "change", "An empty token takes none away: remove the webhook and make it anew."),
                ("PATCH", "patch", "The same as PUT."),
            )
        ),
        Operation(
            method="DELETE",
            path="/webhooks/{webhook}",
            name="removeVoiceWebhook",
            access=Access.NETWORK,
            tag="voice webhooks",
            summary="Remove a webhook",
            parameters=_WEBHOOK,
            answers=(Answer(status=204, sentence="It is gone."),),
        ),
        Operation(
            method="POST",
            path="/numbers/{number}/webhook",
            name="setVoiceNumberWebhook",
            access=Access.NETWORK,
            tag="voice webhooks",
            summary="Give a number its webhook",
            sentence="It hears of calls to that number. A second time its URL and token are replaced. The number is made where "
            "the world does not have it.",
            parameters=(NUMBER,),
            body=Body(shape=WEBHOOK_WANTED),
            answers=(Answer(status=201, sentence="The webhook.", shape=_ANSWER, links=_OF_WEBHOOK),),
        ),
    )
