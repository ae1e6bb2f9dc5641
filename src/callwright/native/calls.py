"""The list of calls: any part of it, in pages that hold whatever happens meanwhile, or as a file."""

from __future__ import annotations

from typing import Any

from callwright.accounts.worlds import World
from callwright.calls import search
from callwright.calls.export import Export, Format
from callwright.calls.filters import CallFilter
from callwright.calls.search import Place
from callwright.clock import rfc3339
from callwright.errors import BadQuery
from callwright.native import views
from callwright.native.asking import Ask
from callwright.native.cursors import seal, unseal
from callwright.native.exporting import Download
from callwright.native.filters import call_filter, text_of

_FORMATS = {form.value: form for form in Format}


async def show_all(ask: Ask) -> Any:
    """``data``, and cursors: ``next`` and ``prev`` for the pages after and before, null where there is none, and ``refresh``
    for the list of what is made from now on.

    A page may have fewer than ``limit`` calls, even none, and yet a next one. ``total`` is of all that match now.
    """
    world = ask.world
    wanted = call_filter(ask, besides=("sort", "limit", "cursor"))
    newest_first, limit = _newest_first(ask), ask.limit()
    of = _list_named(wanted, newest_first)
    place, since = _begin(ask, world, of)
    found = await search.find(
        ask.parts.store, world.id, wanted, limit=limit, newest_first=newest_first, place=place, since=since
    )
    return {
        "data": [views.listed_call(call, world) for call in found.calls],
        "next": _cursor(world, of, found.next),
        "prev": _cursor(world, of, found.prev),
        "refresh": seal(world, of, found.since),
        "total": {"count": found.total.n, "exact": found.total.exact},
        "limit": limit,
    }


async def export(ask: Ask) -> Any:
    """All calls that match and are there when it begins, as a file with a line for each."""
    world = ask.world
    wanted = call_filter(ask, besides=("sort", "format"))
    newest_first, form = _newest_first(ask), _format(ask)
    exports = ask.parts.exports
    exports.check(world)
    calls = Export(ask.parts.store, world.id, world.kind, wanted, form, newest_first=newest_first)
    first = await calls.batch()  # here, as what fails before anything is sent is answered like any other request
    exports.check(world)  # once more, as several may have waited for theirs
    at = rfc3339(exports.clock.now_us()).replace("-", "").replace(":", "")
    return Download(calls, form, f"calls-{world.kind}-{at}.{form.value}", world, exports, first)


def _newest_first(ask: Ask) -> bool:
    text = ask.query("sort")
    if text is None:
        return True
    if text not in ("newest", "oldest"):
        raise BadQuery(f"sort must be newest or oldest; it was {text[:20]!r}.", parameter="sort", example="sort=oldest")
    return text == "newest"


def _format(ask: Ask) -> Format:
    text = ask.query("format")
    if text is None:
        return Format.CSV
    if text not in _FORMATS:
        raise BadQuery(f"format must be csv or ndjson; it was {text[:20]!r}.", parameter="format", example="format=ndjson")
    return _FORMATS[text]


def _list_named(wanted: CallFilter, newest_first: bool) -> str:
    return f"calls {'newest' if newest_first else 'oldest'} {text_of(wanted)}"


def _cursor(world: World, of: str, place: Place | None) -> str | None:
    return None if place is None else seal(world, of, *place)


def _begin(ask: Ask, world: World, of: str) -> tuple[Place | None, int | None]:
    """The place of a ``next`` or ``prev``, or what a ``refresh`` begins after."""
    cursor = ask.query("cursor")
    if cursor is None:
        return None, None
    numbers = unseal(world, of, cursor)
    if numbers is not None and len(numbers) == 1:
        return None, numbers[0]
    if numbers is not None and len(numbers) == 4:
        back, *rest = numbers
        return Place(bool(back), *rest), None
    raise BadQuery(
        "cursor is none of this list: it goes with the very filters and the sort that it was given with, in the same world.",
        parameter="cursor",
        example="status=ended&cursor=(the next of a page of status=ended)",
        remedy="Give what was given for the first page, or begin again without a cursor.",
    )
