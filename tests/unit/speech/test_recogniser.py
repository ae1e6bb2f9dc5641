"""The recogniser as the core sees it, with a line that is played by hand; and long recordings in parts."""

from __future__ import annotations

import asyncio
import contextlib
import wave
from pathlib import Path

import numpy as np
import pytest

from callwright.clock import VirtualClock, VirtualLoop
from callwright.speech.recognition import whisper, wire
from callwright.speech.recognition.absent import NoTranscriber
from callwright.speech.recognition.languages import code
from callwright.speech.recognition.parts import RATE, length_s, parts
from callwright.speech.recognition.recogniser import A_SECOND_S, AT_LEAST_S, SILENT_S, Recogniser
from callwright.speech.recognition.settings import RecogniserSettings, ServiceSettings
from callwright.speech.recognition.whisper import fault_of
from callwright.telephony import Transcript, TranscriptionFailed, Word
from support.platform import write_wav


class Line:
    """Keeps what is sent, and the recogniser's other end: kills are counted, and a new life begins when told."""

    def __init__(self) -> None:
        self.sent: list[wire.Listen] = []
        self.kills = 0
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = VirtualClock(loop)
        self.recogniser = Recogniser(RecogniserSettings(folder="/m"), self.clock)
        self.recogniser.kill = self.kill

    def kill(self) -> None:
        self.kills += 1
        self.recogniser.down("killed")

    def send(self, message: wire.Listen) -> None:
        self.sent.append(message)

    async def begin(self, wav: Path, language: str = "nl-NL") -> asyncio.Task[Transcript]:
        task = asyncio.create_task(self.recogniser.transcribe(wav, language))
        for _ in range(5):
            await asyncio.sleep(0)
        assert self.sent
        return task


def run(story):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())


@pytest.fixture
def wav(tmp_path, monkeypatch):
    """A file of 100 s; its length is read at once, as threads have no place in virtual time."""

    async def at_once(function, *arguments):
        return function(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    return write_wav(tmp_path / "sound.wav", 100.0)


def test_one_is_listened_to_at_a_time(wav):
    async def story():
        line = Line()
        first, second = [asyncio.create_task(line.recogniser.transcribe(wav, tag)) for tag in ("nl-NL", "en-GB")]
        await asyncio.sleep(0)
        assert line.sent == []  # it is not up yet
        line.recogniser.up(line)
        await line.clock.sleep(1)
        assert line.sent == [wire.Listen(1, str(wav), "nl")]
        line.recogniser.receive(wire.Heard(1, "Goed.", [Word("Goed", 1, 2, 0.5)], "model"))
        assert await first == Transcript("Goed.", (Word("Goed", 1, 2, 0.5),), "nl-NL", "model")
        await line.clock.sleep(1)
        assert line.sent[1:] == [wire.Listen(2, str(wav), "en")]
        line.recogniser.receive(wire.Heard(1, "of the first again", [], "model"))
        line.recogniser.receive(wire.NotHeard(2, "Not this one."))
        with pytest.raises(TranscriptionFailed, match="Not this one"):
            await second
        assert line.kills == 0

    run(story)


def test_one_that_hangs_is_killed_and_the_next_goes_on(wav):
    async def story():
        line = Line()
        line.recogniser.up(line)
        began = line.clock.mono_ns()
        hanging = await line.begin(wav)
        with pytest.raises(TranscriptionFailed, match="came to no end"):
            await hanging
        assert (line.kills, (line.clock.mono_ns() - began) / 1e9) == (1, SILENT_S)
        following = asyncio.create_task(line.recogniser.transcribe(wav, "nl-NL"))
        await line.clock.sleep(1)
        assert len(line.sent) == 1  # nothing is given to the one that hung
        line.recogniser.up(line)
        await line.clock.sleep(1)
        line.recogniser.receive(wire.Heard(2, "Goed.", [], "model"))
        assert (await following).text == "Goed."

    run(story)


def test_one_that_breathes_has_as_long_as_its_length_gives(wav):
    async def story():
        line = Line()
        line.recogniser.up(line)
        began = line.clock.mono_ns()
        slow = await line.begin(wav)

        async def breathe():
            while True:
                await line.clock.sleep(SILENT_S - 1)
                line.recogniser.receive(wire.Listening(1, 5))

        breath = asyncio.create_task(breathe())
        with pytest.raises(TranscriptionFailed, match="came to no end"):
            await slow
        breath.cancel()
        assert (line.clock.mono_ns() - began) / 1e9 == AT_LEAST_S + 100 * A_SECOND_S

    run(story)


def test_one_that_dies_fails_what_it_was_at(wav):
    async def story():
        line = Line()
        line.recogniser.up(line)
        dying = await line.begin(wav)
        line.recogniser.down("signal 11")
        with pytest.raises(TranscriptionFailed, match="died while it listened"):
            await dying

    run(story)


def test_one_that_never_comes_up(wav):
    async def story():
        with pytest.raises(TranscriptionFailed, match="does not start"):
            await Line().recogniser.transcribe(wav, "nl-NL")

    run(story)


def test_whoever_stops_waiting_stops_the_work(wav):
    async def story():
        line = Line()
        line.recogniser.up(line)
        task = await line.begin(wav)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert line.kills == 1

    run(story)


def test_a_file_that_cannot_be_read(wav):
    async def story():
        line = Line()
        line.recogniser.up(line)
        wav.write_bytes(b"no sound")
        with pytest.raises(TranscriptionFailed, match="cannot be read"):
            await line.recogniser.transcribe(wav, "nl-NL")

    run(story)


async def test_without_anybody_it_is_said_what_to_do():
    nobody = NoTranscriber()
    refusal = nobody.refusal("en-GB")
    assert 'pip install "callwright[transcribe]"' in refusal
    assert "transcription.model" in refusal
    assert "transcription.url" in refusal
    with pytest.raises(TranscriptionFailed):
        await nobody.transcribe(Path("any"), "en-GB")


def test_a_folder_that_is_no_model(tmp_path, monkeypatch):
    assert str(tmp_path / "model.bin") in fault_of(str(tmp_path))
    (tmp_path / "model.bin").touch()
    assert fault_of(str(tmp_path)) is None
    with monkeypatch.context() as denied:
        denied.setattr(whisper, "_may_run_what_it_wrote", lambda: False)
        assert "MemoryDenyWriteExecute=false" in fault_of(str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 'pip install "callwright[transcribe]"' in fault_of(str(tmp_path))


def test_keys_are_not_shown():
    assert "secret" not in repr(ServiceSettings(url="http://a/v1", key="secret"))


@pytest.mark.parametrize(("tag", "told"), [("en-GB", "en"), ("nb-NO", "no"), ("es-419", "es"), ("yue", "yue"), ("zh-CN", "zh")])
def test_languages_as_recognisers_know_them(tag, told):
    assert code(tag) == told


def loud(path: Path, seconds: int, *quiet_at: float) -> np.ndarray:
    """Noise with a tenth of a second of silence at each of these seconds."""
    samples = np.random.default_rng(1).integers(-9_000, 9_000, seconds * RATE).astype("<i2")
    for at in quiet_at:
        samples[round(at * RATE) : round((at + 0.3) * RATE)] = 0
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes(samples.tobytes())
    return samples


def test_a_long_recording_is_cut_where_it_is_quiet(tmp_path):
    samples = loud(tmp_path / "long.wav", 100, 5.0, 37.0, 55.0, 70.0)
    found = list(parts(tmp_path / "long.wav", 40))
    _, second, third = [part.start_ms for part in found]
    assert (37_000 <= second <= 37_300, 70_000 <= third <= 70_300) == (True, True)
    assert np.array_equal(np.concatenate([part.samples for part in found]), samples)
    assert length_s(tmp_path / "long.wav") == 100.0


@pytest.mark.parametrize("seconds", [0, 1, 40, 80])
def test_parts_are_the_whole_and_nothing_else(tmp_path, seconds):
    samples = loud(tmp_path / "sound.wav", seconds)
    found = list(parts(tmp_path / "sound.wav", 40))
    assert all(0 < len(part.samples) <= 40 * RATE for part in found)
    assert np.array_equal(np.concatenate([np.empty(0, np.int16), *(part.samples for part in found)]), samples)


def test_only_mono_of_8_khz_is_listened_to(tmp_path):
    for name, options in (("two", {"channels": 2}), ("fast", {"rate": 16_000})):
        with pytest.raises(wave.Error):
            list(parts(write_wav(tmp_path / name, 1.0, **options)))
