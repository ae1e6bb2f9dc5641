"""The sound of a recording and its waveform, wherever they are."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from callwright import audiofile
from callwright.audiofile import PEAKS_SUFFIX, Peaks, SoundFile, UnreadableSound
from callwright.errors import CallwrightError
from callwright.log import Log
from callwright.recordings.model import Kept, Recording
from callwright.recordings.objects import NoObject, ObjectFault, Objects
from callwright.recordings.recordings import Recordings
from callwright.recordings.remote import RemoteSound

# Reads under way at once. They have threads of their own: object storage that hangs shall hold up nothing else.
THREADS = 16

T = TypeVar("T")
_log = Log("recordings")


class NoSound(CallwrightError):
    """There is no sound of this recording, or not yet."""


class Sound:
    """A recording that was opened, as a WAV of `size` bytes; read on threads."""

    def __init__(self, file: SoundFile, threads: ThreadPoolExecutor) -> None:
        self.size = file.size
        self.channels = file.channels
        self._file = file
        self._threads = threads

    async def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start` on; less only at the end. Raises `UnreadableSound`, `ObjectFault`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._file.read, start, length)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Files:
    """Files of recordings; `objects` is there when some may be in object storage."""

    def __init__(self, recordings: Recordings, objects: Objects | None = None) -> None:
        self._recordings = recordings
        self._objects = objects
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recordings")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def open(self, recording: Recording) -> Sound:
        """Open a recording that is over; whoever asked closes it.

        Raises `NoSound`, `KeyLost`, or `ObjectFault` when object storage cannot be asked.
        """
        if not recording.over:
            raise NoSound("The recording is not over yet.")
        key = self._recordings.key(recording)
        return Sound(await self._threaded(lambda: self._open(recording, key)), self._threads)

    async def peaks(self, recording: Recording) -> Peaks:
        """The waveform of a recording that is over. Raises as `open` does."""
        if not recording.over:
            raise NoSound("The recording is not over yet.")
        key = self._recordings.key(recording)
        return await self._threaded(lambda: self._peaks(recording, key))

    async def _threaded(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _open(self, recording: Recording, key: bytes) -> SoundFile:
        path = self._recordings.path(recording)
        try:
            if self._is_here(recording, path):
                return audiofile.open_sound(path, key)
            return RemoteSound(self._asked(recording), recording.file, key)
        except NoObject:
            raise NoSound("The file of this recording is gone.") from None
        except UnreadableSound as error:
            raise _unreadable(recording, error) from None

    def _peaks(self, recording: Recording, key: bytes) -> Peaks:
        path = self._recordings.path(recording)
        try:
            if self._is_here(recording, path):
                if not Path(f"{path}{PEAKS_SUFFIX}").exists():
                    audiofile.repair(path, key)
                return audiofile.peaks(path, key)
            return _fetched_peaks(self._asked(recording), recording, key)
        except NoObject:
            raise NoSound("There is no waveform of this recording.") from None
        except UnreadableSound as error:
            raise _unreadable(recording, error) from None

    @staticmethod
    def _is_here(recording: Recording, path: Path) -> bool:
        if recording.kept is Kept.OBJECT:
            return False
        if path.exists():
            return True
        if recording.kept is Kept.LOCAL:
            raise NoSound(_why_none(recording))
        return False  # it went to object storage since the row was read

    def _asked(self, recording: Recording) -> Objects:
        if self._objects is None:
            raise ObjectFault(
                "The recording is in object storage, of which the settings say nothing any more: "
                "set recordings.bucket and what belongs to it, also when storage is local now."
            )
        return self._objects


def _fetched_peaks(objects: Objects, recording: Recording, key: bytes) -> Peaks:
    """Bring a waveform here for as long as it takes to read it; sealed ones stay sealed on the disk."""
    name = f"{recording.file}{PEAKS_SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="callwright-") as folder:
        path = Path(folder) / "recording"
        Path(f"{path}{PEAKS_SUFFIX}").write_bytes(objects.read(name, 0, objects.size(name)))
        return audiofile.peaks(path, key)


def _why_none(recording: Recording) -> str:
    told = "Nothing was recorded." if recording.duration_ms == 0 else "The file of this recording is gone."
    return f"{told} The recording failed: {recording.detail.rstrip('.')}." if recording.detail else told


def _unreadable(recording: Recording, error: UnreadableSound) -> NoSound:
    _log.error("recording_unreadable", recording=recording.id, error=error)
    return NoSound("The file of this recording cannot be read; the server's log says why.")
