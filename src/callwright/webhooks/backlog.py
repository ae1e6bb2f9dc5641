"""How far behind the deliveries are, in the few numbers that a monitoring system watches."""

from __future__ import annotations

from typing import Any, NamedTuple

from callwright.clock import SECOND_US
from callwright.store import Store

# A failure is nothing to be woken for before it has lasted so long.
FAILING_US = 300 * SECOND_US


class Backlog(NamedTuple):
    """`oldest_s` is how long the oldest pending delivery has waited since it was made or resent, 0 where none is pending.

    `failing` counts the endpoints that have taken nothing for five minutes or more and have something waiting, `disabled`
    those that nothing is sent to.
    """

    oldest_s: float
    failing: int
    disabled: int


def look(store: Store, now_us: int) -> Backlog:
    """Two bounded reads: one step into an index, and the table of endpoints, which has those alone that once failed."""
    oldest: list[Any] = store.read("webhooks.oldest_pending")
    counted: list[Any] = store.read("webhooks.count_endpoints_down", (now_us - FAILING_US,))
    ((disabled, failing),) = counted
    since_us = oldest[0][0] if oldest else now_us
    return Backlog(max(now_us - since_us, 0) / SECOND_US, failing, disabled)
