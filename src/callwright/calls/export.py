"""Calls as lines of JSON and of CSV, made by the database itself: it is many times faster at that than Python, and holds up
nobody else meanwhile.

Values are those of the native interface under the same names; a test compares them with its list.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from uuid import UUID

from callwright.calls.filters import CallFilter
from callwright.calls.lines import one_line
from callwright.calls.search import Batch, Place, Search
from callwright.calls.terms import DURATION_S
from callwright.store import Reader, Store

# Rows that are looked at for one batch; as many are in memory at a time, and twice that. A call may have metadata of 25,000
# characters: once a batch has more bytes than this, fewer rows are looked at.
BATCH = 4_000
FIRST_BATCH = 500
BATCH_BYTES = 2_000_000


class Format(Enum):
    CSV = "csv"
    NDJSON = "ndjson"


class _Column(NamedTuple):
    """A column as a value for JSON, and as what stands for it in CSV, where null is nothing."""

    name: str
    json: str
    csv: str


def _same(name: str, sql: str) -> _Column:
    return _Column(name, sql, sql)


def _id(name: str, column: str) -> _Column:
    parts = ", ".join(
        f"hex(substr({column}, {begin}, {length}))" for begin, length in ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6))
    )
    return _same(name, f"CASE WHEN {column} IS NOT NULL THEN lower(printf('%s-%s-%s-%s-%s', {parts})) END")


def _moment(name: str, column: str) -> _Column:
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
    return _same(name, f"{seconds} || printf('.%06dZ', {column} % 1000000)")


def _quoted(sql: str) -> str:
    """A text between quotes (RFC 4180 §2). Programs that calculate take what begins so for a formula, and a caller chooses the
    name that a call comes from: after an apostrophe it is a text to them.
    """
    formula = f"CASE WHEN substr({sql}, 1, 1) IN ('=', '+', '-', '@', char(9), char(13)) THEN '''' ELSE '' END"
    return f"""'"' || {formula} || replace({sql}, '"', '""') || '"'"""


def _text(name: str, sql: str) -> _Column:
    return _Column(name, sql, _quoted(sql))


_TAGS = "CASE WHEN tags IS NULL THEN '' ELSE (SELECT group_concat(value, ',') FROM json_each(tags)) END"

_COLUMNS = (
    _id("id", "id"),
    _same("world", ":kind"),
    _same("status", "status"),
    _same("direction", "direction"),
    _text("source", "source"),
    _text("destination", "destination"),
    _id("numberId", "number_id"),
    _id("flowId", "flow_id"),
    _same("reason", "reason"),
    _Column("tags", "json(COALESCE(tags, '[]'))", _quoted(_TAGS)),
    _Column("metadata", "json(COALESCE(metadata, '{}'))", _quoted("COALESCE(metadata, '{}')")),
    _same("duration", DURATION_S),
    _moment("createdAt", "created_us"),
    _moment("updatedAt", "updated_us"),
    _moment("answeredAt", "answered_us"),
    _moment("endedAt", "ended_us"),
)
NAMES = tuple(column.name for column in _COLUMNS)

_PAIRS = ", ".join(f"'{column.name}', {column.json}" for column in _COLUMNS)
_LINES = {
    # `printf` would end at a NUL, and a caller's name may have one.
    Format.CSV: " || ',' || ".join(f"COALESCE({column.csv}, '')" for column in _COLUMNS),
    Format.NDJSON: f"json_object({_PAIRS})",
}
_ENDS = {Format.CSV: "\r\n", Format.NDJSON: "\n"}


def head(form: Format) -> bytes:
    """What comes before the first call: names of columns, where they do not stand with each value."""
    return f"{','.join(NAMES)}\r\n".encode() if form is Format.CSV else b""


class Export:
    """All calls of a world that a filter is true of and that are there when it is begun, batch by batch.

    Each batch is read in a snapshot of its own, so that the log of writes does not grow as long as a slow reader takes.
    """

    def __init__(
        self, store: Store, world_id: UUID, kind: str, wanted: CallFilter, form: Format, *, newest_first: bool
    ) -> None:
        """`kind` is what the world is called."""
        self._store = store
        self._world_id = world_id
        self._kind = kind
        self._wanted = wanted
        self._form = form
        self._newest_first = newest_first
        self._rows = min(FIRST_BATCH, BATCH)

    async def batch(self, place: Place | None = None) -> tuple[bytes, Place | None]:
        """The lines of a batch, of which there may be none, and where the next begins; None after the last."""

        def read(reader: Reader) -> tuple[bytes, Place | None]:
            search = Search(reader, self._world_id, self._wanted, newest_first=self._newest_first, doubt=self._doubt)
            begin = place or search.begin()
            try:
                found: Batch = search.batch(begin, _LINES[self._form], self._rows, kind=self._kind)
            except Exception:
                search.look_through(begin, self._rows)  # the database does not tell which row was at fault
                raise
            end = _ENDS[self._form]
            lines = "".join(line + end for line in found.shown).replace("\0", "%00").encode()
            return lines if self._form is Format.CSV else one_line(lines), found.next

        lines, after = await self._store.look(read)
        self._rows = max(self._rows // 4, 1) if len(lines) > BATCH_BYTES else min(self._rows * 2, BATCH)
        return lines, after

    def _doubt(self) -> None:
        self._store.doubt("calls")
