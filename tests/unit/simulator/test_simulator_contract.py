"""The rules of the engine port, on the simulator; and what a simulated callee does by its script."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

pytest.register_assert_rewrite(
    "support.engine_contract",
    "support.engine_contract_parties",
    "support.engine_contract_sound",
    "support.engine_story",
)

from callwright import telephony  # noqa: E402
from callwright.audiofile import open_sound  # noqa: E402
from callwright.simulator.engine import SimulatedEngine, route  # noqa: E402
from callwright.simulator.settings import CalleeScript, SimulatorSettings  # noqa: E402
from callwright.telephony import (  # noqa: E402
    Cause,
    Event,
    Originate,
    RecordingFinished,
    RecordOutcome,
    ReferOutcome,
    Target,
    Tracks,
)
from support.engine_contract import EngineContract  # noqa: E402
from support.engine_story import Story  # noqa: E402
from support.fake_children import ManualClock  # noqa: E402

CALLEES = {
    "answers": CalleeScript(),
    "busy": CalleeScript(outcome="busy"),
    "rings": CalleeScript(outcome="no_answer"),
    "stays": CalleeScript(takes_transfers=False),
    "1": CalleeScript(),
    "2": CalleeScript(outcome="busy"),
    "4": CalleeScript(outcome="no_answer"),
}


class SimulatorDriver:
    def __init__(self, sound: Path, callees: dict[str, CalleeScript] = CALLEES, speed: float = 1.0) -> None:
        self.clock = ManualClock()
        self.engine = SimulatedEngine(self.clock, SimulatorSettings(callees=callees, speed=speed))
        self._sound = sound

    def attach(self, sink: Callable[[Event], None]) -> None:
        self.engine.attach(sink)

    def arrive(self, leg: UUID) -> None:
        self.engine.call_in(leg, "31600000001", "31205550123")

    def target(self, outcome: str) -> Target:
        return route(outcome)

    def far_hangs_up(self, leg: UUID) -> None:
        if leg in self.engine._legs:
            self.engine.far_hangs_up(leg)

    def far_presses(self, leg: UUID, digit: str) -> None:
        if leg in self.engine._legs:
            self.engine.far_presses(leg, digit)

    def far_speaks(self, leg: UUID, speaking: bool) -> None:
        if leg in self.engine._legs:
            self.engine.far_speaks(leg, speaking)

    def far_beeps(self, leg: UUID) -> None:
        if leg in self.engine._legs:
            self.engine.far_beeps(leg)

    def far_asks_for_transfer(self, leg: UUID, target: str) -> None:
        if leg in self.engine._legs:
            self.engine.far_asks_for_transfer(leg, target)

    def elsewhere(self, outcome: ReferOutcome) -> str:
        return {"done": "1", "failed": "2", "refused": "3", "unknown": "4"}[outcome.value]

    def sound(self) -> str:
        return str(self._sound)

    def settle(self, seconds: float = 60.0) -> None:
        self.clock.advance(seconds)

    def left(self) -> list[str]:
        return [*map(str, self.engine._legs), *map(str, self.engine._calls)]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "second.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(16000))
    return path


@pytest.fixture
def fresh(second: Path) -> Callable[[], SimulatorDriver]:
    return lambda: SimulatorDriver(second)


class TestSimulatedEngine(EngineContract):
    @pytest.fixture
    def driver(self, fresh: Callable[[], SimulatorDriver]) -> SimulatorDriver:
        return fresh()


def test_a_sound_lasts_as_long_as_its_samples_whatever_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(16000))
    streamed = bytearray(path.read_bytes())
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(streamed)
    driver = SimulatorDriver(path)
    story = Story(driver)
    leg = story.answered()
    began_ns = driver.clock.mono_ns()
    story.do(telephony.Play, leg, files=(str(path),))
    driver.settle(10)
    (finished,) = [event for event in story.events if isinstance(event, telephony.PlayFinished)]
    assert (finished.outcome, (finished.mono_ns - began_ns) / 1e9) == (telephony.PlayOutcome.DONE, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("script", "speed", "told"),
    [
        (CalleeScript(), 1, [(0.2, "Ringing"), (1.0, "Answered")]),
        (CalleeScript(answer_after=0), 1, [(0.0, "Ringing"), (0.0, "Answered")]),
        (CalleeScript(answer_after=8, early_media=True), 1, [(0.2, "EarlyMedia"), (8.0, "Answered")]),
        (CalleeScript(answer_after=5, outcome="busy"), 1, [(0.2, "Ringing"), (5.0, "Refused 486")]),
        (CalleeScript(outcome="fail"), 1, [(0.2, "Ringing"), (1.0, "Refused 503")]),
        (CalleeScript(outcome="fail", sip_code=404), 1, [(0.2, "Ringing"), (1.0, "Refused 404")]),
        (CalleeScript(outcome="no_answer"), 1, [(0.2, "Ringing")]),
        (CalleeScript(hangup_after=3), 1, [(0.2, "Ringing"), (1.0, "Answered"), (4.0, "Ended 200")]),
        (CalleeScript(hangup_after=30), 10, [(0.02, "Ringing"), (0.1, "Answered"), (3.1, "Ended 200")]),
        (
            CalleeScript(digits="1#", digits_after=2, digit_gap=0.5),
            1,
            [(0.2, "Ringing"), (1.0, "Answered"), (3.0, "Digit 1"), (3.5, "Digit #")],
        ),
        (
            CalleeScript(speaks_after=2, speaks_for=1.5),
            1,
            [(0.2, "Ringing"), (1.0, "Answered"), (3.0, "Voice True"), (4.5, "Voice False")],
        ),
        (
            CalleeScript(greeting=4, beep=5),
            1,
            [(0.2, "Ringing"), (1.0, "Answered"), (1.0, "Voice True"), (5.0, "Voice False"), (6.0, "Beep")],
        ),
    ],
)
def test_a_callee_keeps_to_its_script(second: Path, script: CalleeScript, speed: float, told: list[tuple[float, str]]) -> None:
    driver = SimulatorDriver(second, {"31205550199": script}, speed)
    seen: list[tuple[float, str]] = []
    started_ns = driver.clock.mono_ns()

    def sink(event: Event) -> None:
        name = type(event).__name__
        if isinstance(event, telephony.Digit):
            name += f" {event.digit}"
        elif isinstance(event, telephony.Voice):
            name += f" {event.speaking}"
        elif isinstance(event, telephony.Refused | telephony.Ended):
            name += f" {event.sip_code}"
        seen.append((round((event.mono_ns - started_ns) / 1e9, 3), name))
        if isinstance(event, telephony.Answered):
            driver.engine.submit(telephony.Listen(id=2, call=call, leg=leg))

    call, leg = uuid4(), uuid4()
    driver.attach(sink)
    driver.engine.submit(Originate(id=1, call=call, leg=leg, caller="31600000001", target=route("31205550199")))
    driver.settle(100)
    assert seen == told


@pytest.mark.parametrize(
    ("script", "limits", "outcome", "seconds"),
    [
        (CalleeScript(), {"max_ms": 2500}, RecordOutcome.MAX_LENGTH, 2.5),
        (CalleeScript(), {"silence_ms": 3000}, RecordOutcome.SILENCE, 3.0),
        (CalleeScript(speaks_after=1, speaks_for=4), {"silence_ms": 3000}, RecordOutcome.SILENCE, 8.0),
        (CalleeScript(digits="12#", digits_after=1, digit_gap=1), {"stop_keys": "#*"}, RecordOutcome.KEY, 3.0),
        (CalleeScript(hangup_after=6), {"silence_ms": 10_000}, RecordOutcome.STOPPED, 6.0),
    ],
)
@pytest.mark.parametrize("tracks", [Tracks.FROM, Tracks.BOTH])
@pytest.mark.parametrize("speed", [1, 10])
def test_a_recording_is_a_file_of_silence_as_long_as_it_took(
    second: Path,
    tmp_path: Path,
    script: CalleeScript,
    limits: dict[str, Any],
    outcome: RecordOutcome,
    seconds: float,
    tracks: Tracks,
    speed: float,
) -> None:
    driver = SimulatorDriver(second, {"answers": script}, speed)
    story = Story(driver)
    leg, path = uuid4(), tmp_path / "recording.wav"
    story.originate(leg)
    driver.settle(1 / speed)
    recording = story.record(leg, path=str(path), tracks=tracks, **limits)
    driver.settle()
    [finished] = story.seen(RecordingFinished)
    assert (finished.recording, finished.outcome) == (recording, outcome)
    assert finished.duration_ms == pytest.approx(seconds * 1000, abs=1)
    with wave.open(str(path)) as sound:
        assert sound.getparams()[:3] == (2 if tracks is Tracks.BOTH else 1, 2, 8000)
        assert sound.getnframes() == pytest.approx(seconds * 8000, abs=8)
        assert not any(sound.readframes(sound.getnframes()))


def test_a_sealed_recording_is_sealed(second: Path, tmp_path: Path) -> None:
    driver = SimulatorDriver(second)
    story = Story(driver)
    leg, path, key = story.reached(), tmp_path / "recording.wav", bytes(range(32))
    story.record(leg, path=str(path), key=key, max_ms=1000)
    driver.settle()
    assert not path.read_bytes().startswith(b"RIFF")
    assert open_sound(path, key).size == 44 + 16_000


def test_a_recording_fails_with_its_media_process(second: Path) -> None:
    driver = SimulatorDriver(second)
    story = Story(driver)
    leg = story.reached()
    story.record(leg)
    driver.settle(2)
    driver.engine.lose(leg, Cause.MEDIA_LOST)
    driver.settle()
    story.last(leg)
    [finished] = story.seen(RecordingFinished)
    assert (finished.outcome, finished.detail) == (RecordOutcome.FAILED, "the simulated media process died")


def test_a_callee_that_does_not_transfer(second: Path) -> None:
    driver = SimulatorDriver(second)
    story = Story(driver)
    leg = uuid4()
    story.originate(leg, "stays")
    driver.settle()
    story.refer(leg)
    driver.settle()
    assert [(event.outcome, event.sip_code) for event in story.seen(telephony.Referred)] == [(ReferOutcome.REFUSED, 603)]
