"""What delivers callbacks in the core, put together for its benchmark: store, door, fan-out, lanes; and calls to tell of."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import uvloop

from callwright import ids, log, settings
from callwright.app import COLLECT_AFTER, SWITCH_S
from callwright.calls import events
from callwright.calls.lifecycle import CallRecord
from callwright.clock import SystemClock
from callwright.descriptors import raise_descriptor_limit
from callwright.dialect import callbacks
from callwright.egress import Answer, EgressSettings, Header
from callwright.egress.post import HttpDoor
from callwright.reasons import Reason
from callwright.settings import rooms
from callwright.store import Change, Store, Wake
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signing import Signer

T = TypeVar("T")
CLOCK = SystemClock()
WORLD = UUID(int=1)
NODE = "one"
CURRENCY = "USD"
SIGNING_KEY = "the signing key of the world that the benchmark has"
TOKEN = "the token of a call's own webhook"
WEBHOOKS: WebhookSettings = rooms.webhooks(settings.Settings())
EVENTS_OF_A_CALL = 4
PATIENCE_S = 120.0
COMMITTERS = 64


def new_deliverer(store: Store, door: HttpDoor | Noting, stage: Stage) -> Deliverer:
    """As `callwright.core` makes it, with the default settings."""
    return Deliverer(
        store,
        door,
        CLOCK,
        WEBHOOKS,
        render=lambda event: callbacks.body(event, CURRENCY),
        sign=Signer(lambda world_id: SIGNING_KEY, WEBHOOKS.encoding).headers,
        counted=stage.count,
    )


def new_door() -> HttpDoor:
    """As the core has it when only this machine can reach it."""
    return HttpDoor(EgressSettings(allow=rooms.LOOPBACK), CLOCK)


class Committed(NamedTuple):
    """An event: when it was due to be committed, and when its commit was durable as far as this process knew."""

    url: str
    due_ns: int
    at_ns: int


class Stage:
    """A store on disk and a deliverer over it, in this process as in the core."""

    def __init__(self, database: Path, door: HttpDoor | Noting) -> None:
        """`commits_s` are the seconds each group commit took."""
        self.door = door
        self.commits_s: list[float] = []
        self.results: Counter[str] = Counter()
        self.committed: dict[bytes, Committed] = {}
        self._durable_ns = 0
        self._waiting: defaultdict[UUID, deque[tuple[UUID, str, int]]] = defaultdict(deque)  # by call, in order
        self._wanted = (0, asyncio.Event())
        self.store = Store.open(database, CLOCK, on_commit=self._on_commit)
        # Before the deliverer, which begins to work on it when it hears of it.
        self.store.on(events.TOPIC, self._note_commit)
        self.deliverer = new_deliverer(self.store, door, self)
        self.store.on(events.TOPIC, lambda wake: self.deliverer.wake(wake.world_id, wake.subject_id))
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self.deliverer.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    def count(self, result: str) -> None:
        """Hear what came of an attempt, as the metrics of the core do."""
        self.results[result] += 1
        wanted, reached = self._wanted
        if self.results["delivered"] >= wanted:
            reached.set()

    async def delivered(self, deliveries: int, seconds: float = PATIENCE_S) -> bool:
        """Wait until so many deliveries in all have been made and noted, or so long."""
        self._wanted = (_, reached) = (deliveries, asyncio.Event())
        if self.results["delivered"] >= deliveries:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await reached.wait()
        return reached.is_set()

    async def commit(self, event: Told, due_ns: int | None = None) -> None:
        """Commit a change and its event, as the actor of its call does."""
        self._waiting[event.call_id].append((event.id, event.url, due_ns or time.monotonic_ns()))
        await self.store.commit(event.change)

    async def commit_fast(self, urls: Sequence[str], count: int) -> None:
        """Commit so many events as fast as they are taken, of calls that are told to each URL in turn."""
        turns = iter(range(count))

        async def committer(first: int) -> None:
            told = first
            life: Iterator[Told] = iter(())
            for _ in turns:
                event = next(life, None)
                if event is None:
                    life = call_of(urls[told % len(urls)])
                    event, told = next(life), told + COMMITTERS
                await self.commit(event)

        await asyncio.gather(*(committer(first) for first in range(COMMITTERS)))

    def _on_commit(self, seconds: float) -> None:
        # On the writer's thread, before the event loop hears of it: what holds the loop up is part of the latency.
        self._durable_ns = time.monotonic_ns()
        self.commits_s.append(seconds)

    def _note_commit(self, wake: Wake) -> None:
        waiting = self._waiting.get(wake.subject_id)
        if waiting is None:
            return  # it is of a receiver, not of a call
        id_, url, due_ns = waiting.popleft()
        if not waiting:
            del self._waiting[wake.subject_id]
        self.committed[str(id_).encode()] = Committed(url, due_ns, self._durable_ns)


@asynccontextmanager
async def staged(database: Path, door: HttpDoor | Noting | None = None) -> AsyncIterator[Stage]:
    """A stage that is closed at the end; `start` lets it deliver."""
    door = door or new_door()
    await door.open()
    stage = Stage(database, door)
    try:
        yield stage
    finally:
        await stage.stop()
        await door.close()
        stage.store.close()


class Told(NamedTuple):
    """A change of a call that its webhook is told of."""

    id: UUID
    call_id: UUID
    url: str
    change: Change


def call_of(url: str) -> Iterator[Told]:
    """The changes of a call that was asked for over the API with a webhook: made, dialled, answered, over."""
    at_us = CLOCK.now_us()
    call_id, leg_id = ids.uuid7(at_us), ids.uuid7(at_us)
    record = CallRecord.requested(
        call_id=call_id,
        leg_id=leg_id,
        world_id=WORLD,
        source="31205550177",
        destination="31205550123",
        number_id=None,
        webhook_url=url,
        webhook_token=TOKEN,
        at_us=at_us,
        node=NODE,
    )

    def told() -> Told:
        change = record.take()
        (id_,) = (UUID(bytes=write.params[1]) for write in change.writes if write.query == "calls.insert_event")  # type: ignore[arg-type]
        return Told(id_, call_id, url, change)

    yield told()
    record.start(CLOCK.now_us())
    yield told()
    record.answered(leg_id, CLOCK.now_us())
    yield told()
    record.end_leg(leg_id, Reason.FLOW_ENDED, CLOCK.now_us())
    yield told()


def apart(function: Callable[..., Coroutine[Any, Any, T]], folder: Path, *arguments: Any) -> T:
    """Run a coroutine function in a process of its own that is like the core; it is given `folder` for its files."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, function, folder, arguments).result()


def _run(function: Callable[..., Coroutine[Any, Any, T]], folder: Path, arguments: Sequence[Any]) -> T:
    prepare_process(folder)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(function(folder, *arguments))


def prepare_process(folder: Path) -> None:
    """Be like the core: its limits, its switch interval, its collector; its log goes to a file."""
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_S)
    log.configure("info", (folder / "log").open("a"))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def resident_mb() -> float:
    """Memory of this process that is in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Noting:
    """A door that notes what would be posted, and posts nothing."""

    def __init__(self, door: Any) -> None:
        self._door = door
        self.posts: list[tuple[str, list[Header], bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)

    async def post(self, url: str, headers: Sequence[Header], body: bytes, *args: Any, **kwargs: Any) -> Any:
        self.posts.append((url, list(headers), body))
        return Answer(url, status=200, whole=True)
