"""The header of a WAV file: 8 kHz, 16 bit, linear PCM, little-endian; 44 bytes, and the sound follows."""

from __future__ import annotations

import struct
from typing import Final

from callwright.audiofile.errors import UnreadableSound

SAMPLE_RATE: Final = 8000
HEADER_SIZE: Final = 44

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST: Final = 0xFFFF_FFFF - 36


def header(channels: int, size: int) -> bytes:
    """The header before `size` bytes of sound."""
    size = min(size, _LARGEST)
    block = 2 * channels
    return _HEADER.pack(
        b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, channels, SAMPLE_RATE, SAMPLE_RATE * block, block, 16, b"data", size
    )


def channels_of(begin: bytes) -> int:
    """How many channels the file has that begins so; raise `UnreadableSound` for any but those that are written here."""
    if len(begin) < HEADER_SIZE:
        raise UnreadableSound(f"{len(begin)} bytes are too few for the header of a recording")
    channels = begin[22]
    if begin[:4] != b"RIFF" or channels not in (1, 2) or begin[8:40] != header(channels, 0)[8:40]:
        raise UnreadableSound("not a recording: neither a WAV of 8 kHz, 16 bit with a header of 44 bytes, nor a sealed one")
    return channels


def announced(begin: bytes) -> int:
    """How many bytes of sound the header speaks of."""
    return int.from_bytes(begin[40:44], "little")
