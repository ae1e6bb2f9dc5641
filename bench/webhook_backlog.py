"""A backlog of deliveries at endpoints that refuse connections: what it costs while it is there, and how it drains."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from webhook_full import Turn, from_outbox
from webhook_rates import Rated, longest_hold, rated
from webhook_receiver import Receiver as ReceiverProcess
from webhook_receiver import origins, receiving
from webhook_stage import (
    CLOCK,
    CURRENCY,
    EVENTS_OF_A_CALL,
    TOKEN,
    WORLD,
    Stage,
    apart,
    call_of,
    resident_mb,
    staged,
)

from callwright import ids
from callwright.calls.events import UPDATED, Event
from callwright.dialect import callbacks
from callwright.store import Store
from callwright.webhooks import ledger
from callwright.webhooks.model import Message, Scope
from callwright.webhooks.scopes import Receiver

DATABASE = "backlog.db"
GROUP = 5_000
SAMPLE_S = 0.5
START_S = 5.0


class Memory:
    """The most that was resident while it was watched, in MB."""

    def __init__(self) -> None:
        self.most_mb = resident_mb()

    async def watch(self) -> None:
        while True:
            self.most_mb = max(self.most_mb, resident_mb())
            await asyncio.sleep(SAMPLE_S / 2)


@asynccontextmanager
async def watched() -> AsyncIterator[Memory]:
    memory = Memory()
    task = asyncio.create_task(memory.watch())
    try:
        yield memory
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Beside(NamedTuple):
    """A deliverer that was started, then given events of healthy endpoints; all times but those of `rated` in seconds.

    `first_s` is from its start until the first healthy event was received, committed right then; `held_s` the longest that
    the event loop was held up in the first seconds; `failed` counts attempts.
    """

    open_s: float
    first_s: float
    held_s: float
    rated: Rated
    resident_mb: float
    failed: int


class Drained(NamedTuple):
    """`first_s` is from the return of the endpoints to the first delivery; the rates are from that one on."""

    deliveries: int
    left: int
    first_s: float
    rate: float
    median_rate: float
    resident_mb: float


class Backlog(NamedTuple):
    deliveries: int
    made_s: float
    file_mb: float
    beside: Beside
    drained: Drained


async def make_backlog(folder: Path, urls: Sequence[str], deliveries: int) -> float:
    """Put so many deliveries on record, four of each call, due now; return the seconds it took."""
    began = time.monotonic()
    store = Store.open(folder / DATABASE, CLOCK)
    try:
        call_id, body, arrivals = ids.uuid7(CLOCK.now_us()), _a_body(urls[0]), list[ledger.Arrival]()
        for number in range(deliveries):
            now_us = CLOCK.now_us()
            if number % EVENTS_OF_A_CALL == 0:
                call_id = ids.uuid7(now_us)
            url = urls[number // EVENTS_OF_A_CALL % len(urls)]
            message = Message(ids.uuid7(now_us), UPDATED, body)
            to = Receiver(url, url, Scope.CALL, TOKEN, None)
            arrivals.append(ledger.Arrival(WORLD, call_id, message, to, ids.uuid7(now_us)))
            if len(arrivals) == GROUP:
                await store.transact(partial(ledger.insert, arrivals=arrivals, now_us=now_us))
                arrivals.clear()
        await store.transact(partial(ledger.insert, arrivals=arrivals, now_us=CLOCK.now_us()))
    finally:
        store.close()
    return time.monotonic() - began


def _a_body(url: str) -> bytes:
    """That of an answered call: bodies of a backlog differ, but not in size."""
    *_, last = call_of(url)
    (content,) = (write.params[-1] for write in last.change.writes if write.query == "calls.insert_event")
    assert isinstance(content, bytes)
    return callbacks.body(Event(1, WORLD, last.id, last.call_id, EVENTS_OF_A_CALL, UPDATED, CLOCK.now_us(), content), CURRENCY)


async def beside(
    stage: Stage, receiver: ReceiverProcess, opened_s: float, rate: float, seconds: float, endpoints: int
) -> Beside:
    """Start the deliverer of a stage and give it events of healthy endpoints."""
    urls = list(origins(endpoints, receiver.port))
    async with watched() as memory:
        started_ns = time.monotonic_ns()
        holding = asyncio.create_task(longest_hold(min(START_S, seconds)))
        stage.start()
        await stage.commit(next(call_of(urls[0])))
        held_s = await holding
        await stage.delivered(1)
        came = await receiver.dump()
        first_s = (came[0].at_ns - started_ns) / 1e9 if came else float("nan")
        done = await rated(stage, receiver, urls, rate, seconds)
        await stage.delivered(1 + len(stage.committed))
    return Beside(opened_s, first_s, held_s, done, memory.most_mb, stage.results["failed"])


async def without(folder: Path, rate: float, seconds: float, endpoints: int) -> Beside:
    """What `backlog` finds beside itself, where there is none."""
    async with receiving(folder) as receiver:
        began = time.monotonic()
        async with staged(folder / "without.db") as stage:
            return await beside(stage, receiver, time.monotonic() - began, rate, seconds, endpoints)


async def full_speed(folder: Path, endpoints: int, events: int) -> Turn:
    """What the rate of draining is compared with: the way from the outbox, with as many endpoints."""
    async with receiving(folder) as receiver:
        return await from_outbox(folder / "full-speed.db", receiver, list(origins(endpoints, receiver.port)), events)


async def backlog(
    folder: Path, deliveries: int, away: int, rate: float, seconds: float, endpoints: int, drain_s: float
) -> Backlog:
    """Make a backlog at `away` endpoints, deliver to `endpoints` healthy ones beside it, then let the others return."""
    database = folder / DATABASE
    async with receiving(folder) as receiver:
        urls = list(origins(away, receiver.refusing_port, second=2))
        made_s = await asyncio.to_thread(apart, make_backlog, folder, urls, deliveries)
        file_mb = _size_mb(folder)
        began = time.monotonic()
        async with staged(database) as stage:
            seen = await beside(stage, receiver, time.monotonic() - began, rate, seconds, endpoints)
            drained = await drain(stage, receiver, deliveries, drain_s)
    return Backlog(deliveries, made_s, file_mb, seen, drained)


def _size_mb(folder: Path) -> float:
    """Of the database and its log."""
    return sum(file.stat().st_size for file in folder.glob(f"{DATABASE}*")) / 1e6


async def drain(stage: Stage, receiver: ReceiverProcess, deliveries: int, seconds: float) -> Drained:
    """Let the endpoints return and watch for so long, or until all is delivered."""
    async with watched() as memory:
        before = stage.results["delivered"]
        opened = time.monotonic()
        await receiver.open()
        samples = [(opened, 0)]
        while samples[-1][1] < deliveries and samples[-1][0] - opened < seconds:
            await asyncio.sleep(SAMPLE_S)
            samples.append((time.monotonic(), stage.results["delivered"] - before))
    done = samples[-1][1]
    first = next((at for at, (_, count) in enumerate(samples) if count), len(samples) - 1)
    since = samples[max(first - 1, 0) :]
    steps = [(there - here) / (then - now) for (now, here), (then, there) in pairwise(since)]
    took = since[-1][0] - since[0][0]
    return Drained(
        deliveries=done,
        left=deliveries - done,
        first_s=samples[first][0] - opened,
        rate=done / took if took else 0.0,
        median_rate=statistics.median(steps) if steps else 0.0,
        resident_mb=memory.most_mb,
    )
