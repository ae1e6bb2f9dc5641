"""New labels for a call that nobody carries: one that is over, or any where no server runs."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from callwright import ids
from callwright.calls import journal, rows
from callwright.calls.events import TOPIC, Snapshot
from callwright.calls.labels import Relabelling, relabelled
from callwright.calls.model import Call
from callwright.clock import Clock
from callwright.store import Store, Transaction, Wake


async def label_stored(store: Store, clock: Clock, world_id: UUID, call_id: UUID, change: Relabelling) -> Call | None:
    """Change a call's tags and metadata in one transaction, so that two changes at once lose nothing.

    None when the world has no such call. Raises `Invalid` when it would have too many.
    """

    now_us = clock.now_us()

    def run(transaction: Transaction) -> Call | None:
        call = rows.find_call(transaction, world_id, call_id)
        if call is None:
            return None
        labelled = relabelled(call, change)
        if labelled is call:
            return call
        labelled = replace(labelled, updated_us=max(now_us, call.updated_us))
        entry = journal.CallLabelled(tags=labelled.tags, metadata=labelled.metadata)
        snapshot = Snapshot(labelled, tuple(rows.legs_of(transaction, world_id, call_id)))
        for write in (
            rows.label_call(labelled),
            rows.append_entry(transaction, world_id, call_id, labelled.updated_us, entry),
            rows.insert_labelled(ids.uuid7(labelled.updated_us), snapshot),
        ):
            transaction.write(write)
        return labelled

    return await store.transact(run, (Wake(TOPIC, world_id, call_id),))
