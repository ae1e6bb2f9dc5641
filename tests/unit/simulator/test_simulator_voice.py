"""What simulated parties say is in the recordings of their legs, where there is a voice for it."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from callwright import telephony
from callwright.simulator.engine import SimulatedEngine, route
from callwright.simulator.files import WAV_FILES
from callwright.simulator.settings import Act, CalleeScript, SimulatorSettings
from callwright.simulator.voice import KEPT, SpokenVoice
from callwright.telephony import Event, SpeechUnavailable, Tracks, Utterance
from support.fake_children import ManualClock

RATE = 8000


class Letters:
    """A second of sound for each letter, whose samples are its code."""

    def __init__(self) -> None:
        self.prepared: list[str] = []

    def prepare(self, text: str) -> None:
        self.prepared.append(text)

    def samples(self, text: str) -> bytes:
        return b"".join(ord(letter).to_bytes(2, "little") * RATE for letter in text if letter.isalpha())


class Recorded:
    """A callee that says its texts, and recordings of it; a letter for each half second, a dot for silence."""

    def __init__(self, folder: Path, *acts: Act) -> None:
        self.clock, self.voice = ManualClock(), Letters()
        settings = SimulatorSettings(callees={"1": CalleeScript(answer_after=0, acts=acts)})
        self.engine = SimulatedEngine(self.clock, settings, WAV_FILES, self.voice)
        self.ended: list[Event] = []
        self.engine.attach(lambda event: self.ended.append(event) if isinstance(event, telephony.RecordingFinished) else None)
        self._folder = folder
        self._call, self._leg, self._id = uuid4(), uuid4(), 0
        self.do(telephony.Originate, caller="2", target=route("1"))
        self.clock.advance(0)

    def do(self, kind: type[telephony.Command], **fields: object) -> None:
        self._id += 1
        self.engine.submit(kind(id=self._id, call=self._call, leg=self._leg, **fields))

    def record(self, tracks: Tracks = Tracks.FROM) -> UUID:
        recording = uuid4()
        self.do(telephony.StartRecording, recording=recording, path=str(self._folder / f"{recording}.wav"), tracks=tracks)
        return recording

    def stop(self, recording: UUID) -> list[str]:
        """Channel by channel."""
        self.do(telephony.StopRecording, recording=recording)
        with wave.open(str(self._folder / f"{recording}.wav")) as file:
            samples, channels = file.readframes(file.getnframes()), file.getnchannels()
        width = 2 * channels
        return [
            "".join(chr(sample) if sample else "." for sample in samples[width * RATE // 4 + 2 * channel :: width * RATE // 2])
            for channel in range(channels)
        ]


def says(at: float, text: str, seconds: float = 1.0) -> Act:
    return Act(at=at, says=text, speaks_for=seconds)


def test_what_is_said_lies_at_its_time(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(1, "AB", 2), says(4, "C"))
    assert callee.voice.prepared == ["AB", "C"]
    recording = callee.record()
    callee.clock.advance(6)
    assert callee.stop(recording) == ["..AABB..CC.."]


@pytest.mark.parametrize(("tracks", "heard"), [(Tracks.TO, ["........"]), (Tracks.MIX, ["..AA...."])])
def test_only_who_hears_it_has_it(tmp_path: Path, tracks: Tracks, heard: list[str]) -> None:
    callee = Recorded(tmp_path, says(1, "A"))
    recording = callee.record(tracks)
    callee.clock.advance(4)
    assert callee.stop(recording) == heard


def test_of_two_channels_it_is_the_first(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(1, "A"))
    recording = callee.record(Tracks.BOTH)
    callee.clock.advance(4)
    first, other = callee.stop(recording)
    assert (first, other) == ("..AA....", "........")


def test_a_recording_that_begins_or_ends_within_has_a_part(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(0, "AB", 2), says(3, "CD", 2))
    callee.clock.advance(1)
    recording = callee.record()
    callee.clock.advance(3)
    assert callee.stop(recording) == ["BB..CC"]


def test_what_is_said_in_a_pause_is_not_kept(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(0, "AB", 2), says(2.2, "C"), says(4, "D"))
    recording, other = callee.record(), callee.record()
    callee.clock.advance(1)
    callee.do(telephony.PauseRecording, recording=recording)
    callee.clock.advance(2.5)
    callee.do(telephony.ResumeRecording, recording=recording)
    callee.clock.advance(2.5)
    assert callee.stop(recording) == ["AA......DD.."]
    assert callee.stop(other)[0].startswith("AABB")


def test_who_is_put_on_hold_is_not_kept(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(0, "AB", 2), says(2.5, "C"), says(4, "D"))
    recording = callee.record()
    callee.clock.advance(1)
    callee.do(telephony.Hold)
    callee.clock.advance(0.5)
    later = callee.record()
    callee.clock.advance(2)
    callee.do(telephony.Resume)
    callee.clock.advance(2.5)
    assert callee.stop(recording) == ["AA......DD.."]
    assert callee.stop(later) == [".....DD.."]


def test_a_voice_that_takes_longer_than_was_thought_is_heard_to_the_end_or_to_the_next_one(tmp_path: Path) -> None:
    callee = Recorded(tmp_path, says(0, "ABC"), says(2, "D"))
    recording = callee.record()
    callee.clock.advance(4)
    assert callee.stop(recording) == ["AABBCC.."]


class Speech:
    """Speaks each text as two files, when it is let."""

    def __init__(self, folder: Path) -> None:
        self.said: list[Utterance] = []
        self.may_speak = asyncio.Event()
        self._folder = folder

    async def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        self.said.append(utterance)
        await self.may_speak.wait()
        if utterance.text == "mute":
            raise SpeechUnavailable("no voice is there")
        for name in "ab":
            path = self._folder / f"{name}.wav"
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes(name.encode() * 4)
            yield path


async def test_texts_are_spoken_beside_the_call_and_kept(tmp_path: Path) -> None:
    speech = Speech(tmp_path)
    voice = SpokenVoice(speech, "en-GB")
    for text in ("hello", "hello", "mute"):
        voice.prepare(text)
    await asyncio.sleep(0)
    assert voice.samples("hello") == b""
    speech.may_speak.set()
    await asyncio.gather(*voice._speaking.values())
    assert voice.samples("hello") == b"aaaabbbb"
    assert voice.samples("mute") == b""
    voice.prepare("hello")
    assert [utterance.text for utterance in speech.said] == ["hello", "mute"]
    assert {utterance.language for utterance in speech.said} == {"en-GB"}


async def test_of_many_texts_the_last_are_kept(tmp_path: Path) -> None:
    speech = Speech(tmp_path)
    speech.may_speak.set()
    voice = SpokenVoice(speech, "en-GB")
    for n in range(KEPT + 1):
        voice.prepare(str(n))
        await asyncio.gather(*voice._speaking.values())
    assert [voice.samples(str(n)) != b"" for n in (0, 1, KEPT)] == [False, True, True]
