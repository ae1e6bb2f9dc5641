"""One sound being made, for all who want to hear it: from its source through a decoder into files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from callwright.clock import Clock
from callwright.errors import CallwrightError
from callwright.log import Log
from callwright.switch.sounds.cutting import Cutter
from callwright.switch.sounds.decoders import Decoders, NotDecoded
from callwright.switch.sounds.intake import Intake

# The listener hears silence for so long before the source is given up.
STALL_S: Final = 5.0
# A sound nobody waits for any more may still become whole, for the next one who wants it.
GRACE_S: Final = 10.0

_log = Log("sounds")


class SoundUnavailable(CallwrightError):
    """A sound could not be fetched or is not playable; `status` is that of the HTTP answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Production:
    """Runs once; every listener gets all files from the first on.

    `source` feeds an intake and returns a finished file to play instead, or None when what was fed is the sound. `kept`
    takes the whole file when the source has come to a good end, and says where it is now.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        decoders: Decoders,
        source: Callable[[Production, Intake], Awaitable[Path | None]],
        kept: Callable[[Path], Awaitable[Path]],
    ) -> None:
        self.status: int | None = None
        self.note = ""
        self.whole: Path | None = None
        self._folder = folder
        self._clock = clock
        self._decoders = decoders
        self._source = source
        self._kept = kept
        self._pieces: list[Path] = []
        self._error: SoundUnavailable | None = None
        self.over = False
        self._changed = asyncio.Event()
        self._listeners = 0
        self._leaving: asyncio.TimerHandle | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def files(self) -> AsyncIterator[Path]:
        """The whole file if it is there already, else piece after piece. Raises `SoundUnavailable`."""
        self._listeners += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        given = 0
        try:
            while True:
                if not given and self.whole is not None:
                    yield self.whole
                    return
                while given < len(self._pieces):
                    given += 1
                    yield self._pieces[given - 1]
                if self.over and given == len(self._pieces):
                    if self._error is not None:
                        raise SoundUnavailable(str(self._error), self._error.status)
                    return
                if not self.over:
                    await self._changed.wait()
        finally:
            self._listeners -= 1
            if not self._listeners and not self.over:
                self._leaving = self._clock.call_later(GRACE_S, self.task.cancel)

    async def _run(self) -> None:
        cutter: Cutter | None = None
        try:
            cutter = await asyncio.to_thread(Cutter, self._folder, self._clock)
            self._pieces = cutter.pieces
            self.whole = await self._make(cutter)
        except SoundUnavailable as error:
            self._error = error
        except NotDecoded as error:
            self._error = SoundUnavailable(str(error), self.status)
        except OSError as error:
            self._error = SoundUnavailable(f"it cannot be kept on the disk: {error.strerror}; free space or check rights")
        except asyncio.CancelledError:
            self._error = SoundUnavailable("nobody waited for it any more")
            raise
        except Exception:
            _log.exception("sound_failed")
            self._error = SoundUnavailable("it could not be read; the server's log has the error")
        finally:
            self.over = True
            self._tell()
            if cutter is not None:
                cutter.close()
            if self._leaving is not None:
                self._leaving.cancel()

    async def _make(self, cutter: Cutter) -> Path:
        intake = Intake(self._decoders)
        loop = asyncio.get_running_loop()
        feeder = loop.create_task(self._feed(intake))
        reader: asyncio.Task[bytes] | None = None
        heard_ns = self._clock.mono_ns()
        try:
            while True:
                reader = reader or loop.create_task(intake.read())
                if not await self._wait(reader, feeder, cutter, heard_ns):
                    continue
                if not reader.done():
                    return await self._instead(feeder)
                sound, reader = reader.result(), None
                if not sound:
                    break
                heard_ns = self._clock.mono_ns()
                before = len(cutter.pieces)
                await asyncio.to_thread(cutter.add, sound)
                if len(cutter.pieces) > before:
                    self._tell()
            await feeder
            return await self._kept(await asyncio.to_thread(cutter.finish))
        finally:
            for task in (feeder, reader):
                if task is not None:
                    task.cancel()
                    with suppress(BaseException):
                        await task
            await intake.close()

    async def _feed(self, intake: Intake) -> Path | None:
        instead = await self._source(self, intake)
        if instead is None:
            await intake.finish()
        return instead

    async def _instead(self, feeder: asyncio.Task[Path | None]) -> Path:
        instead = await feeder
        assert instead is not None
        return instead

    async def _wait(
        self, reader: asyncio.Task[bytes], feeder: asyncio.Task[Path | None], cutter: Cutter, heard_ns: int
    ) -> bool:
        """Wait for sound, or the word that there is something else to play; False when there was only time to be kept."""
        if reader.done() or self._has_word(feeder):
            return True
        due = cutter.due_in()
        patience = (self._silence_from_ns(cutter, heard_ns) - self._clock.mono_ns()) / 1e9 + STALL_S
        with suppress(TimeoutError):
            async with self._clock.timeout(max(min(patience, patience if due is None else due), 0.0)):
                await asyncio.wait({reader} if feeder.done() else {reader, feeder}, return_when=asyncio.FIRST_COMPLETED)
        if reader.done() or self._has_word(feeder):
            return True
        if due is not None and cutter.due_in() == 0.0:
            await asyncio.to_thread(cutter.cut)
            self._tell()
        elif self._clock.mono_ns() >= self._silence_from_ns(cutter, heard_ns) + STALL_S * 1e9:
            raise SoundUnavailable(f"no more of it came for {STALL_S:g} s", self.status)
        return False

    def _has_word(self, feeder: asyncio.Task[Path | None]) -> bool:
        """Whether the source failed, or has something else to play."""
        return feeder.done() and (feeder.exception() is not None or feeder.result() is not None)

    def _silence_from_ns(self, cutter: Cutter, heard_ns: int) -> int:
        """From when on a listener hears nothing, or nobody heard of more."""
        return max(heard_ns, cutter.heard_until_ns() or 0)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
