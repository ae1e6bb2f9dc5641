"""Calls go when their time is over: a few at a time, oldest position first, and never so many that others wait.

Which blocks of positions may hold old calls is told by the counters. A block is walked over when it holds a call whose time
has come, and once a day, as tags may have been changed; what it holds that is kept longer costs nothing in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

from callwright.calls.rows import find_call
from callwright.clock import SECOND_US, Clock
from callwright.errors import Conflict, NotFound, StoreUnavailable
from callwright.log import Log
from callwright.recordings.recordings import TOPIC as RECORDINGS
from callwright.retention import rows
from callwright.retention.rows import Block
from callwright.retention.rules import Rules
from callwright.store import Store, Transaction, Wake

# A batch ends with whichever comes first; then others may write.
BATCH = 50
BUDGET_NS = 2_000_000
PAUSE_S = 0.03
FIRST_S = 60.0
EVERY_S = 3_600.0
HOUR_US = 3_600 * SECOND_US
# A block whose calls are kept is walked over again within a day, not all of them in one hour.
LONGEST_HOURS = 24
# What a call still has to write when it ends is written by then.
LAST_WORDS_US = 60 * SECOND_US
# A clock that is put forward so far while the server runs is taken for wrong: what is deleted by it is gone.
STEPPED_US = 24 * HOUR_US

_log = Log("retention")


class Erased(NamedTuple):
    """What became of some calls: how many were looked at, how many went, with how many recordings, and how many wait."""

    seen: int = 0
    calls: int = 0
    recordings: int = 0
    waiting: int = 0

    def __add__(self, other: tuple[object, ...]) -> Erased:
        assert isinstance(other, Erased)
        return Erased(*(mine + its for mine, its in zip(self, other, strict=True)))


class Retention:
    def __init__(
        self, store: Store, clock: Clock, rules: Rules, *, counted: Callable[[int], object] = lambda calls: None
    ) -> None:
        """`counted` hears how many calls went."""
        self._store = store
        self._clock = clock
        self._rules = rules
        self._counted = counted
        self._look_again_us: dict[tuple[UUID, int], int] = {}
        self._began_us, self._began_ns = clock.now_us(), clock.mono_ns()

    async def run(self) -> None:
        """Work until cancelled."""
        if self._rules.shortest_us is None:
            await asyncio.Event().wait()
        await self._clock.sleep(FIRST_S)
        while True:
            try:
                if self._believes_the_clock():
                    await self.erase_old()
            except StoreUnavailable:
                pass  # the store has told
            except Exception:
                _log.exception("retention_failed")
            await self._clock.sleep(EVERY_S)

    def _believes_the_clock(self) -> bool:
        stepped_us = self._clock.now_us() - self._began_us - (self._clock.mono_ns() - self._began_ns) // 1000
        if stepped_us < STEPPED_US:
            return True
        _log.error(
            "retention_waits",
            why=f"the clock was put forward by {stepped_us // HOUR_US} hours since the server started",
            remedy="set it right; or, where it is right now, start the server again",
        )
        return False

    async def erase_old(self) -> Erased:
        """Erase what is old now; what waits for something stays until the next time."""
        began_ns, now_us = self._clock.mono_ns(), self._clock.now_us()
        found = await self._store.look(lambda reader: list(rows.blocks(reader, self._rules, now_us)))
        known, self._look_again_us = self._look_again_us, {}
        erased = Erased()
        try:
            for block in found:
                key = (block.world_id, block.block)
                again_us = known.get(key, 0)
                if again_us <= now_us:
                    again_us, gone = await self._see_to(block, now_us)
                    erased += gone
                self._look_again_us[key] = again_us
        finally:
            if erased.seen:
                _log.info(
                    "calls_erased",
                    calls=erased.calls,
                    recordings=erased.recordings,
                    waiting=erased.waiting,
                    seconds=round((self._clock.mono_ns() - began_ns) / 1e9, 1),
                )
        return erased

    async def _see_to(self, block: Block, now_us: int) -> tuple[int, Erased]:
        """Walk over a block and erase what is old there; when to look again, and what became of it."""
        old = await self._store.look(lambda reader: rows.old(reader, self._rules, block, now_us))
        left, erased = old.call_ids, Erased()
        while left:
            gone = await self._store.transact(partial(self._erase_some, block.world_id, left[:BATCH], now_us))
            self._counted(gone.calls)
            if gone.recordings:
                await _have_files_erased(self._store, block.world_id)
            erased += gone
            left = left[gone.seen :]
            await self._clock.sleep(PAUSE_S)
        if not old.call_ids:
            await self._clock.sleep(PAUSE_S)
        if erased.waiting:
            return now_us, erased
        again_us = now_us + (1 + block.block % LONGEST_HOURS) * HOUR_US
        return again_us if old.next_us is None else min(again_us, old.next_us), erased

    def _erase_some(self, world_id: UUID, call_ids: Sequence[UUID], now_us: int, transaction: Transaction) -> Erased:
        """As many as the time allows; one at least."""
        until_ns = self._clock.mono_ns() + BUDGET_NS
        erased = Erased()
        for call_id in call_ids:
            if not rows.is_old(transaction, self._rules, world_id, call_id, now_us):
                erased += Erased(seen=1)
            elif any(rows.waits(transaction, world_id, call_id, now_us)):
                erased += Erased(seen=1, waiting=1)
            else:
                erased += Erased(seen=1, calls=1, recordings=rows.erase(transaction, world_id, call_id))
            if self._clock.mono_ns() > until_ns:
                break
        return erased


async def forget(store: Store, clock: Clock, world_id: UUID, call_id: UUID, *, carried: bool = False) -> None:
    """Erase one call at once, however old it is, unless it is still `carried` by whoever writes its record.

    Raises `NotFound`, or `Conflict` while something is still done with it.
    """
    call = find_call(store, world_id, call_id)
    if call is None:
        raise NotFound(f"No call found for ID `{call_id}`.")
    now_us = clock.now_us()
    if call.ended_us is None:
        raise Conflict("The call is not over.", remedy="End it first: DELETE /calls/{id} of the compatible interface.")
    if call.ended_us > now_us - LAST_WORDS_US:
        raise Conflict(
            "The call ended less than a minute ago, and its last words may not be written.", remedy="Try again soon."
        )
    if carried:
        raise Conflict("The call is over, and its last words are not written.", remedy="Try again soon.")

    def run(transaction: Transaction) -> tuple[rows.Waits, int]:
        waits = rows.waits(transaction, world_id, call_id, now_us)
        return waits, 0 if any(waits) else rows.erase(transaction, world_id, call_id)

    waits, recordings = await store.transact(run)
    if waits.recorded:
        raise Conflict("A recording of the call is not over.", remedy="Try again when it is.")
    if waits.outbox:
        raise Conflict(
            "Events of the call have not become callbacks yet.", remedy="Start the server if it does not run, and try again."
        )
    if waits.callbacks:
        raise Conflict(
            "Callbacks of the call are not settled, or have been for less than ten minutes.",
            remedy="callwright deliveries list --call tells which. callwright endpoints disable gives up what waits for a "
            "receiver; then try again.",
        )
    if recordings:
        await _have_files_erased(store, world_id)
    _log.info("call_forgotten", call=call_id, recordings=recordings)


async def _have_files_erased(store: Store, world_id: UUID) -> None:
    """Wake whoever erases the files; which these are stands in rows."""
    await store.transact(lambda transaction: None, (Wake(RECORDINGS, world_id, world_id),))
