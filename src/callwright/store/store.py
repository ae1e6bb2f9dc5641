"""One SQLite file: a writer thread that commits in groups, a reader on the event loop, checkpoints on a third thread.

Whatever waits in the queue when the writer is free becomes one transaction with one sync to disk. A change that violates a
constraint fails alone: its group is run again with a savepoint around each job.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TypeVar

import apsw

from callwright.clock import Clock, SystemClock
from callwright.errors import DataFolderError, StoreUnavailable
from callwright.log import Log
from callwright.store import queries
from callwright.store.batch import Job, Transaction, described
from callwright.store.change import Change, Param, Row, Wake
from callwright.store.migrate import migrate
from callwright.store.reading import Reader, ReaderThreads
from callwright.store.writer import BUSY_MS, GroupWriter, InlineWriter, Writer

T = TypeVar("T")
# A list whose counters are wrong is told of once in this time.
DOUBT_NS = 60_000_000_000
# A database of more bytes is migrated with temporary files.
LARGE = 100_000_000
TEMPORARY_IN_MEMORY = "PRAGMA temp_store = MEMORY"
_log = Log("store")


class Store:
    """The database as the rooms see it."""

    def __init__(
        self, writer: Writer, reader: apsw.Connection, threads: ReaderThreads | None = None, clock: Clock | None = None
    ) -> None:
        """`reader` is read on the event loop; without `threads` long reads are made there too."""
        self._clock = clock or SystemClock()
        self._writer = writer
        self._reader = reader
        self._named = queries.load()
        self._reading = Reader(reader, self._named)
        self._threads = threads
        self._listeners: defaultdict[str, list[Callable[[Wake], None]]] = defaultdict(list)
        self._unhealthy: str | None = None
        self._doubted_ns: dict[str, int] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        synchronous: str = "full",
        on_commit: Callable[[float], None] = lambda seconds: None,
        rebuilds: bool = False,
    ) -> Store:
        """Open or make the database file; `on_commit` is told the seconds each group commit took. Who `rebuilds` goes through
        whole tables in one transaction.

        Raises `DataFolderError` when the file cannot be used.
        """
        try:
            connection = _connect(str(path), synchronous)
            if path.stat().st_size > LARGE:
                _sort_in_files(connection, path.parent)
            migrate(connection)
            if not rebuilds:
                connection.execute(TEMPORARY_IN_MEMORY)
            reader = _read_only(str(path))
            checkpointer = _connect(str(path), synchronous)
        except apsw.Error as error:
            raise DataFolderError(f"The database {path} cannot be opened: {described(error)}") from error
        threads = ReaderThreads(lambda: Reader(_read_only(str(path)), queries.load()))
        return cls(GroupWriter(connection, checkpointer, clock, on_commit, threads.held), reader, threads, clock)

    @classmethod
    def in_memory(cls) -> Store:
        """A store without file or threads, for simulations and tests: a commit is done when `commit` returns."""
        connection = _connect(":memory:", "off")
        connection.deserialize("main", _empty())
        return cls(InlineWriter(connection), connection)

    def close(self) -> None:
        """Commit what is queued and close the file."""
        self._writer.close()
        if self._threads is not None:
            self._threads.close()
        self._reader.close()

    def on(self, topic: str, listener: Callable[[Wake], None]) -> None:
        """Call `listener` on the event loop for each wake-up of a topic, after its commit."""
        self._listeners[topic].append(listener)

    def read(self, query: str, params: Row = ()) -> list[Row]:
        """Run a bounded read on the event loop. It sees every change whose commit has resolved."""
        return self._reading.read(query, params)

    def select(self, sql: str, params: Row | Mapping[str, Param]) -> list[Row]:
        """As `read`, for a statement that is put together as a list is asked for."""
        return self._reading.select(sql, params)

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Whatever is read within is of one moment; nothing may be awaited there."""
        return self._reading.snapshot()

    async def look(self, read: Callable[[Reader], T]) -> T:
        """Run reads that take long on a thread of their own, all of one moment."""
        if self._threads is not None:
            return await self._threads.run(read)
        with self.snapshot() as reader:
            return read(reader)

    async def commit(self, change: Change) -> None:
        """Write a change; return when it is durable. Whoever stops waiting stops neither it nor its wake-ups.

        Raises `ConstraintViolated` when the database refuses its content, `StoreUnavailable` when it cannot write.
        """
        future = asyncio.get_running_loop().create_future()
        self._writer.put(Job(future, self._settle, writes=change.writes, wakes=change.wakes))
        await future

    async def transact(self, run: Callable[[Transaction], T], wakes: tuple[Wake, ...] = ()) -> T:
        """Run a function that reads and writes in one transaction, on the writer's thread; for rare admin writes.

        It may be run a second time, after what the first run did was rolled back. The wake-ups fire after it, whatever it
        wrote.
        """
        future = asyncio.get_running_loop().create_future()
        self._writer.put(Job(future, self._settle, run=run, wakes=wakes))
        result: T = await future
        return result

    def unhealthy(self) -> str | None:
        """Why the last commit failed, or None."""
        return self._unhealthy

    def doubt(self, name: str) -> None:
        """Tell the operator, once a minute, that the counters of a list were found wrong."""
        now_ns = self._clock.mono_ns()
        if name not in self._doubted_ns or now_ns - self._doubted_ns[name] >= DOUBT_NS:
            self._doubted_ns[name] = now_ns
            _log.error(
                "counters_wrong",
                list=name,
                meanwhile="pages and totals are wrong, or slow where a request notices it and counts rows",
                remedy="stop the server and run callwright doctor --fix, which counts anew",
            )

    def _settle(self, job: Job) -> None:
        """Tell what became of a job; on the event loop."""
        error = job.error
        if job.wrote or error is not None:
            self._note_health(error)
        if not job.future.done():
            if error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(error)
        if error is None:
            for wake in job.wakes:
                for listener in self._listeners[wake.topic]:
                    listener(wake)

    def _note_health(self, error: BaseException | None) -> None:
        if isinstance(error, StoreUnavailable):
            if self._unhealthy is None:
                _log.error("store_unhealthy", why=error, until="it takes a write again, new calls are refused")
            self._unhealthy = str(error)
        elif self._unhealthy is not None:
            _log.info("store_healthy", after=self._unhealthy)
            self._unhealthy = None


@cache
def _empty() -> bytes:
    """A database with all tables and no rows: made once, as migrating takes longer than many a simulated call."""
    connection = _connect(":memory:", "off")
    migrate(connection)
    return connection.serialize("main")


def _connect(path: str, synchronous: str) -> apsw.Connection:
    # apsw forgets a statement once so many others ran after it: counting, once in a commit, is kept through large ones.
    connection = apsw.Connection(path, statementcachesize=600)
    connection.set_busy_timeout(BUSY_MS)
    # Without it a statement over a table with partial indexes is planned anew for each binding: a third of a delivery's time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = 0")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -16384")
    # What a statement with triggers changes is kept aside while it runs; in files that takes as long as the statement.
    connection.execute(TEMPORARY_IN_MEMORY)
    # What was deleted is written over, so that an erased call cannot be read in the file. FAST leaves whole pages as they are.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _sort_in_files(connection: apsw.Connection, folder: Path) -> None:
    """Ten million calls, put into another order for an index or a sum, are gigabytes. The files have no name from the first on,
    and are where there must be room anyway.
    """
    connection.execute("PRAGMA temp_store = FILE")
    name = str(folder.absolute()).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{name}'")


def _read_only(path: str) -> apsw.Connection:
    connection = _connect(path, "full")
    connection.execute("PRAGMA query_only = 1")
    return connection
