"""Transcriptions one after the other: from ``created`` over ``transcribing`` to ``done``, or ``failed`` with a reason.

What is to be done stands in rows. One that a dead process was at is begun anew.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

import msgspec
from msgspec.structs import replace

from callwright.audiofile import UnreadableSound
from callwright.clock import Clock
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.recordings import recordings
from callwright.recordings import rows as recording_rows
from callwright.recordings.files import Files, NoSound
from callwright.recordings.keys import DataKey, KeyLost, Keyring, seal_text
from callwright.recordings.model import Recording
from callwright.recordings.objects import ObjectFault
from callwright.store import Store, Transaction
from callwright.telephony import Transcriber, TranscriptionFailed
from callwright.transcriptions import events, rows, transcriptions
from callwright.transcriptions.channels import Channels, together
from callwright.transcriptions.languages import canonical
from callwright.transcriptions.model import Content, Transcription, TranscriptionStatus

# Seconds between attempts to read a recording from object storage that is away.
OBJECT_PAUSES = (10.0, 60.0, 600.0)
# Seconds until a row is written again that could not be, and at most between two looks at the rows.
STORE_PAUSE_S = 5.0
LOOK_S = 60.0

NOT_HAD = "The recording cannot be had; the server's log says why."

_encode = msgspec.json.Encoder().encode
_log = Log("transcriptions")


class Queue:
    """`at_once` of them are under way at most."""

    def __init__(
        self, store: Store, clock: Clock, keys: Keyring, files: Files, transcriber: Transcriber, *, at_once: int = 1
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._files = files
        self._transcriber = transcriber
        self._at_once = at_once
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        for topic in (transcriptions.TOPIC, recordings.TOPIC):
            store.on(topic, lambda wake: self._woken.set())

    async def run(self) -> None:
        """Work until cancelled; what is under way then is begun anew by a successor."""
        try:
            while True:
                self._woken.clear()
                self._begin_some()
                with suppress(TimeoutError):
                    async with self._clock.timeout(LOOK_S):
                        await self._woken.wait()
        finally:
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin_some(self) -> None:
        for transcription in rows.queued(self._store, self._at_once + len(self._under_way)):
            if len(self._under_way) >= self._at_once:
                return
            if transcription.id not in self._under_way:
                task = asyncio.create_task(self._see_to(transcription), name=f"transcription {transcription.id}")
                self._under_way[transcription.id] = task

    async def _see_to(self, transcription: Transcription) -> None:
        try:
            await self._write_down(transcription)
        except Exception:
            _log.exception("transcription_fault", transcription=transcription.id)
            await self._fail(transcription, "A fault of the server; its log has the details.")
        finally:
            del self._under_way[transcription.id]
            self._woken.set()

    async def _write_down(self, transcription: Transcription) -> None:
        recording = recording_rows.find(self._store, transcription.world_id, transcription.recording_id)
        if recording is None:
            return  # it was deleted meanwhile, and the row with it
        if transcription.status is TranscriptionStatus.CREATED:
            transcription = await self._move(transcription, TranscriptionStatus.TRANSCRIBING)
        if canonical(transcription.language) is None:
            await self._fail(transcription, f"{transcription.language[:40]!r} is not a language that can be written down.")
        elif (refusal := self._transcriber.refusal(transcription.language)) is not None:
            await self._fail(transcription, refusal)
        else:
            try:
                content = await self._heard(recording, transcription.language)
            except (NoSound, KeyLost, ObjectFault, UnreadableSound, OSError) as error:
                if recording_rows.find(self._store, transcription.world_id, transcription.recording_id) is None:
                    return  # it was deleted before it was opened
                # Customers read the sentence, and errors name files and keys.
                _log.error("recording_not_had", transcription=transcription.id, recording=recording.id, error=error)
                await self._fail(transcription, NOT_HAD)
            except TranscriptionFailed as error:
                await self._fail(transcription, str(error))
            else:
                await self._finish(transcription, content)

    async def _heard(self, recording: Recording, language: str) -> Content:
        for pause in (*OBJECT_PAUSES, None):
            try:
                sound = await self._files.open(recording)
                with sound, Channels(sound.channels, sealed=recording.key_id != "") as channels:
                    await channels.fill(sound)
                    return together([await self._transcriber.transcribe(path, language) for path in channels.paths], language)
            except ObjectFault:
                if pause is None:
                    raise
                await self._clock.sleep(pause)
        raise AssertionError

    async def _finish(self, transcription: Transcription, content: Content) -> None:
        data_key = self._keys.make(transcription.id)
        sealed = seal_text(data_key.key, _encode(content), transcription.id)
        await self._move(transcription, TranscriptionStatus.DONE, data_key=data_key, content=sealed)
        _log.info("transcription_done", transcription=transcription.id, words=len(content.words))

    async def _fail(self, transcription: Transcription, why: str) -> None:
        await self._move(transcription, TranscriptionStatus.FAILED, error=why)
        _log.warning("transcription_failed", transcription=transcription.id, why=why)

    async def _move(
        self,
        transcription: Transcription,
        status: TranscriptionStatus,
        *,
        error: str = "",
        data_key: DataKey = DataKey(),  # noqa: B008
        content: bytes | None = None,
    ) -> Transcription:
        moved = replace(transcription, status=status, error=error, key_id=data_key.key_id, updated_us=self._clock.now_us())
        told = events.updated(moved)

        def run(transaction: Transaction) -> None:
            if transaction.write(rows.update(moved, data_key, content)):  # it may have been deleted with its recording
                transaction.write_all(told.writes)

        while True:
            try:
                await self._store.transact(run, told.wakes)
            except StoreUnavailable as fault:  # what was heard is not thrown away for that
                _log.error("transcription_not_kept", transcription=moved.id, error=fault, again_in_s=STORE_PAUSE_S)
                await self._clock.sleep(STORE_PAUSE_S)
            else:
                return moved
