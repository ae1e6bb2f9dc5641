"""What the phone says and hears: int16 samples at 8 kHz. Levels are dBFS, where 0 is a sine of full scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

FRAME = 160
LAWS = {"PCMU": 0, "PCMA": 8}
SILENT_BELOW, TONE_SHARE = -50.0, 0.5


def _exponent(values: NDArray[Any]) -> NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32) - 1


def _tables() -> tuple[dict[int, NDArray[np.uint8]], dict[int, Samples]]:
    """Encoding tables, indexed by sample + 32768, and decoding tables of ITU-T G.711, by payload type."""
    linear = np.arange(-32768, 32768, dtype=np.int32)
    u = np.minimum(np.abs(linear >> 2) + 33, 8191)
    segment = _exponent(u) - 5
    to_u = (segment << 4 | (u >> (segment + 1)) & 15) ^ np.where(linear < 0, 0x7F, 0xFF)
    a = np.where(linear < 0, ~(linear >> 3), linear >> 3)
    segment = np.maximum(_exponent(np.maximum(a, 1)) - 4, 0)
    to_a = (segment << 4 | (a >> np.maximum(segment, 1)) & 15) ^ np.where(linear < 0, 0x55, 0xD5)
    u, a = np.arange(256) ^ 0xFF, np.arange(256) ^ 0x55
    from_u = (((u & 15) << 3) + 132 << (u >> 4 & 7)) - 132
    segment = a >> 4 & 7
    from_a = ((a & 15) << 4) + np.where(segment > 0, 264, 8) << np.maximum(segment - 1, 0)
    decode = {0: np.where(u & 128, -from_u, from_u), 8: np.where(a & 128, from_a, -from_a)}
    return {0: to_u.astype(np.uint8), 8: to_a.astype(np.uint8)}, {k: table.astype(np.int16) for k, table in decode.items()}


_ENCODE, _DECODE = _tables()


def encode(samples: Samples, payload_type: int) -> bytes:
    return _ENCODE[payload_type][samples.astype(np.int32) + 32768].tobytes()


def decode(payload: bytes, payload_type: int) -> Samples:
    return _DECODE[payload_type][np.frombuffer(payload, np.uint8)]


class Tone:
    """A sine that runs on from frame to frame; silence when `hz` is 0."""

    def __init__(self, hz: float = 0.0, level: float = -13.0) -> None:
        if not (0 <= hz < 4000 and level <= 0):
            raise ValueError(f"a tone of {hz} Hz at {level} dBFS: below 4000 Hz and at most 0 dBFS can be sent")
        self._step, self._amplitude, self._at = 2 * np.pi * hz / 8000, 32767 * 10 ** (level / 20), 0

    def frame(self) -> Samples:
        self._at += FRAME
        wave: Samples = np.rint(self._amplitude * np.sin(self._step * np.arange(self._at - FRAME, self._at))).astype(np.int16)
        return wave


class Heard(NamedTuple):
    """`hz` is the strongest frequency, None when nothing stands out; `share` its part of the energy, 0 to 1."""

    hz: float | None = None
    level: float | None = None
    share: float = 0.0
    silence: bool = True

    def resembles(self, other: Heard) -> bool:
        return self.silence == other.silence and abs((self.hz or 0.0) - (other.hz or 0.0)) < 10


def measure(samples: Samples) -> Heard:
    if samples.size < FRAME:
        return Heard()
    wave = samples - samples.mean()
    level = round(float(20 * np.log10(max(np.std(wave), 0.01) * np.sqrt(2) / 32768)), 1)
    if level < SILENT_BELOW:
        return Heard(level=level)
    energy = np.abs(np.fft.rfft(wave * np.hanning(wave.size))) ** 2 + 1e-9
    peak = int(np.argmax(energy[1:-1])) + 1
    # A Hann window spreads a sine over five bins; a parabola through their logarithms finds the frequency between them.
    share = float(energy[max(peak - 2, 0) : peak + 3].sum() / energy.sum())
    left, top, right = np.log(energy[peak - 1 : peak + 2])
    hz = float(peak + 0.5 * (left - right) / (left - 2 * top + right)) * 8000 / wave.size
    return Heard(round(hz, 1) if share >= TONE_SHARE else None, level, round(share, 3), False)
