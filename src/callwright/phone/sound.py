"""What the phone says and hears: int16 samples at 8 kHz. Levels are dBFS, where 0 is a sine of full scale."""

from __future__ import annotations

import wave
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

FRAME = 160
LAWS = {"PCMU": 0, "PCMA": 8}
SILENT_BELOW, TONE_SHARE = -50.0, 0.5
SILENCE: Samples = np.zeros(FRAME, np.int16)


def _tables(edges: NDArray[Any], sizes: NDArray[Any], plus: int, minus: int) -> tuple[NDArray[np.uint8], Samples]:
    """A law of ITU-T G.711: the codes by sample + 32768, and the samples by code.

    Step n is for the sizes from edge n to edge n + 1, and decoded as their middle; the sign turns over bits of the code.
    """
    middles = (edges[:-1] + edges[1:]) // 2
    samples = np.empty(256, np.int16)
    samples[np.arange(128) ^ plus], samples[np.arange(128) ^ minus] = middles, -middles
    steps = np.searchsorted(edges[:-1], sizes, side="right") - 1
    return (steps ^ np.where(_LINEAR < 0, minus, plus)).astype(np.uint8), samples


_LINEAR = np.arange(-32768, 32768)
_SEGMENT, _STEP = np.divmod(np.arange(129), 16)
_MU_EDGES = ((_STEP + 16 << _SEGMENT + 1) - 33) * 4
_A_EDGES = np.where(_SEGMENT > 0, _STEP + 16 << _SEGMENT, 2 * _STEP) * 8
_TABLES = {
    LAWS["PCMU"]: _tables(_MU_EDGES, np.abs(_LINEAR & ~3), 0xFF, 0x7F),
    LAWS["PCMA"]: _tables(_A_EDGES, np.maximum(_LINEAR, ~_LINEAR), 0xD5, 0x55),
}


def encode(samples: Samples, payload_type: int) -> bytes:
    return _TABLES[payload_type][0][samples.astype(np.int32) + 32768].tobytes()


def decode(payload: bytes, payload_type: int) -> Samples:
    return _TABLES[payload_type][1][np.frombuffer(payload, np.uint8)]


class Tone:
    """A sine that runs on from frame to frame; silence when `hz` is 0."""

    def __init__(self, hz: float = 0.0, level: float = -13.0) -> None:
        if not (0 <= hz < 4000 and level <= 0):
            raise ValueError(f"a tone of {hz} Hz at {level} dBFS: below 4000 Hz and at most 0 dBFS can be sent")
        self._step, self._amplitude, self._at = 2 * np.pi * hz / 8000, 32767 * 10 ** (level / 20), 0

    def frame(self) -> Samples:
        if not self._step:
            return SILENCE
        self._at += FRAME
        wave: Samples = np.rint(self._amplitude * np.sin(self._step * np.arange(self._at - FRAME, self._at))).astype(np.int16)
        return wave


class Recording:
    """A WAV file (8 kHz, 16 bit, mono) frame by frame, the last one filled up with silence."""

    def __init__(self, file: str) -> None:
        with wave.open(file, "rb") as sound:
            kind = (sound.getframerate(), sound.getsampwidth() * 8, sound.getnchannels())
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2" if kind[1] == 16 else np.uint8)
        if kind != (8000, 16, 1):
            raise ValueError(f"{file} has {kind[0]} Hz, {kind[1]} bit, {kind[2]} channels: only 8000 Hz, 16 bit, 1 can be sent")
        self._frames = iter(np.pad(samples, (0, -samples.size % FRAME)).astype(np.int16).reshape(-1, FRAME))

    def frame(self) -> Samples | None:
        """None at the end."""
        return next(self._frames, None)


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
