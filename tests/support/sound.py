"""Sound for tests: tones made and measured, and networks that lose what a list says they lose."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

RATE = 8000
FRAME = 160

T = TypeVar("T")


def tone(hz: float, ms: int, peak: int = 8000) -> NDArray[np.int16]:
    at = np.arange(ms * RATE // 1000) / RATE
    return np.rint(peak * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def tone_file(hz: float, seconds: float, peak: int = 8000) -> bytes:
    """A WAV file of one steady tone, of the kind that is played: 8 kHz, 16 bit, mono."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(tone(hz, round(seconds * 1000), peak).astype("<i2").tobytes())
    return file.getvalue()


def share(samples: NDArray[np.int16], hz: float) -> float:
    """How much of the energy lies at this frequency, 0 to 1 (Goertzel); 0 for silence."""
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE)
    before = last = 0.0
    for sample in samples.tolist():
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    energy = float(np.sum(samples.astype(np.float64) ** 2))
    return 2 * power / (len(samples) * energy) if energy else 0.0


def kept(packets: Iterable[T], losses: Sequence[bool]) -> Iterator[T]:
    """Pass packets on except where the repeating list says True: lost."""
    return (packet for packet, lost in zip(packets, cycle(losses), strict=False) if not lost)
