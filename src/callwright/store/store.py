"""One SQLite file: a writer thread that commits in groups, a reader on the event loop, checkpoints on a third thread.

Whatever waits in the queue when the writer is free becomes one transaction with one sync to disk; each change is a
savepoint in it, so one that violates a constraint fails alone.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
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
# Passive checkpoints start here (pages of 4 kB); where they cannot keep up, the writer stops once to empty the log.
CHECKPOINT_PAGES = 1_000
TRUNCATE_PAGES = 32_000
BUSY_MS = 5_000
EMPTYING_MS = 200

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

    def read(self, query: str, params: Row = ()) -> list[Row]:
        return list(self._connection.execute(self._named[query], params))

    def write(self, write: Write) -> int:
        """Run one statement and return how many rows it changed."""
        self._connection.execute(self._named[write.query], write.params)
        return self._connection.changes()


class _Job:
    """A function to run in a savepoint, and the future that waits for its result to be durable."""

    __slots__ = ("error", "future", "result", "run")

    def __init__(self, run: Callable[[Transaction], Any], future: asyncio.Future[Any]) -> None:
        self.run = run
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


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
        """Write a change; return when it is durable.

        Raises `ConstraintViolated` when the database refuses its content, `StoreUnavailable` when it cannot write.
        """

        def run(transaction: Transaction) -> None:
            for write in change.writes:
                transaction.write(write)

        job = self._put(run)
        job.add_done_callback(partial(self._wake, change.wakes))
        await self._durable(job)

    async def transact(self, run: Callable[[Transaction], T]) -> T:
        """Run a function that reads and writes in one transaction, on the writer's thread; for rare admin writes."""
        result: T = await self._durable(self._put(run))
        return result

    def unhealthy(self) -> str | None:
        """Why the last commit failed, or None."""
        return self._unhealthy

    def _put(self, run: Callable[[Transaction], Any]) -> asyncio.Future[Any]:
        job = _Job(run, asyncio.get_running_loop().create_future())
        self._writer.put(job)
        return job.future

    async def _durable(self, future: asyncio.Future[Any]) -> Any:
        """Wait for a job. Whoever stops waiting does not stop the job, nor its wake-ups."""
        try:
            result = await asyncio.shield(future)
        except StoreUnavailable as error:
            if self._unhealthy is None:
                _log.error("store_unhealthy", why=error, until="it takes a write again, new calls are refused")
            self._unhealthy = str(error)
            raise
        if self._unhealthy is not None:
            _log.info("store_healthy", after=self._unhealthy)
        self._unhealthy = None
        return result

    def _wake(self, wakes: tuple[Wake, ...], future: asyncio.Future[Any]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        for wake in wakes:
            for listener in self._listeners[wake.topic]:
                listener(wake)


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
        connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            connection.execute("SAVEPOINT job")
            try:
                job.result = job.run(transaction)
            except Exception as error:
                if isinstance(error, apsw.Error) and not isinstance(error, _OF_THE_JOB):
                    raise  # the database itself fails: disk, locks, memory
                job.error = ConstraintViolated(str(error)) if isinstance(error, apsw.ConstraintError) else error
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    except apsw.Error as error:
        # SQLite has often rolled back by itself here; nothing of the batch is on disk either way.
        if connection.in_transaction:
            with suppress(apsw.Error):
                connection.execute("ROLLBACK")
        for job in batch:
            job.error = StoreUnavailable(_told(error))


class _InlineWriter:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, queries.load())

    def put(self, job: _Job) -> None:
        _run_batch(self._connection, self._transaction, [job])
        job.settle()

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
        self._empty_at = TRUNCATE_PAGES
        self._checkpoint_wanted = threading.Event()
        self._closing = False
        connection.set_wal_hook(self._on_wal)
        self._threads = [
            threading.Thread(target=self._write, name="store-writer"),
            threading.Thread(target=self._checkpoint, name="store-checkpoints"),
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
                job.settle()

        try:
            batch[0].future.get_loop().call_soon_threadsafe(settle)
        except RuntimeError:  # the loop is closed: nobody waits for the answer any more
            _log.warning("commit_unheard", jobs=len(batch))

    def _on_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        if pages > CHECKPOINT_PAGES:
            self._checkpoint_wanted.set()
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        while not self._closing:
            self._checkpoint_wanted.wait()
            self._checkpoint_wanted.clear()
            try:
                self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.BusyError:
                pass  # the writer is at it
            except apsw.Error as error:
                _log.warning("checkpoint_failed", error=str(error))

    def _empty_log(self) -> None:
        """Empty the log while nobody reads it; a reader that stays, such as a shell left open, must not hold up the calls."""
        self._connection.set_busy_timeout(EMPTYING_MS)
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._wal_pages, self._empty_at = 0, TRUNCATE_PAGES
        except apsw.Error as error:
            self._empty_at = self._wal_pages + TRUNCATE_PAGES
            _log.warning("checkpoint_failed", error=str(error), log_mb=self._wal_pages * 4096 >> 20)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)
