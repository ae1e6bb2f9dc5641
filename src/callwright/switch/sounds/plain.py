"""WAV files that are what engines play already: their samples go through as they are, without a process for them."""

from __future__ import annotations

import asyncio
import struct
from typing import Final

from callwright.switch.sounds.decoders import NotDecoded

RATE: Final = 8_000
HEADER: Final = 44

_FORMAT = struct.Struct("<HHIIHH")
_PCM: Final = (1, 1, RATE, RATE * 2, 2, 16)
_OPEN_ENDED: Final = (0, 0xFFFF_FFFF)
_QUEUED: Final = 16


def header(size: int) -> bytes:
    """The head of a WAV file with so many bytes of sound (8 kHz, 16 bit, mono)."""
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, *_PCM, b"data", size)


class PlainWav:
    """A `Decoding` that only takes the header off."""

    def __init__(self, start: int, size: int | None) -> None:
        """The sound begins at byte `start` and has `size` bytes, None if only its end tells."""
        self._skip = start
        self._size = size
        self._taken = 0
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED)

    @classmethod
    def recognise(cls, head: bytes) -> PlainWav | None:
        """Look at the first bytes of a file; None for every other kind, and for headers that go beyond them."""
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return None
        start, described = 12, False
        while start + 8 <= len(head):
            name, size = head[start : start + 4], int.from_bytes(head[start + 4 : start + 8], "little")
            start += 8
            if name == b"data":
                return cls(start, None if size in _OPEN_ENDED else size) if described else None
            if name == b"fmt ":
                if len(head) < start + _FORMAT.size or _FORMAT.unpack_from(head, start) != _PCM:
                    return None
                described = True
            start += size + size % 2
        return None

    async def feed(self, data: bytes) -> None:
        data, self._skip = data[self._skip :], max(self._skip - len(data), 0)
        if self._size is not None:
            data = data[: self._size - self._taken]
        if data:
            self._taken += len(data)
            await self._queue.put(data)

    async def finish(self) -> None:
        await self._queue.put(b"")

    async def read(self) -> bytes:
        data = await self._queue.get()
        if not data:
            self._check()
        return data

    async def close(self) -> None: ...

    def _check(self) -> None:
        if self._taken < 2:
            raise NotDecoded("the WAV file holds no sound")
        if self._size is not None and self._taken < self._size:
            seconds = RATE * 2
            raise NotDecoded(
                f"the WAV file is cut off: it announces {self._size / seconds:.1f} s and holds {self._taken / seconds:.1f} s"
            )
