"""The time of the record in the time of the replay: what happened then happens again when the replay has come to it.

`shift_us` is how much later it is in the replay than on record, as far as the two have come together. What waits here moves
with it, so that a far end speaks as long after what it heard as it did, however long that now takes.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable

from callwright.clock import VirtualClock, VirtualLoop

TICK_US = 20_000  # of sound; two times that are no further apart are one
# What comes before another on record by less than a tick does so in the replay as well, within this time.
ORDER_US = 10_000
# So long what a far end did waits for the call to come to the step in which it did that.
PATIENCE_US = 15_000_000

# An engine does most things within a few milliseconds; what the record does not have takes so long.
SOON_US = 5_000
# So far from a command its answer on record is looked for.
NEAR_US = 2_000_000


class Item:
    """Something that waits. `line` is its place on record, None for what has none; `act` says by itself that it is done."""

    def __init__(self, due_us: float, line: int | None, act: Callable[[], None], step: int | None) -> None:
        self.due_us = due_us
        self.line = line
        self.act = act
        self.step = step
        self.order = (due_us, -1 if line is None else line)

    def __lt__(self, other: Item) -> bool:
        return self.order < other.order


class Timeline:
    """`reached` is the line that the replay has come to: all before it are there, or are not to come."""

    def __init__(self, clock: VirtualClock, late: list[tuple[int, int]]) -> None:
        self._clock = clock
        self._late = late
        self._items: list[Item] = []
        self._timer: asyncio.TimerHandle | None = None
        self._handed = 0
        self.shift_us = 0.0
        self.reached = 0

    @property
    def now_us(self) -> float:
        """The time of the record."""
        return self._clock.now_us() - self.shift_us

    def put(self, due_us: float, act: Callable[[], None], line: int | None = None, step: int | None = None) -> Item:
        """Do something at a time of the record; after what is on record before `line`, and, while that lasts, not before
        the call has come to the step that begins at the line `step`.
        """
        item = Item(due_us, line, act, step)
        insort(self._items, item)
        self._set()
        return item

    def after(self, span_us: float, act: Callable[[], None], line: int | None = None) -> Item:
        return self.put(self.now_us + span_us, act, line)

    def take_out(self, item: Item) -> None:
        if item in self._items:
            self._items.remove(item)

    async def wait(self, span_us: float, line: int | None = None) -> None:
        done = asyncio.get_running_loop().create_future()
        self.after(span_us, lambda: None if done.done() else done.set_result(None), line)
        await done

    async def never(self) -> None:
        """What had not come when the call ended does not come now; a call that goes on is told that after a minute."""
        await self.wait(60e6)

    def come_to(self, line: int, shift_us: float) -> None:
        """The replay has come to a line of the record, so much later."""
        self.reached, self.shift_us = line, shift_us
        self._set()

    def lateness_us(self, seconds: float) -> int:
        """How much later than in `seconds` something is done, as the server was late then."""
        due_us = self.now_us + seconds * 1e6
        return next((late for then, late in self._late if abs(then - due_us) <= TICK_US), 0)

    def hurry(self) -> bool:
        """A timer of the call is due: what the record has right before it comes first, where both are within a tick.

        Says whether there was anything.
        """
        hurried = False
        while True:
            place = max(self.reached, self._handed)
            following = next((item for item in self._items if item.line == place), None)
            if following is None or following.due_us > self.now_us + TICK_US:
                return hurried
            self._items.remove(following)
            self._handed = place + 1
            hurried = True
            following.act()

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_us = self._next()
        if at_us is not None:
            self._timer = self._clock.call_later(max(0.0, at_us - self.now_us) / 1e6, self._pass)

    def _next(self) -> float | None:
        """When to look again."""
        now, found = self.now_us, None
        for item in self._items:
            at_us = item.due_us
            if at_us <= now + 0.5:
                at_us += self._held(item)
            found = at_us if found is None else min(found, at_us)
            if item.due_us > now + 0.5:
                break
        return found

    def _held(self, item: Item) -> float:
        """How long after its time an item waits, at most."""
        if item.step is not None and self.reached <= item.step:
            return PATIENCE_US
        return ORDER_US if item.line is not None and self.reached < item.line else 0.0

    def _pass(self) -> None:
        self._timer = None
        now = self.now_us
        for item in self._items:
            if item.due_us > now + 0.5:
                break
            if item.due_us + self._held(item) <= now + 0.5:
                self._items.remove(item)
                item.act()
                break
        self._set()


class ReplayClock(VirtualClock):
    """The clock of the call: its timers are as late as they were."""

    def __init__(self, loop: VirtualLoop, start_us: int) -> None:
        super().__init__(loop, start_us)
        self.timeline: Timeline | None = None

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        timeline = self.timeline
        if timeline is None:
            return super().call_later(seconds, callback)

        def due() -> None:
            if timeline.hurry():
                asyncio.get_running_loop().call_soon(callback)  # after whoever asks for something now
            else:
                callback()

        return super().call_later(seconds + timeline.lateness_us(seconds) / 1e6, due)
