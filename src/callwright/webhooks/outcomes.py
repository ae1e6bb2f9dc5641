"""What came of attempts, written together: all that is told in one turn of the event loop is one change."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from callwright.clock import Clock
from callwright.errors import StoreUnavailable
from callwright.store import Change, Store, Write
from callwright.webhooks import ledger


class Delivered(NamedTuple):
    """A delivery that was taken: its position, and the status it was answered with."""

    pos: int
    status: int


class _Outcome(NamedTuple):
    durable: asyncio.Future[None]
    attempt: Write | None
    delivered: Delivered | None
    change: Change | None


class Outcomes:
    """One statement over many rows costs the writer little more than one over a single row."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._told: list[_Outcome] = []
        self._commits: set[asyncio.Task[None]] = set()

    async def note(self, attempt: Write | None, change: Change | None = None, *, delivered: Delivered | None = None) -> None:
        """Write an attempt and what came of it; return when that is durable. Whoever stops waiting does not stop it.

        What the database refuses fails alone, and when it takes nothing all fail: with what `Store.commit` raises.
        """
        loop = asyncio.get_running_loop()
        durable = loop.create_future()
        if not self._told:
            loop.call_soon(self._commit_told)
        self._told.append(_Outcome(durable, attempt, delivered, change))
        await durable

    async def close(self) -> None:
        """Return when all that was noted is durable or has failed."""
        self._commit_told()
        if self._commits:
            await asyncio.wait(self._commits)

    def _commit_told(self) -> None:
        if self._told:
            told, self._told = self._told, []
            task = asyncio.get_running_loop().create_task(self._commit(told))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    async def _commit(self, told: Sequence[_Outcome]) -> None:
        error: Exception | None = None
        try:
            await self._store.commit(self._change(told))
        except StoreUnavailable as unavailable:
            error = unavailable
        except Exception as refused:
            if len(told) > 1:
                for one in told:
                    await self._commit([one])
                return
            error = refused
        for one in told:
            if one.durable.done():
                continue  # cancelled
            if error is None:
                one.durable.set_result(None)
            else:
                one.durable.set_exception(error)

    def _change(self, told: Sequence[_Outcome]) -> Change:
        """Rows of one table follow each other, which the store puts into one statement."""
        writes: list[Write] = []
        by_status: defaultdict[int, list[int]] = defaultdict(list)
        for one in told:
            if one.attempt is not None:
                writes.append(one.attempt)
            if one.delivered is not None:
                by_status[one.delivered.status].append(one.delivered.pos)
        if by_status:
            writes += ledger.settle_delivered(by_status, self._clock.now_us())
        made = Change(tuple(writes))
        for one in told:
            if one.change is not None:
                made += one.change
        return made
