"""The store: what is durable when, what fails alone, and that every query fits the schema."""

import asyncio
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import apsw.ext
import pytest

from callwright import ids
from callwright.clock import SystemClock
from callwright.errors import DataFolderError, StoreUnavailable
from callwright.store import Change, ConstraintViolated, Store, Transaction, Wake, Write, queries
from callwright.store.migrate import migrate, migrations


def account(name: str) -> Write:
    return Write("accounts.insert_account", (ids.uuid7(1).bytes, name, 1))


def names(store: Store) -> list[object]:
    return [row[0] for row in store._reader.execute("SELECT name FROM accounts ORDER BY name")]


def test_every_named_query_fits_the_schema() -> None:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    for name, sql in queries.load().items():
        try:
            apsw.ext.query_info(connection, sql, explain=True)
        except apsw.SQLError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_a_query_named_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sqlite").mkdir()
    (tmp_path / "sqlite" / "calls.sql").write_text("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")
    monkeypatch.setattr(queries, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"calls\.sql names a twice"):
        queries.load.__wrapped__()


async def test_changes_of_many_submitters_share_commits_and_all_arrive(tmp_path: Path) -> None:
    commits: list[float] = []
    store = Store.open(tmp_path / "a.db", SystemClock(), on_commit=commits.append)
    await asyncio.gather(*(store.commit(Change((account(f"name-{n:03}"),))) for n in range(300)))
    assert names(store) == [f"name-{n:03}" for n in range(300)]
    assert 0 < len(commits) < 300
    store.close()


async def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock())
    await store.commit(Change((account("kept"),)))
    store.close()
    again = Store.open(tmp_path / "a.db", SystemClock())
    assert names(again) == ["kept"]
    again.close()


async def test_rows_for_one_table_go_in_by_one_statement_in_their_order() -> None:
    store = Store.in_memory()
    entries = [Write("calls.insert_entry", (b"w", b"c", n, n, b"entry %d" % n)) for n in range(1, 8)]
    statements: list[str] = []
    store._reader.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.append(event["sql"]))
    await store.commit(Change((account("a"), *entries[:4], account("b"), account("c"), *entries[4:])))
    assert [sql.split("(")[0].strip() for sql in statements] == [
        "BEGIN IMMEDIATE",
        "INSERT INTO accounts",
        "INSERT INTO journal",
        "INSERT INTO accounts",
        "INSERT INTO journal",
        "SELECT EXISTS",  # whether calls are to be counted
        "COMMIT",
    ]
    assert store.read("calls.journal_of", (b"w", b"c")) == [(n, n, b"entry %d" % n) for n in range(1, 8)]
    assert names(store) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_a_change_that_violates_a_constraint_fails_alone_and_whole(tmp_path: Path, kind: str) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock()) if kind == "file" else Store.in_memory()
    await store.commit(Change((account("a"),)))
    results = await asyncio.gather(
        store.commit(Change((account("b"),))),
        store.commit(Change((account("c"), account("a")))),
        store.commit(Change((account("d"),))),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), ConstraintViolated, type(None)]
    assert names(store) == ["a", "b", "d"]
    store.close()


async def test_wake_ups_fire_after_the_commit_and_only_then() -> None:
    store = Store.in_memory()
    heard: list[tuple[Wake, list[object]]] = []
    store.on("calls.events", lambda wake: heard.append((wake, names(store))))
    wake = Wake("calls.events", UUID(int=1), UUID(int=2))
    await store.commit(Change((account("a"),), (wake,)))
    await asyncio.sleep(0)
    with pytest.raises(ConstraintViolated):
        await store.commit(Change((account("a"),), (wake,)))
    await store.commit(Change((account("b"),), (Wake("other", UUID(int=1), UUID(int=2)),)))
    await asyncio.sleep(0)
    assert heard == [(wake, ["a"])]


async def test_a_change_may_have_more_rows_than_fit_in_a_statement(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock(), synchronous="off")
    for rows in (1, 255, 256, 257, 12_000):
        before = len(names(store))
        await store.commit(Change(tuple(account(f"{rows}-{n}") for n in range(rows))))
        assert len(names(store)) == before + rows
    store.close()


async def test_the_log_of_writes_stays_short_while_calls_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pages in {"CHECKPOINT_PAGES": 20, "LITTLE_PAGES": 10, "TRUNCATE_PAGES": 60}.items():
        monkeypatch.setattr(f"callwright.store.writer.{name}", pages)
    store = Store.open(tmp_path / "a.db", SystemClock())
    writer: Any = store._writer
    turned_away = longest = 0
    empty = writer._empty_log

    def emptying() -> None:
        """While somebody copies it is left to the next commit."""
        nonlocal turned_away
        before = writer._checkpointing.locked()
        empty()
        turned_away += before or writer._checkpointing.locked()

    monkeypatch.setattr(writer, "_empty_log", emptying)
    for n in range(600):  # up to ten pages each
        await store.commit(Change((account(f"{n:03}" + "x" * 2_000),)))
        longest = max(longest, (tmp_path / "a.db-wal").stat().st_size // 4_096)
    assert len(names(store)) == 600
    assert longest < 300 + 10 * turned_away  # of some thousands in all
    store.close()


async def test_a_change_whose_submitter_is_gone_is_committed_and_told(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock())
    heard = asyncio.Event()
    store.on("calls.events", lambda wake: heard.set())
    submitting = asyncio.ensure_future(store.commit(Change((account("a"),), (Wake("calls.events", UUID(int=1), UUID(int=2)),))))
    await asyncio.sleep(0)
    submitting.cancel()
    await heard.wait()
    assert names(store) == ["a"]
    store.close()


async def test_transact_reads_its_own_writes_and_runs_on_the_writers_thread(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock())

    def run(transaction: Transaction) -> tuple[str, int, int]:
        changed = transaction.write(account("a"))
        return threading.current_thread().name, changed, len(transaction.read("accounts.find_account", ("a",)))

    assert await store.transact(run) == ("store-writer", 1, 1)
    with pytest.raises(ZeroDivisionError):
        await store.transact(lambda transaction: transaction.write(account("b")) // 0)
    assert names(store) == ["a"]
    store.close()


async def test_a_database_that_refuses_writes_says_so_and_recovers(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock())
    store._writer._connection.execute("PRAGMA query_only = 1")  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
        await store.commit(Change((account("a"),)))
    assert "ReadOnlyError" in (store.unhealthy() or "")
    store._writer._connection.execute("PRAGMA query_only = 0")  # type: ignore[attr-defined]
    await store.commit(Change((account("b"),)))
    assert store.unhealthy() is None
    assert names(store) == ["b"]
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.commit(Change((account("c"),)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"junk, and enough of it that nobody takes it for a header",
            r"a\.db cannot be opened: file is not a database \(NotADBError\)\. .* move it",
        ),
        (None, r"a\.db cannot be opened: unable to open database file \(CantOpenError\)\. "),
    ],
    ids=["not a database", "a folder"],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_a_remedy(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "a.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DataFolderError, match=said):
        Store.open(path, SystemClock())


def test_a_migration_that_sqlite_rolled_back_tells_why(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "small.db"))
    connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(apsw.FullError):
        migrate(connection)
    assert list(connection.execute("SELECT name FROM sqlite_master")) == []


async def test_the_log_of_writes_stays_bounded(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock(), synchronous="normal")
    big = "x" * 20_000
    for n in range(60):
        await asyncio.gather(*(store.commit(Change((account(f"{n}-{m}-{big}"),))) for m in range(20)))
    store.close()
    assert (tmp_path / "a.db").stat().st_size > 20_000_000
    assert not (tmp_path / "a.db-wal").exists() or (tmp_path / "a.db-wal").stat().st_size < 20_000_000


def test_migrations_apply_once_and_foreign_databases_are_refused() -> None:
    connection = apsw.Connection(":memory:")
    assert [one.number for one in migrate(connection)] == [one.number for one in migrations()]
    assert migrate(connection) == []

    connection.execute("UPDATE migrations SET checksum = 'other'")
    with pytest.raises(DataFolderError, match="applied with another text"):
        migrate(connection)
    for one in migrations():
        connection.execute("UPDATE migrations SET checksum = ? WHERE number = ?", (one.checksum, one.number))
    connection.execute("INSERT INTO migrations VALUES (9999, 'future', 'x')")
    with pytest.raises(DataFolderError, match="newer Callwright"):
        migrate(connection)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE customers (a, b)", "has the tables customers and no list of migrations: it is another program's"),
        ("CREATE TABLE calls (a)", "has the tables calls and no list of migrations: it is another program's"),
    ],
)
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, sql: str, said: str) -> None:
    path = tmp_path / "a.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(sql)
    before = path.read_bytes()
    with pytest.raises(DataFolderError, match=said):
        Store.open(path, SystemClock())
    with closing(apsw.Connection(str(path))) as connection:
        assert len(connection.execute("SELECT name FROM sqlite_master").fetchall()) == 1
    assert before[100:200] == path.read_bytes()[100:200]


def test_a_database_that_lacks_a_table_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path, SystemClock()).close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("DROP TABLE legs")
    with pytest.raises(DataFolderError, match="lacks the tables legs: something other than Callwright changed it"):
        Store.open(path, SystemClock())
