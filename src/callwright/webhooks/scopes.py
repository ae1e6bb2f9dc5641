"""Who is told of an event, and with whose token (contract §2.7 leaves the precedence open; this is our rule)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from callwright.calls.model import Call
from callwright.dialect.callbacks import CALL
from callwright.egress import BadUrl, parse
from callwright.webhooks.model import Scope, Webhook

_NARROWEST_FIRST = tuple(Scope)
ALWAYS = frozenset({CALL})


class Receiver(NamedTuple):
    """A URL that is to hear of an event.

    `scope` is the narrowest that names the URL; `token` is that of the narrowest which has one, and `webhook_id` the
    webhook it is from (None: the call's own). `events` are the types it hears of.
    """

    url: str
    endpoint: str
    scope: Scope
    token: str | None
    webhook_id: UUID | None
    events: frozenset[str] = ALWAYS


def receivers(call: Call | None, webhooks: Iterable[Webhook], otherwise: Collection[str] = ()) -> list[Receiver]:
    """One receiver for each distinct URL among the call's own webhook and those given, the narrowest scopes first.

    It hears of all that any webhook with its URL asks for; `otherwise` are the types for those that do not say, such as a
    call's own.
    """
    asking: list[tuple[Scope, str, str | None, UUID | None, Collection[str]]] = [
        (one.scope, one.target, one.token, one.id, otherwise if one.events is None else one.events) for one in webhooks
    ]
    if call is not None and call.webhook_url is not None:
        asking.append((Scope.CALL, _target(call.webhook_url), call.webhook_token, None, otherwise))
    asking.sort(key=lambda asks: _NARROWEST_FIRST.index(asks[0]))
    found: dict[str, Receiver] = {}
    for scope, url, token, webhook_id, events in asking:
        known = found.get(url)
        if known is None:
            found[url] = Receiver(url, url.partition("?")[0], scope, token or None, webhook_id, ALWAYS.union(events))
            continue
        known = found[url] = known._replace(events=known.events.union(events))
        if known.token is None and token:
            found[url] = known._replace(token=token, webhook_id=webhook_id)
    return list(found.values())


def _target(url: str) -> str:
    try:
        return parse(url).text
    except BadUrl:
        return url  # it was checked when the call was made; the attempt will say what is wrong with it
