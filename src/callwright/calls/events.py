"""Events: what customers are told. One row for each change, frozen in the commit of the change; the table is the outbox."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

import msgspec

from callwright.calls.model import Call, Leg

TOPIC = "calls.events"
CREATED = "callCreated"
UPDATED = "callUpdated"
LEG_CREATED = "legCreated"
LEG_UPDATED = "legUpdated"
# For those who follow calls in the native interface. No callback tells of it, as none has room for tags and metadata.
LABELLED = "callLabelled"


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call as it was after a change, with its legs, oldest first.

    `made` has the numbers (`Leg.n`) of the legs that the change made, `changed` of those whose status it changed. Both are
    empty in rows of versions that did not tell of single legs.
    """

    call: Call
    legs: tuple[Leg, ...]
    made: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """Something customers may hear of.

    `seq` counts the changes of a call from 1; it is None for what is not one (a recording's, a transcription's, a
    receiver's, a leg's, new labels). What belongs to no call has its world's id as `call_id`. `content` is what the room that
    wrote it packed.
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
        """The content of ``callCreated``, ``callUpdated`` and ``callLabelled``."""
        return decode_snapshot(self.content)

    @property
    def leg(self) -> Leg:
        """The content of ``legCreated`` and ``legUpdated``."""
        return _leg_decoder.decode(self.content)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)
_leg_decoder = msgspec.msgpack.Decoder(Leg)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return _encoder.encode(snapshot)


# Whoever tells of an event asks for its content several times, one after the other.
@lru_cache(maxsize=1)
def decode_snapshot(row: bytes) -> Snapshot:
    return _decoder.decode(row)


def leg_events(event: Event) -> list[Event]:
    """What a call's event says of single legs, as events of their own, oldest leg first.

    They have no rows. Their ids are made of those of the event and the leg, so that asking again gives the same.
    """
    snapshot = event.snapshot
    return [
        Event(
            pos=event.pos,
            world_id=event.world_id,
            id=uuid5(event.id, leg.id.hex),
            call_id=event.call_id,
            seq=None,
            kind=LEG_CREATED if leg.n in snapshot.made else LEG_UPDATED,
            at_us=event.at_us,
            content=_encoder.encode(leg),
        )
        for leg in snapshot.legs
        if leg.n in snapshot.made or leg.n in snapshot.changed
    ]
