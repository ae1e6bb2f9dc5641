"""Who is told of an event, and with whose token (contract §2.7 leaves the precedence open; this is our rule)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from callwright.calls.model import Call
from callwright.egress import BadUrl, parse
from callwright.webhooks.model import Scope, Webhook

_NARROWEST_FIRST = tuple(Scope)


class Receiver(NamedTuple):
    """A URL that is to hear of an event.

    `scope` is the narrowest that names the URL; `token` is that of the narrowest which has one, and `webhook_id` the
    webhook it is from (None: the call's own).
    """

    url: str
    endpoint: str
    scope: Scope
    token: str | None
    webhook_id: UUID | None


def receivers(call: Call, webhooks: Iterable[Webhook]) -> list[Receiver]:
    """One receiver for each distinct URL among the call's own webhook and those given, the narrowest scopes first."""
    asking: list[tuple[Scope, str, str | None, UUID | None]] = [
        (webhook.scope, webhook.target, webhook.token, webhook.id) for webhook in webhooks
    ]
    if call.webhook_url is not None:
        asking.append((Scope.CALL, _target(call.webhook_url), call.webhook_token, None))
    asking.sort(key=lambda asks: _NARROWEST_FIRST.index(asks[0]))
    found: dict[str, Receiver] = {}
    for scope, url, token, webhook_id in asking:
        known = found.get(url)
        if known is None:
            found[url] = Receiver(url, url.partition("?")[0], scope, token or None, webhook_id)
        elif known.token is None and token:
            found[url] = known._replace(token=token, webhook_id=webhook_id)
    return list(found.values())


def _target(url: str) -> str:
    try:
        return parse(url).text
    except BadUrl:
        return url  # it was checked when the call was made; the attempt will say what is wrong with it
