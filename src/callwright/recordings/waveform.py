"""A waveform of as many columns as a page has room for."""

from __future__ import annotations

import numpy as np

from callwright.audiofile import Peaks

COLUMNS = 1_000
MOST_COLUMNS = 20_000


def columns(peaks: Peaks, wanted: int) -> Peaks:
    """The same waveform with at most `wanted` columns, each the lowest and highest of several."""
    together = -(-peaks.length // wanted)
    if together <= 1:
        return peaks
    whole = np.asarray(peaks.data, np.int8).reshape(peaks.length, peaks.channels, 2)
    length = -(-peaks.length // together)
    filled = np.concatenate((whole, np.repeat(whole[-1:], length * together - peaks.length, axis=0)))
    groups = filled.reshape(length, together, peaks.channels, 2)
    data = np.stack((groups[..., 0].min(axis=1), groups[..., 1].max(axis=1)), axis=2)
    return Peaks(
        data.ravel().tolist(),
        length,
        peaks.channels,
        peaks.version,
        peaks.sample_rate,
        peaks.samples_per_pixel * together,
        peaks.bits,
    )
