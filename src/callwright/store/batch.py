"""Groups of changes as transactions: what is written together, what fails alone, and why the database refuses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import apsw

from callwright.errors import CallwrightError, StoreUnavailable
from callwright.store.change import Row, Wake, Write

_PLAIN_INSERT = re.compile(r"\AINSERT INTO [^;]*\bVALUES \([?, ]+\)\Z")

# Of one statement: SQLite knows 32,766 parameters, and the text for each number of rows is kept.
MOST_ROWS = 256

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

    def define(self, sql: str) -> None:
        """Run a statement that makes or drops an index or a trigger."""
        self._connection.execute(sql)

    def write_all(self, writes: tuple[Write, ...]) -> None:
        """Run statements in order; rows for one table that follow each other go in by one statement."""
        execute, named = self._connection.execute, self._named
        position, end = 0, len(writes)
        while position < end:
            query, params = writes[position]
            position += 1
            if query in self._inserts:
                first = position
                while position < end and writes[position].query == query and position - first < MOST_ROWS - 1:
                    params += writes[position].params
                    position += 1
                execute(self._insert(query, 1 + position - first), params)
            else:
                execute(named[query], params)

    def count(self) -> None:
        """Sum what happened to calls into their counters: the last of a transaction, once for all of its jobs."""
        if self.read("blocks.any_uncounted") != [(0,)]:
            for query in ("blocks.count", "blocks.drop_emptied", "blocks.all_counted"):
                self._connection.execute(self._named[query])

    def _insert(self, query: str, rows: int) -> str:
        sql = self._inserts[query].get(rows)
        if sql is None:
            text = self._named[query]
            values = text[text.rindex("(") :]
            sql = self._inserts[query][rows] = text + f", {values}" * (rows - 1)
        return sql


class Job:
    """Statements, or a function that needs a savepoint of its own; `told` hears when it is durable or has failed."""

    __slots__ = ("error", "future", "result", "run", "told", "wakes", "writes", "wrote")

    def __init__(
        self,
        future: asyncio.Future[Any],
        told: Callable[[Job], None],
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
        self.wrote = run is None  # a function may only have read, which says nothing of the disk

    def do(self, transaction: Transaction) -> None:
        if self.run is None:
            transaction.write_all(self.writes)
        else:
            self.result = self.run(transaction)


def described(error: apsw.Error) -> str:
    """What is wrong and what to do, for whoever is woken by it."""
    return f"{error} ({type(error).__name__}). {_REMEDIES.get(type(error), _REMEDY)}"


def run_batch(connection: apsw.Connection, transaction: Transaction, batch: list[Job]) -> None:
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
            job.error = StoreUnavailable(described(error))


def _run_together(connection: apsw.Connection, transaction: Transaction, batch: list[Job]) -> bool:
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
    transaction.count()
    connection.execute("COMMIT")
    return True


def _run_apart(connection: apsw.Connection, transaction: Transaction, batch: list[Job]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for job in batch:
        _run_alone(connection, transaction, job)
    transaction.count()
    connection.execute("COMMIT")


def _run_alone(connection: apsw.Connection, transaction: Transaction, job: Job) -> None:
    connection.execute("SAVEPOINT job")
    job.error = None
    before = connection.total_changes()
    try:
        job.do(transaction)
    except Exception as error:
        if _is_fault_of_the_database(error):
            raise
        job.error = ConstraintViolated(str(error)) if isinstance(error, apsw.ConstraintError) else error
        connection.execute("ROLLBACK TO job")
    job.wrote = job.run is None or connection.total_changes() > before
    connection.execute("RELEASE job")


def _is_fault_of_the_database(error: Exception) -> bool:
    """Whether it is the disk, a lock or memory, and no statement's own fault."""
    return isinstance(error, apsw.Error) and not isinstance(error, _OF_THE_JOB)
