"""The way in for a file: its first bytes decide who makes sound of it."""

from __future__ import annotations

import asyncio
from typing import Final

from callwright.switch.sounds.decoders import Decoders, Decoding, NotDecoded
from callwright.switch.sounds.formats import Unplayable, sniff
from callwright.switch.sounds.plain import PlainWav

HEAD: Final = 4_096


class Intake:
    """A `Decoding` of a file of any kind."""

    def __init__(self, decoders: Decoders) -> None:
        self._decoders = decoders
        self._head = bytearray()
        self._decoding: Decoding | None = None
        self._chosen = asyncio.Event()

    async def feed(self, data: bytes) -> None:
        if self._decoding is not None:
            await self._decoding.feed(data)
            return
        self._head += data
        if len(self._head) >= HEAD:
            await self._choose()

    async def finish(self) -> None:
        if self._decoding is None:
            await self._choose()
        assert self._decoding is not None
        await self._decoding.finish()

    async def read(self) -> bytes:
        await self._chosen.wait()
        assert self._decoding is not None
        return await self._decoding.read()

    async def close(self) -> None:
        if self._decoding is not None:
            await self._decoding.close()

    async def _choose(self) -> None:
        head = bytes(self._head)
        self._decoding = PlainWav.recognise(head)
        if self._decoding is None:
            try:
                sniff(head, lambda size: head[:size])
            except Unplayable as error:
                raise NotDecoded(str(error)) from None
            self._decoding = await self._decoders.take()
        self._chosen.set()
        await self._decoding.feed(head)
