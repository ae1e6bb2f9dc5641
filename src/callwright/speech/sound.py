"""From what an engine gives to what is played: 8 kHz, 16 bit, mono, of one loudness, with the silences that speech needs."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from callwright.speech.wavfile import RATE, wav

PEAK = 0.5  # −6 dBFS: above it a telephone network begins to clip
LOUDNESS = 0.1  # −20 dBFS, the mean of what is spoken, where the peak allows it
MOST_GAIN = 8.0
LEAD_S = 0.02
TAIL_S = 0.25  # between two sentences

_QUIET = 0.005  # of the peak: no more than breath
_FRAME = RATE // 50
_AUDIBLE = 0.003

Samples = NDArray[np.float32]


def pcm(spoken: bytes) -> Samples:
    """Samples of 16-bit PCM, little endian; half a sample at its end is nothing."""
    return np.frombuffer(spoken[: len(spoken) // 2 * 2], "<i2").astype(np.float32) * np.float32(1 / 32_768)


def render(samples: Samples, rate: int) -> bytes | None:
    """A WAV file of samples from −1 to 1; None when they are silence."""
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    if rate != RATE and len(samples):
        samples = np.asarray(soxr.resample(samples, rate, RATE), np.float32)
    spoken = _trimmed(samples)
    if not len(spoken):
        return None
    silence = np.zeros(round(TAIL_S * RATE), np.float32)
    levelled = np.concatenate([spoken * _gain(spoken), silence])
    return wav(np.rint(levelled * 32_767).astype("<i2").tobytes())


def _trimmed(samples: Samples) -> Samples:
    """What is between the silences at both ends, with a little of each."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak < _AUDIBLE:
        return samples[:0]
    loud = np.flatnonzero(np.abs(samples) > peak * _QUIET)
    margin = round(LEAD_S * RATE)
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def _gain(samples: Samples) -> float:
    peak = float(np.max(np.abs(samples)))
    whole = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(whole):
        return min(PEAK / peak, MOST_GAIN)
    energy = np.sort(np.mean(whole.astype(np.float64) ** 2, axis=1))
    spoken = energy[energy > energy[-1] * 0.003]
    return min(LOUDNESS / float(np.sqrt(np.mean(spoken))), PEAK / peak, MOST_GAIN)
