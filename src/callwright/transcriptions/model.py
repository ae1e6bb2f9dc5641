"""Transcriptions as values (contract §2.6). Times are microseconds since the epoch, UTC."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec


class TranscriptionStatus(Enum):
    CREATED = "created"
    TRANSCRIBING = "transcribing"
    DONE = "done"
    FAILED = "failed"


class Transcription(msgspec.Struct, frozen=True, kw_only=True):
    """A recording to be written down, or that was; `error` says why it could not be. What was heard is kept apart from it.

    `key_id` names the operator's key that seals what was heard, empty for none.
    """

    id: UUID
    world_id: UUID
    recording_id: UUID
    call_id: UUID
    leg_id: UUID
    language: str
    status: TranscriptionStatus = TranscriptionStatus.CREATED
    error: str = ""
    key_id: str = ""
    created_us: int
    updated_us: int


class Said(msgspec.Struct, frozen=True):
    """A word: milliseconds from the start of the recording, `confidence` 0 to 1 or None, `channel` 0 or 1."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None
    channel: int = 0


class Content(msgspec.Struct, frozen=True):
    """What was heard. `engine` names what wrote it down; there may be a text without words."""

    text: str
    words: tuple[Said, ...] = ()
    engine: str = ""
