"""Long recordings in parts that a recogniser takes at once, cut where it is quiet."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 8000
LONGEST_S = 600
# A part may end so much earlier, at the quietest tenth of a second.
_LOOK_BACK_S = 30
_QUIET = RATE // 10


class Part(NamedTuple):
    """Samples (8 kHz, 16 bit, mono) from `start_ms` on."""

    start_ms: int
    samples: NDArray[np.int16]


def length_s(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def parts(path: Path, longest_s: int = LONGEST_S) -> Iterator[Part]:
    """A mono WAV of 8 kHz in parts of at most `longest_s`; only one is in memory. Raises `wave.Error`, `OSError`."""
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (RATE, 2, 1):
            raise wave.Error("not 8 kHz, 16 bit, mono")
        left = np.empty(0, np.int16)
        start = 0
        while True:
            wanted = longest_s * RATE - len(left)
            read = np.frombuffer(file.readframes(wanted), "<i2").astype(np.int16, copy=False)
            samples = np.concatenate((left, read))
            if len(read) < wanted:
                if len(samples):
                    yield Part(start * 1000 // RATE, samples)
                return
            end = _quietest(samples, longest_s)
            yield Part(start * 1000 // RATE, samples[:end])
            start += end
            left = samples[end:]


def _quietest(samples: NDArray[np.int16], longest_s: int) -> int:
    """Where to cut, in samples: in the middle of the quietest tenth of a second near the end."""
    back = min(_LOOK_BACK_S, longest_s // 2) * RATE
    window = samples[len(samples) - back :].astype(np.float32).reshape(-1, _QUIET)
    quietest = int(np.argmin(np.square(window).sum(axis=1)))
    return len(samples) - back + quietest * _QUIET + _QUIET // 2
