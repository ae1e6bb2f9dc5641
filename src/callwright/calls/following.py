"""Following the outbox while it is written: seats for those who do, and how far each of them was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Self
from uuid import UUID

from callwright.calls.events import TOPIC
from callwright.clock import Clock
from callwright.errors import Unavailable
from callwright.store import Store

BATCH = 100
# So long after the last word another is said, so that both ends know of each other.
KEEP_ALIVE_S = 15.0
# What a follower has to take the last word when the server stops, which nobody else should wait for.
PARTING_S = 0.5


class Position(NamedTuple):
    """How far a follower was told: up to an event's message of this number, or with 0 all of the event."""

    pos: int
    message: int


class Seat:
    """The place of one follower, taken until it is left."""

    def __init__(self, world_id: UUID, clock: Clock, leave: Callable[[Seat], None]) -> None:
        self.world_id = world_id
        self.woken = asyncio.Event()
        # Ends the connection, whatever is still to go out on it.
        self.cut: Callable[[], None] = lambda: None
        self._clock = clock
        self._leave = leave

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._leave(self)

    async def is_quiet(self, seconds: float = KEEP_ALIVE_S) -> bool:
        """Wait until something happens, at most so long; true when nothing did."""
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await self.woken.wait()
                return False
        return True


class Seats:
    """As many as may be taken, `most_of_a_world` of them in each, so that the test world leaves room for the live one.

    `what` they do is a verb, for the sentence that says that there are as many as may be.
    """

    def __init__(self, store: Store, clock: Clock, what: str, *, most: int, most_of_a_world: int) -> None:
        self.taken: set[Seat] = set()
        self.closed = False
        self._clock = clock
        self._what = what
        self._most = most
        self._most_of_a_world = most_of_a_world
        store.on(TOPIC, lambda wake: self._wake())

    def take(self, world_id: UUID) -> Seat:
        """Raises `Unavailable` when there are as many as may be."""
        if self.closed:
            raise Unavailable("The server is stopping.", remedy="Try again in a moment.")
        if sum(seat.world_id == world_id for seat in self.taken) >= self._most_of_a_world:
            raise Unavailable(
                f"{self._most_of_a_world} {self._what} this world already, as many as may.", remedy="End one of them."
            )
        if len(self.taken) >= self._most:
            raise Unavailable(f"{self._most} {self._what} the worlds already, as many as may.", remedy="End one of them.")
        seat = Seat(world_id, self._clock, self.taken.discard)
        self.taken.add(seat)
        return seat

    def close(self) -> None:
        """Let everybody go, within `PARTING_S`, and take no more."""
        self.closed = True
        for seat in self.taken:
            self._clock.call_later(PARTING_S, lambda seat=seat: seat.cut())  # type: ignore[misc]
        self._wake()

    def _wake(self) -> None:
        for seat in self.taken:
            seat.woken.set()
