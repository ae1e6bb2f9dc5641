"""``GET /listen``: a world's callbacks as lines of JSON, as they happen, signed for a URL of the listener's choice."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from callwright.accounts.worlds import World
from callwright.calls.following import Position
from callwright.calls.lines import one_line
from callwright.errors import BadQuery, Unavailable
from callwright.native.asking import Ask, in_query
from callwright.native.cursors import seal, unseal
from callwright.native.streaming import Partings, Stream
from callwright.native.views import moment
from callwright.webhooks.listening import Told, url_of
from callwright.webhooks.webhooks import check_token, checked_events

# A header, as what is in a URL gets written down.
SIGN_WITH_HEADER = "Callwright-Token"
OF = "listen"

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
    told = listening.follow(seat, url, token, types, begin)
    return Stream(_lines(world, begin, told), seat, listening.clock, _PARTINGS, media_type="application/x-ndjson")


def _position(world: World, text: str | None) -> Position | None:
    if text is None:
        return None
    numbers = unseal(world, OF, text)
    if numbers is None or len(numbers) != 2:
        raise BadQuery("after is not the resume of any line of this world.", parameter="after", remedy="Listen without it.")
    return Position(*numbers)


async def _lines(world: World, begin: Position, told: AsyncGenerator[Told | None]) -> AsyncGenerator[bytes]:
    yield _line({"type": "ready", "world": world.kind, "resume": seal(world, OF, *begin)})
    async with aclosing(told):
        async for one in told:
            yield _line({"type": "alive"} if one is None else _event(world, one))


def _event(world: World, told: Told) -> dict[str, Any]:
    return {
        "type": "event",
        "resume": seal(world, OF, *told.position),
        "messageId": told.message_id,
        "event": told.kind,
        "callId": told.call_id,
        "at": moment(told.at_us),
        "headers": told.headers,
        "body": told.body.decode(),
    }


def _line(what: dict[str, Any]) -> bytes:
    return one_line(_encode(what)) + b"\n"


_PARTINGS = Partings(
    dropped=lambda why: _line({"type": "dropped", "why": why}),
    stopping=_line({"type": "stopping", "why": "The server is stopping."}),
)
