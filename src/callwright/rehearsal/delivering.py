"""Callbacks of rehearsed calls that are really posted, by the server's own deliverer, signed as the server signs.

A request and its answer take real time, in which the rehearsal waits; the wait before a callback is tried again takes virtual
time, that is to say none. So a receiver that fails twice is asked three times within milliseconds, as far apart as it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec

from callwright.calls import events, rows
from callwright.clock import Clock, SystemClock, outside
from callwright.egress import Answer, Header, Poster, Url
from callwright.egress.door import MAX_KEPT
from callwright.egress.post import HttpDoor
from callwright.rehearsal.outcome import Delivered, Outcome
from callwright.rehearsal.platform import Rehearsal
from callwright.settings import Settings, rooms
from callwright.webhooks import ledger
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.log import DeliveryLog, Entry, Filter
from callwright.webhooks.model import Delivery
from callwright.webhooks.signing import Signer
from callwright.webhooks.webhooks import Webhooks

# Whoever rehearses asks his own machines, by URLs that he has written himself.
ANY_NETWORK = ("0.0.0.0/0", "::/0")
# Virtual: with the usual waits a callback has four attempts.
GIVE_UP_S = 600.0
# Real: for all callbacks of a call together.
WITHIN_S = 30.0
LOOK_S = 1.0
MOST = 1_000


def real_door(clock: Clock, settings: Settings) -> HttpDoor:
    """What really is there, for deliveries, and for a `ScriptedWeb` to ask beyond its script."""
    return HttpDoor(rooms.egress(settings), clock, allow=ANY_NETWORK)


class Deliveries:
    """`tell` who is to hear before the call, and `deliver` after it, or have the call `along`; `close` it in the end, or use it
    as ``async with``.
    """

    def __init__(self, rehearsal: Rehearsal, *, within: float = WITHIN_S) -> None:
        """All that is delivered at a time takes at most `within` real seconds; what is pending then stays so."""
        self._rehearsal = rehearsal
        self._within = within
        self._door = real_door(rehearsal.clock, rehearsal.settings)
        self._time_of_day = SystemClock()
        self._signer = Signer(lambda world_id: rehearsal.world.signing_key)
        self._webhooks = Webhooks(rehearsal.store, rehearsal.clock, self._door.refusal, per_world=MOST)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        with outside():
            await self._door.close()

    async def tell(self, url: str, token: str | None = None, types: Iterable[str] | None = None) -> None:
        """A program that is to hear of what happens from now on. Raises `Invalid` for a URL that nothing can be posted to."""
        heard = None if types is None else tuple(types)
        await self._webhooks.create(self._rehearsal.world.id, url=url, token=token, events=heard)

    async def deliver(self, outcome: Outcome) -> Outcome:
        """Post the callbacks of a call, and say in its outcome what was answered."""
        async with self.along():
            pass
        return msgspec.structs.replace(outcome, deliveries=self.of_call(outcome.call.id))

    def of_call(self, call_id: UUID) -> list[Delivered]:
        """What has become of the callbacks of a call, in the order of its events."""
        log = DeliveryLog(self._rehearsal.store, self._rehearsal.clock)
        page = log.page(self._rehearsal.world.id, Filter(call_id=call_id), limit=MOST)
        return [_delivered(log, entry) for entry in sorted(page.entries, key=lambda entry: (entry.url, entry.sequence))]

    @asynccontextmanager
    async def along(self) -> AsyncIterator[None]:
        """Deliver while a call goes on within, and then until nothing is left to be sent. The call's time passes while
        receivers work: what it comes to is not to the tick what it would be without.
        """
        rehearsal = self._rehearsal
        counted = asyncio.Event()
        deliverer = self._deliverer(counted)
        rehearsal.store.on(events.TOPIC, lambda wake: deliverer.wake(wake.world_id, wake.subject_id))
        working = asyncio.create_task(deliverer.run(), name="rehearsed-deliveries")
        try:
            yield
            await self._until_all_is_told(counted)
        finally:
            working.cancel()
            with outside(), suppress(asyncio.CancelledError):
                await working

    def _deliverer(self, counted: asyncio.Event) -> Deliverer:
        rehearsal = self._rehearsal
        settings = rooms.webhooks(rehearsal.settings)
        return Deliverer(
            rehearsal.store,
            _Waited(self._door),
            rehearsal.clock,
            msgspec.structs.replace(
                settings, give_up_after=min(settings.give_up_after, GIVE_UP_S), jitter=0.0, poll=LOOK_S, drain=0.0
            ),
            render=rehearsal.callback,
            sign=self._signed,
            counted=lambda result: counted.set(),
        )

    async def _until_all_is_told(self, counted: asyncio.Event) -> None:
        until_ns = self._time_of_day.mono_ns() + round(self._within * 1e9)
        while self._is_left() and self._time_of_day.mono_ns() < until_ns:
            counted.clear()
            with suppress(TimeoutError):
                async with self._rehearsal.clock.timeout(LOOK_S):
                    await counted.wait()

    def _is_left(self) -> bool:
        store = self._rehearsal.store
        return ledger.fanned_out(store) < rows.last_event_pos(store) or bool(ledger.endpoints_with_work(store, None, 1))

    def _signed(self, delivery: Delivery, url: Url, now_us: int) -> Sequence[Header]:
        """Receivers judge by the time of day, which is not that of the rehearsal."""
        return self._signer.headers(delivery, url, self._time_of_day.now_us())


class _Waited:
    """A door at which the loop waits for what comes, however much virtual time could pass meanwhile."""

    def __init__(self, door: Poster) -> None:
        self._door = door

    async def post(
        self,
        url: str,
        headers: Sequence[Header],
        body: bytes,
        timeout: float,
        *,
        repeatable: bool = False,
        max_kept: int = MAX_KEPT,
    ) -> Answer:
        with outside():
            return await self._door.post(url, headers, body, timeout, repeatable=repeatable, max_kept=max_kept)


def _delivered(log: DeliveryLog, entry: Entry) -> Delivered:
    attempts = log.attempts(entry)
    return Delivered(
        url=entry.url,
        event=entry.kind,
        sequence=entry.sequence,
        state=entry.state.value,
        attempts=entry.attempts,
        status=entry.last_status,
        fault=attempts[-1].detail if attempts and attempts[-1].error else entry.last_error or "",
    )
