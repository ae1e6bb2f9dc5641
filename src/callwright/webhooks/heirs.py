"""What waits for a webhook that was deleted goes to another with its URL that is told of such events, as if it happened now."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from callwright.calls.rows import find_call
from callwright.dialect.callbacks import TYPE_OF
from callwright.errors import Unreadable
from callwright.store import Store, Transaction
from callwright.webhooks import rows
from callwright.webhooks.model import Webhook
from callwright.webhooks.scopes import receivers


class Heir(NamedTuple):
    """With what it is signed now; `old_token` is good until `old_until_us`."""

    token: str | None
    old_token: str | None = None
    old_until_us: int | None = None


class Heirs:
    """Looks them up for a few deliveries; what was read of webhooks is not read again."""

    def __init__(self, source: Store | Transaction, otherwise: Collection[str]) -> None:
        """`otherwise` are the types of events for webhooks that do not say theirs, and for those of calls."""
        self._source = source
        self._otherwise = otherwise
        self._known: dict[tuple[UUID, UUID | None], list[Webhook]] = {}

    def of(self, world_id: UUID, call_id: UUID, url: str, kind: str) -> Heir | None:
        """None where nobody asks for it any more, and where its call cannot be read."""
        try:
            call = find_call(self._source, world_id, call_id)
        except Unreadable:  # the other deliveries that are looked up beside it must not wait for its mending
            return None
        webhooks = self._webhooks(world_id, None if call is None else call.number_id)
        for receiver in receivers(call, webhooks, self._otherwise):
            if receiver.url == url and TYPE_OF.get(kind) in receiver.events:
                its = next((one for one in webhooks if one.id == receiver.webhook_id), None)
                return Heir(receiver.token) if its is None else Heir(its.token, its.old_token, its.old_until_us)
        return None

    def _webhooks(self, world_id: UUID, number_id: UUID | None) -> list[Webhook]:
        key = world_id, number_id
        if key not in self._known:
            self._known[key] = rows.webhooks_of_call(self._source, world_id, number_id)
        return self._known[key]
