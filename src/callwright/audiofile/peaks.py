"""The waveform of a recording: the lowest and the highest of every 256 samples, kept beside it as 8-bit numbers.

The file is that of the program audiowaveform (binary, version 2, 8 bit), so others can read it; beside a sealed recording
it is sealed too.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from callwright.audiofile.errors import UnreadableSound
from callwright.audiofile.sealed import HEADER_SIZE, MAGIC, Seal
from callwright.audiofile.wav import SAMPLE_RATE

PEAKS_SUFFIX: Final = ".peaks"
SAMPLES_PER_PEAK: Final = 256

_HEADER = struct.Struct("<iIiiIi")
_VERSION: Final = 2
_EIGHT_BIT: Final = 1
_CHUNK: Final = 1 << 16


class Peaks(msgspec.Struct, frozen=True):
    """`data` has minimum and maximum, -128 to 127, of every channel in turn, `length` times; names are audiowaveform's."""

    data: list[int]
    length: int
    channels: int = 1
    version: int = _VERSION
    sample_rate: int = SAMPLE_RATE
    samples_per_pixel: int = SAMPLES_PER_PEAK
    bits: int = 8


class PeakMeter:
    """Keep peaks of sound that comes in portions."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._block = SAMPLES_PER_PEAK * 2 * channels
        self._rest = b""
        self._found = bytearray()

    def add(self, pcm: bytes) -> None:
        pcm = self._rest + pcm
        whole = len(pcm) // self._block * self._block
        self._rest = pcm[whole:]
        self._measure(pcm[:whole], SAMPLES_PER_PEAK)

    def finish(self) -> bytes:
        """The file's bytes; what is left makes a last, shorter peak."""
        rest = len(self._rest) // (2 * self._channels)
        if rest:
            self._measure(self._rest[: rest * 2 * self._channels], rest)
            self._rest = b""
        length = len(self._found) // (2 * self._channels)
        return _HEADER.pack(_VERSION, _EIGHT_BIT, SAMPLE_RATE, SAMPLES_PER_PEAK, length, self._channels) + self._found

    def _measure(self, pcm: bytes, samples: int) -> None:
        if pcm:
            blocks = np.frombuffer(pcm, "<i2").reshape(-1, samples, self._channels) >> 8
            self._found += np.stack((blocks.min(axis=1), blocks.max(axis=1)), axis=2).astype(np.int8).tobytes()


def peaks(path: str | Path, key: bytes = b"") -> Peaks:
    """The waveform of the recording at `path`; `UnreadableSound` when it is not there or not one."""
    place = f"{path}{PEAKS_SUFFIX}"
    try:
        data = Path(place).read_bytes()
    except OSError as error:
        raise UnreadableSound(f"{place}: {error.strerror}") from error
    if data.startswith(MAGIC):
        data = _unsealed(data, key, place)
    if len(data) < _HEADER.size:
        raise UnreadableSound(f"{place}: {len(data)} bytes are too few for a waveform")
    version, flags, rate, per_peak, length, channels = _HEADER.unpack_from(data)
    if (version, flags) != (_VERSION, _EIGHT_BIT) or len(data) != _HEADER.size + 2 * channels * length:
        raise UnreadableSound(f"{place}: not a waveform, or cut off")
    found = np.frombuffer(data, np.int8, offset=_HEADER.size).tolist()
    return Peaks(found, length, channels, version, rate, per_peak)


def write_peaks(path: Path, data: bytes, key: bytes) -> None:
    """Put the waveform beside the recording at `path`, in one step."""
    if key:
        seal = Seal.new(key, 1, _CHUNK)
        whole = len(data) // _CHUNK
        chunks = [seal.chunk(number, data[number * _CHUNK : (number + 1) * _CHUNK]) for number in range(whole)]
        data = b"".join([seal.header(), *chunks, seal.last(whole, data[whole * _CHUNK :])])
    place = f"{path}{PEAKS_SUFFIX}"
    draft = f"{place}.new"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(file, "wb") as opened:
        opened.write(data)
    os.replace(draft, place)


def _unsealed(data: bytes, key: bytes, place: str) -> bytes:
    seal = Seal.open(key, data)
    found = []
    at = HEADER_SIZE
    number = 0
    while len(data) - at >= seal.stride:
        found.append(seal.open_chunk(number, data[at : at + seal.stride]))
        at += seal.stride
        number += 1
    found.append(seal.open_last(number, data[at:]))
    if None in found:
        raise UnreadableSound(f"{place}: the waveform was changed or cut off")
    return b"".join(part for part in found if part is not None)
