"""Asking for transcriptions, and reading them."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright import ids
from callwright.clock import Clock
from callwright.errors import NotFound
from callwright.recordings.keys import Keyring, open_text
from callwright.recordings.model import Recording
from callwright.store import Change, Store, Wake
from callwright.transcriptions import events, rows
from callwright.transcriptions.languages import canonical
from callwright.transcriptions.model import Content, Transcription, TranscriptionStatus

# Fired with the commit that asks for one.
TOPIC = "transcriptions"

_decode = msgspec.json.Decoder(Content).decode


class Requested(NamedTuple):
    """A transcription to come: commit `change`, which tells the queue, and customers."""

    transcription: Transcription
    change: Change


class Transcriptions:
    def __init__(self, store: Store, clock: Clock, keys: Keyring, *, language: str = "en-US") -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._language = language

    def request(self, recording: Recording, language: str, at_us: int) -> Requested:
        """Have a recording written down, also one that is not over yet: then its turn comes when it is.

        An empty `language` is the one of the settings. One that nobody knows fails in its turn; `canonical` tells before.
        """
        transcription = Transcription(
            id=ids.uuid7(at_us),
            world_id=recording.world_id,
            recording_id=recording.id,
            call_id=recording.call_id,
            leg_id=recording.leg_id,
            language=canonical(language or self._language) or language,
            created_us=at_us,
            updated_us=at_us,
        )
        asked = Change((rows.insert(transcription),), (Wake(TOPIC, transcription.world_id, transcription.id),))
        return Requested(transcription, asked + events.created(transcription))

    async def make(self, recording: Recording, language: str) -> Transcription:
        transcription, change = self.request(recording, language, self._clock.now_us())
        await self._store.commit(change)
        return transcription

    def find(self, world_id: UUID, transcription_id: UUID) -> Transcription | None:
        return rows.find(self._store, world_id, transcription_id)

    def get(self, world_id: UUID, transcription_id: UUID) -> Transcription:
        found = self.find(world_id, transcription_id)
        if found is None:
            raise NotFound(f"No transcription found for ID `{transcription_id}`.")
        return found

    def content(self, transcription: Transcription) -> Content | None:
        """What was heard; None before it is done. Raises `KeyLost`."""
        if transcription.status is not TranscriptionStatus.DONE:
            return None
        key_id, sealed_key, stored = rows.content(self._store, transcription)
        if stored is None:
            return None
        key = self._keys.open(transcription.id, key_id, sealed_key)
        return _decode(open_text(key, stored, transcription.id))
