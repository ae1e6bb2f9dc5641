"""Two years of calls in a database, made in bulk: the real schema, realistic shares, and nothing that depends on the day.

Rows go in without triggers and indexes, which are made again from the database's own text of them, and all calls are
counted at the end, by the statement that `callwright doctor --fix` counts with. Neither journals nor events are made: no
list reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import apsw
import msgspec
import numpy as np

from callwright.calls.model import CalledNumber
from callwright.clock import SECOND_US
from callwright.store import Store, queries

NUMBERS = 200
PEOPLE = 300_000
BIG, SMALL = 1, 150  # ranks of numbers by their calls: a sixth of all, and a thousandth
DAY_US = 86_400 * SECOND_US
SPAN_US = 730 * DAY_US
END_US = 1_790_000_000 * SECOND_US
MONTH_US = 30 * DAY_US
NODE = "history"  # no server's name, so that none takes the calls that are up for its own
OTHERS = 10  # the other world has a tenth as many
AT_A_TIME = 100_000
LIVE_AT_MOST = 900

STATUSES = np.array(["ended", "no_answer", "busy", "failed"])
SHARES = (0.90, 0.055, 0.025, 0.02)
REASONS = {
    "ended": ("caller_hangup", "callee_hangup", "flow_ended", "api_hangup"),
    "no_answer": ("no_answer", "ring_timeout", "caller_cancelled"),
    "busy": ("busy",),
    "failed": ("no_route", "rejected", "no_response", "limit"),
}
TAGS = ('["campaign-3"]', '["campaign-4","callback"]', '["support"]', '["billing","callback"]')

INSERT_CALL = """INSERT INTO calls (
    pos, world_id, id, status, direction, source, destination, number_id, called, flow_id, node, tags, metadata,
    created_us, updated_us, reason, answered_us, ended_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# Two or three legs of each call; their ids are the call's with another last byte.
INSERT_LEGS = """INSERT INTO legs (
    world_id, call_id, n, id, direction, status, source, destination, reason, detail, sip_code, sip_call_id,
    created_us, updated_us, answered_us, ended_us
) SELECT
    world_id, id, column1, CAST(substr(id, 1, 15) || column1 AS BLOB), iif(column1 = 1, direction, 'outgoing'),
    iif(status = 'ended', 'hangup', status), source, destination, reason, '', 200, pos || '@192.0.2.7',
    created_us, updated_us, answered_us, ended_us
FROM calls CROSS JOIN (VALUES (1), (2), (3)) WHERE pos BETWEEN ? AND ? AND column1 <= 2 + (pos & 1)"""
LABEL = """INSERT INTO call_labels
SELECT world_id, '', json_each.value, pos FROM calls, json_each(tags) WHERE tags IS NOT NULL
UNION SELECT world_id, key, json_each.value, pos FROM calls, json_each(metadata) WHERE metadata IS NOT NULL"""


class History(NamedTuple):
    """What is asked of a database: the world with the most calls, two of its numbers, and the last thirty days."""

    world_id: UUID
    rows: int
    big: UUID
    small: UUID
    month: tuple[int, int]


class Number(NamedTuple):
    id: UUID
    number: str
    flow_id: UUID
    called: bytes


def history_of(store: Store, world_id: UUID) -> History:
    """What a database has that `make` made, now or in an earlier run."""
    ((rows,),) = store.select("SELECT COUNT(*) FROM calls WHERE world_id = ?", (world_id.bytes,))
    numbers = [number.id for number in _numbers(world_id)]
    return History(world_id, int(rows or 0), numbers[BIG - 1], numbers[SMALL - 1], (END_US - MONTH_US, END_US))


def make(connection: apsw.Connection, worlds: tuple[UUID, UUID], rows: int, seed: int = 1) -> None:
    """Put so many calls on record for the first world, and a tenth of that for the second."""
    chance = np.random.default_rng(seed)
    total = rows + rows // OTHERS
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000", "threads = 2"):
        connection.execute(f"PRAGMA {pragma}")
    with _bare(connection):
        connection.execute("BEGIN")
        numbers = [_numbers(world) for world in worlds]
        for world, own in zip(worlds, numbers, strict=True):
            _insert_numbers(connection, world, own)
        for first in range(0, total, AT_A_TIME):
            count = min(AT_A_TIME, total - first)
            connection.executemany(INSERT_CALL, _calls(chance, worlds, numbers, first, count, total))
            connection.execute(INSERT_LEGS, (first + 1, first + count))
        connection.execute(LABEL)
        connection.execute("COMMIT")
    named = queries.load()
    for query in ("forget_calls", "count_all_calls", "forget_lists", "count_all_lists"):
        connection.execute(named[f"blocks.{query}"])
    connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _bare(connection: apsw.Connection) -> Iterator[None]:
    """Meanwhile the large tables have neither triggers nor indexes."""
    texts = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name IN ('calls', 'legs', 'numbers', 'flows') AND type = ?"
    dropped = [row for kind in ("trigger", "index") for row in connection.execute(texts, (kind,)) if row[2] is not None]
    for kind, name, _ in dropped:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, sql in reversed(dropped):
        connection.execute(sql)


def _numbers(world_id: UUID) -> list[Number]:
    """A world's numbers by rank; ids follow from the world's, so that they are known again."""
    found = []
    for rank in range(NUMBERS):
        id_, flow_id = (UUID(int=world_id.int + 1 + 2 * rank + more) for more in (0, 1))
        number = f"3185{world_id.int % 1000:03d}{rank:04d}"
        called = CalledNumber(id_, number, flow_id, END_US - SPAN_US, END_US - SPAN_US)
        found.append(Number(id_, number, flow_id, msgspec.msgpack.encode(called)))
    return found


def _insert_numbers(connection: apsw.Connection, world_id: UUID, numbers: list[Number]) -> None:
    at_us = END_US - SPAN_US
    connection.executemany(
        "INSERT INTO numbers (world_id, id, number, is_live, flow_id, created_us, updated_us) VALUES (?, ?, ?, 0, ?, ?, ?)",
        [(world_id.bytes, one.id.bytes, one.number, one.flow_id.bytes, at_us, at_us) for one in numbers],
    )


def _calls(
    chance: np.random.Generator, worlds: tuple[UUID, UUID], numbers: list[list[Number]], first: int, count: int, total: int
) -> Iterator[tuple[Any, ...]]:
    """Rows for `INSERT_CALL`, from position `first` + 1 on; calls become more with time, 8 % of all come in the last month."""
    position = np.arange(first, first + count)
    created = END_US - SPAN_US + (np.sqrt(position / total) * (SPAN_US - SECOND_US)).astype(np.int64)
    created += chance.integers(0, SECOND_US, count)  # commits come in nearly the order of the calls
    ring = chance.integers(1 * SECOND_US, 25 * SECOND_US, count)
    talk = (chance.exponential(150, count) * SECOND_US).astype(np.int64) + SECOND_US
    weights = 1 / np.arange(1, NUMBERS + 1)
    status = STATUSES[chance.choice(len(STATUSES), count, p=SHARES)]
    live = min(LIVE_AT_MOST, total // 100)
    status[position >= total - live] = "ongoing"
    columns = (
        position,
        created,
        created + ring,
        created + ring + np.where(status == "ended", talk, 0),
        status,
        chance.random(count) < 0.6,
        chance.choice(NUMBERS, count, p=weights / weights.sum()),
        chance.integers(0, PEOPLE, count),
        chance.random(count),
    )
    random_bits = chance.bytes(10 * count)
    lists = [column.tolist() for column in columns]
    for n, (at, made, answer, end, word, incoming, rank, person, luck) in enumerate(zip(*lists, strict=True)):
        which = at % (OTHERS + 1) == OTHERS
        number = numbers[which][rank]
        someone = f"316{person * 331 % 100_000_000:08d}"
        owned = incoming or luck < 0.7
        ended = None if word == "ongoing" else end
        yield (
            at + 1,
            worlds[which].bytes,
            _id(made, random_bits[10 * n : 10 * n + 10]),
            word,
            "incoming" if incoming else "outgoing",
            someone if incoming else number.number,
            number.number if incoming else someone,
            number.id.bytes if owned else None,
            number.called if incoming else None,
            number.flow_id.bytes if incoming else None,
            NODE,
            TAGS[person % len(TAGS)] if luck < 0.05 else None,
            f'{{"order":"{person}"}}' if luck < 0.02 else None,
            made,
            ended or answer,
            None if ended is None else REASONS[word][person % len(REASONS[word])],
            answer if word in ("ended", "ongoing") else None,
            ended,
        )


def _id(at_us: int, random_bits: bytes) -> bytes:
    """An id as `ids.uuid7` makes them, of given random bits."""
    high, low = random_bits[0] & 0x0F | 0x70, random_bits[2] & 0x3F | 0x80
    return (at_us // 1000).to_bytes(6) + bytes((high, random_bits[1], low)) + random_bits[3:]
