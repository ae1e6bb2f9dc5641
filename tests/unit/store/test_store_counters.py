"""Counters that are wrong, and what is counted when jobs fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import apsw
import pytest

from callwright.calls import lists, rows
from callwright.calls.lists import Facets
from callwright.calls.model import Call, CallStatus, Direction
from callwright.clock import SystemClock
from callwright.store import Change, ConstraintViolated, Store, Transaction, Write
from callwright.store.blocks import CountedList, count_anew, wrong_lists
from callwright.store.store import DOUBT_NS
from callwright.store.writer import InlineWriter
from support.naive import LISTS, QUERIES, Naive
from support.native_room import StillClock

WORLD, NUMBER, FLOW = UUID(int=1), UUID(int=2), UUID(int=3)


def call(n: int, status: CallStatus = CallStatus.ENDED, **others) -> Call:
    return Call(
        id=UUID(int=n),
        world_id=WORLD,
        status=status,
        source="1",
        destination="2",
        number_id=NUMBER if n % 2 else None,
        direction=Direction.INCOMING if n % 3 else Direction.OUTGOING,
        created_us=n,
        updated_us=n,
        ended_us=None if status is CallStatus.ONGOING else n + 1,
        **others,
    )


def written(*calls: Call) -> Change:
    return Change(tuple(rows.insert_call(one, "here") for one in calls))


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.in_memory()
    made._clock = StillClock()  # type: ignore[assignment]
    yield made
    made.close()


def counted(store: Store) -> list:
    """All of the table, and whether it is what counting anew gives."""
    kept = store.select("SELECT * FROM call_blocks ORDER BY world_id, number_id, level, block", ())
    assert store.select("SELECT COUNT(*) FROM uncounted", ()) == [(0,)]
    return kept


NEGATIVE = "n = -100, incoming_ended = -100, outgoing_ended = -100"
TOO_MANY = "n = n + 5, incoming_ended = incoming_ended + 5, outgoing_ended = outgoing_ended + 5"
ENORMOUS = ("n = 9223372036854775807", "n = 'abc'")
FACETS = (
    Facets(),
    Facets(number_id=NUMBER),
    Facets(direction=Direction.INCOMING, created=(3, 40)),
    Facets(statuses=frozenset({CallStatus.ENDED}), ended=(3, 40)),
)


@pytest.mark.parametrize(
    ("damage", "facets"),
    [
        # That no block has calls of some time is nothing wrong, even where the bounds of its span let it seem so.
        *(("DELETE FROM call_blocks WHERE level = 0", facets) for facets in FACETS if not (facets.created or facets.ended)),
        *((f"UPDATE call_blocks SET {NEGATIVE}", facets) for facets in FACETS),
    ],
)
async def test_a_page_of_calls_that_counters_cannot_find_is_found_all_the_same(
    store: Store, damage: str, facets: Facets, caplog: pytest.LogCaptureFixture
) -> None:
    await store.commit(written(*map(call, range(1, 50))))
    store._reader.execute(damage)
    ids = Naive(store._reader).calls(WORLD, facets)
    for offset in (0, 3, len(ids) - 5):
        page = await lists.page_of_calls(store, WORLD, limit=10, offset=offset, facets=facets)
        assert (page.total, [one.id for one in page.calls]) == (len(ids), ids[offset : offset + 10])
    if "-100" in damage:
        assert lists.count_calls(store, WORLD, facets) == len(ids)
    # A block that a span of time cuts is counted by its rows anyway.
    assert len(caplog.records) == int(not (facets.created or facets.ended))


@pytest.mark.parametrize(
    ("damage", "facets"),
    [
        *(("DELETE FROM call_blocks", facets) for facets in (*FACETS[:3], FACETS[3], Facets(created=(3, 1000)))),
        *(
            ("UPDATE call_blocks SET oldest_us = 9000000000000000000, newest_us = 0", facets)
            for facets in FACETS
            if facets.created
        ),
        *((f"UPDATE call_blocks SET {n}", facets) for n in ENORMOUS for facets in (*FACETS[:2], Facets(created=(0, 1000)))),
    ],
)
async def test_counters_that_say_nothing_or_what_cannot_be(
    store: Store, damage: str, facets: Facets, caplog: pytest.LogCaptureFixture
) -> None:
    await store.commit(written(*map(call, range(1, 40))))
    store._reader.execute(damage)
    ids = Naive(store._reader).calls(WORLD, facets)
    assert lists.count_calls(store, WORLD, facets) == len(ids)
    for offset in (0, 3, 500):
        page = await lists.page_of_calls(store, WORLD, limit=10, offset=offset, facets=facets)
        assert (page.total, [one.id for one in page.calls]) == (len(ids), ids[offset : offset + 10])
    assert [record.getMessage() for record in caplog.records] == ["counters_wrong"]


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        ("SELECT 1", []),
        ("DELETE FROM call_blocks", ["calls"]),
        ("UPDATE call_blocks SET oldest_us = 9000000000000000000, newest_us = 0", ["calls"]),
        ("DELETE FROM call_blocks WHERE level = 1", ["calls"]),
        ("UPDATE call_blocks SET n = 'abc'", ["calls"]),
        ("INSERT INTO blocks VALUES (x'00', 'flows', x'', 0, 0, 4), (x'00', 'numbers', x'', 1, 0, 4)", ["flows", "numbers"]),
        ("UPDATE call_blocks SET n = 9223372036854775807", ["calls"]),
    ],
)
async def test_lists_whose_counters_are_wrong(store: Store, damage: str, wrong: list[str]) -> None:
    await store.commit(written(*map(call, range(1, 10_000, 5))))
    await store.commit(Change(tuple(rows.insert_call(call(n), "here") for n in (20_001, 20_003))))
    store._reader.execute("UPDATE calls SET pos = pos + 5000 WHERE pos > 2000")
    await store.transact(count_anew)
    store._reader.execute(damage)
    assert await store.look(wrong_lists) == wrong


async def test_a_list_of_nothing_is_nothing_wrong(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.commit(written(*map(call, range(1, 40))))
    for facets in (
        Facets(statuses=frozenset()),
        Facets(statuses=frozenset({CallStatus.BUSY})),
        Facets(number_id=FLOW),
        Facets(created=(40, 1000)),
        Facets(statuses=frozenset({CallStatus.ENDED}), direction=Direction.INCOMING, created=(0, 9), ended=(30, 40)),
    ):
        assert lists.count_calls(store, WORLD, facets) == 0
        assert await lists.page_of_calls(store, WORLD, limit=10, offset=0, facets=facets) == (0, [])
    assert caplog.records == []


@pytest.mark.parametrize("where", ["TRUE", "level = 0", "level = 1"])
@pytest.mark.parametrize("facets", FACETS)
async def test_no_page_fails_whatever_counters_say(store: Store, where: str, facets: Facets) -> None:
    await store.commit(written(*map(call, range(1, 50))))
    store._reader.execute(f"UPDATE call_blocks SET {TOO_MANY} WHERE {where}")
    ids = Naive(store._reader).calls(WORLD, facets)
    for offset in range(60):
        page = await lists.page_of_calls(store, WORLD, limit=7, offset=offset, facets=facets)
        assert {one.id for one in page.calls} <= set(ids)
        assert page.total >= len(ids)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM blocks",
        "DELETE FROM blocks WHERE level = 0",
        "UPDATE blocks SET n = n + 5",
        "UPDATE blocks SET n = -9",
        "UPDATE blocks SET n = 'abc'",
        "UPDATE blocks SET n = 9223372036854775807",
    ],
)
@pytest.mark.parametrize("name", LISTS)
async def test_a_page_of_another_list_that_counters_cannot_find(store: Store, name: str, damage: str) -> None:
    of = WORLD.bytes
    writes = []
    for n in range(1, 20):
        id_ = UUID(int=n).bytes
        writes += [
            Write("flows.insert", (of, id_, 0, b"{}", 1, 1)),
            Write("numbers.insert", (of, id_, str(n), 0, FLOW.bytes if n % 2 else None, 1, 1)),
            Write("webhooks.insert_webhook", (of, id_, id_ if n % 2 else None, "u", "u", None, None, 1, 1)),
            Write("recordings.insert", (of, *[id_] * 3, "call", "from", "f", "", None, 1, "done", "local", 1, "", 1)),
            Write("transcriptions.insert", (of, *[id_] * 4, "en", 1, "created", "", "", None, None, 1)),
        ]
    await store.commit(Change(tuple(writes)))
    store._reader.execute(damage)
    parent_id = FLOW if name == "numbers_of_flow" else None
    ids = Naive(store._reader).rows(name, WORLD, parent_id)
    for offset in (len(ids) - 3, len(ids) + 2):
        total, found = QUERIES[name].page(store, WORLD, parent_id=parent_id, limit=10, offset=offset)
        assert (total, [UUID(bytes=row[1]) for row in found]) == (len(ids), ids[offset : offset + 10])  # type: ignore[arg-type]
    assert list(store._doubted_ns) == [name]


async def test_the_operator_is_told_once_a_minute_and_what_to_do(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.commit(written(*map(call, range(1, 5))))
    store._reader.execute("DELETE FROM call_blocks WHERE level = 0")
    clock = store._clock

    async def ask(times: int) -> int:
        for _ in range(times):
            await lists.page_of_calls(store, WORLD, limit=1, offset=0)
        return len(caplog.records)

    assert await ask(3) == 1
    clock.us += DOUBT_NS // 1_000 - 1  # type: ignore[attr-defined]
    assert await ask(1) == 1
    clock.us += 1  # type: ignore[attr-defined]
    assert await ask(2) == 2
    assert "callwright doctor --fix" in caplog.records[0].fields["remedy"]  # type: ignore[attr-defined]
    await store.transact(count_anew)
    clock.us += DOUBT_NS // 1_000  # type: ignore[attr-defined]
    assert await ask(3) == 2


async def test_counting_anew_makes_what_was_there(store: Store) -> None:
    await store.commit(written(*map(call, range(1, 60)), call(99, tags=("a", "a"), metadata={"k": "v"})))
    await store.commit(Change((rows.update_call(call(4, CallStatus.ONGOING)), rows.update_call(call(5, CallStatus.BUSY)))))
    await store.commit(Change((Write("flows.insert", (WORLD.bytes, b"1" * 16, 0, b"{}", 1, 1)),)))
    tables = ("call_blocks", "blocks", "call_labels")
    before = [store.select(f"SELECT * FROM {table}", ()) for table in tables]
    assert all(before)
    for table in tables:
        store._reader.execute(f"DELETE FROM {table}")
    await store.transact(count_anew)
    after = [store.select(f"SELECT * FROM {table}", ()) for table in tables]
    assert after[1:] == before[1:]
    # Bounds are as narrow as the rows allow, which those that were widened row by row need not be.
    assert [row[:-4] for row in after[0]] == [row[:-4] for row in before[0]]


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_what_failed_is_not_counted_and_what_shared_its_commit_is(tmp_path: Path, kind: str) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock()) if kind == "file" else Store.in_memory()

    def fails(transaction: Transaction) -> None:
        transaction.write_all((rows.insert_call(call(7), "here"), rows.update_call(call(1, CallStatus.BUSY))))
        raise ZeroDivisionError

    def works(transaction: Transaction) -> int:
        return transaction.write(rows.insert_call(call(8), "here"))

    await store.commit(written(call(1)))
    outcome = await asyncio.gather(
        store.commit(written(call(2))),
        store.commit(written(call(3), call(1))),
        store.transact(fails),
        store.transact(works),
        store.commit(Change((rows.update_call(call(1, CallStatus.FAILED)), *written(call(2)).writes))),
        store.commit(written(call(4), call(5))),
        return_exceptions=True,
    )
    assert [type(one) for one in outcome] == [
        type(None),
        ConstraintViolated,
        ZeroDivisionError,
        int,
        ConstraintViolated,
        type(None),
    ]
    page = lists.list_calls(store, WORLD, limit=10, offset=0)
    assert (page.total, sorted(one.id.int for one in page.calls)) == (5, [1, 2, 4, 5, 8])
    kept = counted(store)
    await store.transact(count_anew)
    assert kept == counted(store)
    store.close()


async def test_a_call_that_comes_and_goes_in_one_transaction_leaves_no_block(store: Store) -> None:
    def run(transaction: Transaction) -> None:
        transaction.write_all(written(call(1), call(2)).writes)
        transaction._connection.execute("DELETE FROM calls")

    await store.transact(run)
    assert counted(store) == []


def test_a_commit_without_calls_counts_nothing() -> None:
    connection = apsw.Connection(":memory:")
    store = Store(InlineWriter(_migrated(connection)), connection)
    statements: list[str] = []
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.append(event["sql"]))
    asyncio.run(store.commit(Change((rows.heartbeat("one", 1),))))
    assert not [sql for sql in statements if "call_blocks" in sql]


def _migrated(connection: apsw.Connection) -> apsw.Connection:
    from callwright.store.migrate import migrate

    migrate(connection)
    return connection


@pytest.mark.parametrize(
    "facets", [Facets(created=(20, 30)), Facets(ended=(20, 30)), Facets(number_id=NUMBER, created=(20, 30))]
)
async def test_a_span_of_time_that_lies_between_two_blocks_holds_no_call(
    store: Store, facets: Facets, caplog: pytest.LogCaptureFixture
) -> None:
    await store.commit(written(call(1)))
    store._reader.execute("UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'calls'")
    await store.commit(written(call(99)))
    assert lists.list_calls(store, WORLD, limit=10, offset=0, facets=facets) == (0, [])
    assert lists.count_calls(store, WORLD, facets) == 0
    assert caplog.records == []


async def test_a_page_beyond_the_end_and_an_empty_list(store: Store) -> None:
    listed = CountedList("flows", "flows.list", "flows.count")
    assert listed.page(store, WORLD, limit=10, offset=0) == (0, [])
    assert listed.page(store, WORLD, limit=10, offset=(1 << 63) - 1) == (0, [])
    assert lists.list_calls(store, WORLD, limit=10, offset=(1 << 63) - 1) == (0, [])
    assert store._doubted_ns == {}
