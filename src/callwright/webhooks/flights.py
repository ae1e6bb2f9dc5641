"""Attempts under way, and the two budgets they count against.

An attempt counts against `concurrency` until it has been unanswered for `slow_after`, and from then on against `slow_slots`;
attempts at endpoints that are not well do so from the start. So those that hang leave the others their room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from callwright.clock import Clock
from callwright.webhooks.settings import WebhookSettings

Q = TypeVar("Q")


class Flight(Generic[Q]):
    """An attempt under way, for a `queue`."""

    __slots__ = ("ended", "late", "pos", "probe", "queue", "slow", "started_ns")

    def __init__(self, queue: Q, pos: int, *, slow: bool, probe: bool) -> None:
        """`slow` says which budget it counts against."""
        self.queue = queue
        self.pos = pos
        self.slow = slow
        self.probe = probe
        self.started_ns = 0
        self.late = False
        self.ended = False


class Flights(Generic[Q]):
    def __init__(
        self, clock: Clock, settings: WebhookSettings, late: Callable[[Flight[Q]], None], room: Callable[[], None]
    ) -> None:
        """`late` hears of each attempt that is unanswered for too long; `room` hears when some was made by that."""
        self._clock = clock
        self._settings = settings
        self._late = late
        self._room = room
        self._fast = 0
        self._slow = 0
        self._started: deque[Flight[Q]] = deque()  # in that order, so that one timer is enough
        self._crowded_out: deque[Flight[Q]] = deque()  # late, but the budget of the slow was full
        self._timer: asyncio.TimerHandle | None = None
        self._patience_ns = round(settings.slow_after * 1e9)

    def has_room(self, *, slow: bool) -> bool:
        return self._slow < self._settings.slow_slots if slow else self._fast < self._settings.concurrency

    def start(self, flight: Flight[Q]) -> None:
        if flight.slow:
            self._slow += 1
        else:
            self._fast += 1
        flight.started_ns = self._clock.mono_ns()
        self._started.append(flight)
        if self._timer is None:
            self._timer = self._clock.call_later(self._settings.slow_after, self._look)

    def end(self, flight: Flight[Q]) -> None:
        flight.ended = True
        if flight.slow:
            self._slow -= 1
            self._move_over()
        else:
            self._fast -= 1
        while self._started and self._started[0].ended:
            self._started.popleft()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        now_ns = self._clock.mono_ns()
        started = self._started
        while started and (started[0].ended or started[0].started_ns + self._patience_ns <= now_ns):
            flight = started.popleft()
            if not flight.ended:
                flight.late = True
                self._late(flight)
                if not flight.slow:
                    self._crowded_out.append(flight)
        self._move_over()
        if started:
            wait_ns = started[0].started_ns + self._patience_ns - now_ns
            self._timer = self._clock.call_later(wait_ns / 1e9, self._look)
        self._room()

    def _move_over(self) -> None:
        while self._crowded_out and self._slow < self._settings.slow_slots:
            flight = self._crowded_out.popleft()
            if not flight.ended:
                flight.slow = True
                self._fast -= 1
                self._slow += 1
