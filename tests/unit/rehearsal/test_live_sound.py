"""Sound of rehearsals over SIP, as the listeners of the media process take it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from callwright.media.g711 import FRAME
from callwright.media.voice import Beep, Voice, levels, pitches
from callwright.rehearsal.live_sound import BEEP_S, FRAME_S, SoundingPrompts, Voices
from callwright.rehearsal.prompts import Prompt


def frames(path: Path, *, silence_s: float = 0.5) -> np.ndarray:
    """A file with silence around it, as rows of 20 ms."""
    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    around = np.zeros(round(silence_s * 8000), np.int16)
    whole = np.concatenate([around, samples, around]).astype(np.float32)
    return whole[: whole.size // FRAME * FRAME].reshape(-1, FRAME)


def heard(path: Path) -> tuple[list[tuple[float, bool]], int]:
    """When a voice began and ceased, in seconds of the file; and how many beeps there were."""
    voice, beep = Voice(), Beep()
    rows = frames(path)
    changes = []
    beeps = 0
    for n, (level, hz) in enumerate(zip(levels(rows).tolist(), pitches(rows).tolist(), strict=True)):
        if (ago_ms := voice.frame(level)) is not None:
            changes.append((round((n + 1) * FRAME_S - ago_ms / 1000 - 0.5, 2), voice.speaking))
        beeps += beep.frame(hz if level > -40 else 0.0)
    return changes, beeps


@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.0, 3.3, 6.0])
def test_what_a_party_says_is_one_voice_of_its_length(tmp_path: Path, seconds: float) -> None:
    changes, beeps = heard(Voices(tmp_path).file(seconds))
    assert changes == [(pytest.approx(0.0, abs=FRAME_S), True), (pytest.approx(seconds, abs=FRAME_S), False)]
    assert beeps == 0


def test_a_machine_beeps_once(tmp_path: Path) -> None:
    assert heard(Voices(tmp_path).beep)[1] == 1
    assert BEEP_S < 0.8


def test_what_is_said_twice_is_one_file(tmp_path: Path) -> None:
    voices = Voices(tmp_path)
    assert voices.file(1.0) == voices.file(1.004) != voices.file(1.2)


def test_a_prompt_lasts_as_long_as_it_says_and_is_known_by_its_file(tmp_path: Path) -> None:
    prompts = SoundingPrompts(tmp_path)
    first, other = Prompt(1.34, "Hello."), Prompt(1.34, "Bye.")
    assert prompts.file(first) == prompts.file(first) != prompts.file(other)
    assert prompts.of(str(prompts.file(other))) == other
    with wave.open(str(prompts.file(first))) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(1.34)
