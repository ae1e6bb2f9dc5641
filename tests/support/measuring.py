"""What is in a sound that was heard: tones and silences by their times, a known clip by its fingerprint, keys by their tones.

Times are seconds from the start of what is measured; samples are 16 bit at 8 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from support.sound import RATE

Samples = NDArray[Any]
FRAME = RATE // 50

# ITU-T Q.23: rows and columns of the keypad.
LOW_HZ, HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYPAD = ("123A", "456B", "789C", "*0#D")


# A clip of a second or two that was heard, or recorded: a machine that stalls leaves gaps of a few tenths in it.
WHOLE = 0.85


class Stretch(NamedTuple):
    """A span in which the sound was one thing: a tone of `hz`, or silence (None)."""

    hz: float | None
    start: float
    length: float


class Match(NamedTuple):
    """Where a clip is heard: `gain` 1 is as loud as it was given, `likeness` 1 is nothing but the clip."""

    at: float
    gain: float
    likeness: float


def level(samples: Samples) -> float:
    """Root mean square, 0 to 1 of full scale."""
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / 32_768 if len(samples) else 0.0


def silences(samples: Samples, *, longer: float = 0.1, below: float = 0.002) -> list[Stretch]:
    """Spans of silence of at least `longer` seconds, to 20 ms; `below` is a level as `level` gives it."""
    count = len(samples) // FRAME
    frames = samples[: count * FRAME].astype(np.float64).reshape(count, FRAME)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) / 32_768 < below
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    spans = [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return [Stretch(None, start / 50, (end - start) / 50) for start, end in spans if end - start >= longer * 50]


def tones(samples: Samples, *, longer: float = 0.1, near: float = 15.0) -> list[Stretch]:
    """The course of a sound that is made of tones: what each was, from when on, how long. Silences are left out."""
    found: list[tuple[float, int, int]] = []
    window = 2 * FRAME
    for start in range(0, len(samples) - window + 1, FRAME):
        hz = _pitch(samples[start : start + window])
        if hz is None:
            continue
        if found and abs(found[-1][0] - hz) < near and start <= found[-1][2]:
            found[-1] = (found[-1][0], found[-1][1], start + window)
        else:
            found.append((hz, start, start + window))
    return [Stretch(hz, start / RATE, (end - start) / RATE) for hz, start, end in found if end - start >= longer * RATE]


def find(clip: Samples, heard: Samples) -> Match:
    """The best place of a clip in what was heard, by normalised cross-correlation."""
    if len(heard) < len(clip):
        heard = np.concatenate([heard, np.zeros(len(clip) - len(heard), heard.dtype)])
    wanted = clip.astype(np.float64)
    there = heard.astype(np.float64)
    size = 1 << (len(there) + len(wanted) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(there, size) * np.conj(np.fft.rfft(wanted, size)), size)
    sums = product[: len(there) - len(wanted) + 1]
    energy = np.cumsum(np.concatenate([[0.0], there**2]))
    own = float(np.sum(wanted**2))
    windows = energy[len(wanted) :] - energy[: -len(wanted)]
    # Where next to nothing is heard, noise of the last bit would look like anything.
    likeness = sums / np.sqrt(own * np.maximum(windows, own * 1e-3))
    best = int(np.argmax(likeness))
    return Match(best / RATE, float(sums[best] / own), float(likeness[best]))


def pieces_in(clip: Samples, heard: Samples, count: int = 6) -> list[float]:
    """How surely each piece of a clip is heard, the least sure first: a server that stood still stopped between two of them."""
    return sorted(find(piece, heard).likeness for piece in np.array_split(clip, count))


def keys(samples: Samples, *, longest_gap: float = 0.03) -> str:
    """The keys whose two tones are heard (ITU-T Q.24: each at least 40 ms)."""
    pressed: list[tuple[str, int, int]] = []
    window = RATE // 50
    for start in range(0, len(samples) - window + 1, window // 2):
        key = _key(samples[start : start + window])
        if key is None:
            continue
        if pressed and pressed[-1][0] == key and start - pressed[-1][2] <= longest_gap * RATE:
            pressed[-1] = (key, pressed[-1][1], start + window)
        else:
            pressed.append((key, start, start + window))
    return "".join(key for key, start, end in pressed if end - start >= 0.04 * RATE)


def key_tones(pressed: str, *, ms: int = 100, gap_ms: int = 100, peak: int = 8_000) -> NDArray[np.int16]:
    """The sound of keys, each after and before a gap."""
    at = np.arange(ms * RATE // 1000) / RATE
    gap = np.zeros(gap_ms * RATE // 1000)
    parts = [gap]
    for key in pressed:
        row = next(index for index, keys_of_row in enumerate(KEYPAD) if key in keys_of_row)
        column = KEYPAD[row].index(key)
        parts += [sum(np.sin(2 * np.pi * hz * at) for hz in (LOW_HZ[row], HIGH_HZ[column])) * peak, gap]
    return np.rint(np.concatenate(parts)).astype(np.int16)


def fingerprint(seconds: float, seed: int = 1, peak: int = 8_000) -> NDArray[np.int16]:
    """A clip like no other: chirps between 400 and 3000 Hz in an order of its own, which survives G.711 unharmed."""
    random = np.random.default_rng(seed)
    parts = []
    while sum(map(len, parts)) < seconds * RATE:
        first, last = random.uniform(400, 3_000, 2)
        phase = 2 * np.pi * np.cumsum(np.linspace(first, last, RATE // 8)) / RATE
        parts.append(peak * np.sin(phase) * np.hanning(len(phase)) ** 0.25)
    return np.rint(np.concatenate(parts)[: round(seconds * RATE)]).astype(np.int16)


def _pitch(samples: Samples) -> float | None:
    """The one frequency of a stretch; None for silence and for what is no pure tone."""
    if level(samples) < 0.002:
        return None
    energy = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4_096)) ** 2
    peak = int(np.argmax(energy))
    spread = 4_096 * 2 // len(samples) + 2
    share = float(energy[max(peak - spread, 0) : peak + spread + 1].sum() / energy.sum())
    return peak * RATE / 4_096 if share > 0.8 else None


def _key(samples: Samples) -> str | None:
    powers = [_power(samples, hz) for hz in (*LOW_HZ, *HIGH_HZ)]
    low, high = powers[:4], powers[4:]
    whole = float(np.mean(samples.astype(np.float64) ** 2))
    if whole < 10_000 or max(low) + max(high) < 0.7 * whole or not 0.1 < max(low) / max(max(high), 1e-9) < 10:
        return None
    return KEYPAD[low.index(max(low))][high.index(max(high))]


def _power(samples: Samples, hz: float) -> float:
    at = np.arange(len(samples)) / RATE
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * at))) ** 2)


def starts(stretches: Sequence[Stretch]) -> list[float]:
    return [round(stretch.start, 2) for stretch in stretches]
