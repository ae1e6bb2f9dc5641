"""``GET /listen``: a world's callbacks as lines of JSON, as they happen, signed for a URL of the listener's choice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callwright.accounts.worlds import World
from callwright.clock import Clock
from callwright.errors import BadQuery, Unavailable
from callwright.log import Log
from callwright.native.asking import Ask, in_query
from callwright.native.cursors import seal, unseal
from callwright.native.views import moment
from callwright.webhooks.listening import Position, Seat, Told, url_of
from callwright.webhooks.webhooks import check_token, checked_events

# A header, as what is in a URL gets written down.
SIGN_WITH_HEADER = "Callwright-Token"
OF = "listen"
# A listener that takes so long for one line is let go: with a word if it takes that, and without one after the second span.
SLOW_S, CUT_S = 30.0, 60.0
# What the server under the application offers for that (`web.CUT`).
CUT = "callwright.cut"

_log = Log("native")
_encode = msgspec.json.Encoder().encode


async def listen(ask: Ask) -> Any:
    """Lines of ``type`` ``ready``, ``event``, ``alive``, ``dropped`` and ``stopping``. ``after`` is the ``resume`` of the last
    line that was seen; without it, what happens from now on is told.
    """
    world = ask.world
    ask.only(("url", "events", "after"))
    listening = ask.parts.listening
    if listening is None:
        raise Unavailable("No server runs on this data folder, so nothing happens.", remedy="Start it: callwright serve")
    with in_query("url=http://localhost:3000/callbacks"):
        url = url_of(ask.query("url"))
    with in_query("events=call,recording"):
        types = checked_events([name for name in (ask.query("events") or "").split(",") if name])
    token = ask.header(SIGN_WITH_HEADER)
    check_token(token, SIGN_WITH_HEADER)
    after = _position(world, ask.query("after"))
    begin = listening.here() if after is None else after
    seat = listening.admit(world.id)
    follow = listening.follow(seat, url, token, types, begin)
    return _Lines(world, begin, seat, follow, listening.clock)


def _position(world: World, text: str | None) -> Position | None:
    if text is None:
        return None
    numbers = unseal(world, OF, text)
    if numbers is None or len(numbers) != 2:
        raise BadQuery("after is not the resume of any line of this world.", parameter="after", remedy="Listen without it.")
    return Position(*numbers)


class _Lines(Response):
    """An answer that goes on until either end lets go; the listener has its seat until then."""

    def __init__(self, world: World, begin: Position, seat: Seat, told: AsyncIterator[Told | None], clock: Clock) -> None:
        super().__init__(headers={"Cache-Control": "no-store"}, media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._world = world
        self._begin = begin
        self._seat = seat
        self._told = told
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._seat.cut = _cut(scope)
        with self._seat:
            await self._tell_until_gone(receive, send)

    async def _tell_until_gone(self, receive: Receive, send: Send) -> None:
        streaming = asyncio.create_task(self._stream(send))
        gone = asyncio.create_task(_gone(receive))
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
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._told) as told:  # type: ignore[type-var]
            try:
                last = await self._tell(send, told)
            except TimeoutError:
                _log.warning("listener_dropped", detail=f"it took no line for {CUT_S:.0f} s")
                self._seat.cut()
                return
        await send({"type": "http.response.body", "body": _line(last), "more_body": False})

    async def _tell(self, send: Send, told: AsyncIterator[Told | None]) -> dict[str, Any]:
        """Tell line by line; the last line. Raises `TimeoutError` for a listener that takes none."""
        await self._send(send, {"type": "ready", "world": self._world.kind, "resume": self._resume(self._begin)})
        async for one in told:
            took_s = await self._send(send, {"type": "alive"} if one is None else self._event(one))
            if took_s > SLOW_S:
                _log.warning("listener_dropped", detail=f"it took {took_s:.0f} s for a line")
                return {"type": "dropped", "why": f"You took {took_s:.0f} s for a line; {SLOW_S:.0f} s are allowed."}
        return {"type": "stopping", "why": "The server is stopping."}

    async def _send(self, send: Send, line: dict[str, Any]) -> float:
        began_ns = self._clock.mono_ns()
        async with self._clock.timeout(CUT_S):
            await send({"type": "http.response.body", "body": _line(line), "more_body": True})
        return (self._clock.mono_ns() - began_ns) / 1e9

    def _event(self, told: Told) -> dict[str, Any]:
        return {
            "type": "event",
            "resume": self._resume(told.position),
            "messageId": told.message_id,
            "event": told.kind,
            "callId": told.call_id,
            "at": moment(told.at_us),
            "headers": told.headers,
            "body": told.body.decode(),
        }

    def _resume(self, position: Position) -> str:
        return seal(self._world, OF, *position)


def _line(what: dict[str, Any]) -> bytes:
    return _encode(what) + b"\n"


def _cut(scope: Scope) -> Callable[[], None]:
    cut: Callable[[], None] = scope.get("extensions", {}).get(CUT, {}).get("now", lambda: None)
    return cut


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
