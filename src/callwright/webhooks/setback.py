"""The wall clock was set back: nothing waits for a time that was near by the clock of before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from callwright.clock import Clock
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks import ledger
from callwright.webhooks.model import Endpoint
from callwright.webhooks.settings import WebhookSettings

BATCH = 500
# Between batches others may write, and the event loop does its work.
PAUSE_S = 0.02

_log = Log("webhooks")


async def bring_near(
    store: Store, clock: Clock, settings: WebhookSettings, endpoint: Endpoint, due: Callable[[Endpoint], object]
) -> None:
    """Make due what waits at an endpoint for a time further ahead than any pause; `due` hears of it after each batch."""
    count = 0
    near = BATCH
    while near == BATCH:
        now_us = clock.now_us()
        batch = partial(ledger.bring_near, endpoint, settings.too_far_us(now_us), now_us, BATCH)
        try:
            near = await store.transact(batch)
        except StoreUnavailable:
            break  # the store has told; the next look finds the rest
        count += near
        due(endpoint)
        await clock.sleep(PAUSE_S)
    if count:
        _log.warning(
            "deliveries_too_far_ahead",
            endpoint=ledger.endpoint_id(store, endpoint),
            host=endpoint.host,
            count=count,
            remedy="they are due now: the clock was set back, or pauses were made shorter; see to time synchronisation",
        )
