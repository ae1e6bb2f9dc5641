"""The list of a world's calls, whole or by status, direction, number and time: any page of it, and exactly how many there are.

The counters (`store.blocks`) know these facets and whatever is made of several of them. What else calls can be looked for
by is sought row by row, in `calls.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.model import LIVE_CALL, Call, CallStatus, Direction
from callwright.calls.rows import LISTED, call_of
from callwright.store import Param, Reader, Store
from callwright.store.blocks import (
    ALL,
    BLOCK,
    NEWEST,
    SPAN,
    SPAN_BITS,
    Counted,
    CountersWrong,
    Stretch,
    blocks_of,
    find,
    positions_of,
)

EVER = -(1 << 62), 1 << 62
CELLS = tuple((direction, status) for direction in Direction for status in CallStatus)
_OVER = frozenset(CallStatus) - LIVE_CALL


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """What the counters can tell calls by. Spans of time are from the first microsecond to before the second.

    Only calls that are over have an end: with an `ended` all others are left out.
    """

    statuses: frozenset[CallStatus] = frozenset(CallStatus)
    direction: Direction | None = None
    number_id: UUID | None = None
    created: tuple[int, int] | None = None
    ended: tuple[int, int] | None = None

    @property
    def cells(self) -> tuple[tuple[Direction, CallStatus], ...]:
        """The pairs of direction and status that are asked for."""
        wanted = self.statuses & _OVER if self.ended is not None else self.statuses
        return tuple(cell for cell in CELLS if self.direction in (None, cell[0]) and cell[1] in wanted)


class Page(NamedTuple):
    """Rows of one page, newest first, and how many there are in all."""

    total: int
    calls: list[Call]


def list_calls(store: Store, world_id: UUID, *, limit: int, offset: int, facets: Facets = Facets()) -> Page:  # noqa: B008
    """A page, newest first. Its calls come without `called` and webhook, which no list shows.

    Raises `CountersWrong` where the counters do not add up.
    """
    with store.snapshot() as reader:
        return _Walk(reader, world_id, facets).page(limit, offset)


async def page_of_calls(store: Store, world_id: UUID, *, limit: int, offset: int, facets: Facets = Facets()) -> Page:  # noqa: B008
    """As `list_calls`; where the counters do not add up the rows themselves are counted, which takes longer the more there
    are, but holds nobody else up.
    """
    with suppress(CountersWrong):
        return list_calls(store, world_id, limit=limit, offset=offset, facets=facets)
    store.doubt("calls")
    return await store.look(lambda reader: _Walk(reader, world_id, facets).page_without_counters(limit, offset))


def count_calls(store: Store | Reader, world_id: UUID, facets: Facets, doubt: Callable[[], None] | None = None) -> int:
    """How many there are; a `Reader` is in a snapshot already.

    `doubt` is called where the counters do not add up, before the rows themselves are counted; without it that is told to
    the operator. Where it raises, they are not.
    """
    if isinstance(store, Store):
        with store.snapshot() as reader:
            return count_calls(reader, world_id, facets, doubt or (lambda: store.doubt("calls")))
    walk = _Walk(store, world_id, facets)
    try:
        return walk.count()
    except CountersWrong:
        if doubt is not None:
            doubt()
        return walk.count_without_counters()


class _Walk:
    """One look at one list, in one snapshot."""

    def __init__(self, reader: Reader, world_id: UUID, facets: Facets) -> None:
        self._reader = reader
        self._cells = facets.cells
        self._timed = facets.created is not None or facets.ended is not None
        cells = () if self._cells == CELLS else self._cells
        self._shape = _Shape(cells, facets.number_id is not None, facets.created is not None, facets.ended is not None)
        created_from, created_to = facets.created or EVER
        ended_from, ended_to = facets.ended or EVER
        self._params: dict[str, Param] = {
            "world": world_id.bytes,
            "number": b"" if facets.number_id is None else facets.number_id.bytes,
            "created_from": created_from,
            "created_to": created_to,
            "ended_from": ended_from,
            "ended_to": ended_to,
        }

    def count(self) -> int:
        total = sum(span.n for span in self._counted(SPAN, *ALL)) if self._cells else 0
        if total < 0:
            raise CountersWrong
        if total == 0:
            self._see_that_there_is_none()
        return total

    def count_without_counters(self) -> int:
        """The same, by counting rows."""
        ((total,),) = self._select(_count_sql(self._shape), low=ALL[0], high=ALL[1])
        return int(total or 0)

    def page(self, limit: int, offset: int) -> Page:
        if not self._cells:
            return Page(0, [])
        spans = self._counted(SPAN, *ALL)
        total, stretch = find(spans, self._blocks, limit=limit, offset=offset, both_ends=True)
        if stretch is None:
            if total == 0:
                self._see_that_there_is_none()
            return Page(total, [])
        calls = self._rows(stretch, self._end(spans, stretch.newest_first) if self._timed else ALL[0])
        if len(calls) < stretch.take:
            raise CountersWrong
        return Page(total, calls)

    def page_without_counters(self, limit: int, offset: int) -> Page:
        """The same, by counting rows and passing over them."""
        return Page(self.count_without_counters(), self._rows(Stretch(NEWEST, offset, limit), ALL[0]))

    def _see_that_there_is_none(self) -> None:
        """Raise `CountersWrong` where the newest call, or that of a status, is one of those of which the counters have none."""
        if self._cells and self._select(_newest_sql(self._shape)) != [(0,)]:
            raise CountersWrong

    def _end(self, spans: list[Counted], newest_first: bool) -> int:
        """The position after which no call is in the spans of time, on the way from one end to the other."""
        span = spans[-1 if newest_first else 0].block
        first, last = blocks_of(span)
        touched = [one.block for one in self._blocks(span)] or [last, first]
        return positions_of(touched[-1])[0] if newest_first else positions_of(touched[0])[1]

    def _blocks(self, span: int) -> list[Counted]:
        return self._counted(BLOCK, *blocks_of(span))

    def _rows(self, stretch: Stretch, end: int) -> list[Call]:
        sql = _page_sql(self._shape, stretch.newest_first)
        rows = self._select(sql, edge=stretch.edge, end=end, take=stretch.take, skip=stretch.skip)
        calls = [call_of(row) for row in rows]
        return calls if stretch.newest_first else calls[::-1]

    def _counted(self, level: int, first: int, last: int) -> list[Counted]:
        """Newest first; of a block that a span of time cuts, its rows are counted."""
        ((found,),) = self._select(_blocks_sql(self._shape), level=level, first=first, last=last)
        try:
            if not self._timed:
                return _counted_of(str(found))
            touched = _touched_of(str(found))
        except msgspec.MsgspecError as error:
            raise CountersWrong from error
        if any(one.whole and not 0 <= one.n <= 1 << SPAN_BITS for one in touched):
            raise CountersWrong
        return [Counted(block, n if whole or not n else self._cut(level, block)) for block, n, whole in touched]

    def _cut(self, level: int, block: int) -> int:
        """How many rows of a block or span are in the spans of time."""
        if level == SPAN:
            blocks = self._blocks(block)
            if not blocks and not self._has_blocks(block):
                raise CountersWrong
            return sum(inner.n for inner in blocks)
        low, high = positions_of(block)
        ((count,),) = self._select(_count_sql(self._shape), low=low, high=high)
        return int(count or 0)

    def _has_blocks(self, span: int) -> bool:
        """Whether there are any, those besides that the spans of time do not touch."""
        first, last = blocks_of(span)
        sql = _blocks_sql(self._shape._replace(created=False, ended=False))
        ((found,),) = self._select(sql, level=BLOCK, first=first, last=last)
        return str(found) != "[]"

    def _select(self, sql: str, **more: Param) -> list[tuple[Param, ...]]:
        params: Mapping[str, Param] = self._params | more
        return self._reader.select(sql, params)


class _Shape(NamedTuple):
    """What the text of a statement depends on; no `cells` are all of them."""

    cells: tuple[tuple[Direction, CallStatus], ...]
    of_number: bool
    created: bool
    ended: bool


class _Touched(NamedTuple):
    """A block or span that spans of time touch, the rows of the list in it, and whether all of them are in those spans."""

    block: int
    n: int
    whole: int


_counted_of = msgspec.json.Decoder(list[Counted]).decode
_touched_of = msgspec.json.Decoder(list[_Touched]).decode


@lru_cache(maxsize=256)
def _blocks_sql(shape: _Shape) -> str:
    """All blocks come as one text: for each row that is stepped to, Python's lock is given away and waited for."""
    n = " + ".join(f"{direction.value}_{status.value}" for direction, status in shape.cells) or "n"
    terms = ["world_id = :world", "number_id = :number", "level = :level", "block BETWEEN :first AND :last"]
    whole = []
    for asked, name, first, last in (
        (shape.created, "created", "oldest_us", "newest_us"),
        (shape.ended, "ended", "first_end_us", "last_end_us"),
    ):
        if asked:
            # Calls that are not over have no end, and are no part of `n` when ends are asked for.
            terms.append(f"{last} >= :{name}_from AND {first} < :{name}_to")
            whole.append(f"{first} >= :{name}_from AND {last} < :{name}_to")
    columns = f"block, {n} AS n" + (f", {' AND '.join(whole)} AS whole" if whole else "")
    return (
        f"SELECT json_group_array(json_array(block, n{', whole' if whole else ''})) FROM "
        f"(SELECT {columns} FROM call_blocks WHERE {' AND '.join(terms)} ORDER BY block DESC)"
    )


@lru_cache(maxsize=256)
def _page_sql(shape: _Shape, newest_first: bool) -> str:
    """The statement takes positions from an index for each pair of direction and status, merged, and then the rows.

    Spans of time have an end: of a pair that has no call there all older ones would be looked at in vain.
    """
    order, side, other = ("DESC", "<=", ">=") if newest_first else ("ASC", ">=", "<=")
    place = f"pos {side} :edge"
    if shape.created or shape.ended:
        place += f" AND pos {other} :end"
    arms = " UNION ALL ".join(_arms(shape, place))
    return (
        f"SELECT {LISTED} FROM calls WHERE pos IN "
        f"(SELECT pos FROM ({arms} ORDER BY pos {order} LIMIT :take OFFSET :skip)) ORDER BY pos {order}"
    )


@lru_cache(maxsize=256)
def _count_sql(shape: _Shape) -> str:
    arms = " UNION ALL ".join(_arms(shape, "pos BETWEEN :low AND :high"))
    return f"SELECT COUNT(*) FROM ({arms})"


@lru_cache(maxsize=256)
def _newest_sql(shape: _Shape) -> str:
    """Whether the newest call of all, or of a pair of direction and status, is in the spans of time: one step each."""
    newest = " UNION ALL ".join(
        f"SELECT * FROM ({arm.replace('SELECT pos ', 'SELECT created_us, ended_us ', 1)} ORDER BY pos DESC LIMIT 1)"
        for arm in _arms(shape._replace(created=False, ended=False), f"pos <= {NEWEST}")
    )
    terms = [f"{name}_us >= :{name}_from AND {name}_us < :{name}_to" for name in ("created", "ended") if getattr(shape, name)]
    return f"SELECT EXISTS (SELECT 1 FROM ({newest}) WHERE {' AND '.join(terms) or 'TRUE'})"


def _arms(shape: _Shape, place: str) -> list[str]:
    index = "calls_by_number" if shape.of_number else "calls_by_pos"
    terms = ["world_id = :world", place]
    if shape.of_number:
        terms.append("number_id = :number")
    if shape.created:
        terms += ["created_us >= :created_from", "created_us < :created_to"]
    if shape.ended:
        terms += ["ended_us >= :ended_from", "ended_us < :ended_to"]
    if not shape.cells:
        return [f"SELECT pos FROM calls INDEXED BY {index} WHERE {' AND '.join(terms)}"]
    index = "calls_by_number_status" if shape.of_number else "calls_by_status"
    return [
        f"SELECT pos FROM calls INDEXED BY {index} WHERE {cell_terms(direction, status)} AND {' AND '.join(terms)}"
        for direction, status in shape.cells
    ]


def cell_terms(direction: Direction, status: CallStatus) -> str:
    return f"status = '{status.value}' AND direction = '{direction.value}'"
