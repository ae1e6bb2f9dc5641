"""From what engines and services give to what is played."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from callwright.speech.providers.answer import samples
from callwright.speech.sound import pcm, render
from callwright.speech.source import VoiceFailed
from support.recogniser import samples_of
from support.sound import share


def sine(hertz: float, seconds: float, rate: int, loudness: float = 0.9) -> np.ndarray:
    return (loudness * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def rendered(found: np.ndarray, rate: int) -> np.ndarray:
    content = render(found, rate)
    assert content is not None
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8_000, 2, 1)
    return samples_of(content[44:])


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_any_rate_becomes_that_of_the_telephone(rate: int) -> None:
    out = rendered(sine(440, 1, rate), rate)
    assert len(out) == pytest.approx(8_000 * 1.25, abs=400)
    assert share(out[400:7_600], 440) > 0.95
    assert 0 < np.abs(out).max() <= 16_422


def test_what_a_telephone_cannot_carry_does_not_come_back_as_something_else() -> None:
    mixed = sine(440, 1, 24_000, 0.4) + sine(5_000, 1, 24_000, 0.4)
    out = rendered(mixed, 24_000)
    assert share(out[400:7_600], 440) > 0.99


@pytest.mark.parametrize("loudness", [0.02, 0.2, 1.0, 4.0])
def test_the_loudness_is_the_same_whatever_the_engine(loudness: float) -> None:
    out = rendered(sine(440, 1, 8_000, loudness), 8_000).astype(np.float64)
    level = 20 * np.log10(np.sqrt(np.mean(out[400:7_600] ** 2)) / 32_768)
    assert level == pytest.approx(-20, abs=1.5)


def test_silence_around_is_cut_and_silence_to_the_next_sentence_kept() -> None:
    quiet = np.zeros(8_000, np.float32)
    out = rendered(np.concatenate([quiet, sine(440, 1, 8_000), quiet]), 8_000)
    loud = np.flatnonzero(np.abs(out) > 100)
    assert loud[0] <= 200  # 25 ms
    assert 1_900 <= len(out) - loud[-1] <= 2_300  # a quarter of a second


@pytest.mark.parametrize("nothing", [np.zeros(0), np.zeros(8_000), np.full(8_000, np.nan), np.full(8_000, 1e-5)])
def test_nothing_is_nothing(nothing: np.ndarray) -> None:
    assert render(nothing.astype(np.float32), 8_000) is None


def test_half_a_sample_is_dropped() -> None:
    assert pcm(b"\x00\x40\x01").tolist() == [0.5]


def file(
    form: int = 1, channels: int = 1, rate: int = 24_000, bits: int = 16, *, data: bytes, length: int | None = None
) -> bytes:
    told = len(data) if length is None else length
    block = channels * bits // 8
    return (
        struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"WAVE")
        + struct.pack("<4sI", b"LIST", 3) + b"abc\x00"
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, form, channels, rate, rate * block, block, bits)
        + struct.pack("<4sI", b"data", told) + data
    )  # fmt: skip


DATA = struct.pack("<4h", 0, 16_384, -16_384, 8_192)


@pytest.mark.parametrize("length", [8, 0, 0xFFFFFFFF, 0x7FFFFFFF, 100])
def test_a_wav_file_with_whatever_length_it_tells(length: int) -> None:
    found, rate = samples(file(data=DATA, length=length), 16_000)
    assert (found.tolist(), rate) == ([0, 0.5, -0.5, 0.25], 24_000)


def test_other_forms_of_wav() -> None:
    assert samples(file(channels=2, data=DATA), 1)[0].tolist() == [0.25, -0.125]
    assert samples(file(form=3, bits=32, data=struct.pack("<2f", 0.5, -1)), 1)[0].tolist() == [0.5, -1]
    assert samples(file(form=0xFFFE, data=DATA), 1)[0].tolist() == [0, 0.5, -0.5, 0.25]


def test_bare_samples_have_the_rate_of_the_service() -> None:
    found, rate = samples(DATA, 16_000)
    assert (found.tolist(), rate) == ([0, 0.5, -0.5, 0.25], 16_000)


RIFF = b"RIFF\x00\x00\x00\x00WAVE"
NO_SOUND = [
    b'{"error": "no"}',
    b" <html>",
    b"ID3\x04",
    b"OggS",
    b"fLaC",
    b"\xff\xfb\x90",
    RIFF,
    RIFF + b"data",
    RIFF + b"data\x04\x00\x00\x00abcd",
    file(form=85, data=DATA),
    file(bits=8, data=DATA),
    file(rate=1, data=DATA),
    file(channels=99, data=DATA),
    file(data=DATA)[:30],
]


@pytest.mark.parametrize("body", NO_SOUND, ids=range(len(NO_SOUND)))
def test_an_answer_that_is_no_sound(body: bytes) -> None:
    with pytest.raises(VoiceFailed):
        samples(body, 16_000)


def test_any_cut_of_a_wav_file_is_read_or_refused() -> None:
    whole = file(data=DATA * 10)
    for end in range(len(whole)):
        try:
            found, _ = samples(whole[:end], 16_000)
        except VoiceFailed:
            continue
        assert len(found) <= 40
