"""The process that listens, as the core sees it: one file at a time, and a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import msgspec

from callwright.clock import Clock
from callwright.log import Log
from callwright.speech.recognition import parts, wire
from callwright.speech.recognition.languages import code
from callwright.speech.recognition.settings import RecogniserSettings
from callwright.telephony import Transcript, TranscriptionFailed

NAME = "recogniser"
# Seconds without a sign of life after which it is taken to hang: it gives one after each half minute of speech.
SILENT_S = 300.0
# Seconds that any file may take, and those for each second of it.
AT_LEAST_S = 300.0
A_SECOND_S = 10.0

_log = Log("speech")


class Line(Protocol):
    """The way to the process, while it is up."""

    def send(self, message: msgspec.Struct) -> None: ...


class Recogniser:
    """A `Transcriber`. `kill` is set by whoever starts the process; `up`, `down` and `receive` are for them to call."""

    def __init__(self, settings: RecogniserSettings, clock: Clock) -> None:
        self.arguments = msgspec.json.encode(settings).decode()
        self.kill: Callable[[], None] = lambda: None
        self._clock = clock
        self._ids = count(1)
        self._turn = asyncio.Lock()
        self._line: Line | None = None
        self._up = asyncio.Event()
        self._id = 0
        self._heard: asyncio.Future[Transcript] | None = None
        self._language = ""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def refusal(self, language: str) -> str | None:
        return None

    async def transcribe(self, wav: Path, language: str) -> Transcript:
        """Write down a mono file; those that come meanwhile wait their turn. Raises `TranscriptionFailed`."""
        async with self._turn:
            try:
                within_s = AT_LEAST_S + A_SECOND_S * await asyncio.to_thread(parts.length_s, wav)
            except Exception as error:
                raise TranscriptionFailed(f"The recording cannot be read: {error}.") from None
            await self._wait_until_up()
            assert self._line is not None
            self._id, self._language = next(self._ids), language
            heard: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
            self._heard = heard
            self._line.send(wire.Listen(self._id, str(wav), code(language)))
            self._arm("silent", SILENT_S)
            self._arm("slow", within_s)
            try:
                return await heard
            except asyncio.CancelledError:
                self.kill()  # it works for nobody now
                raise
            finally:
                self._heard = None
                for name in list(self._timers):
                    self._timers.pop(name).cancel()

    async def _wait_until_up(self) -> None:
        try:
            async with self._clock.timeout(SILENT_S):
                await self._up.wait()
        except TimeoutError:
            raise TranscriptionFailed("The recogniser does not start; the server's log says why.") from None

    def up(self, line: Line) -> None:
        self._line = line
        self._up.set()

    def down(self, why: str) -> None:
        self._line = None
        self._up.clear()
        self._fail("The recogniser died while it listened; the server's log has its last words.")

    def receive(self, message: Any) -> None:
        if self._heard is None or self._heard.done() or message.id != self._id:
            return  # of one that was given up
        match message:
            case wire.Listening():
                self._arm("silent", SILENT_S)
            case wire.Heard(_, text, words, engine):
                self._heard.set_result(Transcript(text, tuple(words), self._language, engine))
            case wire.NotHeard(_, why):
                self._fail(why)

    def _arm(self, name: str, seconds: float) -> None:
        if name in self._timers:
            self._timers.pop(name).cancel()
        self._timers[name] = self._clock.call_later(seconds, lambda: self._overdue(name))

    def _overdue(self, name: str) -> None:
        _log.error("recogniser_hangs", why=name)
        self._line = None
        self._up.clear()
        self._fail("The recogniser came to no end with it, and was stopped.")
        self.kill()

    def _fail(self, why: str) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_exception(TranscriptionFailed(why))
