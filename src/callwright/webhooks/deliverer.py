"""The deliverer: keeps fan-out, lanes and upkeep going, and looks by itself now and then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from callwright.clock import Clock
from callwright.egress import Header, Poster, Url
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks import ledger, switching
from callwright.webhooks.attempts import STORE_PAUSE_S, Attempts
from callwright.webhooks.fanout import FanOut, Renderer
from callwright.webhooks.ground import OneNode
from callwright.webhooks.lanes import Lanes, Live
from callwright.webhooks.model import Delivery, Endpoint
from callwright.webhooks.notices import Why
from callwright.webhooks.outcomes import Outcomes
from callwright.webhooks.setback import bring_near
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.upkeep import Upkeep

PAGE = 50
FULL_PAUSE_S = 1.0

_log = Log("webhooks")


class Deliverer:
    """Delivers every committed event at least once, in order per call and receiver, until it is given up.

    All state that matters is in the store: what was pending when the process ended is pending when it comes back.
    """

    def __init__(
        self,
        store: Store,
        transport: Poster,
        clock: Clock,
        settings: WebhookSettings,
        *,
        render: Renderer,
        sign: Callable[[Delivery, Url, int], Sequence[Header]],
        counted: Callable[[str], None],
        happened: Callable[[str], None] = lambda what: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`render` gives an event's body; `sign` an attempt's signatures; `counted` hears the result of each attempt.

        `happened` hears ``breaker_opened``, ``breaker_closed``, ``endpoint_disabled``, ``endpoint_enabled`` and
        ``lane_passed``.
        """
        self._store = store
        self._clock = clock
        self._settings = settings
        self._happened = happened
        self._fan_out = FanOut(store, clock, render, settings.events, settings.sent)
        outcomes = Outcomes(store, clock)
        attempts = Attempts(
            store,
            outcomes,
            transport,
            clock,
            settings,
            sign=sign,
            counted=counted,
            chance=chance,
            happened=happened,
            disabled=self._disabled,
            returned=lambda endpoint, down_since_us: self._upkeep.returns.tell(endpoint, down_since_us),
        )
        self._telling = attempts.telling
        ground = OneNode(
            store, clock, attempts, outcomes, settings.events, disabled=self._left_at_a_disabled_one, happened=happened
        )
        self._lanes = Lanes(ground, clock, settings)
        self._upkeep = Upkeep(store, clock, settings, counted=counted, offer=self.offer)
        self._woken = asyncio.Event()
        self._refused = asyncio.Event()

    def wake(self, world_id: UUID, call_id: UUID) -> None:
        """A call has a new event. Cheap, on the event loop; forgetting to call it costs `settings.poll` seconds."""
        self._woken.set()

    def offer(self, endpoint: Endpoint) -> None:
        """Something may be due at an endpoint. Forgetting to call it costs `settings.poll` seconds."""
        if not self._lanes.offer(endpoint):
            self._refused.set()

    def refresh(self, endpoint: Endpoint) -> None:
        """The limits of an endpoint were changed in the table."""
        self._lanes.refresh(endpoint)

    async def disable(self, world_id: UUID, url: str, why: Why = Why.ASKED) -> bool:
        """Send nothing more to an endpoint (its URL without query): what is pending is given up, what comes is so at once.

        False when it was disabled already.
        """
        endpoint = Endpoint(world_id, url)
        now_us = self._clock.now_us()
        disabled = await self._store.transact(
            lambda transaction: switching.switch_off(transaction, endpoint, why, now_us), switching.wakes(endpoint)
        )
        if disabled is None:
            return False
        self._happened("endpoint_disabled")
        remedy = "callwright endpoints enable ends it"
        _log.warning("endpoint_disabled", endpoint=disabled, host=endpoint.host, why=why.value, remedy=remedy)
        self._disabled(endpoint)
        return True

    async def enable(self, world_id: UUID, url: str) -> bool:
        """Send to an endpoint again, beginning with what happens from now on; what was given up can be resent.

        False when it was not disabled.
        """
        if not await switching.enable(self._store, self._clock, world_id, url):
            return False
        self._happened("endpoint_enabled")
        self._lanes.switch_on(Endpoint(world_id, url))
        return True

    def end_pauses(self, world_id: UUID, url: str) -> None:
        """Try an endpoint at once that rests, or whose host is left alone; one attempt, and the others if that goes well."""
        endpoint = Endpoint(world_id, url)
        self._lanes.end_pauses(endpoint)
        known = ledger.endpoint_id(self._store, endpoint)
        _log.info("endpoint_pause_ended", endpoint=known, host=endpoint.host)

    def live(self, world_id: UUID, url: str) -> Live | None:
        """How an endpoint does at this moment; None when nothing was sent to it for some time."""
        return self._lanes.live(Endpoint(world_id, url))

    async def run(self) -> None:
        """Deliver until cancelled; then give what is under way a moment to be answered and recorded."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._empty_outbox(), name="webhooks-outbox")
                group.create_task(self._look_around(), name="webhooks-look")
                group.create_task(self._upkeep.run(), name="webhooks-upkeep")
                group.create_task(self._telling.run(), name="webhooks-telling")
        finally:
            await self._lanes.close(self._settings.drain)

    async def _empty_outbox(self) -> None:
        while True:
            self._woken.clear()
            try:
                while (touched := await self._fan_out.step()) is not None:
                    for endpoint in touched:
                        self.offer(endpoint)
                    await asyncio.sleep(0)  # where nobody hears nothing is awaited, and others want their turn
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)  # the store has told
            except Exception as error:
                _log.warning("fan_out_failed", error=str(error), again_in_s=STORE_PAUSE_S)
                await self._clock.sleep(STORE_PAUSE_S)
            else:
                await self._wait(self._woken, self._settings.poll)

    async def _look_around(self) -> None:
        """Look through the endpoints with work: at the start, and every `poll` seconds as a safety net; sooner when there were
        too many to hold.
        """
        while True:
            self._refused.clear()
            try:
                await self._offer_all()
            except Exception as error:
                _log.warning("due_not_read", error=str(error), again_in_s=STORE_PAUSE_S)
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            before = self._clock.mono_ns()
            await self._wait(self._refused, self._settings.poll)
            if self._refused.is_set() and self._clock.mono_ns() - before < FULL_PAUSE_S * 1e9:
                await self._clock.sleep(FULL_PAUSE_S)

    async def _offer_all(self) -> None:
        after: Endpoint | None = None
        while work := ledger.endpoints_with_work(self._store, after, PAGE):
            now_us = self._clock.now_us()
            for endpoint, next_at_us, _ in work:
                if next_at_us <= now_us:
                    self.offer(endpoint)
                else:
                    self._lanes.expect(endpoint, next_at_us)
            for endpoint, _, last_at_us in work:
                if last_at_us > self._settings.too_far_us(now_us):
                    await bring_near(self._store, self._clock, self._settings, endpoint, self._brought_near)
            after = work[-1].endpoint
            await self._clock.sleep(0)

    def _brought_near(self, endpoint: Endpoint) -> None:
        self.refresh(endpoint)
        self.offer(endpoint)

    def _left_at_a_disabled_one(self, endpoint: Endpoint) -> None:
        if ledger.oldest_pending_us(self._store, endpoint) is not None:
            self._upkeep.clear(endpoint)

    def _disabled(self, endpoint: Endpoint) -> None:
        self._lanes.switch_off(endpoint)
        self._upkeep.clear(endpoint)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await event.wait()
