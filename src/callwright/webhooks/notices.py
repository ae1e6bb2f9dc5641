"""Events of the account about its receivers: one was switched off, one was switched on again."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec

from callwright import ids
from callwright.calls.events import TOPIC
from callwright.calls.rows import insert_other_event
from callwright.dialect.callbacks import EndpointNotice
from callwright.store import Change, Wake


class Why(Enum):
    """What an endpoint was disabled for."""

    GONE = "gone"  # it answered 410
    FAILING = "failing"  # no attempt was good for `webhooks.disable_after`
    ASKED = "asked"  # somebody said so


_encoder = msgspec.msgpack.Encoder()


def told(world_id: UUID, kind: str, notice: EndpointNotice) -> Change:
    """Put a notice into the outbox, where it belongs to no call."""
    event_id = ids.uuid7(notice.at_us)
    write = insert_other_event(world_id, event_id, world_id, kind, notice.at_us, _encoder.encode(notice))
    return Change((write,), (Wake(TOPIC, world_id, world_id),))
