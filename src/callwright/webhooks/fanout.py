"""From the outbox to deliveries: each event once, in commit order, one row per message and receiver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from uuid import UUID

import msgspec

from callwright import ids
from callwright.calls.events import LABELLED, Event, leg_events
from callwright.calls.rows import events_after, find_call, last_event_pos
from callwright.clock import Clock
from callwright.dialect.callbacks import CALL, LEG, TYPE_OF, TYPES, WEBHOOK, endpoint_notice
from callwright.errors import Unreadable
from callwright.log import Log
from callwright.store import Change, Store, Transaction
from callwright.webhooks import ledger, rows
from callwright.webhooks.model import Endpoint, Message, Webhook
from callwright.webhooks.scopes import Receiver, receivers

Renderer = Callable[[Event], bytes]
_Known = dict[tuple[UUID, UUID | None], list[Webhook]]  # by world and number
BATCH = 100
# A position alone is not worth a commit each time. What lies behind it is read again after a death, and by then there may be
# webhooks that were made after it happened.
POSITION_ALONE_S = 1.0

_log = Log("webhooks")


class FanOut:
    """Reads events after the last position that was settled; the new position is written in the deliveries' commit."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        render: Renderer,
        otherwise: Collection[str] = (),
        sent: Collection[str] = TYPES,
    ) -> None:
        """`otherwise` are the types of events for webhooks that do not say theirs, `sent` those that go out at all."""
        self._store = store
        self._clock = clock
        self._render = render
        self._otherwise = otherwise
        self._sent = sent
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
                await self._write_position(self._pos)
            return None
        now_us = self._clock.now_us()
        touched: dict[Endpoint, None] = {}
        arrivals: list[ledger.Arrival] = []
        known: _Known = {}
        for event in events:
            for message, receiver in self._told(event, known):
                id_ = ids.uuid7(now_us)
                arrivals.append(ledger.Arrival(event.world_id, event.call_id, message, receiver, id_))
                touched[Endpoint(event.world_id, receiver.endpoint)] = None
        if arrivals:
            await self._store.transact(partial(self._insert, arrivals, events[-1].pos, now_us))
            self._note_written(events[-1].pos)
        elif self._is_time_to_write():
            await self._write_position(events[-1].pos)
        self._pos = events[-1].pos
        return list(touched)

    @staticmethod
    def _insert(arrivals: list[ledger.Arrival], pos: int, now_us: int, transaction: Transaction) -> None:
        ledger.insert(transaction, arrivals, now_us)
        transaction.write(ledger.set_fanned_out(pos))

    async def _write_position(self, pos: int) -> None:
        await self._store.commit(Change((ledger.set_fanned_out(pos),)))
        self._note_written(pos)

    def _note_written(self, pos: int) -> None:
        self._written_pos, self._written_ns = pos, self._clock.mono_ns()

    def _is_time_to_write(self) -> bool:
        return self._clock.mono_ns() - self._written_ns > POSITION_ALONE_S * 1e9

    def _told(self, event: Event, known: _Known) -> Iterator[tuple[Message, Receiver]]:
        """Who is told what because of an event: first of itself, then of the legs that were made or changed in it."""
        if event.kind == LABELLED:
            return
        type_ = TYPE_OF.get(event.kind)
        if type_ is None:
            _log.warning("event_unknown", call=event.call_id, kind=event.kind)  # a newer version was here
            return
        if type_ not in self._sent:
            return
        try:
            asking = self._others(event, known) if type_ == WEBHOOK else self._receivers(event, known)
            parts = leg_events(event) if type_ == CALL and self._is_told_of_legs(asking) else []
        except (msgspec.MsgspecError, ValueError, Unreadable):
            _log.exception("event_not_read", call=event.call_id, sequence=event.seq, kind=event.kind)
            return
        for part in (event, *parts):
            hearing = [one for one in asking if TYPE_OF[part.kind] in one.events]
            message = self._message(part) if hearing else None
            if message is not None:
                for receiver in hearing:
                    yield message, receiver

    def _is_told_of_legs(self, asking: Collection[Receiver]) -> bool:
        return LEG in self._sent and any(LEG in one.events for one in asking)

    def _receivers(self, event: Event, known: _Known) -> list[Receiver]:
        """Those of the call that it is about, or whose recording or transcription it is about."""
        call = find_call(self._store, event.world_id, event.call_id) if event.seq is None else event.snapshot.call
        return receivers(call, self._webhooks(event, None if call is None else call.number_id, known), self._otherwise)

    def _others(self, event: Event, known: _Known) -> list[Receiver]:
        """Those of the world, but the one it is about."""
        about = endpoint_notice(event).url
        found = receivers(None, self._webhooks(event, None, known), self._otherwise)
        return [one for one in found if one.endpoint != about]

    def _webhooks(self, event: Event, number_id: UUID | None, known: _Known) -> list[Webhook]:
        """Those of the world and of the call's number; for an event that was there at the start, those made before it."""
        key = (event.world_id, number_id)
        found = known.get(key)
        if found is None:
            found = known[key] = rows.webhooks_of_call(self._store, event.world_id, number_id)
        if event.pos > self._left_until:
            return found
        return [webhook for webhook in found if webhook.created_us <= event.at_us]

    def _message(self, event: Event) -> Message | None:
        """One event that cannot be rendered must not hold up all that come after it; it stays in the table of events."""
        try:
            return Message(event.id, event.kind, self._render(event))
        except Exception:
            _log.exception("callback_not_rendered", call=event.call_id, sequence=event.seq, kind=event.kind)
            return None
