"""What happens to a recording: it begins, pauses, is over, and goes; and what a dead process left of it is made whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from callwright import audiofile, ids
from callwright.clock import Clock, rfc3339
from callwright.errors import Conflict, NotFound
from callwright.log import Log
from callwright.recordings import events, rows
from callwright.recordings.keys import KeyLost, Keyring
from callwright.recordings.model import Kept, Recording, RecordingStatus, RecordingType
from callwright.store import Change, Store, Transaction, Wake, Write
from callwright.telephony import RecordOutcome, Tracks

# Fired with the commit that ends a recording.
TOPIC = "recordings"

_log = Log("recordings")


class Begun(NamedTuple):
    """A recording that is to begin: commit `change`, and have the engine record to `path`, sealed with `key`."""

    recording: Recording
    change: Change
    path: Path
    key: bytes


class Moved(NamedTuple):
    """A recording as it is once `change` is committed, which tells customers of it too."""

    recording: Recording
    change: Change


class Recordings:
    """Recordings below a folder; with `to_objects` their files leave for object storage once they are over."""

    def __init__(self, store: Store, clock: Clock, folder: Path, keys: Keyring, *, to_objects: bool = False) -> None:
        self._store = store
        self._clock = clock
        self.folder = folder.absolute()  # who records may work elsewhere, and takes nothing else
        self._keys = keys
        self._to_objects = to_objects

    def begin(self, world_id: UUID, call_id: UUID, leg_id: UUID, kind: RecordingType, tracks: Tracks, at_us: int) -> Begun:
        """Make a recording of a leg, and the folder of its day.

        A folder that cannot be made is not told here: the engine cannot write there either, and tells of that.
        """
        recording_id = ids.uuid7(at_us)
        data_key = self._keys.make(recording_id)
        day = rfc3339(at_us)[:10].replace("-", "/")
        recording = Recording(
            id=recording_id,
            world_id=world_id,
            call_id=call_id,
            leg_id=leg_id,
            type=kind,
            tracks=tracks.value,
            file=f"{day}/{recording_id}.{'sealed' if data_key.key else 'wav'}",
            key_id=data_key.key_id,
            created_us=at_us,
            updated_us=at_us,
        )
        path = self.path(recording)
        self.make_folder(path.parent)
        change = Change((rows.insert(recording, data_key),)) + events.created(recording)
        return Begun(recording, change, path, data_key.key)

    def make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            _log.error("recording_folder_not_made", folder=folder, error=error.strerror)

    def started(self, recording: Recording, at_us: int) -> Moved:
        return _moved(replace(recording, status=RecordingStatus.RECORDING, updated_us=at_us))

    def paused(self, recording: Recording, at_us: int) -> Moved:
        return _moved(replace(recording, status=RecordingStatus.PAUSED, updated_us=at_us))

    def finished(self, recording: Recording, outcome: RecordOutcome, duration_ms: int, detail: str, at_us: int) -> Moved:
        """End a recording; its file is taken away, and written down, at once after the commit."""
        failed = outcome in (RecordOutcome.FAILED, RecordOutcome.LOST)
        ended, change = _moved(
            replace(
                recording,
                status=RecordingStatus.FAILED if failed else RecordingStatus.DONE,
                kept=Kept.WAITING if self._to_objects else Kept.LOCAL,
                duration_ms=duration_ms,
                detail=detail,
                updated_us=at_us,
            )
        )
        return Moved(ended, change + Change((), (_wake(ended),)))

    def leave_empty(self, recording: Recording) -> bool:
        """Write the file of a recording that nobody began, without any sound; False when it is there, or cannot be."""
        try:
            channels = 2 if recording.tracks == Tracks.BOTH.value else 1
            audiofile.Writer(self.path(recording), channels, self.key(recording)).close()
        except (OSError, KeyLost) as error:
            _log.error("recording_not_left_empty", recording=recording.id, error=error)
            return False
        return True

    def get(self, world_id: UUID, recording_id: UUID) -> Recording:
        found = rows.find(self._store, world_id, recording_id)
        if found is None:
            raise NotFound(f"No recording found for ID `{recording_id}`.")
        return found

    async def remove(self, recording: Recording, *, also: Write) -> None:
        """Delete a recording and, in the same commit, what was written down of it; its file goes soon after.

        Raises `Conflict` for one that is not over: whoever records it could not tell where the sound went.
        """
        if not recording.over:
            raise Conflict(
                "This recording is still being made. Delete it once it is over.", remedy="To end it now, hang up its leg."
            )
        await self._store.commit(Change((also, *rows.delete(recording)), (_wake(recording),)))

    def path(self, recording: Recording) -> Path:
        """Where the file is, or was, on this machine."""
        return self.folder / recording.file

    def key(self, recording: Recording) -> bytes:
        """The key a recording's file is sealed with, empty for none. Raises `KeyLost`."""
        return self._keys.open(recording.id, *rows.data_key(self._store, recording))

    async def settle(self, also: Callable[[Recording, RecordOutcome], Iterable[Write]] = lambda ended, outcome: ()) -> int:
        """End what a dead process left open, its files made whole; return how many there were.

        What `also` gives for each goes into its commit.
        """
        left = rows.left_open(self._store)
        for recording in left:
            outcome, duration_ms, detail = await asyncio.to_thread(self._what_is_left, recording)
            ended, change = self.finished(recording, outcome, duration_ms, detail, self._clock.now_us())
            await self._store.commit(change + Change(tuple(also(ended, outcome))))
            _log.warning("recording_settled", recording=recording.id, call=recording.call_id, outcome=outcome.value)
        return len(left)

    async def mend(self, world_id: UUID, recording_id: UUID) -> None:
        """Make the file of a failed recording whole, as far as it goes: whoever wrote it may have died over it.

        What was heard until then is playable, and counts as its duration; it stays failed. Raises `OSError`, `KeyLost`.
        """
        recording = rows.find(self._store, world_id, recording_id)
        if recording is None or recording.status is not RecordingStatus.FAILED:
            return
        path, key = self.path(recording), self.key(recording)
        try:
            duration_ms = await asyncio.to_thread(audiofile.repair, path, key)
        except audiofile.UnreadableSound:
            return  # nothing came of it
        if duration_ms == recording.duration_ms:
            return
        mended = replace(recording, duration_ms=duration_ms, updated_us=self._clock.now_us())
        told = events.updated(mended)

        def run(transaction: Transaction) -> None:
            if transaction.write(rows.update(mended)):  # it may have been deleted meanwhile
                transaction.write_all(told.writes)

        await self._store.transact(run, told.wakes)

    def _what_is_left(self, recording: Recording) -> tuple[RecordOutcome, int, str]:
        path = self.path(recording)
        if not path.exists():
            return RecordOutcome.FAILED, 0, "The server stopped before anything was recorded."
        try:
            return RecordOutcome.STOPPED, audiofile.repair(path, self.key(recording)), ""
        except (OSError, audiofile.UnreadableSound, KeyLost) as error:
            return RecordOutcome.FAILED, 0, f"The server stopped while recording, and the file cannot be put right: {error}"


def _moved(recording: Recording) -> Moved:
    return Moved(recording, Change((rows.update(recording),)) + events.updated(recording))


def _wake(recording: Recording) -> Wake:
    return Wake(TOPIC, recording.world_id, recording.id)
