"""Sealing keys anew after the operator's current key has changed: rows change, files do not."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple
from uuid import UUID

from callwright.recordings.keys import KeyLost, Keyring
from callwright.store import Change, Store, Write

AT_A_TIME = 200

Table = Literal["recordings", "transcriptions"]


class Rewrapped(NamedTuple):
    """How many are sealed with the current key now, and by the name of a key how many cannot be opened."""

    renewed: int
    lost: dict[str, int]


async def rewrap(store: Store, keys: Keyring, table: Table) -> Rewrapped:
    """Seal the key of every row with the current key. Begin it again whenever it was broken off."""
    after = renewed = 0
    lost: Counter[str] = Counter()
    while rows := _any(store.read(f"{table}.sealed_with_others", (keys.current, after, AT_A_TIME))):
        writes = []
        for pos, id_, key_id, sealed in rows:
            try:
                data_key = keys.renew(UUID(bytes=id_), key_id, sealed)
            except KeyLost:
                lost[key_id] += 1
            else:
                writes.append(Write(f"{table}.reseal", (data_key.key_id, data_key.sealed, pos, key_id)))
            after = pos
        if writes:
            await store.commit(Change(tuple(writes)))
        renewed += len(writes)
    return Rewrapped(renewed, dict(lost))


def missing_keys(store: Store, keys: Keyring) -> dict[str, int]:
    """By the name of a key that is not there, how many recordings and transcripts are sealed with it."""
    missing: Counter[str] = Counter()
    for table in ("recordings", "transcriptions"):
        for key_id, count in _any(store.read(f"{table}.count_by_key")):
            if key_id not in keys.names:
                missing[key_id] += count
    return dict(missing)


def _any(rows: Any) -> list[Any]:
    return list(rows)
