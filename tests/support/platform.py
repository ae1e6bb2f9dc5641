"""A whole platform without sockets: in-memory store, simulated engine, virtual time. A ten-minute call takes milliseconds."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import wave
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from callwright import ids
from callwright.accounts.worlds import Accounts
from callwright.calls import lists, rows
from callwright.calls.model import Call
from callwright.clock import VirtualClock, VirtualLoop
from callwright.dialect import render
from callwright.flows.flows import Flows
from callwright.flows.schema import Flow, compile_flow, with_step_ids
from callwright.flows.settings import FlowSettings
from callwright.numbers.numbers import Numbers
from callwright.recordings.keys import Keyring
from callwright.recordings.model import Recording
from callwright.recordings.recordings import Recordings
from callwright.simulator import engine as simulator
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import CalleeScript, SimulatorSettings
from callwright.store import Change, Store
from callwright.switch.fetching import Cause as FetchCause
from callwright.switch.fetching import FetchedFlow, FlowUnavailable
from callwright.switch.plan import Supplies
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import SoundUnavailable
from callwright.switch.switch import Line, Switch
from callwright.telephony import SpeechUnavailable, Utterance
from callwright.transcriptions.transcriptions import Transcriptions

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

    def stream(self, url: str) -> FixedStream:
        return FixedStream(self, url)

    async def find(self, url: str) -> Path:
        sound = self.sounds.get(url, "HTTP 404")
        if isinstance(sound, str):
            raise SoundUnavailable(sound, 404)
        return sound


class FixedStream:
    def __init__(self, sounds: FixedSounds, url: str) -> None:
        self._sounds = sounds
        self._url = url
        self.status: int | None = None
        self.note = ""

    async def __aiter__(self) -> AsyncIterator[Path]:
        sound = await self._sounds.find(self._url)
        self.status = 200
        yield sound


class FixedSpeech:
    """Texts by what is to be said: the files of their sentences, each after `seconds`; or the sentence why there is none."""

    def __init__(self) -> None:
        self.texts: dict[str, list[Path] | str] = {}
        self.asked: list[Utterance] = []
        self.seconds = 0.0

    async def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        self.asked.append(utterance)
        sentences = self.texts.get(utterance.text, "no voice knows this text")
        if isinstance(sentences, str):
            raise SpeechUnavailable(sentences)
        for path in sentences:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            yield path


class Question(NamedTuple):
    """What a program was asked for a flow; `body` is what it was told of a recording."""

    url: str
    query: dict[str, str]
    base: str
    body: bytes | None


class FixedFlows:
    """Flows by URL: the body of one, or the sentence why there is none; each comes after `seconds`."""

    def __init__(self) -> None:
        self.flows: dict[str, dict[str, Any] | str] = {}
        self.asked: list[Question] = []
        self.seconds = 0.0

    async def fetch(self, url: str, query: Mapping[str, str], *, world: UUID, base: str = "") -> FetchedFlow:
        return await self._answer(Question(url, dict(query), base, None))

    async def finish(self, url: str, query: Mapping[str, str], body: bytes, *, world: UUID, base: str = "") -> FetchedFlow:
        return await self._answer(Question(url, dict(query), base, body))

    async def _answer(self, question: Question) -> FetchedFlow:
        self.asked.append(question)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        body = self.flows.get(question.url, "it answered 404")
        if isinstance(body, str):
            raise FlowUnavailable(FetchCause.STATUS, body, question.url, 404)
        return FetchedFlow(compile_flow(body), with_step_ids(body), question.url, 200)


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
        self.speech = FixedSpeech()
        self.flow_source = FixedFlows()
        self.folder = Path(tempfile.mkdtemp(prefix="callwright-platform-"))
        self.recordings = Recordings(store, clock, self.folder, Keyring({}))
        self.transcriptions = Transcriptions(store, clock, Keyring({}))
        self.flow_settings = FlowSettings(if_machine="continue")
        self.fallback: Flow | None = None

    def supplies(self) -> Supplies:
        def transcribe(recording: Recording, language: str, at_us: int) -> Change:
            return self.transcriptions.request(recording, language, at_us).change

        return Supplies(
            sounds=self.sounds,
            speech=self.speech,
            flow_source=self.flow_source,
            recordings=self.recordings,
            transcribe=transcribe,
            recording_body=render.recording_body,
            fallback=lambda: self.fallback,
            flow_settings=self.flow_settings,
        )

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

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
            supplies=self.supplies(),
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

    async def place(
        self,
        destination: str,
        steps: list[dict[str, Any]],
        *,
        tags: tuple[str, ...] = (),
        metadata: dict[str, str] | None = None,
        **options: Any,
    ) -> Call:
        body = {"steps": steps, **options}
        return await self.switch.place_call(
            self.world,
            source="31205550100",
            destination=destination,
            flow=compile_flow(body),
            flow_body=body,
            webhook_url=None,
            webhook_token=None,
            tags=tags,
            metadata=metadata,
        )

    async def after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def calls(self) -> list[Call]:
        """All calls, oldest first."""
        return lists.list_calls(self.store, self.world.id, limit=1000, offset=0).calls[::-1]

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
            platform.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(tell())


def write_wav(path: Path, seconds: float, *, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(2 * channels * round(seconds * rate)))
    return path
