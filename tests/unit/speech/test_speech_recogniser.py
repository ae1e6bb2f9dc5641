"""What tests listen with: it hears what was said, and nothing where nothing was."""

from __future__ import annotations

import numpy as np
import py_nanotts
import pytest
import soxr

from support.recogniser import error_rate, split, words
from support.sound import tone, tone_file

SAID = "Welcome to the survey. Please press one for sales, or press two to leave a message."


def test_it_hears_what_was_said() -> None:
    spoken = np.frombuffer(py_nanotts.NanoTTS().speak(SAID, voice="en-US", volume=0.4), "<i2")
    assert error_rate(SAID, words(np.asarray(soxr.resample(spoken, 16_000, 8_000), np.int16))) < 0.25


@pytest.mark.parametrize("sound", [np.zeros(40_000, np.int16), tone(440, 5_000)], ids=["silence", "tone"])
def test_it_hears_nothing_where_nothing_is_said(sound) -> None:
    assert len(words(sound)) <= 3


def test_it_reads_files(tmp_path) -> None:
    (tmp_path / "tone.wav").write_bytes(tone_file(440, 1))
    assert len(words(tmp_path / "tone.wav")) <= 3


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        ("one two", "one two", 0),
        ("one two", "one", 0.5),
        ("one", "one two", 1),
        ("one two", "two one", 1),
        ("Press 1.", "press one", 0),
    ],
)
def test_the_rate_of_errors(said: str, heard: str, rate: float) -> None:
    assert error_rate(said, split(heard)) == rate
