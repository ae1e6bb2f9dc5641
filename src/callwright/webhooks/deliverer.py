"""The deliverer: keeps fan-out and lanes going, wakes when there is something to do, and looks by itself now and then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile
from uuid import UUID

from callwright.clock import SECOND_US, Clock
from callwright.egress import Header, Transport, Url
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks import ledger
from callwright.webhooks.attempts import STORE_PAUSE_S, Attempts
from callwright.webhooks.fanout import FanOut, Renderer
from callwright.webhooks.lanes import Lanes
from callwright.webhooks.model import Delivery, Endpoint
from callwright.webhooks.settings import WebhookSettings

PAGE = 500
_TICK_US = 1_000
_FULL_PAUSE_US = SECOND_US

_log = Log("webhooks")


class Deliverer:
    """Delivers every committed event at least once, in order per call and receiver, until it is given up.

    All state is in the store: what was pending when the process ended is pending when it comes back.
    """

    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        settings: WebhookSettings,
        *,
        render: Renderer,
        sign: Callable[[Delivery, Url, int], Sequence[Header]],
        counted: Callable[[str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`render` gives an event's body; `sign` an attempt's signatures; `counted` hears the result of each attempt."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._fan_out = FanOut(store, clock, render, settings.events)
        self._attempts = Attempts(
            store,
            transport,
            clock,
            settings,
            sign=sign,
            counted=counted,
            chance=chance,
            scheduled=self._scheduled,
        )
        self._lanes = Lanes(
            self._due,
            self._attempts.make,
            clock,
            concurrency=settings.concurrency,
            per_endpoint=settings.per_endpoint,
            endpoints=settings.endpoints,
        )
        self._woken = asyncio.Event()
        self._earlier = asyncio.Event()
        self._alarm_us = 0

    def wake(self, world_id: UUID, call_id: UUID) -> None:
        """A call has a new event. Cheap, on the event loop; forgetting to call it costs `settings.poll` seconds."""
        self._woken.set()

    def offer(self, endpoint: Endpoint) -> None:
        """There is something to send there that did not come out of the outbox."""
        if not self._lanes.offer(endpoint):
            self._earlier.set()

    async def run(self) -> None:
        """Deliver until cancelled; then give what is under way a moment to be answered and recorded."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._empty_outbox(), name="webhooks-outbox")
                group.create_task(self._watch_the_clock(), name="webhooks-clock")
        finally:
            await self._lanes.close(self._settings.drain)

    async def _empty_outbox(self) -> None:
        while True:
            self._woken.clear()
            try:
                while (touched := await self._fan_out.step()) is not None:
                    for endpoint in touched:
                        if not self._lanes.offer(endpoint):
                            self._earlier.set()
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)  # the store has told
            except Exception as error:
                _log.warning("fan_out_failed", error=str(error), again_in_s=STORE_PAUSE_S)
                await self._clock.sleep(STORE_PAUSE_S)
            else:
                await self._wait(self._woken, self._settings.poll)

    async def _watch_the_clock(self) -> None:
        """Offer each lane head once, when it has come due; every `poll` seconds all over again, as a safety net."""
        seen = (0, 0)
        poll_us = round(self._settings.poll * SECOND_US)
        again_us = self._clock.now_us() + poll_us
        while True:
            now_us = self._clock.now_us()
            if now_us >= again_us:
                seen, again_us = (0, 0), now_us + poll_us
            self._earlier.clear()
            self._alarm_us = again_us
            try:
                page = ledger.due_after(self._store, *seen, now_us, PAGE)
                next_us = ledger.next_due_us(self._store, now_us)
            except Exception as error:
                _log.warning("due_not_read", error=str(error), again_in_s=STORE_PAUSE_S)
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            offered = list(takewhile(lambda due: self._lanes.offer(due.endpoint), page))
            if offered:
                seen = (offered[-1].next_at_us, offered[-1].pos)
            if len(offered) == PAGE:
                await self._clock.sleep(0)
                continue
            if len(offered) < len(page):
                next_us = now_us + _FULL_PAUSE_US
            self._alarm_us = min(again_us, next_us or again_us)
            await self._wait(self._earlier, max(self._alarm_us - self._clock.now_us(), _TICK_US) / SECOND_US)

    def _scheduled(self, next_at_us: int) -> None:
        if next_at_us < self._alarm_us:
            self._earlier.set()

    def _due(self, endpoint: Endpoint, limit: int) -> list[int]:
        try:
            return ledger.due_at(self._store, endpoint, self._clock.now_us(), limit)
        except Exception as error:
            _log.warning("due_not_read", error=str(error), again_in_s=self._settings.poll)
            return []

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await event.wait()
