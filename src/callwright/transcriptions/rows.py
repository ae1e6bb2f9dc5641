"""Transcriptions as rows: every statement about them is built or read here."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.recordings.keys import DataKey
from callwright.store import Row, Store, Write
from callwright.store.blocks import CountedList
from callwright.transcriptions.model import Transcription, TranscriptionStatus

_ALL = CountedList("transcriptions", "transcriptions.of_world", "transcriptions.count_of_world")


class Kept(NamedTuple):
    """What was heard, as it is stored; all empty before it is done."""

    key_id: str = ""
    sealed_key: bytes | None = None
    content: bytes | None = None


def insert(transcription: Transcription) -> Write:
    return Write(
        "transcriptions.insert",
        (
            transcription.world_id.bytes,
            transcription.id.bytes,
            transcription.recording_id.bytes,
            transcription.call_id.bytes,
            transcription.leg_id.bytes,
            transcription.language,
            transcription.created_us,
            transcription.status.value,
            transcription.error,
            "",
            None,
            None,
            transcription.updated_us,
        ),
    )


def update(transcription: Transcription, data_key: DataKey = DataKey(), content: bytes | None = None) -> Write:  # noqa: B008
    """Change a transcription and what was heard with it; changes nothing when the row is gone."""
    return Write(
        "transcriptions.update",
        (
            transcription.status.value,
            transcription.error,
            data_key.key_id,
            data_key.sealed,
            content,
            transcription.updated_us,
            transcription.world_id.bytes,
            transcription.id.bytes,
        ),
    )


def delete_of_recording(world_id: UUID, recording_id: UUID) -> Write:
    return Write("transcriptions.delete_of_recording", (world_id.bytes, recording_id.bytes))


class Page(NamedTuple):
    """Rows of one page, newest first, and how many there are in all."""

    total: int
    transcriptions: list[Transcription]


def of_world(store: Store, world_id: UUID, *, limit: int, offset: int) -> Page:
    total, found = _ALL.page(store, world_id, limit=limit, offset=offset)
    return Page(total, [_transcription(row) for row in found])


def of_recording(store: Store, world_id: UUID, recording_id: UUID, *, limit: int, offset: int) -> Page:
    key = (world_id.bytes, recording_id.bytes)
    with store.snapshot():
        ((total,),) = store.read("transcriptions.count_of_recording", key)
        found = store.read("transcriptions.of_recording", (*key, limit, offset))
    return Page(int(total or 0), [_transcription(row) for row in found])


def find(store: Store, world_id: UUID, transcription_id: UUID) -> Transcription | None:
    for row in store.read("transcriptions.find", (world_id.bytes, transcription_id.bytes)):
        return _transcription(row)
    return None


def content(store: Store, transcription: Transcription) -> Kept:
    rows: list[Any] = store.read("transcriptions.content", (transcription.world_id.bytes, transcription.id.bytes))
    return Kept(*rows[0]) if rows else Kept()


def queued(store: Store, limit: int) -> list[Transcription]:
    """Those to be written down whose recordings are over, of all worlds, oldest first."""
    return [_transcription(row) for row in store.read("transcriptions.queued", (limit,))]


class _TranscriptionRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The columns of a transcription in the order of the queries."""

    world_id: UUID
    id: UUID
    recording_id: UUID
    call_id: UUID
    leg_id: UUID
    language: str
    created_us: int
    status: TranscriptionStatus
    error: str
    key_id: str
    updated_us: int


def _transcription(row: Row) -> Transcription:
    columns = msgspec.convert(row, _TranscriptionRow)
    return Transcription(**msgspec.structs.asdict(columns))
