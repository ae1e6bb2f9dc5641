"""Lists as files that are made as they are sent: one batch is on its way while the next is read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callwright.accounts.worlds import World
from callwright.calls.export import Export, Format, head
from callwright.calls.search import Place
from callwright.clock import Clock
from callwright.errors import Unavailable
from callwright.log import Log
from callwright.native.streaming import CUT_S, cut_of, gone_from

# Each holds two batches, of a megabyte or two.
MOST_OF_A_WORLD = 4

_TYPES = {Format.CSV: "text/csv; charset=utf-8; header=present", Format.NDJSON: "application/x-ndjson"}
_log = Log("native")


class Exports:
    """How many are under way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._running: Counter[str] = Counter()

    def check(self, world: World) -> None:
        """Raises `Unavailable` when a world has as many as may be."""
        if self._running[world.kind] >= MOST_OF_A_WORLD:
            raise Unavailable(
                f"{MOST_OF_A_WORLD} exports of the {world.kind} world are under way, as many as may be.",
                remedy="Try again when one of them is done.",
            )

    @contextmanager
    def under_way(self, world: World) -> Iterator[None]:
        self._running[world.kind] += 1
        try:
            yield
        finally:
            self._running[world.kind] -= 1


class Download(Response):
    """An export as it is made, of which the `first` batch is read. When the making fails midway it is broken off, which no
    client takes for the end.
    """

    def __init__(
        self, calls: Export, form: Format, name: str, world: World, exports: Exports, first: tuple[bytes, Place | None]
    ) -> None:
        super().__init__(
            headers={"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'},
            media_type=_TYPES[form],
        )
        del self.headers["content-length"]
        self._calls = calls
        self._form = form
        self._world = world
        self._exports = exports
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await self._start(send)
            await send({"type": "http.response.body"})
            return
        with self._exports.under_way(self._world):
            sending = asyncio.create_task(self._send_all(send))
            gone = asyncio.create_task(gone_from(receive))
            try:
                await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                gone.cancel()
                sent, _ = await asyncio.gather(sending, gone, return_exceptions=True)
        if isinstance(sent, TimeoutError):
            _log.warning("export_dropped", detail=f"nothing of it was taken for {CUT_S:.0f} s")
            cut_of(scope)()
        elif isinstance(sent, Exception):
            raise sent

    async def _send_all(self, send: Send) -> None:
        lines, place = self._first
        await self._start(send)
        lines = head(self._form) + lines
        while place is not None:
            coming = asyncio.create_task(self._calls.batch(place))
            try:
                await self._send(send, lines, more=True)
                lines, place = await coming
            finally:
                coming.cancel()
        await self._send(send, lines, more=False)

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, send: Send, lines: bytes, *, more: bool) -> None:
        """Raises `TimeoutError` for a client that does not take it."""
        if lines or not more:
            async with self._exports.clock.timeout(CUT_S):
                await send({"type": "http.response.body", "body": lines, "more_body": more})
