"""How many requests a second an endpoint gets: a bucket that holds one second's worth."""

from __future__ import annotations

_SECOND_NS = 1_000_000_000


class Pace:
    """Kept as one time, the one at which the bucket would be full again (the generic cell rate algorithm, ITU-T I.371)."""

    __slots__ = ("_full_ns", "_interval_ns", "_slack_ns", "rate")

    def __init__(self, rate: float) -> None:
        """`rate` is requests a second; below one a second, they come singly."""
        self.rate = rate
        self._interval_ns = round(_SECOND_NS / rate)
        self._slack_ns = max(_SECOND_NS - self._interval_ns, 0)
        self._full_ns = 0

    def wait_ns(self, now_ns: int) -> int:
        """How long until one may go; 0 when one may go now."""
        return max(self._full_ns - self._slack_ns - now_ns, 0)

    def take(self, now_ns: int) -> None:
        self._full_ns = max(self._full_ns, now_ns) + self._interval_ns
