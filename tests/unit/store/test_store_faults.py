"""A disk that is full, fails or is read-only, and a file that another program has locked: what is said, and that it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from callwright import ids
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.errors import DataFolderError, StoreUnavailable
from callwright.store import Change, Store, Write
from callwright.store import writer as writer_module
from support.faulty_vfs import FaultyDisk, faulty_disk

FULL = "database or disk is full (FullError). The disk is full: free some space."
FAILS = "disk I/O error (IOError). The disk fails or has become read-only: look at the kernel's log (dmesg)."
READ_ONLY = "attempt to write a readonly database (ReadOnlyError). The file may not be written: see to its owner and mode."
LOCKED = "database is locked (BusyError). Another program holds a lock on it, perhaps a backup or a shell: end that program."
FAULTS = pytest.mark.parametrize(
    ("fault", "said"),
    [(apsw.FullError, FULL), (apsw.IOError, FAILS), (apsw.ReadOnlyError, READ_ONLY)],
    ids=["full", "fails", "read-only"],
)


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callwright.store.store.BUSY_MS", 50)


def account(name: str) -> Change:
    return Change((Write("accounts.insert_account", (ids.uuid7(1).bytes, name, 1)),))


def names(path: Path) -> list[str]:
    """What is on disk, as another program sees it."""
    with closing(apsw.Connection(str(path))) as database:
        return [name for (name,) in database.execute("SELECT name FROM accounts ORDER BY name")]


@pytest.mark.parametrize(
    ("fault", "said"),
    [(apsw.FullError, FULL), (apsw.IOError, FAILS), (apsw.ReadOnlyError, READ_ONLY)],
    ids=["full", "fails", "ro"],
)
async def test_a_fault_of_the_disk_is_told_once_and_passes(
    disk: FaultyDisk, fault: type[apsw.Error], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "a.db"
    opened = Store.open(path, SystemClock())
    await opened.commit(account("before"))
    disk.fault = fault
    for name in ("a", "b"):
        with pytest.raises(StoreUnavailable) as caught:
            await opened.commit(account(name))
        assert str(caught.value) == said
    assert await opened.transact(lambda transaction: len(transaction.read("accounts.find_account", ("before",)))) == 1
    assert opened.unhealthy() == said, "that something was read says nothing of the disk"
    assert [row for row in opened.read("accounts.find_account", ("before",)) if row], "reading goes on"
    disk.fault = None
    await asyncio.gather(*(opened.commit(account(name)) for name in ("a", "c")))
    assert opened.unhealthy() is None
    assert [record.getMessage() for record in caplog.records] == ["store_unhealthy", "store_healthy"]
    assert str(caplog.records[0].fields["why"]) == said  # type: ignore[attr-defined]
    opened.close()
    assert names(path) == ["a", "before", "c"]


@pytest.mark.parametrize("fault", [apsw.FullError, apsw.IOError], ids=["full", "fails"])
async def test_a_group_whose_commit_fails_leaves_nothing_and_can_be_tried_again(
    disk: FaultyDisk, fault: type[apsw.Error], tmp_path: Path
) -> None:
    """What is tried again would otherwise violate its own constraints, or be there twice."""
    path = tmp_path / "a.db"
    opened = Store.open(path, SystemClock())
    changes = [account(f"{n:02}") for n in range(20)]
    disk.fault = fault
    results = await asyncio.gather(*(opened.commit(change) for change in changes), return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    assert names(path) == []
    disk.fault = None
    await asyncio.gather(*(opened.commit(change) for change in changes))
    opened.close()
    assert names(path) == [f"{n:02}" for n in range(20)]


async def test_a_file_that_another_program_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened = Store.open(path, SystemClock())
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable) as caught:
            await opened.commit(account("a"))
        assert str(caught.value) == LOCKED
        assert opened.read("accounts.find_account", ("a",)) == [], "reading goes on"
        other.execute("ROLLBACK")
    await opened.commit(account("a"))
    assert opened.unhealthy() is None
    opened.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [(apsw.FullError, FULL), (apsw.IOError, FAILS), (apsw.ReadOnlyError, READ_ONLY)],
    ids=["full", "fails", "ro"],
)
def test_a_database_that_cannot_be_made_is_refused_at_the_start(
    disk: FaultyDisk, fault: type[apsw.Error], said: str, tmp_path: Path
) -> None:
    disk.fault = fault
    with pytest.raises(DataFolderError) as caught:
        Store.open(tmp_path / "a.db", SystemClock())
    assert str(caught.value) == f"The database {tmp_path}/a.db cannot be opened: {said}"


def test_a_locked_database_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path, SystemClock()).close()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DataFolderError) as caught:
            Store.open(path, SystemClock())
        assert str(caught.value) == f"The database {path} cannot be opened: {LOCKED}"


def test_a_folder_on_a_read_only_file_system_is_refused_by_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the server may be root: then modes say nothing, but mounts do."""

    class ReadOnly:
        f_flag = 1

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("os.statvfs", lambda _: ReadOnly)
    with pytest.raises(DataFolderError) as caught:
        DataFolder(tmp_path / "data").prepare()
    assert str(caught.value) == (
        f"{tmp_path}/data cannot be written; its file system is mounted read-only: mount it for writing, "
        "or choose another folder with --data"
    )


async def test_a_reader_that_stays_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell somebody left open keeps the log of writes from being emptied; commits go on beside it."""
    for name, value in {"CHECKPOINT_PAGES": 20, "LITTLE_PAGES": 10, "TRUNCATE_PAGES": 50, "EMPTYING_MS": 1}.items():
        monkeypatch.setattr(writer_module, name, value)
    path = tmp_path / "a.db"
    opened = Store.open(path, SystemClock())
    tried: list[int] = []
    writer: Any = opened._writer
    monkeypatch.setattr(writer, "_empty_at", 50)
    empty = writer._empty_log

    def emptying() -> None:
        before = writer._empty_at
        empty()
        if writer._empty_at != before:  # else somebody was copying, and the next commit tries again
            tried.append(writer._wal_pages)

    monkeypatch.setattr(writer, "_empty_log", emptying)
    written = 0

    async def write_until(done: Callable[[], bool]) -> None:
        nonlocal written
        while not done():
            assert written < 400
            await opened.commit(account(f"{written:03}-" + "x" * 20_000))
            written += 1

    with closing(apsw.Connection(str(path))) as shell:
        shell.execute("BEGIN")
        shell.execute("SELECT * FROM accounts").fetchall()
        await write_until(lambda: len(tried) == 2)
        assert written > 10, "it is tried now and then, not with every commit"
        shell.execute("COMMIT")
    await write_until(lambda: writer._wal_pages < tried[0])  # once it is gone the log is emptied
    opened.close()
    assert len(names(path)) == written
