"""Lists whose every page is as near as the first, with exact totals, however long they are.

Rows have a position (`pos`), and counters say how many rows of a list lie in each block of 2048 positions (level 0) and in
each span of 256 blocks (level 1). They are written in the commit of the rows they count. To find page N, spans and then
blocks are passed over from the newest until the page begins within one; only that one is walked row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple
from uuid import UUID

import apsw
import msgspec

from callwright.store.batch import Transaction
from callwright.store.change import Row, Write
from callwright.store.reading import Reader
from callwright.store.store import Store

BLOCK, SPAN = 0, 1
BLOCK_BITS, SPAN_BITS = 11, 19
BLOCKS_OF_SPAN = 1 << SPAN_BITS - BLOCK_BITS
ALL = -(1 << 62), 1 << 62
NEWEST = (1 << 63) - 1
_WHOLE = b""
# Positions of a list, from the newest on, whose counters are looked at when a server starts; and lists told of at most.
LOOKED_AT = 20_000
_MOST = 100


class CountersWrong(LookupError):
    """The counters of a list are none, or do not add up, so that no page can be found by them."""


class Counted(NamedTuple):
    """A block or span, by its number, and the rows of the list in it, which are no more than it has positions."""

    block: int
    n: Annotated[int, msgspec.Meta(ge=0, le=1 << SPAN_BITS)]


class Stretch(NamedTuple):
    """Where a page is: begin at `edge`, pass over `skip` rows of the list, take `take`.

    With `newest_first` the edge is the highest position and the way is down; else it is the lowest, and the way is up, so
    that what is taken must be turned round.
    """

    edge: int
    skip: int
    take: int
    newest_first: bool = True


def blocks_of(span: int) -> tuple[int, int]:
    """The first and the last block of a span."""
    return span * BLOCKS_OF_SPAN, (span + 1) * BLOCKS_OF_SPAN - 1


def positions_of(block: int) -> tuple[int, int]:
    """The first and the last position of a block."""
    return block << BLOCK_BITS, (block + 1 << BLOCK_BITS) - 1


def find(
    spans: list[Counted], blocks: Callable[[int], list[Counted]], *, limit: int, offset: int, both_ends: bool = False
) -> tuple[int, Stretch | None]:
    """How many rows there are, and where a page of them is; None for one without rows.

    `spans` and the `blocks` of a span come newest first. With `both_ends` the page is sought from the end that is nearer.
    Raises `CountersWrong` when spans and blocks disagree.
    """
    total = sum(span.n for span in spans)
    if total < 0:
        raise CountersWrong
    take = min(limit, total - offset)
    if take <= 0:
        return total, None
    after = total - offset - take
    if both_ends and after < offset:
        span, skip = _pass(reversed(spans), after)
        block, skip = _pass(reversed(blocks(span)), skip)
        return total, Stretch(positions_of(block)[0], skip, take, newest_first=False)
    span, skip = _pass(spans, offset)
    block, skip = _pass(blocks(span), skip)
    return total, Stretch(positions_of(block)[1], skip, take)


class CountedList(msgspec.Struct, frozen=True):
    """A list that the table `blocks` counts under `name`, newest first.

    The query `rows` takes the world, what the list hangs on (if anything), the highest position, how many rows to take and
    how many to pass over before. The query `count`, of the world and what the list hangs on, counts every row: it is for
    counters that are wrong.
    """

    name: str
    rows: str
    count: str

    def page(
        self, store: Store, world_id: UUID, *, parent_id: UUID | None = None, limit: int, offset: int
    ) -> tuple[int, list[Row]]:
        """How many rows there are in all, and those of a page.

        Where the counters do not add up the rows themselves are counted, which takes longer the more there are.
        """
        key = (world_id.bytes,) if parent_id is None else (world_id.bytes, parent_id.bytes)
        with store.snapshot():
            try:
                total, stretch = self._find(store, world_id, parent_id, limit, offset)
                if stretch is None:
                    if total == 0 and store.read(self.rows, (*key, NEWEST, 1, 0)):
                        raise CountersWrong  # they are gone
                    return total, []
                rows = store.read(self.rows, (*key, stretch.edge, stretch.take, stretch.skip))
                if len(rows) < stretch.take:
                    raise CountersWrong
            except CountersWrong:
                store.doubt(self.name)
                ((counted,),) = store.read(self.count, key)
                return int(counted or 0), store.read(self.rows, (*key, NEWEST, limit, offset))
            return total, rows

    def _find(
        self, store: Store, world_id: UUID, parent_id: UUID | None, limit: int, offset: int
    ) -> tuple[int, Stretch | None]:
        key = (world_id.bytes, self.name, _WHOLE if parent_id is None else parent_id.bytes)

        def counted(level: int, first: int, last: int) -> list[Counted]:
            rows = store.read("blocks.of_list", (*key, level, first, last))
            try:
                return msgspec.convert(rows, list[Counted])
            except msgspec.ValidationError as error:
                raise CountersWrong from error

        return find(counted(SPAN, *ALL), lambda span: counted(BLOCK, *blocks_of(span)), limit=limit, offset=offset)


_ANEW = (
    "blocks.all_counted",
    "blocks.forget_calls",
    "blocks.count_all_calls",
    "blocks.forget_lists",
    "blocks.count_all_lists",
    "blocks.forget_labels",
    "blocks.label_all_calls",
)


def count_anew(transaction: Transaction) -> None:
    """Make all counters, and the labels that calls are found by, from the rows; a minute for ten million calls."""
    for query in _ANEW:
        transaction.write(Write(query, ()))


def wrong_lists(reader: Reader) -> list[str]:
    """The lists whose counters disagree with their newest rows; a fifth of a second, however many rows there are."""
    ((newest,),) = reader.read("doctor.newest_pos")
    since = int(newest or 0) - LOOKED_AT
    found = [
        *(("calls",) for query in ("wrong_blocks_of_calls", "wrong_spans_of_calls") if _read(reader, query, since, 1)),
        *_read(reader, "wrong_blocks_of_lists", LOOKED_AT, _MOST),
        *_read(reader, "wrong_spans_of_lists", _MOST),
    ]
    return sorted({str(row[0]) for row in found})


def _read(reader: Reader, query: str, *params: int) -> list[Row]:
    try:
        return reader.read(f"doctor.{query}", params)
    except apsw.SQLError:  # no sum can be made of them
        return [("calls" if query.endswith("calls") else "others",)]


def _pass(counted: Iterable[Counted], skip: int) -> tuple[int, int]:
    """The first in which a row is left when so many were passed over, and how many are to be passed over within it."""
    for block, n in counted:
        if skip < n:
            return block, skip
        skip -= n
    raise CountersWrong
