"""A database from before calls were counted: what migration 0004 makes of its rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import apsw
import msgspec
import pytest

from callwright.calls import lists, rows
from callwright.calls.lists import Facets
from callwright.calls.model import LIVE_CALL, LIVE_LEG, CalledNumber, CallStatus, Direction, LegStatus
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.store import Store
from callwright.store import store as store_module
from callwright.store.blocks import count_anew
from callwright.store.migrate import migrate, migrations
from support.naive import LISTS, QUERIES, Naive

WORLDS = (UUID(int=1), UUID(int=2))
NUMBERS = (UUID(int=11), UUID(int=12))
FLOWS = (UUID(int=21), UUID(int=22))
_pack = msgspec.msgpack.Encoder().encode


def old(path: Path | str) -> apsw.Connection:
    """A database of schema 0003."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)")
    for migration in migrations():
        if migration.number <= 3:
            connection.execute(migration.sql)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (*migration[:2], migration.checksum))
    return connection


class Known:
    """What a call has to be after the migration."""

    def __init__(self, chance: random.Random, n: int) -> None:
        self.id = UUID(int=1_000 + n)
        self.world = chance.choice(WORLDS)
        self.status = chance.choice(list(CallStatus))
        self.over = self.status not in LIVE_CALL
        self.created_us = n * 10
        self.ended_us = n * 10 + 50 if self.over else None
        self.number = chance.choice((None, *NUMBERS))
        self.flow = chance.choice((None, *FLOWS))
        self.direction = chance.choice(list(Direction))
        self.legs = [self._leg(chance, n, place) for place in range(chance.choice((1, 1, 2, 3)))]

    def _leg(self, chance: random.Random, n: int, place: int) -> tuple:
        status = chance.choice([one for one in LegStatus if (one not in LIVE_LEG) == self.over])
        reason = chance.choice(list(Reason)) if self.over else None
        answered_us = chance.choice((None, n * 10 + 5 - place))
        return status, reason, answered_us

    @property
    def called(self) -> bytes | None:
        """As an incoming call has it; before msgpack's map ends, the flow."""
        if self.direction is Direction.OUTGOING or self.number is None:
            return None
        return _pack(CalledNumber(self.number, "31612345678", self.flow, 1, 2))

    @property
    def answered_us(self) -> int | None:
        return min((answered for _, _, answered in self.legs if answered is not None), default=None)

    def insert(self, connection: apsw.Connection, pos: int) -> None:
        connection.execute(
            "INSERT INTO calls (pos, world_id, id, status, source, destination, number_id, called, node, created_us, "
            "updated_us, ended_us) VALUES (?, ?, ?, ?, '1', '2', ?, ?, 'one', ?, ?, ?)",
            (
                pos,
                self.world.bytes,
                self.id.bytes,
                self.status.value,
                None if self.number is None else self.number.bytes,
                self.called,
                self.created_us,
                self.created_us,
                self.ended_us,
            ),
        )
        for n, (status, reason, answered_us) in enumerate(self.legs, 1):
            direction = self.direction if n == 1 else Direction.OUTGOING
            connection.execute(
                "INSERT INTO legs (world_id, call_id, n, id, direction, status, source, destination, reason, detail, "
                "sip_call_id, created_us, updated_us, answered_us, ended_us) "
                "VALUES (?, ?, ?, ?, ?, ?, '1', '2', ?, '', '', 1, 1, ?, ?)",
                (
                    self.world.bytes,
                    self.id.bytes,
                    n,
                    UUID(int=self.id.int * 10 + n).bytes,
                    direction.value,
                    status.value,
                    None if reason is None else reason.value,
                    answered_us,
                    self.ended_us,
                ),
            )


def fill(connection: apsw.Connection, chance: random.Random) -> list[Known]:
    calls = [Known(chance, n) for n in range(400)]
    places = random.Random(1).sample(range(-3_000, 6_000), 200) + [524_288 * n + chance.randrange(9) for n in range(-100, 100)]
    for call, pos in zip(calls, sorted(set(places)), strict=False):
        call.insert(connection, pos)
    for n in range(60):
        of, id_ = chance.choice(WORLDS).bytes, UUID(int=5_000 + n).bytes
        pos = n * 1_500
        flow = chance.choice((None, *FLOWS))
        connection.execute("INSERT INTO flows VALUES (?, ?, ?, 0, x'7b7d', 1, 1)", (pos, of, id_))
        bound = None if flow is None else flow.bytes
        connection.execute("INSERT INTO numbers VALUES (?, ?, ?, ?, 0, ?, 1, 1)", (pos, of, id_, str(n), bound))
        connection.execute(
            "INSERT INTO webhooks (pos, world_id, id, number_id, url, target, created_us, updated_us) "
            "VALUES (?, ?, ?, ?, 'u', 'u', 1, 1)",
            (pos, of, id_, id_ if n % 2 else None),
        )
        connection.execute(
            "INSERT INTO recordings VALUES (?, ?, ?, ?, ?, 'call', 'from', 'f', '', NULL, 1, 'done', 'local', 1, '', 1)",
            (pos, of, id_, id_, id_),
        )
        connection.execute(
            "INSERT INTO transcriptions VALUES (?, ?, ?, ?, ?, ?, 'en', 1, 'created', '', '', NULL, NULL, 1)",
            (pos, of, id_, id_, id_, id_),
        )
    return calls[: len(set(places))]


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[tuple[Store, list[Known]]]:
    connection = old(tmp_path / "a.db")
    with connection:
        calls = fill(connection, random.Random(7))
    connection.close()
    store = Store.open(tmp_path / "a.db", SystemClock())
    yield store, calls
    store.close()


def test_each_call_says_what_its_legs_said(migrated: tuple[Store, list[Known]]) -> None:
    store, calls = migrated
    for known in calls:
        call = rows.find_call(store, known.world, known.id)
        assert call is not None
        assert (call.direction, call.answered_us) == (known.direction, known.answered_us)
        assert call.reason is (known.legs[0][1] if known.over else None)
        assert call.flow_id == (None if known.called is None else known.flow)
        assert (call.tags, call.metadata) == ((), {})
    assert sum(known.called is not None and known.flow is not None for known in calls) > 50


def test_every_page_and_total_is_that_of_the_rows(migrated: tuple[Store, list[Known]]) -> None:
    store, _ = migrated
    naive = Naive(store._reader)
    for world in WORLDS:
        for facets in (
            Facets(),
            *(Facets(statuses=frozenset({status})) for status in CallStatus),
            *(Facets(number_id=number, direction=direction) for number in NUMBERS for direction in Direction),
            Facets(created=(500, 2_000)),
            Facets(ended=(500, 2_000), number_id=NUMBERS[0]),
        ):
            ids = naive.calls(world, facets)
            for offset in (0, 1, len(ids) // 2, max(len(ids) - 3, 0), len(ids)):
                page = lists.list_calls(store, world, limit=7, offset=offset, facets=facets)
                assert (page.total, [call.id for call in page.calls]) == (len(ids), ids[offset : offset + 7])
        for name, (_, _, parent) in LISTS.items():
            for parent_id in (None,) if parent is None else FLOWS:
                ids = naive.rows(name, world, parent_id)
                for offset in range(0, len(ids) + 1, 5):
                    total, found = QUERIES[name].page(store, world, parent_id=parent_id, limit=5, offset=offset)
                    assert (total, [UUID(bytes=row[1]) for row in found]) == (len(ids), ids[offset : offset + 5])  # type: ignore[arg-type]
    assert store._doubted_ns == {}


async def test_its_counters_are_those_that_counting_anew_makes(migrated: tuple[Store, list[Known]]) -> None:
    store, _ = migrated
    tables = ("call_blocks", "blocks", "call_labels", "uncounted")
    before = [store.select(f"SELECT * FROM {table}", ()) for table in tables]
    await store.transact(count_anew)
    assert [store.select(f"SELECT * FROM {table}", ()) for table in tables] == before


def _steps(calls: int) -> int:
    """What SQLite's machine does, in thousands of its instructions, to migrate so many calls with a leg each."""
    connection = old(":memory:")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO calls (world_id, id, status, source, destination, number_id, node, created_us, updated_us, ended_us) "
        "SELECT x'01', CAST(printf('%016d', i) AS BLOB), 'ended', i, i * 7, CAST(i % 50 AS BLOB), 'one', i, i, i FROM n",
        (calls,),
    )
    connection.execute(
        "INSERT INTO legs (world_id, call_id, n, id, direction, status, source, destination, detail, sip_call_id, created_us, "
        "updated_us) SELECT world_id, id, 1, id, 'incoming', 'hangup', '', '', '', '', 1, 1 FROM calls"
    )
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.set_progress_handler(count, 1_000)
    migrate(connection)
    assert connection.execute("SELECT SUM(n) FROM call_blocks WHERE level = 1 AND number_id = x''").get == calls
    connection.close()
    return steps


def test_ten_times_the_calls_take_ten_times_as_long() -> None:
    few, many = _steps(5_000), _steps(50_000)
    assert many < 12 * few


@pytest.mark.parametrize("rebuilds", [False, True])
@pytest.mark.parametrize("large", [False, True])
async def test_a_large_database_is_put_into_order_in_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool, rebuilds: bool
) -> None:
    """In memory ten million calls would take gigabytes."""
    folder = tmp_path / "o'clock"
    folder.mkdir()
    monkeypatch.setattr(store_module, "LARGE", 0 if large else 1 << 40)
    seen = []

    def look(connection: apsw.Connection) -> None:
        seen.append((connection.execute("PRAGMA temp_store").get, connection.execute("PRAGMA temp_store_directory").get))
        migrate(connection)

    monkeypatch.setattr(store_module, "migrate", look)
    connection = apsw.Connection(":memory:")
    try:
        Store.open(folder / "a.db", SystemClock()).close()
        store = Store.open(folder / "a.db", SystemClock(), rebuilds=rebuilds)
        after = await store.transact(lambda transaction: transaction._connection.execute("PRAGMA temp_store").get)
        store.close()
    finally:
        connection.execute("PRAGMA temp_store_directory = ''")
        connection.close()
    in_files, in_memory = 1, 2
    assert seen[1] == ((in_files, str(folder)) if large else (in_memory, None))
    assert after == (in_files if large and rebuilds else in_memory)
