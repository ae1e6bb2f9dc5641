"""Events: what customers are told. One row for each change, frozen in the commit of the change; the table is the outbox."""

from __future__ import annotations

from uuid import UUID

import msgspec

from callwright.calls.model import Call, Leg

TOPIC = "calls.events"
CREATED = "callCreated"
UPDATED = "callUpdated"


class Snapshot(msgspec.Struct, frozen=True):
    """A call as it was after a change, with its legs, oldest first."""

    call: Call
    legs: tuple[Leg, ...]


class Event(msgspec.Struct, frozen=True):
    """Something customers may hear of.

    `seq` counts the changes of a call from 1; it is None for what is not one (a recording's, a transcription's, a
    receiver's). What belongs to no call has its world's id as `call_id`. `content` is what the room that wrote it packed.
    """

    pos: int
    world_id: UUID
    id: UUID
    call_id: UUID
    seq: int | None
    kind: str
    at_us: int
    content: bytes

    @property
    def snapshot(self) -> Snapshot:
        """The content of ``callCreated`` and ``callUpdated``."""
        return decode_snapshot(self.content)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode_snapshot(row: bytes) -> Snapshot:
    return _decoder.decode(row)
