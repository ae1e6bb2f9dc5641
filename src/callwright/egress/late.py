"""A door that is hung when it is first needed.

The HTTP client takes a fifth of a second to load, and a server should answer before that; no request goes out meanwhile.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path

from callwright.clock import Clock
from callwright.egress.addresses import Veto, refusal_of_url
from callwright.egress.door import MAX_KEPT, Answer, Consumer, Download, EgressSettings, Header, Transport


class LateDoor:
    """A `Transport` that loads `egress.post.HttpDoor` on a thread, at `open` or with the first request."""

    def __init__(self, settings: EgressSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._veto = Veto(settings.allow)
        self._opening: asyncio.Task[Transport] | None = None

    async def open(self) -> Transport:
        if self._opening is None:
            self._opening = asyncio.create_task(self._load())
        return await asyncio.shield(self._opening)

    async def _load(self) -> Transport:
        module = await asyncio.to_thread(importlib.import_module, "callwright.egress.post")
        door: Transport = module.HttpDoor(self._settings, self._clock)
        return door

    def refusal(self, url: str) -> str | None:
        return refusal_of_url(url, self._veto)

    async def post(
        self,
        url: str,
        headers: Sequence[Header],
        body: bytes,
        timeout: float,
        *,
        repeatable: bool = False,
        max_kept: int = MAX_KEPT,
    ) -> Answer:
        door = await self.open()
        return await door.post(url, headers, body, timeout, repeatable=repeatable, max_kept=max_kept)

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        door = await self.open()
        return await door.fetch(url, headers, timeout=timeout, max_bytes=max_bytes, redirects=redirects)

    async def download(
        self,
        url: str,
        to: Path,
        *,
        timeout: float,
        max_bytes: int,
        etag: str | None = None,
        headers: Sequence[Header] = (),
        redirects: int = 3,
    ) -> Download:
        door = await self.open()
        return await door.download(
            url, to, timeout=timeout, max_bytes=max_bytes, etag=etag, headers=headers, redirects=redirects
        )

    async def stream(
        self,
        url: str,
        consumer: Consumer,
        headers: Sequence[Header] = (),
        *,
        timeout: float,
        stall: float,
        max_bytes: int,
        redirects: int = 3,
    ) -> Answer:
        door = await self.open()
        return await door.stream(url, consumer, headers, timeout=timeout, stall=stall, max_bytes=max_bytes, redirects=redirects)

    async def close(self) -> None:
        if self._opening is not None:
            await (await self._opening).close()
