from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.media import wav
from callwright.media.clips import Clip, ClipLibrary
from callwright.media.g711 import PCMA, PCMU
from callwright.media.prompt import Prompt
from callwright.media.wav import UnplayableFile
from support.sound import FRAME, tone

RAMP = np.arange(-500, 500, dtype=np.int16)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def fmt(kind: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, extra: bytes = b"") -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits) + extra)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


DATA = chunk(b"data", RAMP.tobytes())
PLAIN = riff(fmt(), DATA)
PCM_GUID = bytes.fromhex("0100 0000 0000 1000 8000 00aa00389b71")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        # chunks of odd length around
        riff(chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", bytes(4)), DATA, chunk(b"id3 ", b"x")),
        # an extensible format that is PCM all the same
        riff(fmt(0xFFFE, extra=struct.pack("<HHI", 22, 16, 4) + PCM_GUID), DATA),
        # written to a pipe: lengths unknown
        b"RIFF\xff\xff\xff\xffWAVE" + fmt() + b"data\xff\xff\xff\xff" + RAMP.tobytes(),
        b"RIFF\0\0\0\0WAVE" + fmt() + b"data\0\0\0\0" + RAMP.tobytes(),
    ],
)
def test_wav_files_of_the_right_kind_are_read(data: bytes) -> None:
    assert wav.read(data).tolist() == RAMP.tolist()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a WAV file"),
        (b"ID3\x04 this is an mp3", "not a WAV file"),
        (riff(fmt()), "has no data"),
        (riff(DATA), "its data before its format"),
        (riff(chunk(b"fmt ", bytes(8)), DATA), "format is cut off"),
        (PLAIN[:-10], "cut off: 2000 bytes of sound announced, 1990 there"),
        (riff(fmt(rate=44100), DATA), "44100 Hz, 16 bit: wanted is format 1"),
        (riff(fmt(channels=2), DATA), "2 channel"),
        (riff(fmt(bits=8), DATA), "8 bit: wanted"),
        (riff(fmt(kind=7, bits=8), DATA), "format 7"),
        (riff(fmt(), chunk(b"data", bytes(2 * 8000 * 3601))), "lasts 3601 s: the limit is 3600"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(data: bytes, message: str) -> None:
    with pytest.raises(UnplayableFile) as error:
        wav.read(data)
    assert message in str(error.value)


@given(
    st.binary(max_size=100).map(lambda rest: b"RIFF\0\0\0\0WAVE" + rest)
    | st.integers(0, len(PLAIN)).map(lambda end: PLAIN[:end])
)
def test_any_bytes_give_samples_or_the_one_error(data: bytes) -> None:
    try:
        samples = wav.read(data)
    except UnplayableFile:
        return
    assert samples.dtype == np.int16


@pytest.fixture
def woken() -> threading.Event:
    return threading.Event()


@pytest.fixture
def library(woken: threading.Event):
    library = ClipLibrary(capacity=10_000, wake=woken.set)
    yield library
    library.close()


def write(path: Path, sound: np.ndarray) -> str:
    path.write_bytes(riff(fmt(), chunk(b"data", sound.tobytes())))
    return str(path)


def load(library: ClipLibrary, woken: threading.Event, *paths: str) -> tuple[Clip, ...] | UnplayableFile:
    clips = library.find(paths, "ticket")
    if clips is not None:
        return clips
    assert woken.wait(60)
    woken.clear()
    [(ticket, loaded)] = library.collect()
    assert ticket == "ticket"
    return loaded


def test_a_file_is_read_once_in_both_laws_and_then_at_hand(library, woken, tmp_path: Path) -> None:
    sound = tone(440, 100)
    path = write(tmp_path / "a.wav", sound)
    assert load(library, woken, path) == (Clip({0: PCMU.encode(sound), 8: PCMA.encode(sound)}),)
    assert library.find((path, path), "again") is not None
    assert library.collect() == []


def test_a_file_that_changed_is_read_again(library, woken, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(440, 100))
    load(library, woken, path)
    write(tmp_path / "a.wav", tone(880, 100))
    os.utime(path, ns=(1, 1))
    assert load(library, woken, path) == (Clip({0: PCMU.encode(tone(880, 100)), 8: PCMA.encode(tone(880, 100))}),)


def test_when_room_runs_out_the_longest_unused_goes(library, woken, tmp_path: Path) -> None:
    a, b, c = (write(tmp_path / name, tone(440, 250)) for name in ("a.wav", "b.wav", "c.wav"))  # 4,000 bytes each
    for path in (a, b, a, c):
        load(library, woken, path)
    assert [library.find((path,), None) is not None for path in (a, c)] == [True, True]
    assert library.find((b,), None) is None


def test_a_file_larger_than_the_room_is_played_and_not_kept(library, woken, tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", tone(440, 1000))
    assert isinstance(load(library, woken, path), tuple)
    assert library.find((path,), None) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.wav", "No such file"),
        (".", "not a regular file"),
        ("nul\0byte", "embedded null"),
        ("text.wav", "not a WAV file"),
    ],
)
def test_a_file_that_cannot_be_played_is_named_with_the_reason(library, woken, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "text.wav").write_text("Not sound.")
    path = f"{tmp_path}/{name}"
    failure = load(library, woken, write(tmp_path / "good.wav", RAMP), path)
    assert isinstance(failure, UnplayableFile)
    assert str(failure).startswith(path)
    assert reason in str(failure)


def clip(*samples: int) -> Clip:
    coded = bytes(samples)
    return Clip({0: coded, 8: coded[::-1]})


def prompt_of(*clips: Clip, repeat: int = 1) -> Prompt:
    prompt = Prompt(1, repeat, stop_on_digit=False)
    prompt.fill(prompt.expect(), clips)
    return prompt


def frames(prompt: Prompt, limit: int = 100) -> list[bytes]:
    found = []
    while (frame := prompt.next(PCMU)) is not None and len(found) < limit:
        found.append(frame)
    return found


@pytest.mark.parametrize(
    ("lengths", "repeat", "sound"),
    [
        # one, to the sample
        ([320], 1, 320),
        # the last frame is filled up
        ([200], 1, 200),
        # without a seam over clips and rounds
        ([100, 100, 30], 3, 690),
        # an empty one between
        ([50, 0, 500], 2, 1100),
        # nothing at all, even for ever
        ([], 0, 0),
        ([0, 0], 0, 0),
    ],
)
def test_clips_follow_each_other_to_the_sample(lengths: list[int], repeat: int, sound: int) -> None:
    clips = tuple(clip(*(index + 1 for _ in range(length))) for index, length in enumerate(lengths))
    played = frames(prompt_of(*clips, repeat=repeat))
    once = b"".join(one.coded[0] for one in clips)
    filled = -sound % FRAME
    assert b"".join(played) == once * repeat + PCMU.silent_frame[:filled]
    assert all(len(frame) == FRAME for frame in played)


def test_repeat_zero_goes_on_until_nobody_asks() -> None:
    assert len(frames(prompt_of(clip(1, 2, 3), repeat=0), limit=1000)) == 1000


def test_the_law_may_change_between_frames() -> None:
    prompt = prompt_of(clip(*[1] * 160, *[2] * 160))
    assert prompt.next(PCMU) == b"\x01" * 160
    assert prompt.next(PCMA) == b"\x01" * 160


def test_silence_is_heard_while_further_parts_are_awaited_and_then_they_are() -> None:
    prompt = Prompt(1, 1, stop_on_digit=False, more=True)
    assert not prompt.is_ready
    first, second, third = prompt.expect(), prompt.expect(), prompt.expect()
    prompt.fill(second, (clip(*[2] * 160),))  # read sooner, and played after the first all the same
    assert not prompt.is_ready
    prompt.fill(first, (clip(*[1] * 100),))
    assert prompt.next(PCMU) == bytes([1] * 100 + [2] * 60)
    assert prompt.next(PCMU) == bytes([2] * 100) + PCMU.silent_frame[:60]
    assert [prompt.next(PCMU) for _ in range(3)] == [PCMU.silent_frame] * 3
    prompt.fill(third, (clip(), clip(*[3] * 160)))
    assert prompt.next(PCMU) == bytes([3] * 160)
    assert prompt.next(PCMU) == PCMU.silent_frame
    prompt.more = False
    assert prompt.next(PCMU) is None


@pytest.mark.parametrize("starves", [False, True])
def test_repeating_begins_when_the_last_part_is_known(starves: bool) -> None:
    prompt = Prompt(1, 2, stop_on_digit=False, more=True)
    prompt.fill(prompt.expect(), (clip(*[1] * 160),))
    found = [prompt.next(PCMU)]
    if starves:
        assert prompt.next(PCMU) == PCMU.silent_frame
    last = prompt.expect()
    prompt.more = False
    if starves:
        assert prompt.next(PCMU) == PCMU.silent_frame
    prompt.fill(last, (clip(*[2] * 160),))
    found += frames(prompt)
    assert found == [bytes([n] * 160) for n in (1, 2, 1, 2)]


def test_a_prompt_of_nothing_ends_when_that_is_all() -> None:
    prompt = Prompt(1, 0, stop_on_digit=False, more=True)
    prompt.fill(prompt.expect(), (clip(),))
    assert prompt.next(PCMU) == PCMU.silent_frame
    prompt.more = False
    assert prompt.next(PCMU) is None
