"""Reads of one moment: on the event loop, and on threads for what takes long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from callwright import ids
from callwright.clock import SystemClock
from callwright.store import Change, Reader, Store, Write
from callwright.store.reading import THREADS
from callwright.store.writer import GroupWriter

NAMES = "SELECT name FROM accounts ORDER BY name"


def account(name: str) -> Change:
    return Change((Write("accounts.insert_account", (ids.uuid7(1).bytes, name, 1)),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "a.db", SystemClock())
    yield made
    made.close()


def names(reader: Store | Reader) -> list[str]:
    return [str(name) for (name,) in reader.select(NAMES, ())]


async def test_what_is_read_in_a_snapshot_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    await store.commit(account("a"))
    other = apsw.Connection(str(tmp_path / "a.db"))
    with store.snapshot():
        assert names(store) == ["a"]
        other.execute("INSERT INTO accounts VALUES (x'01', 'b', 1)")
        assert names(store) == ["a"]
        assert len(store.read("accounts.find_account", ("b",))) == 0
    assert names(store) == ["a", "b"]
    other.close()


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_a_snapshot_ends_with_what_fails_in_it(store: Store, kind: str) -> None:
    one = store if kind == "file" else Store.in_memory()
    with pytest.raises(ZeroDivisionError), one.snapshot():
        raise ZeroDivisionError
    with pytest.raises(apsw.SQLError), one.snapshot():
        one.select("SELECT nonsense", ())
    await one.commit(account("a"))
    with one.snapshot():
        assert names(one) == ["a"]


async def test_what_is_told_of_a_disk_that_fails_in_a_snapshot_is_that(store: Store) -> None:
    """SQLite has rolled back by then."""

    def fail() -> None:
        store._reader.execute("ROLLBACK")
        raise apsw.IOError("the disk")

    with pytest.raises(apsw.IOError, match="the disk"), store.snapshot():
        fail()
    await store.commit(account("a"))
    with store.snapshot():
        assert names(store) == ["a"]


async def test_a_long_read_is_of_one_moment_and_holds_nobody_up(store: Store) -> None:
    await store.commit(account("a"))
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def read(reader: Reader) -> tuple[list[str], list[str], str]:
        before = names(reader)
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(30)
        return before, names(reader), threading.current_thread().name

    reading = asyncio.ensure_future(store.look(read))
    await begun.wait()
    await store.commit(account("b"))  # neither the writer waits nor the loop
    assert names(store) == ["a", "b"]
    go_on.set()
    before, after, thread = await reading
    assert before == after == ["a"]
    assert thread.startswith("store-reader")
    assert await store.look(names) == ["a", "b"]


async def test_no_long_read_begins_while_they_are_held(store: Store) -> None:
    assert store._threads is not None
    with store._threads.held():
        reading = asyncio.ensure_future(store.look(names))
        await store.commit(account("a"))
    assert await reading == ["a"]


async def test_long_reads_are_held_while_the_log_is_emptied(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were there always one that began before another ended, it would be emptied never."""
    writer, held = store._writer, []
    assert isinstance(writer, GroupWriter)
    assert store._threads is not None

    class Noted:
        """The writer's connection, with what was held when it copied the log."""

        def __init__(self, connection: apsw.Connection) -> None:
            self._connection = connection

        def wal_checkpoint(self, **how: int) -> tuple[int, int]:
            held.append(store._threads._beginning.locked())
            return self._connection.wal_checkpoint(**how)

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

    monkeypatch.setattr(writer, "_connection", Noted(writer._connection))
    writer._empty_log()
    assert held == [True]
    assert not store._threads._beginning.locked()


async def test_as_many_are_read_at_once_as_there_are_threads(store: Store) -> None:
    together = threading.Barrier(THREADS)
    await asyncio.gather(*(store.look(lambda reader: together.wait(30)) for _ in range(THREADS)))


async def test_each_thread_opens_the_file_once(store: Store) -> None:
    readers = await asyncio.gather(*(store.look(lambda reader: id(reader)) for _ in range(20)))
    assert len(set(readers)) <= THREADS


async def test_what_fails_in_a_long_read_is_told_and_harms_no_other(store: Store) -> None:
    for _ in range(2 * THREADS):
        with pytest.raises(ZeroDivisionError):
            await store.look(lambda reader: 1 // 0)
        with pytest.raises(apsw.SQLError):
            await store.look(lambda reader: reader.select("SELECT nonsense", ()))
    assert await store.look(lambda reader: reader.read("accounts.find_account", ("a",))) == []


async def test_a_reader_writes_nothing(store: Store) -> None:
    def write(reader: Reader) -> None:
        reader.select("INSERT INTO accounts VALUES (x'01', 'b', 1)", ())

    with pytest.raises(apsw.ReadOnlyError):
        await store.look(write)
    with pytest.raises(apsw.ReadOnlyError):
        store.select("INSERT INTO accounts VALUES (x'01', 'b', 1)", ())
    assert names(store) == []


async def test_closing_waits_for_what_is_being_read_and_begins_nothing_more(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock())
    await store.commit(account("a"))
    begun, go_on, read_to_the_end = threading.Barrier(THREADS + 1), threading.Event(), []

    def read(reader: Reader) -> list[str]:
        begun.wait(30)
        assert go_on.wait(30)
        read_to_the_end.append(names(reader))
        return read_to_the_end[-1]

    reading = [asyncio.ensure_future(store.look(read)) for _ in range(THREADS)]
    waiting = asyncio.ensure_future(store.look(names))
    await asyncio.to_thread(begun.wait, 30)
    closing = asyncio.ensure_future(asyncio.to_thread(store.close))
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*reading) == [["a"]] * THREADS
    await closing
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert outcome == ["a"] or isinstance(outcome, asyncio.CancelledError)  # whoever was first
    assert read_to_the_end == [["a"]] * THREADS
    with pytest.raises(RuntimeError):
        await store.look(names)


async def test_a_store_in_memory_looks_on_the_loop() -> None:
    store = Store.in_memory()
    await store.commit(account("a"))
    assert await store.look(lambda reader: (names(reader), threading.current_thread())) == (["a"], threading.main_thread())
    with pytest.raises(ZeroDivisionError):
        await store.look(lambda reader: 1 // 0)
    await store.commit(account("b"))
    assert await store.look(names) == ["a", "b"]
