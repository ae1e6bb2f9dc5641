"""What customers are told of a transcription: a row among the events of its call, written in the commit of the change.

What was heard is not among it: it is fetched by whoever may.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from callwright import ids
from callwright.calls import events
from callwright.calls.rows import insert_other_event
from callwright.store import Change, Wake
from callwright.transcriptions.model import Transcription

CREATED = "transcriptionCreated"
UPDATED = "transcriptionUpdated"

_pack = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Transcription)


def created(transcription: Transcription) -> Change:
    return _told(CREATED, transcription)


def updated(transcription: Transcription) -> Change:
    return _told(UPDATED, transcription)


def unpack(content: bytes) -> Transcription:
    """The transcription as it was, without the name of its key."""
    return _decoder.decode(content)


def _told(kind: str, transcription: Transcription) -> Change:
    at_us = transcription.updated_us
    content = _pack(replace(transcription, key_id=""))
    write = insert_other_event(transcription.world_id, ids.uuid7(at_us), transcription.call_id, kind, at_us, content)
    return Change((write,), (Wake(events.TOPIC, transcription.world_id, transcription.call_id),))
