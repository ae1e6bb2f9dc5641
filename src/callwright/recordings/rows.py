"""Recordings as rows: every statement about them is built or read here."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.recordings.keys import DataKey
from callwright.recordings.model import Kept, Recording, RecordingStatus, RecordingType
from callwright.store import Row, Store, Write
from callwright.store.blocks import CountedList

_ALL = CountedList("recordings", "recordings.of_world", "recordings.count_of_world")


def insert(recording: Recording, data_key: DataKey = DataKey()) -> Write:  # noqa: B008
    return Write(
        "recordings.insert",
        (
            recording.world_id.bytes,
            recording.id.bytes,
            recording.call_id.bytes,
            recording.leg_id.bytes,
            recording.type.value,
            recording.tracks,
            recording.file,
            data_key.key_id,
            data_key.sealed,
            recording.created_us,
            *_changing(recording),
        ),
    )


def update(recording: Recording) -> Write:
    return Write("recordings.update", (*_changing(recording), recording.world_id.bytes, recording.id.bytes))


def _changing(recording: Recording) -> Row:
    return (
        recording.status.value,
        recording.kept.value,
        recording.duration_ms,
        recording.detail,
        recording.updated_us,
    )


def delete(recording: Recording) -> tuple[Write, ...]:
    """The row goes; the file is noted for erasure, whether it is here or elsewhere."""
    return (
        Write("recordings.delete", (recording.world_id.bytes, recording.id.bytes)),
        erase(recording, recording.kept),
    )


def erase(recording: Recording, kept: Kept) -> Write:
    """Have a file erased: `kept` says where it is, ``waiting`` that it may be in both places."""
    return Write("recordings.insert_erasure", (recording.world_id.bytes, recording.id.bytes, recording.file, kept.value))


def moved(recording: Recording, kept: Kept) -> Write:
    """The file is elsewhere now; changes nothing when the row is gone."""
    return Write("recordings.moved", (kept.value, recording.world_id.bytes, recording.id.bytes))


class Page(NamedTuple):
    """Rows of one page, newest first, and how many there are in all."""

    total: int
    recordings: list[Recording]


def of_world(store: Store, world_id: UUID, *, limit: int, offset: int) -> Page:
    total, found = _ALL.page(store, world_id, limit=limit, offset=offset)
    return Page(total, [_recording(row) for row in found])


def of_call(store: Store, world_id: UUID, call_id: UUID, *, limit: int, offset: int) -> Page:
    """They are counted row by row: `calls.max_duration` bounds how many a call can have."""
    return _page(store, "of_call", (world_id.bytes, call_id.bytes), limit, offset)


def of_leg(store: Store, world_id: UUID, leg_id: UUID, *, limit: int, offset: int) -> Page:
    return _page(store, "of_leg", (world_id.bytes, leg_id.bytes), limit, offset)


def find(store: Store, world_id: UUID, recording_id: UUID) -> Recording | None:
    for row in store.read("recordings.find", (world_id.bytes, recording_id.bytes)):
        return _recording(row)
    return None


def data_key(store: Store, recording: Recording) -> tuple[str, bytes | None]:
    """The name of the key that seals a recording's own key, and that one, sealed; None for a plain file."""
    rows: list[Any] = store.read("recordings.data_key", (recording.world_id.bytes, recording.id.bytes))
    return rows[0] if rows else ("", None)


def left_open(store: Store) -> list[Recording]:
    """Those that are not over, of all worlds, oldest first."""
    return [_recording(row) for row in store.read("recordings.open")]


class Waiting(NamedTuple):
    pos: int
    recording: Recording


def waiting(store: Store, after: int, limit: int) -> list[Waiting]:
    """Those whose files are to go to object storage, oldest first, from the one after the position `after`."""
    return [Waiting(pos, _recording(row)) for pos, *row in _any(store.read("recordings.waiting", (after, limit)))]


class Erasure(NamedTuple):
    pos: int
    file: str
    kept: Kept


def erasures(store: Store, after: int, limit: int) -> list[Erasure]:
    rows = _any(store.read("recordings.erasures", (after, limit)))
    return [Erasure(pos, file, Kept(kept)) for pos, file, kept in rows]


def erased(erasure: Erasure) -> Write:
    return Write("recordings.delete_erasure", (erasure.pos,))


class _RecordingRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The columns of a recording in the order of the queries."""

    world_id: UUID
    id: UUID
    call_id: UUID
    leg_id: UUID
    type: RecordingType
    tracks: str
    file: str
    key_id: str
    created_us: int
    status: RecordingStatus
    kept: Kept
    duration_ms: int
    detail: str
    updated_us: int


def _page(store: Store, query: str, params: Row, limit: int, offset: int) -> Page:
    with store.snapshot():
        ((total,),) = store.read(f"recordings.count_{query}", params)
        found = store.read(f"recordings.{query}", (*params, limit, offset))
    return Page(int(total or 0), [_recording(row) for row in found])


def _any(rows: Any) -> list[Any]:
    return list(rows)


def _recording(row: Any) -> Recording:
    columns = msgspec.convert(row, _RecordingRow)
    return Recording(**msgspec.structs.asdict(columns))
