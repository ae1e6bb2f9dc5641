"""One SQLite file: a writer thread that commits in groups, a reader on the event loop, checkpoints on a third thread.

Whatever waits in the queue when the writer is free becomes one transaction with one sync to disk. A change that violates a
constraint fails alone: its group is run again with a savepoint around each job.
"""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import apsw

from callwright.clock import Clock
from callwright.errors import CallwrightError, DataFolderError, StoreUnavailable
from callwright.log import Log
from callwright.store import queries
from callwright.store.change import Change, Row, Wake, Write
from callwright.store.migrate import migrate

T = TypeVar("T")
MAX_BATCH = 256
# In pages of 4 kB. After so many, what was written is copied to its place while calls go on: copying costs two syncs, which
# are fewer in larger portions. A log that is long is emptied when nearly all of it is copied, and a very long one at once.
CHECKPOINT_PAGES = 4_000
LITTLE_PAGES = 1_000
TRUNCATE_PAGES = 32_000
BUSY_MS = 5_000
EMPTYING_MS = 200

_PLAIN_INSERT = re.compile(r"\AINSERT INTO [^;]*\bVALUES \([?, ]+\)\Z")

_log = Log("store")


# Errors that are the statement's own fault, and only its.
_OF_THE_JOB = (apsw.ConstraintError, apsw.SQLError, apsw.BindingsError, apsw.MismatchError, apsw.TooBigError, apsw.RangeError)


_REMEDIES: dict[type[Exception], str] = {
    apsw.NotADBError: "It is not a Callwright database, or it is damaged: restore a copy, or move it away to start anew.",
    apsw.CorruptError: "It is damaged: restore a copy, or move it away to start anew.",
    apsw.FullError: "The disk is full: free some space.",
    apsw.ReadOnlyError: "The file may not be written: see to its owner and mode.",
    apsw.BusyError: "Another program holds a lock on it, perhaps a backup or a shell: end that program.",
    apsw.IOError: "The disk fails or has become read-only: look at the kernel's log (dmesg).",
}
_REMEDY = "See that the folder is on a healthy disk and belongs to this user."


class ConstraintViolated(CallwrightError):
    """A unique or check constraint of the database refused the change."""


class Transaction:
    """What a function given to `Store.transact` may do."""

    def __init__(self, connection: apsw.Connection, named: Mapping[str, str]) -> None:
        self._connection = connection
        self._named = named
        # Plain inserts, whose rows can be put together, with their texts by the number of rows.
        self._inserts: dict[str, dict[int, str]] = {name: {} for name, sql in named.items() if _PLAIN_INSERT.search(sql)}

    def read(self, query: str, params: Row = ()) -> list[Row]:
        return list(self._connection.execute(self._named[query], params))

    def write(self, write: Write) -> int:
        """Run one statement and return how many rows it changed."""
        self._connection.execute(self._named[write.query], write.params)
        return self._connection.changes()

    def write_all(self, writes: tuple[Write, ...]) -> None:
        """Run statements in order; rows for one table that follow each other go in by one statement."""
        execute, named = self._connection.execute, self._named
        position, end = 0, len(writes)
        while position < end:
            query, params = writes[position]
            position += 1
            if query in self._inserts:
                first = position
                while position < end and writes[position].query == query:
                    params += writes[position].params
                    position += 1
                execute(self._insert(query, 1 + position - first), params)
            else:
                execute(named[query], params)

    def _insert(self, query: str, rows: int) -> str:
        sql = self._inserts[query].get(rows)
        if sql is None:
            text = self._named[query]
            values = text[text.rindex("(") :]
            sql = self._inserts[query][rows] = text + f", {values}" * (rows - 1)
        return sql


class _Job:
    """Statements, or a function that needs a savepoint of its own; `told` hears when it is durable or has failed."""

    __slots__ = ("error", "future", "result", "run", "told", "wakes", "writes")

    def __init__(
        self,
        future: asyncio.Future[Any],
        told: Callable[[_Job], None],
        *,
        writes: tuple[Write, ...] = (),
        wakes: tuple[Wake, ...] = (),
        run: Callable[[Transaction], Any] | None = None,
    ) -> None:
        self.future = future
        self.told = told
        self.writes = writes
        self.wakes = wakes
        self.run = run
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, transaction: Transaction) -> None:
        if self.run is None:
            transaction.write_all(self.writes)
        else:
            self.result = self.run(transaction)


class Writer(Protocol):
    def put(self, job: _Job) -> None: ...

    def close(self) -> None: ...


class Store:
    """The database as the rooms see it."""

    def __init__(self, writer: Writer, reader: apsw.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._named = queries.load()
        self._listeners: defaultdict[str, list[Callable[[Wake], None]]] = defaultdict(list)
        self._unhealthy: str | None = None

    @classmethod
    def open(
        cls, path: Path, clock: Clock, *, synchronous: str = "full", on_commit: Callable[[float], None] = lambda seconds: None
    ) -> Store:
        """Open or make the database file; `on_commit` is told the seconds each group commit took.

        Raises `DataFolderError` when the file cannot be used.
        """
        try:
            connection = _connect(str(path), synchronous)
            migrate(connection)
            reader = _connect(str(path), synchronous)
            reader.execute("PRAGMA query_only = 1")
            checkpointer = _connect(str(path), synchronous)
        except apsw.Error as error:
            raise DataFolderError(f"The database {path} cannot be opened: {_told(error)}") from error
        return cls(_GroupWriter(connection, checkpointer, clock, on_commit), reader)

    @classmethod
    def in_memory(cls) -> Store:
        """A store without file or threads, for simulations and tests: a commit is done when `commit` returns."""
        connection = _connect(":memory:", "off")
        migrate(connection)
        return cls(_InlineWriter(connection), connection)

    def close(self) -> None:
        """Commit what is queued and close the file."""
        self._writer.close()
        self._reader.close()

    def on(self, topic: str, listener: Callable[[Wake], None]) -> None:
        """Call `listener` on the event loop for each wake-up of a topic, after its commit."""
        self._listeners[topic].append(listener)

    def read(self, query: str, params: Row = ()) -> list[Row]:
        """Run a bounded read on the event loop. It sees every change whose commit has resolved."""
        return list(self._reader.execute(self._named[query], params))

    async def commit(self, change: Change) -> None:
        """Write a change; return when it is durable. Whoever stops waiting stops neither it nor its wake-ups.

        Raises `ConstraintViolated` when the database refuses its content, `StoreUnavailable` when it cannot write.
        """
        future = asyncio.get_running_loop().create_future()
        self._writer.put(_Job(future, self._settle, writes=change.writes, wakes=change.wakes))
        await future

    async def transact(self, run: Callable[[Transaction], T]) -> T:
        """Run a function that reads and writes in one transaction, on the writer's thread; for rare admin writes.

        It may be run a second time, after what the first run did was rolled back.
        """
        future = asyncio.get_running_loop().create_future()
        self._writer.put(_Job(future, self._settle, run=run))
        result: T = await future
        return result

    def unhealthy(self) -> str | None:
        """Why the last commit failed, or None."""
        return self._unhealthy

    def _settle(self, job: _Job) -> None:
        """Tell what became of a job; on the event loop."""
        error = job.error
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


def _connect(path: str, synchronous: str) -> apsw.Connection:
    connection = apsw.Connection(path, statementcachesize=200)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = 0")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def _told(error: apsw.Error) -> str:
    """What is wrong and what to do, for whoever is woken by it."""
    return f"{error} ({type(error).__name__}). {_REMEDIES.get(type(error), _REMEDY)}"


def _run_batch(connection: apsw.Connection, transaction: Transaction, batch: list[_Job]) -> None:
    """Run jobs as one transaction; afterwards each has its result or its error."""
    try:
        if not _run_together(connection, transaction, batch):
            _run_apart(connection, transaction, batch)
    except apsw.Error as error:
        # SQLite has often rolled back by itself here; nothing of the batch is on disk either way.
        if connection.in_transaction:
            with suppress(apsw.Error):
                connection.execute("ROLLBACK")
        for job in batch:
            job.error = StoreUnavailable(_told(error))


def _run_together(connection: apsw.Connection, transaction: Transaction, batch: list[_Job]) -> bool:
    """Run changes without savepoints, which cost as much as many a change; False, and nothing is done, if one fails."""
    connection.execute("BEGIN IMMEDIATE")
    for job in batch:
        if job.run is not None:
            _run_alone(connection, transaction, job)
            continue
        try:
            job.do(transaction)
        except Exception as error:
            if _is_fault_of_the_database(error):
                raise
            connection.execute("ROLLBACK")
            return False
    connection.execute("COMMIT")
    return True


def _run_apart(connection: apsw.Connection, transaction: Transaction, batch: list[_Job]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for job in batch:
        _run_alone(connection, transaction, job)
    connection.execute("COMMIT")


def _run_alone(connection: apsw.Connection, transaction: Transaction, job: _Job) -> None:
    connection.execute("SAVEPOINT job")
    job.error = None
    try:
        job.do(transaction)
    except Exception as error:
        if _is_fault_of_the_database(error):
            raise
        job.error = ConstraintViolated(str(error)) if isinstance(error, apsw.ConstraintError) else error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _is_fault_of_the_database(error: Exception) -> bool:
    """Whether it is the disk, a lock or memory, and no statement's own fault."""
    return isinstance(error, apsw.Error) and not isinstance(error, _OF_THE_JOB)


class _InlineWriter:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, queries.load())

    def put(self, job: _Job) -> None:
        _run_batch(self._connection, self._transaction, [job])
        job.told(job)

    def close(self) -> None:
        pass


class _GroupWriter:
    def __init__(
        self, connection: apsw.Connection, checkpointer: apsw.Connection, clock: Clock, on_commit: Callable[[float], None]
    ) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, queries.load())
        self._checkpointer = checkpointer
        self._clock = clock
        self._on_commit = on_commit
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._wal_pages = 0
        self._copying_pages = 0  # where the last copying began
        self._copied_pages = 0
        self._empty_at = TRUNCATE_PAGES
        self._checkpoint_wanted = threading.Event()
        self._checkpointing = threading.Lock()  # SQLite does not wait for another checkpoint, it fails
        self._closing = False
        connection.set_wal_hook(self._on_wal)
        self._threads = [
            threading.Thread(target=self._write, name="store-writer", daemon=True),
            threading.Thread(target=self._checkpoint, name="store-checkpoints", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: _Job) -> None:
        if self._closing:
            raise StoreUnavailable("the store is closed")
        self._queue.put(job)

    def close(self) -> None:
        self._closing = True
        self._queue.put(None)
        self._threads[0].join()
        self._checkpoint_wanted.set()
        self._threads[1].join()
        self._connection.close()
        self._checkpointer.close()

    def _write(self) -> None:
        closing = False
        while not closing:
            batch = []
            job = self._queue.get()
            while job is not None:
                batch.append(job)
                if len(batch) == MAX_BATCH or self._queue.empty():
                    break
                job = self._queue.get()
            closing = job is None
            if not batch:
                continue
            started = self._clock.mono_ns()
            _run_batch(self._connection, self._transaction, batch)
            try:
                self._on_commit((self._clock.mono_ns() - started) / 1e9)
            except Exception:
                _log.exception("commit_not_counted")
            if self._wal_pages > self._empty_at:
                self._empty_log()
            self._settle(batch)

    def _settle(self, batch: list[_Job]) -> None:
        def settle() -> None:
            for job in batch:
                job.told(job)

        try:
            batch[0].future.get_loop().call_soon_threadsafe(settle)
        except RuntimeError:  # the loop is closed: nobody waits for the answer any more
            _log.warning("commit_unheard", jobs=len(batch))

    def _on_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._copying_pages = self._copied_pages = 0  # it was all copied, and begins anew
        self._wal_pages = pages
        if pages - self._copying_pages > CHECKPOINT_PAGES:
            self._copying_pages = pages
            self._checkpoint_wanted.set()
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        while not self._closing:
            self._checkpoint_wanted.wait()
            self._checkpoint_wanted.clear()
            try:
                with self._checkpointing:
                    _, self._copied_pages = self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error as error:
                _log.warning("checkpoint_failed", error=str(error))

    def _empty_log(self) -> None:
        """Empty the log when little of it is still to be copied, or it is twice as long as it should be.

        A reader that stays, such as a shell left open, must not hold up the calls.
        """
        much = self._wal_pages > 2 * self._empty_at
        if not much and self._wal_pages - self._copied_pages > LITTLE_PAGES:
            return
        if not self._checkpointing.acquire(blocking=much):
            return
        self._connection.set_busy_timeout(EMPTYING_MS)
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._wal_pages = self._copying_pages = self._copied_pages = 0
            self._empty_at = TRUNCATE_PAGES
        except apsw.Error as error:
            self._empty_at = self._wal_pages + TRUNCATE_PAGES
            _log.warning("checkpoint_failed", error=str(error), log_mb=self._wal_pages * 4096 >> 20)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)
            self._checkpointing.release()
