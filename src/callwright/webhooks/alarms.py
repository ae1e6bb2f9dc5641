"""Who is to be woken when: one timer of the event loop for any number of sleepers."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from callwright.clock import SECOND_US, Clock

K = TypeVar("K", bound=Hashable)
# Wall time can be set anew while somebody sleeps, so no timer runs longer than this (seconds).
LONGEST_S = 60.0


class Alarms(Generic[K]):
    """Wakes each sleeper once, at the earliest of the times set for it (wall time, microseconds)."""

    def __init__(self, clock: Clock, woken: Callable[[K], object]) -> None:
        self._clock = clock
        self._woken = woken
        self._at: dict[K, int] = {}
        self._heap: list[tuple[int, int, K]] = []
        self._count = 0  # sleepers cannot be compared, so equal times are told apart by their number
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us = 0

    def __len__(self) -> int:
        return len(self._at)

    def set(self, at_us: int, sleeper: K) -> None:
        """Wake it then, or earlier where that was asked for before."""
        known = self._at.get(sleeper)
        if known is not None and known <= at_us:
            return
        self._at[sleeper] = at_us
        self._count += 1
        heapq.heappush(self._heap, (at_us, self._count, sleeper))
        if self._timer is None or at_us < self._timer_us:
            self._arm(at_us)

    def close(self) -> None:
        self._at.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, at_us: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = at_us
        wait_s = max(at_us - self._clock.now_us(), 0) / SECOND_US
        self._timer = self._clock.call_later(min(wait_s, LONGEST_S), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now_us = self._clock.now_us()
        due: list[K] = []
        while self._heap and self._heap[0][0] <= now_us:
            at_us, _, sleeper = heapq.heappop(self._heap)
            if self._at.get(sleeper) == at_us:
                del self._at[sleeper]
                due.append(sleeper)
        for sleeper in due:
            self._woken(sleeper)
        if self._heap and (self._timer is None or self._heap[0][0] < self._timer_us):
            self._arm(self._heap[0][0])
