"""Rows that nobody sends any more: what waits at a disabled endpoint, and what is kept for long enough. In small batches
always.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from callwright.clock import SECOND_US, Clock
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Change, Store
from callwright.webhooks import ledger
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.returning import Returns
from callwright.webhooks.settings import WebhookSettings

BATCH = 500
# What is read on the event loop is less, so that nothing waits for it.
REMOVAL_BATCH = 100
# Between batches others may write, and the event loop does its work.
PAUSE_S = 0.02
AGAIN_AFTER_A_FAULT_S = 5.0
RETENTION_S = 3_600.0

_log = Log("webhooks")


class Upkeep:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: WebhookSettings,
        *,
        counted: Callable[[str], None],
        offer: Callable[[Endpoint], object],
    ) -> None:
        """`counted` hears ``exhausted`` for each delivery that is given up; `offer` of an endpoint that may have new heads."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._counted = counted
        self._offer = offer
        self.returns = Returns(store, clock, offer=offer)
        self._to_clear: dict[Endpoint, None] = {}
        self._asked = asyncio.Event()

    def clear(self, endpoint: Endpoint) -> None:
        """Give up what is pending at a disabled endpoint, soon. A restart goes on with what is left."""
        self._to_clear[endpoint] = None
        self._asked.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clear_asked(), name="webhooks-clearing")
            group.create_task(self.returns.run(), name="webhooks-returns")
            group.create_task(self._now_and_then(self._remove_old, RETENTION_S), name="webhooks-retention")

    async def _now_and_then(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self._guarded(work())
            await self._clock.sleep(every_s)

    async def _guarded(self, work: Awaitable[None]) -> bool:
        """Do it; False when that failed and has been told of."""
        try:
            await work
        except StoreUnavailable:
            return False  # the store has told
        except Exception:
            _log.exception("upkeep_failed")
            return False
        return True

    async def _clear_asked(self) -> None:
        while True:
            while self._to_clear:
                endpoint = next(iter(self._to_clear))
                if await self._guarded(self._clear(endpoint)):
                    del self._to_clear[endpoint]
                else:
                    await self._clock.sleep(AGAIN_AFTER_A_FAULT_S)
            self._asked.clear()
            await self._asked.wait()

    async def _clear(self, endpoint: Endpoint) -> None:
        while ledger.oldest_pending_us(self._store, endpoint) is not None:
            write = ledger.exhaust_disabled(endpoint, self._clock.now_us(), BATCH)
            given_up = await self._store.transact(lambda transaction: transaction.write(write))  # noqa: B023 - awaited here
            self._count(given_up)
            if not given_up:
                return  # it was enabled meanwhile
            await self._clock.sleep(PAUSE_S)

    async def _remove_old(self) -> None:
        now_us = self._clock.now_us()
        for state, kept_s in ((State.DELIVERED, self._settings.keep), (State.EXHAUSTED, self._settings.keep_exhausted)):
            until_us = now_us - round(kept_s * SECOND_US)
            # What is done with is no longer in the index that is read: no walk is the longer for what was kept before.
            while writes := ledger.remove_settled(self._store, state, until_us, REMOVAL_BATCH):
                await self._store.commit(Change(writes))
                await self._clock.sleep(PAUSE_S)

    def _count(self, given_up: int) -> None:
        for _ in range(given_up):
            self._counted("exhausted")
