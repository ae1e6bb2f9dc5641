"""Not asking a service that does not answer: for a while, then once, then for longer."""

from __future__ import annotations

from callwright.clock import Clock

FAILURES = 3  # in a row
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 300.0


class Breaker:
    """Closed while all is well; open for a pause after failures; then one request tries, and the rest still wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until_ns = 0
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether nothing should be asked now."""
        return self._failures >= FAILURES and (self._trying or self._clock.mono_ns() < self._open_until_ns)

    def ask(self) -> None:
        """A request goes out."""
        self._trying = self._failures >= FAILURES

    def succeed(self) -> None:
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._trying = False

    def fail(self, *, at_once: bool = False) -> None:
        """A request failed; `at_once` for what will not be better with the next."""
        self._trying = False
        self._failures = FAILURES if at_once else self._failures + 1
        if self._failures >= FAILURES:
            self._open_until_ns = self._clock.mono_ns() + round(self._pause_s * 1e9)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
