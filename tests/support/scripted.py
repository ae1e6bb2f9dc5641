"""A platform on an engine that says only what a test lets it say, and a disk that can fail: for races and outages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from callwright import ids, telephony
from callwright.calls import rows
from callwright.calls.model import Leg
from callwright.clock import VirtualClock, VirtualLoop
from callwright.errors import StoreUnavailable
from callwright.simulator import engine as simulator
from callwright.simulator.settings import CalleeScript
from callwright.store import Store
from callwright.switch.settings import CallSettings
from callwright.switch.switch import Line, Switch
from callwright.telephony import Cause, Command, CommandRefused, Event, Target, Who
from support.invariants import check_record
from support.platform import Platform

NUMBER = "31205550123"
B, C = "31205550191", "31205550192"
URL = "http://sounds.test/hello.wav"
RINGBACK = "/sounds/ringback.wav"
TICK = 0.001

Record = tuple[str, list[tuple[str, str, str]]]


def transfer(to: str = B, **options: Any) -> dict[str, Any]:
    return {"action": "transfer", "options": {"destination": to, **options}}


def pause(seconds: float) -> dict[str, Any]:
    return {"action": "pause", "options": {"length": seconds}}


def play(url: str = URL) -> dict[str, Any]:
    return {"action": "play", "options": {"media": url}}


class Scripted:
    """An engine that takes every command, does nothing, and says what it is told to say."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._seqs: dict[UUID, int] = {}
        self.sink: Callable[[Event], None] = lambda event: None
        self.commands: list[Command] = []
        self.refuses: Callable[[Command], bool] = lambda command: False
        self.before: Callable[[Command], None] = lambda command: None

    def attach(self, sink: Callable[[Event], None]) -> None:
        self.sink = sink

    def unhealthy(self) -> str | None:
        return None

    def submit(self, command: Command) -> None:
        self.before(command)
        if self.refuses(command):
            raise CommandRefused("not now")
        self.commands.append(command)

    def say(self, kind: Callable[..., Event], leg: UUID, *, at_us: int | None = None, **fields: Any) -> None:
        self._seqs[leg] = self._seqs.get(leg, 0) + 1
        at_us = self._clock.now_us() if at_us is None else at_us
        self.sink(kind(leg=leg, seq=self._seqs[leg], at_us=at_us, mono_ns=self._clock.mono_ns(), **fields))

    def of(self, kind: type[Command], leg: UUID | None = None) -> list[Any]:
        return [command for command in self.commands if type(command) is kind and leg in (None, command.leg)]

    def to(self, leg: UUID) -> list[str]:
        """The names of the commands for a leg, in order."""
        return [type(command).__name__ for command in self.commands if command.leg == leg]

    def ended(self, leg: UUID, cause: Cause = Cause.HANGUP, who: Who = Who.FAR, **fields: Any) -> None:
        self.say(telephony.Ended, leg, cause=cause, who=who, **fields)

    def refused(self, leg: UUID, cause: Cause, sip_code: int | None = None, **fields: Any) -> None:
        self.say(telephony.Refused, leg, cause=cause, sip_code=sip_code, **fields)


class Disk:
    """The store's writer on a disk that can be full, hang, or take its time."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.full = False
        self.hangs = False
        self.seconds = 0.0
        self._held: list[Any] = []

    def put(self, job: Any) -> None:
        if self.full:
            job.error = StoreUnavailable("disk full")
            job.told(job)
        elif self.hangs:
            self._held.append(job)
        elif self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, self._inner.put, job)
        else:
            self._inner.put(job)

    def comes_back(self) -> None:
        self.full = self.hangs = False
        held, self._held = self._held, []
        for job in held:
            self._inner.put(job)

    def close(self) -> None:
        self._inner.close()


class Stage(Platform):
    """A platform on the scripted engine. A is the leg that came in first, `b` and `c` those of transfers."""

    script: Scripted
    disk: Disk

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        super().__init__(store, clock)
        self.disk = Disk(store._writer)
        store._writer = self.disk
        self.route: Callable[[str], Target] = simulator.route

    async def start(self, settings: CallSettings, callees: dict[str, CalleeScript]) -> None:
        await self.accounts.prepare()
        self.world = self.accounts.world("live")
        self.script = Scripted(self.clock)
        self.switch = Switch(
            lines={self.world.id: Line(self.world, self.script, lambda destination: self.route(destination))},
            store=self.store,
            clock=self.clock,
            numbers=self.numbers,
            flows=self.flows,
            supplies=self.supplies(),
            settings=settings,
            counters=self.counters,
            node="test",
        )

    async def tick(self, seconds: float = TICK) -> None:
        await self.after(seconds)

    async def arrive(self, steps: list[dict[str, Any]] | None = None, **fields: Any) -> UUID:
        """Somebody calls the number, which runs these steps; returns A."""
        if steps is not None:
            await self.number(NUMBER, steps)
        a = ids.uuid7(self.clock.now_us())
        given = {"source": "31600000001", "destination": NUMBER, "address": "198.51.100.7", **fields}
        self.script.say(telephony.Incoming, a, **given)
        await self.tick()
        return a

    def placed(self) -> list[UUID]:
        """The legs the engine was told to place, in order."""
        return [command.leg for command in self.script.of(telephony.Originate)]

    async def answer(self, leg: UUID) -> None:
        self.script.say(telephony.Answered, leg)
        await self.tick()

    async def talking(self, steps: list[dict[str, Any]] | None = None) -> tuple[UUID, UUID]:
        """A caller and a callee who hear each other."""
        a = await self.arrive(steps or [transfer()])
        (b,) = self.placed()
        await self.answer(b)
        await self.answer(a)
        assert "Bridge" in self.script.to(a)
        return a, b

    def legs(self) -> list[Leg]:
        return rows.legs_of(self.store, self.world.id, self.calls()[-1].id)

    def entries(self) -> list[Any]:
        return [told.entry for told in self.journal()]

    def sound(self) -> Record:
        """Check the record of the last call, that its command ids grow, and return its outcome."""
        call = self.calls()[-1]
        check_record(self.store, self.world.id, call.id, over=not call.live)
        numbers = [command.id for command in self.script.commands if command.call == call.id]
        assert numbers == sorted(set(numbers))
        return self.outcome()


def tell(story: Callable[[Stage], Awaitable[None]], **settings: Any) -> None:
    """Tell a story on a stage of its own, in virtual time."""

    async def told() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.set_exception_handler(lambda loop, context: None)  # what breaks must show on the record, not in a log
        stage = Stage(Store.in_memory(), VirtualClock(loop))
        stage.flow_settings = msgspec.structs.replace(stage.flow_settings, if_machine=settings.pop("if_machine", "continue"))
        await stage.start(CallSettings(**settings), {})
        try:
            await story(stage)
        finally:
            await stage.switch.stop()
            stage.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(told())


def late_ring_timer(steps: list[dict[str, Any]]) -> Callable[[Stage], Awaitable[tuple[UUID, UUID]]]:
    """B is busy at 4.9 s and its timer fires at 5 s, both while the commit of B's ringing is under way."""

    async def begin(stage: Stage) -> tuple[UUID, UUID]:
        a = await stage.arrive(steps)
        (b,) = stage.placed()
        await stage.after(4.8 - TICK)
        stage.disk.seconds = 0.4
        stage.script.say(telephony.Ringing, b)
        await stage.after(0.1)
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.after(0.2)
        stage.disk.seconds = 0.0
        await stage.after(1)
        return a, b

    return begin
