"""After a death of the core: end what it left alive on the record (row R2), before anything else starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from callwright.calls import rows
from callwright.calls.lifecycle import CallRecord
from callwright.clock import Clock
from callwright.log import Log
from callwright.reasons import Reason
from callwright.store import Change, Store

Release = Callable[[Iterable[tuple[UUID, bytes]]], None]

_log = Log("switch")


async def settle(store: Store, clock: Clock, node: str, release: Release) -> int:
    """End every call this node left alive and return how many there were.

    They ended when the node was last seen; the events that say so are new, and go out now. `release` ends on the wire, by
    their dialogs, the legs that were answered or may have been, those too whose end was on record but not yet on the wire.
    """
    dialogs = rows.dialogs_left(store, node)
    left = rows.live_calls(store, node)
    seen_us = rows.last_heartbeat(store, node)
    commits = []
    for call, legs, journal_seq, event_seq in left:
        record = CallRecord(call, legs, node, journal_seq=journal_seq, event_seq=event_seq)
        record.settle_after_death(Reason.NODE_RESTARTED, ended_us=seen_us or call.updated_us, now_us=clock.now_us())
        commits.append(store.commit(record.take()))
        _log.warning("call_settled", call=call.id, reason=Reason.NODE_RESTARTED.value)
    await asyncio.gather(*commits)
    if left or dialogs:
        await store.commit(Change((rows.forget_dialogs(node),)))
        release(dialogs)
    return len(left)
