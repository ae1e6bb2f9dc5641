"""What kind of sound a file is, by its first bytes; names and types that others give it are not asked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from callwright.errors import CallwrightError

PLAYED: Final = "WAV, MP3, Ogg (Opus, Vorbis), FLAC and M4A"
_ATOM = struct.Struct(">I4s")
_FAR: Final = 65_536  # a header that is longer is looked for by the demuxer
_OPEN_ENDED: Final = (0, 0xFFFF_FFFF)  # what programs write that did not know the length when they began


class Unplayable(CallwrightError):
    """There is no sound in it that can be played."""


class Format(NamedTuple):
    """A kind of file: its name for people, FFmpeg's demuxer for it, and whether that needs to go back and forth."""

    name: str
    demuxer: str
    backwards: bool = False


WAV: Final = Format("WAV", "wav")
MP3: Final = Format("MP3", "mp3")
OGG: Final = Format("Ogg", "ogg")
FLAC: Final = Format("FLAC", "flac")
M4A: Final = Format("M4A", "mov")
# Its table of contents comes last: all of it must be there before the first sound.
M4A_LATE: Final = Format("M4A", "mov", backwards=True)


def sniff(head: bytes, more: Callable[[int], bytes]) -> Format:
    """Return the format of a file; `more` gives its first so many bytes, or all. Raises `Unplayable`."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"OggS":
        return OGG
    if head[:4] == b"fLaC":
        return FLAC
    if head[4:8] == b"ftyp":
        return M4A if _contents_first(more) else M4A_LATE
    if head[:3] == b"ID3" or _is_mp3_frame(head):
        return MP3
    if not head:
        raise Unplayable("it is empty")
    if head.lstrip()[:1] == b"<":
        raise Unplayable(f"it is a page of HTML or XML, not a sound; played are {PLAYED}")
    raise Unplayable(f"it begins with {_shown(head)}, as no sound does that is played: {PLAYED}")


def announced_seconds(kind: Format, received: bytes | bytearray) -> float | None:
    """How long the file itself says it is, where FFmpeg does not tell."""
    if kind is WAV:
        return _seconds_of_wav(bytes(received[:_FAR]))
    return _seconds_of_mp3(bytes(received[:_FAR])) if kind is MP3 else None


def _is_mp3_frame(head: bytes) -> bool:
    """The header of a frame of MPEG audio: sync, a version, layer II or III, a bit rate and a sample rate there are."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer in (1, 2) and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _contents_first(more: Callable[[int], bytes]) -> bool:
    """Whether the table of contents (``moov``) stands before the sound (``mdat``): ISO 14496-12."""
    at = 0
    while at < _FAR:
        header = more(at + _ATOM.size)[at:]
        if len(header) < _ATOM.size:
            return False
        size, name = _ATOM.unpack(header)
        if name in (b"moov", b"mdat"):
            return bool(name == b"moov")
        if size < _ATOM.size:
            return False
        at += size
    return False


def _seconds_of_wav(head: bytes) -> float | None:
    """The length of the data, by the bytes a second of the format."""
    start, rate = 12, 0
    while start + 8 <= len(head):
        name, size = head[start : start + 4], int.from_bytes(head[start + 4 : start + 8], "little")
        if name == b"fmt ":
            rate = int.from_bytes(head[start + 16 : start + 20], "little")
        elif name == b"data":
            return None if not rate or size in _OPEN_ENDED else size / rate
        start += 8 + size + size % 2
    return None


def _seconds_of_mp3(head: bytes) -> float | None:
    """The count of frames in the first one, where the encoder wrote it (Xing or Info)."""
    mark = max(head.find(b"Xing"), head.find(b"Info"))
    if mark < 4 or len(head) < mark + 12 or not head[mark + 7] & 1:
        return None
    for side in (36, 21, 13):  # the header of a frame and its side information, by version and channels
        frame = head[mark - side : mark - side + 4]
        if mark >= side and _is_mp3_frame(frame):
            first = frame[1] >> 3 & 3 == 3
            rate = (44_100, 48_000, 32_000)[frame[2] >> 2 & 3] / {3: 1, 2: 2, 0: 4}[frame[1] >> 3 & 3]
            return int.from_bytes(head[mark + 8 : mark + 12], "big") * (1_152 if first else 576) / rate
    return None


def _shown(head: bytes) -> str:
    line = head.splitlines()[0][:8] if head.splitlines() else b""
    return repr(line.decode()) if line.isascii() and line.decode().isprintable() else head[:8].hex(" ")
