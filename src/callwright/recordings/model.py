"""Recordings as values (contract §2.5). Times are microseconds since the epoch, UTC."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec


class RecordingType(Enum):
    """What made it: a record step, a transfer with ``record``, a flow with ``record``."""

    IVR = "ivr"
    TRANSFER = "transfer"
    CALL = "call"


class RecordingStatus(Enum):
    INITIALISED = "initialised"
    RECORDING = "recording"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"


class Kept(Enum):
    """Where a file is."""

    LOCAL = "local"  # on this machine, to stay
    WAITING = "waiting"  # on this machine, until it is in object storage
    OBJECT = "object"  # in object storage


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording of a leg. `tracks` is a value of `telephony.Tracks`; `detail` says what failed.

    `file` is the path below the folder of recordings. `key_id` names the operator's key that seals it, empty for none.
    """

    id: UUID
    world_id: UUID
    call_id: UUID
    leg_id: UUID
    type: RecordingType
    status: RecordingStatus = RecordingStatus.INITIALISED
    kept: Kept = Kept.LOCAL
    tracks: str = "from"
    file: str
    key_id: str = ""
    duration_ms: int = 0
    detail: str = ""
    created_us: int
    updated_us: int

    @property
    def over(self) -> bool:
        return self.status in (RecordingStatus.DONE, RecordingStatus.FAILED)

    @property
    def channels(self) -> int:
        return 2 if self.tracks == "both" else 1

    @property
    def duration_s(self) -> int:
        """Whole seconds, rounded up; 0 until it is done."""
        return -(-self.duration_ms // 1000) if self.over else 0
