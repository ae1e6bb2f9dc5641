"""The live feed: what happens in a world, as it is committed, told to whoever watches.

A watcher follows the outbox by itself, as fan-out does: from the end, from a time, or from where it was before. Nothing is
done while nobody watches, and what is told is written down once for all who do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.events import CREATED, LABELLED, LEG_CREATED, LEG_UPDATED, UPDATED, Event, leg_events
from callwright.calls.filters import CallFilter
from callwright.calls.following import BATCH, KEEP_ALIVE_S, Position, Seat, Seats
from callwright.calls.model import Call
from callwright.calls.rows import events_after, events_of_call_after, find_call, first_event_after, newest_event_ever
from callwright.clock import SECOND_US, Clock
from callwright.errors import Unreadable
from callwright.log import Log
from callwright.store import Store

MOST_WATCHERS = 40
# So that those of the test world leave room for the live one.
MOST_OF_A_WORLD = 20
CALL, LEG = "call", "leg"
# Events that are kept as they were told, for the next who watches.
KEPT = 256
# Events are stamped before they are committed, so their times are not quite in their order.
OUT_OF_ORDER_US = 60 * SECOND_US

_TYPE_OF = {CREATED: CALL, UPDATED: CALL, LABELLED: CALL, LEG_CREATED: LEG, LEG_UPDATED: LEG}
_EVERY_CALL = CallFilter()
_log = Log("calls")


class Happening:
    """An event, and the call it belongs to: as it was then for a call's own events and its legs', else as it is.

    None for what belongs to no call, and for what belongs to one that is gone.
    """

    def __init__(self, event: Event, type_: str, call: Call | None, render: Callable[[Event], bytes]) -> None:
        self.event = event
        self.type = type_
        self.call = call
        self._render = render

    @cached_property
    def data(self) -> bytes:
        return self._render(self.event)


class Sign(Enum):
    """What is told besides events."""

    GAP = "events that would be told here are gone, or cannot be read"
    CAUGHT_UP = "all there was is told; from here on it is told as it happens"
    ALIVE = "nothing was told for a while"


class Step(NamedTuple):
    """What is told, and where to go on after it."""

    position: Position
    what: Happening | Sign


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody watches: events of these types, of calls as they were then; with `call_id` those of that call alone.

    What belongs to no call is told to those who ask for nothing in calls. What was before `from_us` is left out.
    """

    world_id: UUID
    types: frozenset[str]
    calls: CallFilter = _EVERY_CALL
    call_id: UUID | None = None
    from_us: int | None = None

    def wants(self, happening: Happening) -> bool:
        if happening.type not in self.types or (self.from_us is not None and happening.event.at_us < self.from_us):
            return False
        if happening.call is None:
            return self.call_id is None and self.calls == _EVERY_CALL
        return self.calls.matches(happening.call)


class Feed:
    def __init__(self, store: Store, clock: Clock, *, types: Mapping[str, str], render: Callable[[Event], bytes]) -> None:
        """`types` names the type of each kind of event that is not of `calls`; `render` writes down what an event tells."""
        self._store = store
        self.clock = clock
        self._type_of = {**types, **_TYPE_OF}
        self._render = render
        self._seats = Seats(store, clock, "watch", most=MOST_WATCHERS, most_of_a_world=MOST_OF_A_WORLD)
        self._kept: OrderedDict[tuple[int, bool], tuple[Happening | None, ...]] = OrderedDict()

    def close(self) -> None:
        """Let every watcher go, and take no more."""
        self._seats.close()

    def admit(self, world_id: UUID) -> Seat:
        """A seat for a watcher of a world. Raises `Unavailable` when there are as many as may be."""
        return self._seats.take(world_id)

    def here(self) -> Position:
        """Where what happens from now on will be told from."""
        return Position(newest_event_ever(self._store), 0)

    def before(self, at_us: int) -> Position:
        """A place before everything that happened from a time on, and after most that happened before it."""
        told, untold = 0, newest_event_ever(self._store)
        while told < untold:
            middle = (told + untold) // 2
            found = first_event_after(self._store, middle)
            if found is None or found.at_us >= at_us - OUT_OF_ORDER_US:
                untold = middle
            else:
                told = found.pos
        return Position(told, 0)

    async def follow(self, seat: Seat, watched: Watched, after: Position) -> AsyncGenerator[Step]:
        """Tell what is watched in the order of the commits, and something every `KEEP_ALIVE_S`. Ends on `close`.

        Of holes with nothing between them that is watched, one is told: after each, one who follows asks for the list again.
        """
        caught_up, in_hole, told_ns = False, False, self.clock.mono_ns()
        while not self._seats.closed:
            seat.woken.clear()
            newest = newest_event_ever(self._store)  # first: what comes after it is not passed over
            events = self._next(watched, after)
            for position, what in self._steps(watched, events, after, newest):
                after = position
                if what is not None and not (in_hole and what is Sign.GAP):
                    in_hole = what is Sign.GAP
                    yield Step(after, what)
                    told_ns = self.clock.mono_ns()
            if len(events) < BATCH:
                in_hole = False
                if not caught_up:
                    caught_up = True
                    yield Step(after, Sign.CAUGHT_UP)
                    told_ns = self.clock.mono_ns()
                await seat.is_quiet(max(0.0, KEEP_ALIVE_S - self._since_s(told_ns)))
            else:
                await self._seats.turn()
            if self._since_s(told_ns) >= KEEP_ALIVE_S:
                yield Step(after, Sign.ALIVE)
                told_ns = self.clock.mono_ns()

    def _next(self, watched: Watched, after: Position) -> list[Event]:
        pos = after.pos - 1 if after.message else after.pos
        if watched.call_id is None:
            return events_after(self._store, pos, BATCH)
        return events_of_call_after(self._store, watched.world_id, watched.call_id, pos, BATCH)

    def _steps(
        self, watched: Watched, events: list[Event], after: Position, newest: int
    ) -> Iterator[tuple[Position, Happening | Sign | None]]:
        """What to tell of the events after a position, each with the position after it; None moves the position alone.

        Positions have no holes, so where one is missing an event is gone. Of one call it is not seen: it goes as a whole.
        """
        if after.pos > newest:  # it is of a database that knew more, and that this one is an older copy of
            yield Position(newest, 0), Sign.GAP
            return
        of_all = watched.call_id is None
        expected = after.pos if after.message else after.pos + 1
        for event in events:
            if of_all and event.pos > expected:
                yield Position(event.pos - 1, 0), Sign.GAP
            expected = event.pos + 1
            yield from self._steps_of(watched, event, after.message if event.pos == after.pos else 0)
        if len(events) < BATCH and expected <= newest:
            yield Position(newest, 0), Sign.GAP if of_all else None

    def _steps_of(self, watched: Watched, event: Event, told: int) -> Iterator[tuple[Position, Happening | Sign | None]]:
        what: Happening | Sign
        for number, happening in enumerate(self._happenings(event, watched), 1):
            if number <= told:
                continue
            if happening is None:
                yield Position(event.pos, number), Sign.GAP
            elif watched.wants(happening):
                try:
                    _, what = happening.data, happening
                except Exception:
                    _log.exception("event_not_told", call=event.call_id, kind=event.kind)
                    what = Sign.GAP
                yield Position(event.pos, number), what
        yield Position(event.pos, 0), None

    def _happenings(self, event: Event, watched: Watched) -> Iterable[Happening | None]:
        """An event of the world, and after it those of the legs in it; None for what cannot be read."""
        type_ = self._type_of.get(event.kind)
        if event.world_id != watched.world_id or type_ is None:
            return ()
        with_legs = type_ == CALL and LEG in watched.types
        if type_ not in watched.types and not with_legs:
            return ()
        key = event.pos, with_legs
        if (kept := self._kept.get(key)) is None:
            kept = self._kept[key] = self._read(event, type_, with_legs)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    def _read(self, event: Event, type_: str, with_legs: bool) -> tuple[Happening | None, ...]:
        try:
            call = event.snapshot.call if type_ == CALL else find_call(self._store, event.world_id, event.call_id)
            legs = leg_events(event) if with_legs else ()
        except (msgspec.MsgspecError, ValueError, Unreadable):
            _log.exception("event_not_read", call=event.call_id, kind=event.kind)
            return (None,)
        whole = Happening(event, type_, call, self._render)
        return (whole, *(Happening(leg, LEG, call, self._render) for leg in legs))

    def _since_s(self, ns: int) -> float:
        return (self.clock.mono_ns() - ns) / 1e9
