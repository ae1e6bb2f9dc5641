"""Recordings of the media process as it runs: on a real disk, through deaths of either side, and on disks that fail."""

from __future__ import annotations

import os
import resource
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from callwright.audiofile import open_sound, peaks, repair
from callwright.media import wire
from callwright.media.g711 import PCMA, PCMU, Law
from support.listening import sound_of
from support.media_child import FarEnd, MediaChild, converse, free_range
from support.sound import FRAME, share, tone

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
RECORDING = UUID(int=71)
KEY = bytes(range(32))
MS = 8


@pytest.fixture
def child() -> Iterator[MediaChild]:
    with MediaChild(free_range(8)) as child:
        yield child
    assert '"level":"error"' not in child.errors


@pytest.fixture
def far_end() -> Iterator[Callable[..., FarEnd]]:
    ends: list[FarEnd] = []

    def make(law: Law = PCMU, hz: int | None = None) -> FarEnd:
        ends.append(FarEnd(law, hz))
        return ends[-1]

    yield make
    for end in ends:
        end.close()


def connected(child: MediaChild, stream: UUID, end: FarEnd, **options: object) -> None:
    end.connect(child, stream, child.open(stream), **options)


def test_a_recording_of_both_sides_is_written_and_told(child: MediaChild, far_end, tmp_path: Path) -> None:
    end = far_end(hz=400)
    connected(child, A, end)
    with wave.open(str(tmp_path / "prompt.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(tone(1000, 400).tobytes())
    child.send(wire.Record(A, RECORDING, str(tmp_path / "a.wav"), "both", key=KEY))
    child.wait(wire.RecordBegan, A)
    converse(child, 0.5, end)
    child.send(wire.Play(A, 1, (str(tmp_path / "prompt.wav"),), 1, stop_on_digit=False))
    converse(child, 1.0, end)
    child.send(wire.StopRecord(A, RECORDING))
    ended = child.wait(wire.RecordEnded, A)
    assert (ended.recording, ended.outcome, ended.detail) == (RECORDING, "stopped", "")
    assert 1400 <= ended.duration_ms <= 2500
    sound = sound_of(tmp_path / "a.wav", KEY)
    assert len(sound) // MS == ended.duration_ms
    heard, sent = sound.T
    assert share(heard[100 * MS : 1300 * MS], 400) > 0.8
    loud = np.flatnonzero(np.abs(sent) > 4000)
    assert 350 * MS <= loud[-1] - loud[0] <= 450 * MS
    assert share(sent[loud[0] : loud[-1]], 1000) > 0.9
    assert peaks(tmp_path / "a.wav", KEY).channels == 2


def test_three_hear_each_other_and_are_recorded(child: MediaChild, far_end, tmp_path: Path) -> None:
    ends = {A: far_end(PCMU, 400), B: far_end(PCMA, 1000), C: far_end(PCMU, 1700)}
    for stream, end in ends.items():
        connected(child, stream, end)
    child.send(wire.Join(A, B), wire.Join(C, A), wire.Record(B, RECORDING, str(tmp_path / "b.wav"), "to"))
    converse(child, 1.5, *ends.values())
    for stream, end in ends.items():
        sound = end.sound[-50 * FRAME :]
        heard = {hz for hz in (400, 1000, 1700) if share(sound, hz) > 0.1}
        assert heard == {400, 1000, 1700} - {{A: 400, B: 1000, C: 1700}[stream]}
    child.send(wire.Close(A), wire.Close(B), wire.Close(C))
    assert child.wait(wire.RecordEnded, B).outcome == "stopped"
    assert child.wait(wire.Closed, B).dropped.failures == 0
    assert [type(message) for message in child.told(wire.Parted)] == [wire.Parted] * 3
    sound = sound_of(tmp_path / "b.wav")[600 * MS : 1400 * MS, 0]
    assert {hz for hz in (400, 1000, 1700) if share(sound, hz) > 0.1} == {400, 1700}


@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])
def test_what_was_heard_until_a_kill_is_playable(far_end, tmp_path: Path, key: bytes) -> None:
    end = far_end(hz=400)
    with MediaChild(free_range(4)) as child:
        connected(child, A, end)
        asked = time.monotonic()
        child.send(wire.Record(A, RECORDING, str(tmp_path / "a.wav"), key=key, tracks="from"))
        child.wait(wire.RecordBegan, A)
        begun = time.monotonic()
        converse(child, 2.5, end)
        child.process.kill()
        killed = time.monotonic()
    duration_ms = repair(tmp_path / "a.wav", key)
    assert (killed - begun) * 1000 - 1000 <= duration_ms <= (killed - asked) * 1000 + 100
    assert share(sound_of(tmp_path / "a.wav", key)[200 * MS :, 0], 400) > 0.8
    assert peaks(tmp_path / "a.wav", key).length >= duration_ms // 33


def test_a_core_that_goes_leaves_closed_files(far_end, tmp_path: Path) -> None:
    end = far_end(hz=400)
    with MediaChild(free_range(4)) as child:
        connected(child, A, end)
        child.send(wire.Record(A, RECORDING, str(tmp_path / "a.wav"), "mix"))
        child.wait(wire.RecordBegan, A)
        converse(child, 0.7, end)
    with open_sound(tmp_path / "a.wav") as sound:
        assert sound.complete
        assert sound.duration_ms >= 600


def test_a_key_in_the_sound_ends_prompt_and_recording(child: MediaChild, far_end, tmp_path: Path) -> None:
    end = far_end()
    connected(child, A, end, event_type=None)
    with wave.open(str(tmp_path / "prompt.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(tone(1000, 9000).tobytes())
    child.send(wire.DetectDigits(A, True), wire.Record(A, RECORDING, str(tmp_path / "a.wav"), "from", stop_keys="#"))
    child.send(wire.Play(A, 1, (str(tmp_path / "prompt.wav"),), 1, stop_on_digit=True))
    converse(child, 0.5, end)
    end._coded = end.law.encode(tone(941, 2000, 7900) + tone(1477, 2000, 9960))
    converse(child, 0.1, end)
    end._coded = end.law.silent_frame * 100
    converse(child, 0.4, end)
    assert child.wait(wire.PlayEnded, A).outcome == "digit"
    digit = child.wait(wire.DigitHeard, A)
    assert (digit.digit, digit.inband) == ("#", True)
    ended = child.wait(wire.RecordEnded, A)
    assert ended.outcome == "key"
    assert np.abs(sound_of(tmp_path / "a.wav")).max() < 100


@pytest.mark.parametrize("way", ["full", "read-only", "no folder"])
def test_a_disk_that_takes_nothing_ends_the_recording_and_delays_no_sound(
    child: MediaChild, far_end, tmp_path: Path, way: str
) -> None:
    end = far_end(hz=400)
    connected(child, A, end)
    path = tmp_path / "a.wav"
    if way == "full":
        # As a disk that fills up, for this process alone: files may not grow beyond so many bytes.
        resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
    elif way == "read-only":
        path = Path("/proc/recordings/a.wav")
    else:
        (tmp_path / "f").write_text("")
        path = tmp_path / "f" / "a.wav"
    child.send(wire.Record(A, RECORDING, str(path), "both"))
    end.heard.clear()
    converse(child, 1.5, end)
    ended = child.wait(wire.RecordEnded, A)
    assert ended.outcome == "failed"
    assert str(path) in ended.detail
    assert len(end.heard) >= 70
    loads = [message for _, message in child.messages if isinstance(message, wire.Load)]
    assert sum(load.failures for load in loads) == 0
    child.send(wire.Close(A))
    assert child.wait(wire.Closed, A).counters.received >= 70


def test_many_recordings_begin_and_end(child: MediaChild, far_end, tmp_path: Path) -> None:
    """Eight at once, of one leg and of several, all closed in the end; no descriptor stays open."""
    ends = {UUID(int=number): far_end(hz=400) for number in (1, 2, 3, 4)}
    for stream, end in ends.items():
        connected(child, stream, end)
    before = len(os.listdir(f"/proc/{child.process.pid}/fd"))
    for number in range(8):
        stream = UUID(int=1 + number % 4)
        child.send(wire.Record(stream, UUID(int=100 + number), str(tmp_path / f"{number}.wav"), ("both", "mix")[number % 2]))
    converse(child, 0.6, *ends.values())
    child.send(*(wire.StopRecord(UUID(int=1 + number % 4), UUID(int=100 + number)) for number in range(8)))
    ended = [child.wait(wire.RecordEnded) for _ in range(8)]
    assert {(one.recording.int, one.outcome) for one in ended} == {(100 + number, "stopped") for number in range(8)}
    assert len(os.listdir(f"/proc/{child.process.pid}/fd")) == before
    for number in range(8):
        with open_sound(tmp_path / f"{number}.wav") as sound:
            assert sound.complete
