"""An answer that goes on until either end lets go, such as what happens while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from callwright.calls.following import Seat
from callwright.clock import Clock
from callwright.log import Log

# Who takes so long for one piece is let go: with a word if it takes that, and without one after the second span.
SLOW_S, CUT_S = 30.0, 60.0
# What the server under the application offers for that (`web.CUT`).
CUT = "callwright.cut"

_log = Log("native")


class Partings(NamedTuple):
    """Last words: to one that is too slow, made of the sentence that says so, and of a server that stops."""

    dropped: Callable[[str], bytes]
    stopping: bytes


class Stream(Response):
    """Sends pieces, one when the one before it is taken; whoever reads them has its seat until then."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        seat: Seat,
        clock: Clock,
        partings: Partings,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", **(headers or {})}, media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._seat = seat
        self._clock = clock
        self._partings = partings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._seat.cut = cut_of(scope)
        with self._seat:
            if scope["method"] == "HEAD":
                await self._pieces.aclose()
                await send(self._start())
                await send(_piece(b"", last=True))
            else:
                await self._send_until_gone(receive, send)

    async def _send_until_gone(self, receive: Receive, send: Send) -> None:
        streaming = asyncio.create_task(self._stream(send))
        gone = asyncio.create_task(gone_from(receive))
        try:
            await asyncio.wait({streaming, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (streaming, gone):
                task.cancel()
            results = await asyncio.gather(streaming, gone, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _stream(self, send: Send) -> None:
        await send(self._start())
        async with aclosing(self._pieces) as pieces:
            try:
                last = await self._send_pieces(send, pieces)
            except TimeoutError:
                _log.warning("listener_dropped", detail=f"it took nothing for {CUT_S:.0f} s")
                self._seat.cut()
                return
        await send(_piece(last, last=True))

    async def _send_pieces(self, send: Send, pieces: AsyncGenerator[bytes]) -> bytes:
        """Send one by one; the last word. Raises `TimeoutError` for a reader that takes nothing."""
        async for piece in pieces:
            took_s = await self._send(send, piece)
            if took_s > SLOW_S:
                _log.warning("listener_dropped", detail=f"it took {took_s:.0f} s for a line")
                return self._partings.dropped(f"You took {took_s:.0f} s for a line; {SLOW_S:.0f} s are allowed.")
        return self._partings.stopping

    async def _send(self, send: Send, piece: bytes) -> float:
        began_ns = self._clock.mono_ns()
        async with self._clock.timeout(CUT_S):
            await send(_piece(piece, last=False))
        return (self._clock.mono_ns() - began_ns) / 1e9

    def _start(self) -> Message:
        return {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}


def _piece(body: bytes, *, last: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": not last}


def cut_of(scope: Scope) -> Callable[[], None]:
    cut: Callable[[], None] = scope.get("extensions", {}).get(CUT, {}).get("now", lambda: None)
    return cut


async def gone_from(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
