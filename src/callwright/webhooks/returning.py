"""Endpoints that are back: what failed while they were down is sent now, and not when its turn on the ladder comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from callwright.clock import Clock
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks import ledger
from callwright.webhooks.model import Endpoint

BATCH = 500
# Between batches others may write, and the event loop does its work.
PAUSE_S = 0.02
AGAIN_AFTER_A_FAULT_S = 5.0

_log = Log("webhooks")


class Returns:
    def __init__(self, store: Store, clock: Clock, *, offer: Callable[[Endpoint], object]) -> None:
        """`offer` hears of an endpoint at which more is due now."""
        self._store = store
        self._clock = clock
        self._offer = offer
        self._down_since_us: dict[Endpoint, int] = {}
        self._told = asyncio.Event()

    def tell(self, endpoint: Endpoint, down_since_us: int) -> None:
        """It takes something again. If the process ends before all is done, the rest waits its turn on the ladder."""
        self._down_since_us[endpoint] = min(down_since_us, self._down_since_us.get(endpoint, down_since_us))
        self._told.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while self._down_since_us:
                endpoint, since_us = self._down_since_us.popitem()
                await self._bring_forward(endpoint, since_us)
            self._told.clear()
            await self._told.wait()

    async def _bring_forward(self, endpoint: Endpoint, since_us: int) -> None:
        """Make due what first failed since then. What failed before, while others were taken, is tried as ever."""
        after_pos: int | None = -1 << 63
        while after_pos is not None:
            batch = partial(ledger.bring_forward, endpoint, since_us, after_pos, self._clock.now_us(), BATCH)
            try:
                after_pos = await self._store.transact(batch)
            except StoreUnavailable:
                await self._clock.sleep(AGAIN_AFTER_A_FAULT_S)  # the store has told
                continue
            except Exception:
                _log.exception("return_failed", detail="what failed while an endpoint was down waits its turn on the ladder")
                return
            if after_pos is not None:
                self._offer(endpoint)
                await self._clock.sleep(PAUSE_S)
