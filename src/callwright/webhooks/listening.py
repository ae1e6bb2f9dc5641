"""Live events for whoever listens, such as a developer's machine that no callback could reach.

A listener follows the outbox by itself, as fan-out does, from the end or from where it was before. Nothing is written for it
and nothing waits for it: what it is told is rendered and signed at the moment it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.events import Event, leg_events
from callwright.calls.following import BATCH, Position, Seat, Seats
from callwright.calls.rows import events_after, last_event_pos
from callwright.clock import Clock
from callwright.dialect.callbacks import CALL, LEG, TYPE_OF
from callwright.egress import BadUrl, Header, Url, parse
from callwright.errors import Invalid, Missing
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks.attempts import ID_HEADER
from callwright.webhooks.signing import Signable

MOST_LISTENERS = 20
# So that those of the test world leave room for the live one.
MOST_OF_A_WORLD = 10

_log = Log("webhooks")


class Told(NamedTuple):
    """One callback as it would be posted to the listener's URL, but for ``webhook-sequence``, which the listener counts."""

    position: Position
    message_id: UUID
    kind: str
    call_id: UUID | None
    at_us: int
    headers: list[Header]
    body: bytes


class _Unstored(NamedTuple):
    """What is signed for a listener, which knows one token."""

    world_id: UUID
    event_id: UUID
    body: bytes
    token: str | None
    old_token: str | None = None
    old_until_us: int | None = None


class Listening:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        render: Callable[[Event], bytes],
        sign: Callable[[Signable, Url, int], Sequence[Header]],
    ) -> None:
        """`render` gives an event's body, `sign` the signatures of an attempt, as for the deliverer."""
        self._store = store
        self.clock = clock
        self._render = render
        self._sign = sign
        self._seats = Seats(store, clock, "listen to", most=MOST_LISTENERS, most_of_a_world=MOST_OF_A_WORLD)

    def close(self) -> None:
        """Let every listener go, and take no more."""
        self._seats.close()

    def here(self) -> Position:
        """Where what happens from now on will be told from."""
        return Position(last_event_pos(self._store), 0)

    def admit(self, world_id: UUID) -> Seat:
        """A seat for a listener of a world. Raises `Unavailable` when there are as many as may be."""
        return self._seats.take(world_id)

    async def follow(
        self, seat: Seat, url: Url, token: str | None, types: Collection[str], after: Position
    ) -> AsyncGenerator[Told | None]:
        """Tell a world's events in the order of their commits; None when there was none for `KEEP_ALIVE_S`. Ends on `close`."""
        while not self._seats.closed:
            seat.woken.clear()
            events = events_after(self._store, after.pos - 1 if after.message else after.pos, BATCH)
            for event in events:
                told = after.message if event.pos == after.pos else 0
                for number, part in enumerate(_parts(event, seat.world_id, types), 1):
                    if number > told and TYPE_OF[part.kind] in types and (body := self._rendered(part)) is not None:
                        yield self._told(Position(event.pos, number), part, body, url, token)
                after = Position(event.pos, 0)
            if not events and await seat.is_quiet():
                yield None
            await asyncio.sleep(0)  # with much to tell, others get their turn

    def _rendered(self, event: Event) -> bytes | None:
        try:
            return self._render(event)
        except Exception:
            _log.exception("event_not_told", call=event.call_id, kind=event.kind)
            return None

    def _told(self, position: Position, event: Event, body: bytes, url: Url, token: str | None) -> Told:
        now_us = self.clock.now_us()
        headers = [
            ("Content-Type", "application/json"),
            (ID_HEADER, str(event.id)),
            *self._sign(_Unstored(event.world_id, event.id, body, token), url, now_us),
        ]
        call_id = None if event.call_id == event.world_id else event.call_id
        return Told(position, event.id, event.kind, call_id, event.at_us, headers, body)


def url_of(text: str | None, parameter: str = "url") -> Url:
    """The URL that a listener posts to, which nothing of ours ever requests. Raises `Missing` or `Invalid`."""
    if not text:
        raise Missing(
            f"{parameter} is missing: where will the callbacks be posted? Signatures depend on it.", parameter=parameter
        )
    try:
        return parse(text)
    except BadUrl as error:
        raise Invalid(f"{parameter} cannot be posted to: {error}.", parameter=parameter) from None


def _parts(event: Event, world_id: UUID, types: Collection[str]) -> list[Event]:
    """An event of the world, and after it those of the legs in it."""
    type_ = TYPE_OF.get(event.kind)
    if event.world_id != world_id or type_ is None:
        return []
    try:
        return [event, *(leg_events(event) if type_ == CALL and LEG in types else [])]
    except msgspec.MsgspecError:
        return []  # fan-out has told
