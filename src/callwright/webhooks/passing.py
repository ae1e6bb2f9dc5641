"""When a lane goes on without the row at its head."""

from __future__ import annotations

from callwright.webhooks.health import Peer, Verdict
from callwright.webhooks.model import Delivery


def passing_us(delivery: Delivery, verdict: Verdict, peer: Peer, now_us: int, wait_us: int) -> int | None:
    """From when on the lane waits no longer for a row that has failed now; None while nothing speaks for passing it.

    The wait begins with the row's first failure. A failure that speaks against the host is no reason: all would fail alike, and
    an outage would cost every lane its order. But where the endpoint has taken others since, it is the row; then the time
    in which the endpoint took nothing does not count.
    """
    first_us = now_us if delivery.failed_us is None else delivery.failed_us
    if verdict.against_host:
        if peer.took_us <= first_us:
            return None
        first_us = max(first_us, peer.back_us)
    return first_us + wait_us
