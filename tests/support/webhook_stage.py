"""A deliverer on a stage: virtual time, a database in memory, and a receiver the test writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from callwright.calls.events import CREATED, TOPIC, UPDATED, Event, Snapshot
from callwright.calls.model import Call, CallStatus
from callwright.calls.rows import insert_call, insert_event
from callwright.clock import VirtualClock, VirtualLoop
from callwright.egress import Answer, Fault, Header
from callwright.store import Change, Store, Wake
from callwright.webhooks import ledger
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.model import Delivery
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signing import Signer
from callwright.webhooks.webhooks import Webhooks

T = TypeVar("T")
WORLD = UUID(int=1)
OTHER_WORLD = UUID(int=2)
NUMBER = UUID(int=3)
START_US = 1_700_000_000_000_000
OK = Answer("", status=200, whole=True)


def failing(fault: Fault, status: int = 0) -> Answer:
    return Answer("", status=status, fault=fault, detail=f"it is {fault.value}")


class Sent(NamedTuple):
    at_s: float
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def call(self) -> int:
        return int(self.body.decode().split("#")[0])

    @property
    def sequence(self) -> int:
        return int(self.headers["webhook-sequence"])


class Receivers:
    """The door: every post is noted, then `answer` says what becomes of it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.sent: list[Sent] = []
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.answer: Callable[[Sent], Awaitable[Answer] | Answer] = lambda sent: OK

    def refusal(self, url: str) -> str | None:
        return None if url.lower().startswith("http") else f"{url} is not spoken"

    async def post(
        self, url: str, headers: Sequence[Header], body: bytes, timeout: float, *, repeatable: bool = False
    ) -> Answer:
        assert repeatable
        sent = Sent((self._clock.now_us() - START_US) / 1e6, url, dict(headers), body)
        self.sent.append(sent)
        for name in ("", url.partition("?")[0]):
            self.under_way[name] += 1
            self.most[name] = max(self.most[name], self.under_way[name])
        try:
            async with self._clock.timeout(timeout):
                answer = self.answer(sent)
                return answer if isinstance(answer, Answer) else await answer
        except TimeoutError:
            return failing(Fault.TIMEOUT)
        finally:
            for name in ("", url.partition("?")[0]):
                self.under_way[name] -= 1


def render(event: Event) -> bytes:
    return f"{event.call_id.int}#{event.seq}#{event.kind}".encode()


class Stage:
    def __init__(self, loop: VirtualLoop, store: Store | None = None, settings: WebhookSettings | None = None) -> None:
        self.clock = VirtualClock(loop, START_US)
        self.store = store or Store.in_memory()
        self.receivers = Receivers(self.clock)
        self.results: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.webhooks = Webhooks(
            self.store, self.clock, self.receivers.refusal, asked_for=lambda world, url: self.deliverer.enable(world, url)
        )
        self.settings = settings or WebhookSettings(jitter=0.0, poll=3600.0)
        self.render: Callable[[Event], bytes] = render
        self.sign = Signer(lambda world: f"signing key of world {world.int}").headers
        self.deliverer = self._deliverer()
        self.store.on(TOPIC, lambda wake: self.deliverer.wake(wake.world_id, wake.subject_id))
        self._seqs: Counter[int] = Counter()
        self._running: asyncio.Task[None] | None = None

    def _deliverer(self) -> Deliverer:
        return Deliverer(
            self.store,
            self.receivers,
            self.clock,
            self.settings,
            render=lambda event: self.render(event),
            sign=lambda *attempt: self.sign(*attempt),
            counted=lambda result: self.results.update([result]),
            happened=lambda what: self.happened.update([what]),
            chance=lambda: 0.5,
        )

    def start(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self.deliverer.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def restart(self) -> None:
        """As a new process over the same database would."""
        await self.stop()
        self.deliverer = self._deliverer()
        self.start()
        await asyncio.sleep(0)  # one that is cancelled before it has begun never closes its lanes

    async def events(
        self,
        call: int,
        count: int = 1,
        *,
        world: UUID = WORLD,
        number: UUID | None = None,
        url: str | None = None,
        token: str | None = None,
    ) -> None:
        """Commit the next events of a call, as its actor would."""
        for _ in range(count):
            self._seqs[call] += 1
            at_us = self.clock.now_us()
            made = Call(
                id=UUID(int=call),
                world_id=world,
                status=CallStatus.ONGOING,
                source="31205550177",
                destination="31205550100",
                number_id=number,
                webhook_url=url,
                webhook_token=token,
                created_us=at_us,
                updated_us=at_us,
            )
            seq = self._seqs[call]
            event_id = UUID(int=call << 32 | seq)
            write = insert_event(event_id, seq, CREATED if seq == 1 else UPDATED, Snapshot(made, ()))
            writes = (insert_call(made, "node"), write) if seq == 1 else (write,)
            await self.store.commit(Change(writes, (Wake(TOPIC, world, made.id),)))

    def deliveries(self, call: int, world: UUID = WORLD) -> list[Delivery]:
        return ledger.deliveries_of(self.store, world, UUID(int=call))

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


def on_stage(
    play: Callable[[Stage], Coroutine[Any, Any, T]], settings: WebhookSettings | None = None, store: Store | None = None
) -> T:
    """Run a coroutine in virtual time with a running deliverer."""

    async def run() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        stage = Stage(loop, store, settings)
        stage.start()
        try:
            return await play(stage)
        finally:
            await stage.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())
