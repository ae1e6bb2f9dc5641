"""Calls put on record without a switch, and changed there."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from callwright.calls import rows
from callwright.calls.model import Call
from callwright.store import Change, Store


async def put(store: Store, *calls: Call) -> None:
    """In one commit for each thousand; a statement has no room for more."""
    for first in range(0, len(calls), 1_000):
        some = calls[first : first + 1_000]
        await store.commit(Change(tuple(rows.insert_call(call, "here") for call in some)))


async def change(store: Store, call: Call, **fields: Any) -> Call:
    """Write what a call's lifecycle writes, and its labels."""
    changed = replace(call, **fields)
    await store.commit(Change((rows.update_call(changed), rows.label_call(changed))))
    return changed


async def remove(store: Store, *calls: Call) -> None:
    def run(transaction: Any) -> None:
        for call in calls:
            transaction._connection.execute("DELETE FROM calls WHERE world_id = ? AND id = ?", rows.key_of(call))

    await store.transact(run)
