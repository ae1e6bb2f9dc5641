"""After a death of the core: end what it left alive on the record (row R2), before anything else starts.

A dialog stays on record until its far end is known to be gone, so that no further death, not even one in the middle of
this, leaves a telephone in a call that nobody else has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from callwright.calls import rows
from callwright.calls.lifecycle import CallRecord
from callwright.clock import Clock
from callwright.errors import StoreUnavailable, Unreadable
from callwright.log import Log
from callwright.reasons import Reason
from callwright.recordings.model import Recording
from callwright.store import Change, Store, Write
from callwright.switch.recording import recording_moved
from callwright.telephony import RecordOutcome

Release = Callable[[Iterable[tuple[UUID, bytes]]], None]
# Those that are released within so many seconds share a commit; dying meanwhile costs a BYE that is answered 481.
FORGET_AFTER_S = 0.25
STORE_RETRY_S = 1.0

_log = Log("switch")


async def settle(store: Store, clock: Clock, node: str, release: Release) -> int:
    """End every call this node left alive and return how many there were.

    They ended when the node was last seen, or with the last line of their journals where that is later; the events that say
    so are new, and go out now. `release` ends on the wire, by their dialogs, the legs that were answered or may have been,
    those too whose end was on record but not yet on the wire. A call that cannot be read keeps nobody from calling: the first
    start after its mending ends it.
    """
    left = rows.live_calls(store, node, _not_settled)
    if left:
        await store.commit(Change((rows.forget_unanswered(node),)))
    seen_us = rows.last_heartbeat(store, node) or 0
    commits = []
    for call, legs, journal_seq, event_seq in left:
        record = CallRecord(call, legs, node, journal_seq=journal_seq, event_seq=event_seq)
        ended_us = max(seen_us, rows.last_line(store, call))
        record.settle_after_death(Reason.NODE_RESTARTED, ended_us=ended_us, now_us=clock.now_us())
        commits.append(store.commit(record.take()))
        _log.warning("call_settled", call=call.id, reason=Reason.NODE_RESTARTED.value)
    await asyncio.gather(*commits)
    release(rows.dialogs_left(store, node))
    return len(left)


def _not_settled(error: Unreadable) -> None:
    _log.error("call_not_settled", why=str(error), remedy=error.remedy)


def recording_settled(store: Store, ended: Recording, outcome: RecordOutcome) -> tuple[Write, ...]:
    """The journal of a call that is over learns what became of a recording that was open when its node died."""
    entry = recording_moved(ended, outcome)
    return (rows.append_entry(store, ended.world_id, ended.call_id, ended.updated_us, entry),)


class Releases:
    """Forgets the dialogs of legs whose far ends are gone, a few at a time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._writes: list[Write] = []
        self._task: asyncio.Task[None] | None = None

    def note(self, world_id: UUID, leg_id: UUID) -> None:
        self._writes.append(rows.forget_dialog(world_id, leg_id))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._forget())

    async def stop(self) -> None:
        """Forget now what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writes:
            try:
                await self._store.commit(Change(tuple(self._writes)))
            except StoreUnavailable as error:
                _log.warning("dialogs_not_forgotten", legs=len(self._writes), error=error)

    async def _forget(self) -> None:
        try:
            await self._clock.sleep(FORGET_AFTER_S)
            while self._writes:
                writes = tuple(self._writes)
                try:
                    await self._store.commit(Change(writes))
                except StoreUnavailable:
                    while self._store.unhealthy():
                        await self._clock.sleep(STORE_RETRY_S)
                    # What the calls themselves have kept for the database, dialogs among it, goes first.
                    await self._clock.sleep(STORE_RETRY_S)
                else:
                    del self._writes[: len(writes)]
        finally:
            self._task = None
