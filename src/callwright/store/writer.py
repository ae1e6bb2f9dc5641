"""Who runs the batches: a thread that commits in groups, or the caller itself; and who keeps the log of writes short."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import apsw

from callwright.clock import Clock
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import queries
from callwright.store.batch import Job, Transaction, run_batch

MAX_BATCH = 256
# In pages of 4 kB. After so many, what was written is copied to its place while calls go on: copying costs two syncs, which
# are fewer in larger portions. A log that is long is emptied when nearly all of it is copied, and a very long one at once.
CHECKPOINT_PAGES = 4_000
LITTLE_PAGES = 1_000
TRUNCATE_PAGES = 32_000
EMPTYING_MS = 200
BUSY_MS = 5_000

_log = Log("store")


class Writer(Protocol):
    def put(self, job: Job) -> None: ...

    def close(self) -> None: ...


class InlineWriter:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, queries.load())

    def put(self, job: Job) -> None:
        run_batch(self._connection, self._transaction, [job])
        job.told(job)

    def close(self) -> None:
        pass


class GroupWriter:
    def __init__(
        self,
        connection: apsw.Connection,
        checkpointer: apsw.Connection,
        clock: Clock,
        on_commit: Callable[[float], None],
        hold_reads: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """No long read begins in what `hold_reads` gives: while some always overlap the log of writes is never emptied."""
        self._connection = connection
        self._transaction = Transaction(connection, queries.load())
        self._checkpointer = checkpointer
        self._clock = clock
        self._on_commit = on_commit
        self._hold_reads = hold_reads
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
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

    def put(self, job: Job) -> None:
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
            run_batch(self._connection, self._transaction, batch)
            try:
                self._on_commit((self._clock.mono_ns() - started) / 1e9)
            except Exception:
                _log.exception("commit_not_counted")
            if self._wal_pages > self._empty_at:
                behind = self._wal_pages - self._copied_pages
                if behind < LITTLE_PAGES or self._wal_pages > 2 * self._empty_at:
                    self._empty_log()
            self._settle(batch)

    def _settle(self, batch: list[Job]) -> None:
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
            self._empty_at = TRUNCATE_PAGES
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
        """Empty the log while nobody reads it; a reader that stays, such as a shell left open, must not hold up the calls."""
        if not self._checkpointing.acquire(blocking=False):
            return  # the next commit tries again
        self._connection.set_busy_timeout(EMPTYING_MS)
        # Giving the file back takes some 50 ms, in which nothing is committed; beginning it anew takes less than one.
        very_long = self._wal_pages > 2 * TRUNCATE_PAGES
        try:
            with self._hold_reads():
                self._connection.wal_checkpoint(
                    mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if very_long else apsw.SQLITE_CHECKPOINT_RESTART
                )
            self._wal_pages = self._copying_pages = self._copied_pages = 0
            self._empty_at = TRUNCATE_PAGES
        except apsw.Error as error:
            self._empty_at = self._wal_pages + TRUNCATE_PAGES
            _log.warning("checkpoint_failed", error=str(error), log_mb=self._wal_pages * 4096 >> 20)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)
            self._checkpointing.release()
