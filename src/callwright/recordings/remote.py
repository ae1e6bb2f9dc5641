"""A recording in object storage, read from any place as the WAV it is."""

from __future__ import annotations

from typing import Self

from callwright.audiofile import UnreadableSound, sealed, wav
from callwright.audiofile.sealed import Seal
from callwright.recordings.objects import Objects


class RemoteSound:
    """`audiofile.SoundFile` over an object. Each `read` is one request, for the sealed parts it needs if it is sealed."""

    def __init__(self, objects: Objects, name: str, key: bytes) -> None:
        self._objects = objects
        self._name = name
        there = objects.size(name)
        begin = objects.read(name, 0, max(sealed.HEADER_SIZE, wav.HEADER_SIZE))
        self._seal = Seal.open(key, begin) if begin.startswith(sealed.MAGIC) else None
        self._last = b""
        self._whole = 0
        if self._seal is None:
            self.channels = wav.channels_of(begin)
            self._sound = there - wav.HEADER_SIZE
            self.complete = wav.announced(begin) == self._sound
        else:
            self.channels = self._seal.channels
            self._whole, rest = divmod(there - sealed.HEADER_SIZE, self._seal.stride)
            last = self._seal.open_last(self._whole, objects.read(name, self._place(self._whole), rest)) if rest else None
            self._last = last or b""
            self._sound = self._whole * self._seal.chunk_size + len(self._last)
            self.complete = last is not None
        block = 2 * self.channels
        self._sound = self._sound // block * block
        self.size = wav.HEADER_SIZE + self._sound

    @property
    def duration_ms(self) -> int:
        return self._sound // (2 * self.channels) * 1000 // wav.SAMPLE_RATE

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        head = wav.header(self.channels, self._sound)[start:end] if start < wav.HEADER_SIZE else b""
        begin, end = max(start - wav.HEADER_SIZE, 0), end - wav.HEADER_SIZE
        if begin >= end:
            return head
        if self._seal is None:
            return head + self._objects.read(self._name, wav.HEADER_SIZE + begin, end - begin)
        return head + self._unsealed(self._seal, begin, end)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _place(self, number: int) -> int:
        assert self._seal is not None
        return sealed.HEADER_SIZE + number * self._seal.stride

    def _unsealed(self, seal: Seal, begin: int, end: int) -> bytes:
        first, stop = begin // seal.chunk_size, min(-(-end // seal.chunk_size), self._whole)
        found = []
        if first < stop:
            stored = self._objects.read(self._name, self._place(first), (stop - first) * seal.stride)
            for number in range(first, stop):
                at = (number - first) * seal.stride
                sound = seal.open_chunk(number, stored[at : at + seal.stride])
                if sound is None:
                    raise UnreadableSound(f"part {number} of the sealed object {self._name} was changed or is damaged")
                found.append(sound)
        if end > self._whole * seal.chunk_size:
            found.append(self._last)
        return b"".join(found)[begin - first * seal.chunk_size :][: end - begin]
