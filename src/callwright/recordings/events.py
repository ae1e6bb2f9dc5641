"""What customers are told of a recording: a row among the events of its call, written in the commit of the change."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from callwright import ids
from callwright.calls import events
from callwright.calls.rows import insert_other_event
from callwright.recordings.model import Recording
from callwright.store import Change, Wake

CREATED = "recordingCreated"
UPDATED = "recordingUpdated"

_pack = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Recording)


def created(recording: Recording) -> Change:
    return _told(CREATED, recording)


def updated(recording: Recording) -> Change:
    return _told(UPDATED, recording)


def unpack(content: bytes) -> Recording:
    """The recording as it was; without its file, its key and what the disk said, which are nobody's business outside."""
    return _decoder.decode(content)


def _told(kind: str, recording: Recording) -> Change:
    at_us = recording.updated_us
    content = _pack(replace(recording, file="", key_id="", detail=""))
    write = insert_other_event(recording.world_id, ids.uuid7(at_us), recording.call_id, kind, at_us, content)
    return Change((write,), (Wake(events.TOPIC, recording.world_id, recording.call_id),))
