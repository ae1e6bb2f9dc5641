"""Reading WAV files of the one kind that is played: 8 kHz, 16 bit, mono, linear PCM."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from callwright.errors import CallwrightError
from callwright.media.g711 import SAMPLE_RATE, Samples

LONGEST_S: Final = 3600

_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
_PCM_GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
_OPEN_ENDED: Final = (0, 0xFFFF_FFFF)  # what programs write that did not know the length when they began
_FORMAT = struct.Struct("<HHIIHH")


class UnplayableFile(CallwrightError):
    """The file cannot be played."""


def read(data: bytes) -> Samples:
    """Return the samples of a WAV file; raise `UnplayableFile`, saying what is wrong and what would be right."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise UnplayableFile("not a WAV file: it does not begin with RIFF and WAVE")
    described = False
    start = 12
    while start + 8 <= len(data):
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        start += 8
        if name == b"data":
            if not described:
                raise UnplayableFile("the WAV file has its data before its format")
            return _samples(data, start, size)
        if name == b"fmt ":
            _check_format(data[start : start + size])
            described = True
        start += size + size % 2
    raise UnplayableFile("the WAV file has no data: it is cut off or empty")


def _samples(data: bytes, start: int, size: int) -> Samples:
    left = len(data) - start
    if size in _OPEN_ENDED:
        size = left
    elif size > left:
        raise UnplayableFile(f"the WAV file is cut off: {size} bytes of sound announced, {left} there")
    count = size // 2
    if count > LONGEST_S * SAMPLE_RATE:
        raise UnplayableFile(f"the WAV file lasts {count // SAMPLE_RATE} s: the limit is {LONGEST_S}; split it")
    return np.frombuffer(data, "<i2", count, start).astype(np.int16, copy=False)


def _check_format(chunk: bytes) -> None:
    if len(chunk) < _FORMAT.size:
        raise UnplayableFile("the WAV file's format is cut off")
    kind, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if kind == _EXTENSIBLE and chunk[26:40] == _PCM_GUID_TAIL:
        kind = int.from_bytes(chunk[24:26], "little")
    if (kind, channels, rate, bits) != (_PCM, 1, SAMPLE_RATE, 16):
        raise UnplayableFile(
            f"the WAV file has format {kind}, {channels} channel(s), {rate} Hz, {bits} bit:"
            " wanted is format 1 (PCM), 1 channel, 8000 Hz, 16 bit"
        )
