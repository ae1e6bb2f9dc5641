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
    """`kind` is ``callCreated`` or ``callUpdated``; `seq` counts the events of a call from 1."""

    pos: int
    world_id: UUID
    id: UUID
    call_id: UUID
    seq: int
    kind: str
    at_us: int
    snapshot: Snapshot


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode_snapshot(row: bytes) -> Snapshot:
    return _decoder.decode(row)
