"""Who may start a call now: limits on live calls and on new legs a second, health, and draining."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from callwright.clock import Clock
from callwright.reasons import Refusal


class Pace:
    """At most so many new legs in any second; a token bucket whose depth is one second's worth."""

    def __init__(self, clock: Clock, per_second: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._tokens = float(per_second)
        self._at_ns = clock.mono_ns()
        self._waiting: deque[Callable[[], object]] = deque()

    def take(self) -> bool:
        """Take a turn if there is one."""
        now_ns = self._clock.mono_ns()
        self._tokens = min(self._per_second, self._tokens + (now_ns - self._at_ns) / 1e9 * self._per_second)
        self._at_ns = now_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def when_free(self, go: Callable[[], object]) -> None:
        """Call `go` at its turn: at once, or in order as turns come free."""
        self._waiting.append(go)
        if len(self._waiting) == 1:
            self._serve()

    def _serve(self) -> None:
        while self._waiting and self.take():
            self._waiting.popleft()()
        if self._waiting:
            self._clock.call_later(1 / self._per_second, self._serve)


class Admission:
    """The gate of the core; signalling has its own before it (`sip`)."""

    def __init__(self, max_live: int, live: Callable[[], int], unhealthy: Callable[[], str | None]) -> None:
        self._max_live = max_live
        self._live = live
        self._unhealthy = unhealthy
        self.draining = False

    def refusal(self) -> tuple[Refusal, str] | None:
        """Why no call can be taken now, and what was seen; None when one can."""
        if self.draining:
            return Refusal.DRAINING, ""
        if part := self._unhealthy():
            return Refusal.UNHEALTHY, part
        if self._max_live and self._live() >= self._max_live:
            return Refusal.OVER_LIMIT, f"{self._live()} calls are live (calls.max_live)"
        return None
