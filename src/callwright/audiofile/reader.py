"""Reading a file of sound from any place, plain or sealed, as if it were a WAV."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, Self

from callwright.audiofile import sealed, wav
from callwright.audiofile.errors import UnreadableSound
from callwright.audiofile.sealed import Seal


class SoundFile(Protocol):
    """A recording as a WAV: its header, then its sound. Reading is safe from several threads.

    `size` is of the whole WAV in bytes, as it was when the file was opened. `complete` is false for a file that was not closed:
    it is being written, or was cut off.
    """

    channels: int
    size: int
    complete: bool

    @property
    def duration_ms(self) -> int: ...

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start` on; less only at the end. Raise `UnreadableSound` for what was changed."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_sound(path: str | Path, key: bytes = b"") -> SoundFile:
    """Open a recording, also one that is being written or was cut off. Raise `UnreadableSound`, saying what is wrong."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableSound(f"{path}: {error.strerror}; check the path and its permissions") from error
    try:
        begin = os.pread(file, max(sealed.HEADER_SIZE, wav.HEADER_SIZE), 0)
        return _Sealed(file, Seal.open(key, begin)) if begin.startswith(sealed.MAGIC) else _Plain(file, begin)
    except UnreadableSound as error:
        os.close(file)
        raise UnreadableSound(f"{path}: {error}") from None
    except BaseException:
        os.close(file)
        raise


class _Opened:
    """What both kinds share: the header, made for the sound that is there, and the sound behind it."""

    def __init__(self, file: int, channels: int, sound: int, complete: bool) -> None:
        self._file = file
        self.channels = channels
        self.complete = complete
        self._sound = sound // (2 * channels) * 2 * channels
        self.size = wav.HEADER_SIZE + self._sound

    @property
    def duration_ms(self) -> int:
        return self._sound // (2 * self.channels) * 1000 // wav.SAMPLE_RATE

    def read(self, start: int, length: int) -> bytes:
        if start < 0 or length < 0:
            raise ValueError("a place and a length are not negative")
        end = min(start + length, self.size)
        head = wav.header(self.channels, self._sound)[start:end] if start < wav.HEADER_SIZE else b""
        begin = max(start - wav.HEADER_SIZE, 0)
        return head + self._read_sound(begin, max(end - wav.HEADER_SIZE, begin))

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_sound(self, begin: int, end: int) -> bytes:
        raise NotImplementedError


class _Plain(_Opened):
    def __init__(self, file: int, begin: bytes) -> None:
        channels = wav.channels_of(begin)
        there = os.fstat(file).st_size - wav.HEADER_SIZE
        super().__init__(file, channels, there, wav.announced(begin) == there)

    def _read_sound(self, begin: int, end: int) -> bytes:
        return os.pread(self._file, end - begin, wav.HEADER_SIZE + begin)


class _Sealed(_Opened):
    def __init__(self, file: int, seal: Seal) -> None:
        self._seal = seal
        self._whole, rest = divmod(os.fstat(file).st_size - sealed.HEADER_SIZE, seal.stride)
        begin = sealed.HEADER_SIZE + self._whole * seal.stride
        last = seal.open_last(self._whole, os.pread(file, rest, begin)) if rest else None
        self._last = last or b""
        super().__init__(file, seal.channels, self._whole * seal.chunk_size + len(self._last), last is not None)

    def _read_sound(self, begin: int, end: int) -> bytes:
        size = self._seal.chunk_size
        first = begin // size
        found = [self._chunk(number) for number in range(first, -(-end // size))]
        return b"".join(found)[begin - first * size : end - first * size]

    def _chunk(self, number: int) -> bytes:
        if number == self._whole:
            return self._last
        data = os.pread(self._file, self._seal.stride, sealed.HEADER_SIZE + number * self._seal.stride)
        sound = self._seal.open_chunk(number, data)
        if sound is None:
            raise UnreadableSound(f"part {number} of the sealed file was changed or is damaged; what is before it can be read")
        return sound
