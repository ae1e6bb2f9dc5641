"""A whole platform without sockets: in-memory store, simulated engine, virtual time. A ten-minute call takes milliseconds."""

from __future__ import annotations

import asyncio
import wave
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from callwright import ids
from callwright.accounts.worlds import Accounts
from callwright.calls import rows
from callwright.calls.model import Call
from callwright.clock import VirtualClock, VirtualLoop
from callwright.flows.flows import Flows
from callwright.flows.schema import compile_flow
from callwright.numbers.numbers import Numbers
from callwright.simulator import engine as simulator
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import CalleeScript, SimulatorSettings
from callwright.store import Store
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sound, SoundUnavailable
from callwright.switch.switch import Line, Switch

T = TypeVar("T")


class CountingCounters:
    """Counts what the switch counts, by name and labels."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, ...]] = Counter()

    def call_started(self, direction: str, world: str) -> None:
        self.seen["started", direction, world] += 1

    def call_ended(self, status: str, world: str) -> None:
        self.seen["ended", status, world] += 1

    def invite_refused(self, reason: str) -> None:
        self.seen["refused", reason] += 1


class FixedSounds:
    """Sounds by URL: a path, or the sentence why there is none."""

    def __init__(self, sounds: dict[str, Path | str] | None = None) -> None:
        self.sounds = sounds or {}

    async def fetch(self, url: str) -> Sound:
        sound = self.sounds.get(url, "HTTP 404")
        if isinstance(sound, str):
            raise SoundUnavailable(sound, 404)
        return Sound(sound, 200)


class Platform:
    """The live world on the simulator. `run` gives tests a fresh one."""

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.counters = CountingCounters()
        self.sounds = FixedSounds()
        self.accounts = Accounts(store, clock)
        self.numbers = Numbers(store, clock)
        self.flows = Flows(store, clock)

    async def start(self, settings: CallSettings, callees: dict[str, CalleeScript]) -> None:
        await self.accounts.prepare()
        self.world = self.accounts.world("live")
        self.engine = SimulatedEngine(self.clock, SimulatorSettings(callees=callees))
        self.switch = Switch(
            lines={self.world.id: Line(self.world, self.engine, simulator.route)},
            store=self.store,
            clock=self.clock,
            numbers=self.numbers,
            flows=self.flows,
            sounds=self.sounds,
            settings=settings,
            counters=self.counters,
            node="test",
        )

    async def number(self, number: str, steps: list[dict[str, Any]] | None, **flow: Any) -> None:
        """Own a number, with a flow when steps are given."""
        flow_id = None
        if steps is not None:
            flow_id = (await self.flows.make(self.world.id, {"steps": steps, **flow})).id
        await self.numbers.make(self.world, number, flow_id)

    def dial(self, number: str, script: CalleeScript | None = None, *, source: str = "31600000001", hops: int = 0) -> UUID:
        """Call a number from outside; returns the incoming leg."""
        leg = ids.uuid7(self.clock.now_us())
        self.engine.call_in(leg, source, number, script, hops=hops)
        return leg

    async def place(self, destination: str, steps: list[dict[str, Any]], **options: Any) -> Call:
        body = {"steps": steps, **options}
        return await self.switch.place_call(
            self.world,
            source="31205550100",
            destination=destination,
            flow=compile_flow(body),
            flow_body=body,
            webhook_url=None,
            webhook_token=None,
        )

    async def after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def calls(self) -> list[Call]:
        """All calls, oldest first."""
        return rows.list_calls(self.store, self.world.id, limit=1000, offset=0).calls[::-1]

    def outcome(self, call: Call | None = None) -> tuple[str, list[tuple[str, str, str]]]:
        """A call's status, and direction, status and reason of each leg."""
        call = self.calls()[-1] if call is None else rows.find_call(self.store, self.world.id, call.id)
        assert call is not None
        legs = rows.legs_of(self.store, self.world.id, call.id)
        return call.status.value, [
            (leg.direction.value, leg.status.value, "" if leg.reason is None else leg.reason.value) for leg in legs
        ]

    def told(self, call: Call | None = None) -> list[tuple[str, str, list[str]]]:
        """The events of a call: kind, call status, leg statuses."""
        call = call or self.calls()[-1]
        return [
            (event.kind, event.snapshot.call.status.value, [leg.status.value for leg in event.snapshot.legs])
            for event in rows.events_of(self.store, self.world.id, call.id)
        ]

    def journal(self, call: Call | None = None) -> list[rows.Told]:
        call = call or self.calls()[-1]
        return rows.journal_of(self.store, self.world.id, call.id)


def run(
    story: Callable[[Platform], Awaitable[T]],
    *,
    callees: dict[str, CalleeScript] | None = None,
    settings: CallSettings | None = None,
    store: Store | None = None,
) -> T:
    """Tell a story on a platform of its own, in virtual time."""

    async def tell() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        platform = Platform(store or Store.in_memory(), VirtualClock(loop))
        await platform.start(settings or CallSettings(), callees or {})
        try:
            return await story(platform)
        finally:
            await platform.switch.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(tell())


def write_wav(path: Path, seconds: float, *, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(2 * channels * round(seconds * rate)))
    return path
