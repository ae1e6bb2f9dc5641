"""Reading: a connection that sees what was committed, and threads with such connections for what takes long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import apsw

from callwright.store.change import Param, Row

T = TypeVar("T")

THREADS = 2


class Reader:
    """Reads of one thread."""

    def __init__(self, connection: apsw.Connection, named: Mapping[str, str]) -> None:
        self._connection = connection
        self._named = named

    def read(self, query: str, params: Row = ()) -> list[Row]:
        return list(self._connection.execute(self._named[query], params))

    def select(self, sql: str, params: Row | Mapping[str, Param]) -> list[Row]:
        """Run a statement that is put together as a list is asked for; for those alone, as no name tells what it is."""
        return list(self._connection.execute(sql, params))

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Whatever is read within is of one moment; nothing may be awaited there."""
        self._connection.execute("BEGIN")
        try:
            yield self
        finally:
            # A disk that fails has ended it already, and that is what is to be told.
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")


class ReaderThreads:
    """Runs reads that would hold the event loop up. A connection is made for each thread with its first read."""

    def __init__(self, connect: Callable[[], Reader]) -> None:
        self._own = threading.local()
        self._connect = connect
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")
        self._beginning = threading.Lock()

    def held(self) -> AbstractContextManager[object]:
        """No further read begins within; those that have begun go on."""
        return self._beginning

    async def run(self, read: Callable[[Reader], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, read)

    def close(self) -> None:
        """Wait for what is being read. The connections close with their threads."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, read: Callable[[Reader], T]) -> T:
        reader: Any = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._connect()
        with self._beginning:
            pass
        with reader.snapshot():
            return read(reader)
