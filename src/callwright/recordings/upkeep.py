"""What is done with files after a recording: broken ones are mended, they go to object storage, and those of deleted
recordings are erased.

What is to be done stands in rows, so nothing is forgotten in a restart; what fails is tried again for as long as it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from callwright.audiofile import PEAKS_SUFFIX
from callwright.clock import Clock
from callwright.log import Log
from callwright.recordings import rows
from callwright.recordings.model import Kept, Recording
from callwright.recordings.objects import Objects
from callwright.recordings.recordings import TOPIC, Recordings
from callwright.recordings.rows import Erasure, Waiting
from callwright.store import Change, Store, Transaction, Wake

# Seconds until the next attempt after one that failed; the last of them again and again.
PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0)
AT_A_TIME = 20

Work = TypeVar("Work", Erasure, Waiting)

_log = Log("recordings")


class Upkeep:
    """One worker. `objects` is there when recordings go, or went, to object storage."""

    def __init__(self, store: Store, clock: Clock, recordings: Recordings, objects: Objects | None) -> None:
        self._store = store
        self._clock = clock
        self._recordings = recordings
        self._folder = recordings.folder
        self._objects = objects
        self._woken = asyncio.Event()
        self._ended: list[Wake] = []
        store.on(TOPIC, self._wake)

    async def run(self) -> None:
        """Work until cancelled."""
        failures = 0
        while True:
            self._woken.clear()
            if await self._round():
                failures = 0
                await self._woken.wait()
            else:
                pause = PAUSES[min(failures, len(PAUSES) - 1)]
                failures += 1
                _log.error("recordings_not_kept", attempts=failures, again_in_s=pause)
                await self._clock.sleep(pause)

    def _wake(self, wake: Wake) -> None:
        self._ended.append(wake)
        self._woken.set()

    async def _round(self) -> bool:
        """Try everything that is to be done, once; whether all of it is."""
        while self._ended:
            wake = self._ended.pop()
            try:
                await self._recordings.mend(wake.world_id, wake.subject_id)
            except Exception as error:  # it is tried again by whoever reads it
                _log.error("recording_not_mended", recording=wake.subject_id, error=error)
        erased = await self._all(lambda after: rows.erasures(self._store, after, AT_A_TIME), self._erase)
        if self._objects is None:
            return erased
        return await self._all(lambda after: rows.waiting(self._store, after, AT_A_TIME), self._move) and erased

    async def _all(self, some: Callable[[int], Sequence[Work]], do: Callable[[Work], Awaitable[None]]) -> bool:
        """Do one after the other, over those that fail; a whole portion of failures ends it, for what would the rest bring."""
        after, whole = 0, True
        while portion := some(after):
            failed = 0
            for one in portion:
                try:
                    await do(one)
                except Exception as error:
                    failed += 1
                    _log.error("recording_not_kept", error=error, pos=one.pos)
            whole = whole and not failed
            if failed == len(portion) >= AT_A_TIME:
                return False
            after = portion[-1].pos
        return whole

    async def _erase(self, erasure: Erasure) -> None:
        if erasure.kept is not Kept.LOCAL and self._objects is None:
            return  # it waits for the bucket to be in the settings again
        await asyncio.to_thread(self._erase_files, erasure)
        await self._store.commit(Change((rows.erased(erasure),)))
        _log.info("recording_file_erased", file=erasure.file, kept=erasure.kept.value)

    def _erase_files(self, erasure: Erasure) -> None:
        for name in (erasure.file, f"{erasure.file}{PEAKS_SUFFIX}"):
            if erasure.kept is not Kept.OBJECT:
                (self._folder / name).unlink(missing_ok=True)
            if erasure.kept is not Kept.LOCAL and self._objects is not None:
                self._objects.delete(name)

    async def _move(self, waiting: Waiting) -> None:
        recording = waiting.recording
        there = await asyncio.to_thread(self._put, recording)

        def settle(transaction: Transaction) -> bool:
            """The row may have gone meanwhile: then the object goes too."""
            kept = Kept.OBJECT if there else Kept.LOCAL
            is_kept = transaction.write(rows.moved(recording, kept)) > 0
            if there:
                transaction.write(rows.erase(recording, Kept.LOCAL if is_kept else Kept.WAITING))
            return is_kept

        is_kept = await self._store.transact(settle)
        self._woken.set()  # for the erasure
        _log.info("recording_moved", recording=recording.id, call=recording.call_id, there=there and is_kept)

    def _put(self, recording: Recording) -> bool:
        """Copy sound and waveform; False when there is no sound to be copied."""
        assert self._objects is not None
        path = self._folder / recording.file
        if not path.exists():
            return False
        with suppress(FileNotFoundError):
            peaks = Path(f"{path}{PEAKS_SUFFIX}")
            peaks.stat()
            self._objects.put(f"{recording.file}{PEAKS_SUFFIX}", peaks)
        self._objects.put(recording.file, path)
        return True
