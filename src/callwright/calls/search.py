"""Calls that a filter is true of: a page from any place on, how many there are, and all of them in batches.

Some of the terms of a filter have an index that gives the positions of their calls in order. The one that leads to the fewest
is followed, and the other terms are checked on each row. What only a look at the rows can tell is sought within bounds: a page
may be short, or empty, and yet have a next one, and counting stops somewhere and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.filters import CallFilter
from callwright.calls.lists import EVER, count_calls
from callwright.calls.model import Call
from callwright.calls.rows import LISTED, call_of
from callwright.calls.terms import Term, terms_of
from callwright.store import Param, Reader, Row, Store
from callwright.store.blocks import ALL, BLOCK, SPAN, CountersWrong, blocks_of, positions_of

# Rows that are looked at for one page, and calls that are counted.
LOOKED_AT, COUNTED = 50_000, 10_000
# How far the calls that an index leads to are counted before one is chosen. The index of numbers has those that begin alike
# in the order of the numbers; so many are put into that of time, and where there are more, it is no lead.
PROBED = 20_000
CHUNKS = 256, 8_192


class Place(NamedTuple):
    """Where a page of a list begins, as the page before or after it told.

    Positions `floor` to before `top` make the list: those there were when its first page was read. The page goes on from
    `boundary`, which is before the position of that number; with `back` it is the page before.
    """

    back: bool
    boundary: int
    floor: int
    top: int


class Total(NamedTuple):
    """How many calls there are; not `exact` where counting stopped."""

    n: int
    exact: bool


class Found(NamedTuple):
    """A page of calls, which come as in `list_calls`; `since` is the end of the list, where later calls will be."""

    calls: list[Call]
    next: Place | None
    prev: Place | None
    since: int
    total: Total


class Batch(NamedTuple):
    """What is to be shown of some calls, and where to go on; None when these were the last."""

    shown: list[str]
    next: Place | None


async def find(
    store: Store,
    world_id: UUID,
    wanted: CallFilter,
    *,
    limit: int,
    newest_first: bool = True,
    place: Place | None = None,
    since: int | None = None,
) -> Found:
    """A page of a list: its first, the one at a `place`, or the first of those made `since` another was begun."""

    def read(reader: Reader, doubt: Callable[[], None]) -> Found:
        search = Search(reader, world_id, wanted, newest_first=newest_first, doubt=doubt)
        return search.page(place or search.begin(since), limit)

    # What the counters know is found at once, unless they are wrong. Of times they know too little for that: one call made
    # by a clock that was wrong has a range begin far from where its other calls are.
    if wanted.counted and wanted.created is None and wanted.ended is None:
        with suppress(CountersWrong), store.snapshot() as reader:
            return read(reader, _give_up)
    return await store.look(lambda reader: read(reader, lambda: store.doubt("calls")))


def _give_up() -> None:
    raise CountersWrong


class Search:
    """One look for calls, in one snapshot."""

    def __init__(
        self,
        reader: Reader,
        world_id: UUID,
        wanted: CallFilter,
        *,
        newest_first: bool,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        """`doubt` is called where counters are wrong, before rows are counted in their place."""
        self._doubt = doubt
        self._reader = reader
        self._world_id = world_id
        self._wanted = wanted
        self._newest_first = newest_first
        facets, others, self._params = terms_of(world_id, wanted)
        self._low, self._high = self._edges()
        self._lead = self._chosen(facets, [term for term in others if term.arms])
        conditions = [term.condition for term in (facets, *others) if term is not self._lead or term.checked]
        self._rest = " AND ".join(condition for condition in conditions if condition)

    def begin(self, since: int | None = None) -> Place:
        """The first place of the list that there is now, or of what was made since."""
        ((last,),) = self._reader.read("calls.last_pos", (self._world_id.bytes,))
        floor = ALL[0] if since is None else since
        top = int(last or 0) + 1
        return Place(False, top if self._newest_first else floor, floor, top)

    def page(self, place: Place, limit: int) -> Found:
        positions, reached = self._positions(place, limit)
        if place.back:
            positions.reverse()
        on = None if reached is None else place._replace(boundary=reached)
        turned = place._replace(back=not place.back)
        is_first = place.boundary == (place.top if self._newest_first else place.floor)
        is_all = is_first and on is None and place.floor == ALL[0]
        return Found(
            calls=self._rows(positions),
            next=turned if place.back else on,
            prev=on if place.back else None if is_first else turned,
            since=place.top,
            total=Total(len(positions), exact=True) if is_all else self._total(),
        )

    def batch(self, place: Place, shown: str, size: int, **named: Param) -> Batch:
        """Look at so many rows, and make a text of each call by an expression of SQL, which may name further values."""
        down = self._down(place)
        self._params |= named
        rows = self._chunk(shown, down, *self._window(place), size)
        texts = [text for _, text in rows if isinstance(text, str)]
        return Batch(texts, place._replace(boundary=_beyond(rows[-1], down)) if len(rows) == size else None)

    def look_through(self, place: Place, size: int) -> None:
        """Read what `batch` makes texts of. Raises `Unreadable` for a row that none can be made of."""
        rows = self._chunk("1", self._down(place), *self._window(place), size)
        self._rows([pos for pos, matches in rows if matches])

    def _edges(self) -> tuple[int, int]:
        """Positions outside of which the counters know of no call in the spans of time."""
        created, ended = self._wanted.created, self._wanted.ended
        if created is None and ended is None:
            return ALL
        number = b"" if self._wanted.number_id is None else self._wanted.number_id.bytes
        times = (*(created or EVER), ended is None, *(ended or EVER))

        def within(level: int, first: int, last: int) -> tuple[Param, ...]:
            ((oldest, newest),) = self._reader.read(
                "calls.edge_blocks", (self._world_id.bytes, number, level, first, last, *times)
            )
            return oldest, newest

        oldest, newest = within(SPAN, *ALL)
        if oldest is None or newest is None:
            # Where the newest call is in the spans of time nevertheless, the counters are wrong.
            return ALL if count_calls(self._reader, self._world_id, self._wanted.facets, self._doubt) else (0, 0)
        # The times of a span may be those of blocks that are none in the range.
        first, _ = within(BLOCK, *(early := blocks_of(int(oldest))))
        _, last = within(BLOCK, *(late := blocks_of(int(newest))))
        low, _ = positions_of(early[0] if first is None else int(first))
        _, high = positions_of(late[1] if last is None else int(last))
        return low, high + 1

    def _chosen(self, facets: Term, others: list[Term]) -> Term:
        """The term whose index leads to the fewest rows; of equals the first."""
        if not others:
            return facets
        reach, lead = min(((self._reach(term), term) for term in others), key=_first)
        known = count_calls(self._reader, self._world_id, msgspec.structs.replace(self._wanted.facets, ended=None), self._doubt)
        return lead if reach <= known else facets

    def _reach(self, term: Term) -> int:
        """How many rows a term's index leads to, counted no further than it takes to choose."""
        if term.ordered:
            sql = f"SELECT COUNT(*) FROM ({_merged(term, 'DESC')})"
            return self._number(sql, low=self._low, high=self._high, take=PROBED + 1)
        reach = self._number(f"SELECT COUNT(*) FROM (SELECT 1 {term.arms[0]} LIMIT :take)", take=PROBED + 1)
        return reach if reach <= PROBED else ALL[1]

    def _down(self, place: Place) -> bool:
        return self._newest_first is not place.back

    def _window(self, place: Place) -> tuple[int, int]:
        low, high = max(place.floor, self._low), min(place.top, self._high)
        return (low, min(high, place.boundary)) if self._down(place) else (max(low, place.boundary), high)

    def _positions(self, place: Place, limit: int) -> tuple[list[int], int | None]:
        """Positions of calls from a place on, and the boundary after what was looked at; None when that was all."""
        down = self._down(place)
        low, high = self._window(place)
        found: list[int] = []
        looked_at, size = 0, max(limit + 1, CHUNKS[0]) if self._rest else limit + 1
        while looked_at < LOOKED_AT:
            rows = self._chunk("1", down, low, high, size)
            for row in rows:
                if row[1] is None:
                    continue
                if len(found) == limit:
                    return found, _beyond((found[-1], 1), down)
                found.append(row[0])
            if len(rows) < size:
                return found, None
            boundary = _beyond(rows[-1], down)
            low, high = (low, boundary) if down else (boundary, high)
            looked_at += size
            size = min(size * 4, CHUNKS[1])
        return found, high if down else low

    def _chunk(self, shown: str, down: bool, low: int, high: int, size: int) -> list[_Row]:
        """Rows that the index leads to, in order, with what is to be shown of those that match; None for the others."""
        sql = self._looked_at(shown, "DESC" if down else "ASC")
        rows: list[Any] = self._select(sql, low=low, high=high, take=size)
        # The order of what is joined is promised by nobody; it is there already.
        rows.sort(key=_first, reverse=down)
        return rows

    def _looked_at(self, shown: str, order: str) -> str:
        found = _merged(self._lead, order)
        if not self._rest:
            if shown == "1":
                return f"SELECT pos, 1 AS shown FROM ({found})"
        else:
            shown = f"CASE WHEN {self._rest} THEN {shown} END"
        return f"SELECT found.pos AS pos, {shown} AS shown FROM ({found}) AS found CROSS JOIN calls ON calls.pos = found.pos"

    def _rows(self, positions: list[int]) -> list[Call]:
        """Calls by their positions, of which each is there."""
        sql = f"SELECT pos, {LISTED} FROM calls WHERE pos IN (SELECT value FROM json_each(:positions))"
        rows = self._select(sql, positions=msgspec.json.encode(positions).decode())
        by_pos = {row[0]: call_of(row[1:]) for row in rows}
        return [by_pos[pos] for pos in positions]

    def _total(self) -> Total:
        if self._wanted.counted:
            return Total(count_calls(self._reader, self._world_id, self._wanted.facets, self._doubt), exact=True)
        sql = f"SELECT COUNT(*), COUNT(shown), MIN(pos) FROM ({self._looked_at('1', 'DESC')})"
        count = looked_at = 0
        high, size = self._high, CHUNKS[1] if self._rest else COUNTED + 1
        while looked_at < LOOKED_AT and count <= COUNTED:
            ((rows, matching, lowest),) = self._select(sql, low=self._low, high=high, take=size)
            count += int(matching or 0)
            if int(rows or 0) < size:
                return Total(count, exact=True)
            high = int(lowest or 0)
            looked_at += size
        return Total(min(count, COUNTED), exact=False)

    def _number(self, sql: str, **more: Param) -> int:
        ((count,),) = self._select(sql, **more)
        return int(count or 0)

    def _select(self, sql: str, **more: Param) -> list[Row]:
        params: Mapping[str, Param] = self._params | more
        return self._reader.select(sql, params)


_Row = tuple[int, Param]


def _first(row: tuple[int, Any]) -> int:
    return row[0]


def _merged(term: Term, order: str) -> str:
    """Positions that a term's index gives; of several arms, as they come in order."""
    arms = " UNION ALL ".join(f"SELECT pos {arm} AND pos >= :low AND pos < :high" for arm in term.arms)
    return f"{arms} ORDER BY pos {order} LIMIT :take"


def _beyond(row: _Row, down: bool) -> int:
    """The boundary behind a row."""
    return row[0] if down else row[0] + 1
