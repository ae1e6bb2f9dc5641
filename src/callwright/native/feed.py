"""``GET /events``: what happens in a world, as server-sent events that a lost line does not lose.

The wire is that of the WHATWG HTML standard, §9.2. The id of an event is a sealed position; it is also told where nothing
happened, so that one who comes back is told of what came after, and of nothing twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from callwright.accounts.worlds import World
from callwright.calls import rows
from callwright.calls.events import Event
from callwright.calls.feed import Feed, Happening, Sign, Step, Watched
from callwright.calls.following import Position
from callwright.calls.lines import one_line
from callwright.clock import SECOND_US, rfc3339
from callwright.dialect.callbacks import CALL, TYPE_OF, TYPES, WEBHOOK, endpoint_notice
from callwright.errors import BadQuery, NotFound, Unavailable
from callwright.native import views
from callwright.native.asking import Ask, nearest
from callwright.native.cursors import seal, unseal
from callwright.native.filters import call_filter
from callwright.native.streaming import Partings, Stream
from callwright.recordings import events as recording_events
from callwright.transcriptions import events as transcription_events

OF = "events"
LAST_SEEN_HEADER, LAST_SEEN = "Last-Event-ID", "lastEventId"
_BESIDES = ("call", "type", "since", LAST_SEEN)
# What a client waits before it comes back.
RETRY_MS = 2_000
# How far a client's clock may be before ours.
_AHEAD_US = 60 * SECOND_US

_encode = msgspec.json.Encoder().encode


async def watch(ask: Ask) -> Any:
    """What is told of calls goes by the filters of their list, applied to the call as it was then; ``type`` and ``call`` say
    what else is wanted. It begins after ``Last-Event-ID``, else at ``since``, else now.
    """
    world = ask.world
    wanted = call_filter(ask, besides=_BESIDES, searched=False)
    watched = Watched(world_id=world.id, types=_types(ask), calls=wanted, call_id=ask.query_id("call"), from_us=_since(ask))
    _check_conflicts(ask, watched)
    last_seen = _last_seen(ask, world)
    if watched.call_id is not None and rows.find_call(ask.parts.store, world.id, watched.call_id) is None:
        raise NotFound(f"No call found for ID `{watched.call_id}`.")
    feed = ask.parts.feed
    if feed is None:
        raise Unavailable("No server runs on this data folder, so nothing happens.", remedy="Start it: callwright serve")
    begin = last_seen or _beginning(feed, watched)
    seat = feed.admit(world.id)
    pieces = _pieces(world, begin, feed.follow(seat, watched, begin))
    # A proxy that keeps pieces until it has enough of them would hold up what is live; nginx is told so.
    unbuffered = {"X-Accel-Buffering": "no"}
    return Stream(pieces, seat, feed.clock, _PARTINGS, media_type="text/event-stream", headers=unbuffered)


def line_of(world: World, event: Event) -> bytes:
    """What an event tells, as one line of the JSON that the rest of the interface has for it."""
    return one_line(_encode(_view(world, event)))


def _view(world: World, event: Event) -> dict[str, Any]:
    match TYPE_OF.get(event.kind, CALL):
        case "leg":
            return views.single_leg(event.leg)
        case "recording":
            return views.recording_told(recording_events.unpack(event.content))
        case "transcription":
            return views.transcription(transcription_events.unpack(event.content))
        case "webhook":
            return views.notice(endpoint_notice(event))
        case _:
            return views.call_told(event.snapshot, world)


def _types(ask: Ask) -> frozenset[str]:
    given = ask.query("type")
    wanted = [CALL] if given is None else given.split(",")
    for one in wanted:
        if one not in TYPES:
            raise BadQuery(
                f"type has {one[:40]!r}, which is no type of event{nearest(one, TYPES)}; there are {', '.join(TYPES)}.",
                parameter="type",
                example="type=call,recording",
            )
    return frozenset(wanted)


def _check_conflicts(ask: Ask, watched: Watched) -> None:
    """What is told of receivers is no call's, and so is told of none that is asked for."""
    asked = next((name for name in ask.names() if name == "call" or name not in _BESIDES), None)
    if asked is not None and watched.types == {WEBHOOK}:
        raise BadQuery(
            f"type={WEBHOOK} and {asked[:60]}={str(ask.query(asked))[:40]} can not both be: webhooks belong to no call.",
            parameter="type",
            example=f"type={CALL},{WEBHOOK}&status=ended",
            remedy=f"Name a type that calls have beside it, or leave {asked[:60]} out.",
        )


def _since(ask: Ask) -> int | None:
    since_us = ask.moment("since")
    if since_us is not None and since_us > ask.parts.clock.now_us() + _AHEAD_US:
        raise BadQuery(
            f"since is a time that has been; it was {str(ask.query('since'))[:40]!r}, and here it is "
            f"{rfc3339(ask.parts.clock.now_us())}.",
            parameter="since",
            example=f"since={rfc3339(ask.parts.clock.now_us())}",
            remedy="Leave it out to begin now.",
        )
    return since_us


def _last_seen(ask: Ask, world: World) -> Position | None:
    """A browser that comes back sends the header, and the query that it began with."""
    header = ask.header(LAST_SEEN_HEADER)
    text, parameter = (header, LAST_SEEN_HEADER) if header else (ask.query(LAST_SEEN), LAST_SEEN)
    if not text:
        return None
    numbers = unseal(world, OF, text)
    if numbers is None or len(numbers) != 2:
        raise BadQuery(
            f"{parameter} is the id of no event of this world; it was {text[:40]!r}.",
            parameter=parameter,
            example="since=2026-05-04T10:00:00Z",
            remedy="Send an id as it came, or begin at a time, or leave both out to begin now.",
        )
    return Position(*numbers)


def _beginning(feed: Feed, watched: Watched) -> Position:
    if watched.from_us is None:
        return feed.here()
    # What happened to one call is found by itself.
    return feed.before(watched.from_us) if watched.call_id is None else Position(0, 0)


async def _pieces(world: World, begin: Position, steps: AsyncGenerator[Step]) -> AsyncGenerator[bytes]:
    yield b": the %b world\nretry: %d\nid: %b\n\n" % (world.kind.encode(), RETRY_MS, _id(world, begin))
    async with aclosing(steps):
        async for position, what in steps:
            match what:
                case Happening():
                    yield _piece(what.event.kind, what.data, _id(world, position))
                case Sign.GAP:
                    yield _piece("gap", _GAP, _id(world, position))
                case Sign.CAUGHT_UP:
                    yield b": caught up\nid: %b\n\n" % _id(world, position)
                case Sign.ALIVE:
                    yield b": alive\nid: %b\n\n" % _id(world, position)


def _id(world: World, position: Position) -> bytes:
    return seal(world, OF, *position).encode()


def _piece(kind: str, data: bytes, id_: bytes | None = None) -> bytes:
    told = b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
    return told if id_ is None else b"id: %b\n%b" % (id_, told)


_GAP = _encode(
    {
        "message": "Events that would be told here are gone: what they were about was deleted, a backup was restored, "
        "or they cannot be read.",
        "remedy": "Ask for the list again (GET /api/calls); what follows is whole.",
    }
)
_PARTINGS = Partings(
    dropped=lambda why: _piece("dropped", _encode({"message": why, "remedy": "Come back with the last id: nothing is lost."})),
    stopping=b": the server is stopping\n\n",
)
