"""Whether somebody speaks, by loudness; and beeps of answering machines, by spectrum. Frames are 20 ms."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from callwright.media.g711 import FRAME, SAMPLE_RATE

FRAME_MS: Final = 20
SILENT: Final = -96.0  # dBFS of nothing

_QUIETEST: Final = -45.0  # dBFS; below it nobody speaks into a telephone
_ABOVE_NOISE: Final = 9.0  # dB
_BEGIN: Final = 3  # frames of voice among the last five
_OF: Final = 5
_END: Final = 10  # frames without: pauses within words are shorter
_NOISE_WINDOW: Final = 50  # frames, a second: what is never quieter is noise, or a tone


def levels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """How loud each row is, in dBFS."""
    square = np.einsum("ij,ij->i", frames, frames).astype(np.float64) / frames.shape[1] / 32768.0**2
    return np.asarray(10 * np.log10(square + 10 ** (SILENT / 10)))


class Voice:
    """Loudness over the noise of one or two seconds. A steady tone is noise after that; ring-back and music are voices."""

    __slots__ = ("_frames", "_least", "_least_before", "_quiet", "_recent", "speaking", "voiced")

    def __init__(self) -> None:
        self.speaking = False
        self.voiced = False
        self._recent = 0
        self._quiet = 0
        self._frames = 0
        self._least = self._least_before = _QUIETEST

    def frame(self, level: float) -> int | None:
        """Take the next frame; return, when `speaking` changed with it, how many milliseconds ago that was."""
        self._least = min(self._least, level)
        self._frames += 1
        if self._frames >= _NOISE_WINDOW:
            self._frames = 0
            self._least_before, self._least = self._least, level
        self.voiced = level >= max(_QUIETEST, min(self._least, self._least_before) + _ABOVE_NOISE)
        self._recent = (self._recent << 1 | self.voiced) & (1 << _OF) - 1
        self._quiet = 0 if self.voiced else self._quiet + 1
        if not self.speaking and self._recent.bit_count() >= _BEGIN:
            self.speaking = True
            return self._recent.bit_length() * FRAME_MS
        if self.speaking and self._quiet >= _END:
            self.speaking = False
            return self._quiet * FRAME_MS
        return None


_HANN = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_BIN_HZ: Final = SAMPLE_RATE / FRAME
_SHARE: Final = 0.92
# Below are the ring-back and busy tones of most countries, which exchanges make, and vowels that are little but their pitch.
_LOWEST_HZ: Final = 495.0
_HIGHEST_HZ: Final = 2200.0
_SHORTEST: Final = 10  # frames: 200 ms, as edges share frames with silence, and a packet may be lost
_LONGEST: Final = 41
_STEADY_HZ: Final = 30.0
_AFTER: Final = 2  # frames that must not be a tone again: tones in a row come from exchanges too


def pitches(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """The frequency in Hz of each row that is hardly more than one tone, as a beep is, 0 for others."""
    power = np.abs(np.fft.rfft(frames * _HANN, axis=1)) ** 2
    rows = np.arange(len(frames))
    peak = np.clip(power[:, 2:-2].argmax(axis=1) + 2, 2, power.shape[1] - 3)
    around = np.stack([power[rows, peak + step] for step in (-1, 0, 1)])
    total = power[:, 1:].sum(axis=1) + 1e-9
    mean = peak + (around[2] - around[0]) / (around.sum(axis=0) + 1e-9)
    hz = mean * _BIN_HZ
    pure = (around.sum(axis=0) >= _SHARE * total) & (hz >= _LOWEST_HZ) & (hz <= _HIGHEST_HZ)
    return np.asarray(np.where(pure, hz, 0.0))


class Beep:
    """A tone of 250 to 800 ms that no exchange makes."""

    __slots__ = ("_after", "_frames", "_hz")

    def __init__(self) -> None:
        self._hz = 0.0
        self._frames = 0
        self._after = 0

    @property
    def is_idle(self) -> bool:
        return not self._hz

    def frame(self, hz: float) -> bool:
        """Take the next frame's pitch, 0 for none; return whether a beep ended, a moment ago."""
        if not hz and self._after < _AFTER:
            self._after += 1
            return False
        if self._hz and abs(hz - self._hz) <= _STEADY_HZ:
            self._frames += 1 + self._after  # a lost packet makes no second tone
            self._after = 0
            return False
        was_beep = _SHORTEST <= self._frames <= _LONGEST
        self._hz, self._frames, self._after = hz, 1, 0
        return was_beep and not hz
