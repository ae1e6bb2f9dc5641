"""When a lane goes on without the row at its head."""

from __future__ import annotations

from callwright.webhooks.health import Circuit, Peer, Verdict
from callwright.webhooks.model import Delivery


def passing_us(delivery: Delivery, verdict: Verdict, peer: Peer, now_us: int, wait_us: int) -> int | None:
    """From when on the lane waits no longer for a row that has failed now; None while nothing speaks for passing it.

    The wait begins with the row's first failure. A failure that speaks against the host is no reason: all would fail alike, and
    an outage would cost every lane its order. But where the endpoint has taken others since, it is the row.

    After an outage that was as long as the wait, the wait begins anew: what went down with the host may stumble once. (Shorter
    ones change nothing, or an endpoint that often has failures in a row would keep its lanes waiting for ever.)
    """
    first_us = now_us if delivery.failed_us is None else delivery.failed_us
    if verdict.against_host and peer.took_us <= first_us:
        return None
    if peer.breaker.circuit is not Circuit.CLOSED:
        return None  # it was the probe
    for one in (peer, peer.breaker):
        if one.down_us >= wait_us:
            first_us = max(first_us, one.back_us)
    return first_us + wait_us
