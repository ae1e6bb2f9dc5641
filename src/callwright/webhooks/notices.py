"""Events of the account about its receivers: one was switched off, one was switched on again."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec

from callwright import ids
from callwright.calls.events import TOPIC
from callwright.calls.rows import insert_other_event
from callwright.store import Change, Wake

DISABLED = "webhookDisabled"
ENABLED = "webhookEnabled"


class Why(Enum):
    """What an endpoint was disabled for."""

    GONE = "gone"  # it answered 410
    FAILING = "failing"  # no attempt was good for `webhooks.disable_after`
    ASKED = "asked"  # somebody said so


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The content of both events.

    `url` is without its query. `failing_us` is when the first of `failures` attempts failed of which none since was good.
    `last_status` and `last_error` are those of the attempt that decided it; none did when somebody asked for it.
    """

    endpoint_id: UUID
    url: str
    at_us: int
    why: Why
    failing_us: int | None = None
    failures: int = 0
    last_status: int | None = None
    last_error: str | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Notice)


def decode(content: bytes) -> Notice:
    """The content of an event of the kinds above."""
    return _decoder.decode(content)


def told(world_id: UUID, kind: str, notice: Notice) -> Change:
    """Put a notice into the outbox, where it belongs to no call."""
    event_id = ids.uuid7(notice.at_us)
    write = insert_other_event(world_id, event_id, world_id, kind, notice.at_us, _encoder.encode(notice))
    return Change((write,), (Wake(TOPIC, world_id, world_id),))
