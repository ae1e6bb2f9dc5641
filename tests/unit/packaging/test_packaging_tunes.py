"""The sounds of the package are those that the script makes."""

from __future__ import annotations

import runpy
import struct
import wave
from importlib.resources import files
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "packaging" / "tunes.py"


@pytest.mark.parametrize(("name", "make", "seconds"), [("music.wav", "tune", 11.52), ("beep.wav", "beep", 0.25)])
def test_a_sound_is_as_the_script_makes_it(name: str, make: str, seconds: float) -> None:
    with files("callwright.switch").joinpath(name).open("rb") as file, wave.open(file, "rb") as sound:
        assert sound.getparams()[:3] == (1, 2, 8_000)
        count = sound.getnframes()
        samples = struct.unpack(f"<{count}h", sound.readframes(count))
    made = [round(32_000 * sample) for sample in runpy.run_path(str(SCRIPT))[make]()]
    assert len(samples) == len(made) == round(seconds * 8_000)
    # The last bit of a sine is the machine's own.
    assert max(abs(one - other) for one, other in zip(samples, made, strict=True)) <= 1
    assert 5_000 < max(samples) < 20_000  # heard well, and nowhere near clipping
