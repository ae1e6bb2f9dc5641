"""From the outbox to deliveries: each event once, in commit order, one row per receiver."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from callwright import ids
from callwright.calls.events import Event
from callwright.calls.rows import events_after, last_event_pos
from callwright.clock import Clock
from callwright.log import Log
from callwright.store import Change, Store, Write
from callwright.webhooks import ledger, rows
from callwright.webhooks.model import Endpoint, Message, Webhook
from callwright.webhooks.scopes import receivers

Renderer = Callable[[Event], bytes]
BATCH = 100
# A position alone is not worth a commit each time. What lies behind it is read again after a death, and by then there may be
# webhooks that were made after it happened.
POSITION_ALONE_S = 1.0

_log = Log("webhooks")


class FanOut:
    """Reads events after the last position that was settled; the new position is written in the deliveries' commit."""

    def __init__(self, store: Store, clock: Clock, render: Renderer) -> None:
        self._store = store
        self._clock = clock
        self._render = render
        self._pos: int | None = None
        self._written_pos = 0
        self._written_ns = clock.mono_ns()
        self._left_until = 0  # events that a predecessor may have read

    async def step(self) -> list[Endpoint] | None:
        """Turn the next events into deliveries and return where there may be something to send; None at the end."""
        if self._pos is None:
            self._pos = self._written_pos = ledger.fanned_out(self._store)
            self._left_until = last_event_pos(self._store)
        events = events_after(self._store, self._pos, BATCH)
        if not events:
            if self._written_pos < self._pos and self._is_time_to_write():
                await self._commit([], self._pos)
            return None
        now_us = self._clock.now_us()
        touched: dict[Endpoint, None] = {}
        writes: list[Write] = []
        known: dict[tuple[UUID, UUID | None], list[Webhook]] = {}
        for event in events:
            asking = receivers(event.snapshot.call, self._webhooks(event, known))
            message = self._message(event) if asking else None
            if message is None:
                continue
            for receiver in asking:
                id_ = ids.uuid7(now_us)
                writes.append(ledger.insert(event.world_id, event.call_id, message, receiver, id_, now_us))
                touched[Endpoint(event.world_id, receiver.endpoint)] = None
        if writes or self._is_time_to_write():
            await self._commit(writes, events[-1].pos)
        self._pos = events[-1].pos
        return list(touched)

    async def _commit(self, writes: list[Write], pos: int) -> None:
        await self._store.commit(Change((*writes, ledger.set_fanned_out(pos))))
        self._written_pos, self._written_ns = pos, self._clock.mono_ns()

    def _is_time_to_write(self) -> bool:
        return self._clock.mono_ns() - self._written_ns > POSITION_ALONE_S * 1e9

    def _webhooks(self, event: Event, known: dict[tuple[UUID, UUID | None], list[Webhook]]) -> list[Webhook]:
        """Those of the world and of the call's number; for an event that was there at the start, those made before it."""
        key = (event.world_id, event.snapshot.call.number_id)
        found = known.get(key)
        if found is None:
            found = known[key] = rows.webhooks_of_world(self._store, event.world_id)
            if key[1] is not None and (own := rows.webhook_of_number(self._store, event.world_id, key[1])):
                found.append(own)
        if event.pos > self._left_until:
            return found
        return [webhook for webhook in found if webhook.created_us <= event.at_us]

    def _message(self, event: Event) -> Message | None:
        """One event that cannot be rendered must not hold up all that come after it; it stays in the table of events."""
        try:
            return Message(event.id, event.kind, self._render(event))
        except Exception:
            _log.exception("callback_not_rendered", call=event.call_id, sequence=event.seq)
            return None
