"""The processes that speak, as the core sees them: a queue, one text at a time, and a deadline.

A process that takes too long with a text is killed. One that dies, for that or any other reason, is started again by whoever
watches it; the text it died of goes to the next voice, and is not given to this engine again when it did so before.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

import msgspec

from callwright.clock import Clock
from callwright.log import Log
from callwright.speech import wire
from callwright.speech.settings import VoiceSettings
from callwright.speech.source import Job, VoiceDied, VoiceFailed, VoiceResting

MOST_WAITING = 2_000
LOADING_S = 60.0
_A_CHARACTER_S = 0.02  # of deadline
_DEATHS = 2  # that may be an accident: one
_NEWEST = 0.2  # share of the newest in the mean
_MOST_REMEMBERED = 1_000

_log = Log("speech")


class Line(Protocol):
    """The way to the process, while it is up."""

    def send(self, message: msgspec.Struct) -> None: ...


class Worker:
    """One engine's process. `kill` is set by whoever starts it; `up`, `down` and `receive` are for them to call."""

    def __init__(self, settings: VoiceSettings, clock: Clock, *, deadline_s: float, busy_s: float) -> None:
        """With so much to do that it takes more than `busy_s`, calls that have a choice should not ask for more."""
        self.engine = settings.engine
        self.name = f"speech-{settings.engine}"
        self.arguments = msgspec.json.encode(settings).decode()
        self.kill: Callable[[], None] = lambda: None
        self.lives = 0
        self.settled = asyncio.Event()  # set while it is ready, or will not be
        self._clock = clock
        self._deadline_s = deadline_s
        self._busy_s = busy_s
        self._pace_s = 0.0  # what a text took lately
        self._begun_ns = 0
        self._line: Line | None = None
        self._ready = False
        self._unusable: str | None = None
        self._numbers = count(1)
        self._waiting: list[_Ticket] = []
        self._running: _Ticket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deaths: OrderedDict[tuple[str, str], int] = OrderedDict()

    @property
    def trouble(self) -> str | None:
        """Why a call that has a choice should not ask it; what can wait may wait for a process that is being started."""
        if self._unusable is not None or not self.settled.is_set():
            return self._unusable or f"{self.engine} is being started"
        urgent = sum(1 for ticket in self._waiting if ticket.job.urgent)
        return f"{urgent} texts wait for {self.engine}" if urgent * self._pace_s > self._busy_s else None

    @property
    def idle(self) -> bool:
        """Whether it is up and has nothing to do."""
        return self.settled.is_set() and self._running is None and not self._waiting

    async def render(self, job: Job) -> wire.Rendered:
        """Have a text spoken; raise `VoiceFailed`. Whoever stops waiting takes the text off the queue."""
        if self._unusable is not None:
            raise VoiceResting(self._unusable)
        if self._deaths.get((job.voice.name, job.text), 0) >= _DEATHS:
            raise VoiceFailed(f"{self.engine} has died of this text before")
        if len(self._waiting) >= MOST_WAITING:
            raise VoiceFailed(f"{MOST_WAITING} texts wait for {self.engine}")
        ticket = _Ticket(next(self._numbers), job)
        self._waiting.append(ticket)
        self._next()
        try:
            return await ticket.spoken
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def up(self, line: Line) -> None:
        self.lives += 1
        # Its first words may have come before whoever watches it has told that it is up.
        self._line = line
        self._settle()
        if not self.settled.is_set():
            self._arm(LOADING_S)
        self._next()

    def down(self, why: str) -> None:
        self._line, self._ready, self._unusable = None, False, None
        self._settle()
        self._disarm()
        if (ticket := self._running) is not None:
            self._running = None
            self._note_death(ticket.job, 1)
            ticket.fail(VoiceDied(f"{self.engine} died while it spoke"))

    def receive(self, message: Any) -> None:
        match message:
            case wire.Ready():
                self._ready = True
                self._settle()
                self._disarm()
                self._next()
            case wire.Unusable(why):
                self._unusable = why
                self._settle()
                self._disarm()
                for ticket in self._waiting:
                    ticket.fail(VoiceFailed(why))
            case wire.Rendered(number) | wire.Failed(number):
                self._answered(number, message)

    def _answered(self, number: int, message: wire.Rendered | wire.Failed) -> None:
        ticket = self._running
        if ticket is None or ticket.number != number:
            return  # one that was given up
        self._running = None
        self._disarm()
        self._pace_s += ((self._clock.mono_ns() - self._begun_ns) / 1e9 - self._pace_s) * _NEWEST
        if isinstance(message, wire.Rendered):
            ticket.give(message)
        else:
            ticket.fail(VoiceFailed(message.why))
        self._next()

    def _next(self) -> None:
        if self._line is None or not self._ready or self._running is not None or not self._waiting:
            return
        ticket = min(self._waiting, key=lambda one: (not one.job.urgent, one.number))
        self._waiting.remove(ticket)
        self._running = ticket
        self._begun_ns = self._clock.mono_ns()
        job = ticket.job
        self._line.send(wire.Render(ticket.number, job.voice.name, job.text, str(job.path)))
        self._arm(self._deadline_s + _A_CHARACTER_S * len(job.text))

    def _overdue(self) -> None:
        self._timer = None
        ticket, self._running = self._running, None
        self._line, self._ready = None, False  # nothing more is given to this life
        self._settle()
        _log.error("speech_hangs", engine=self.engine, characters=len(ticket.job.text) if ticket else 0)
        if ticket is not None:
            self._note_death(ticket.job, _DEATHS)
            ticket.fail(VoiceFailed(f"{self.engine} did not come to an end"))
        self.kill()

    def _settle(self) -> None:
        if self._unusable is not None or (self._ready and self._line is not None):
            self.settled.set()
        else:
            self.settled.clear()

    def _note_death(self, job: Job, deaths: int) -> None:
        key = (job.voice.name, job.text)
        self._deaths[key] = self._deaths.get(key, 0) + deaths
        if len(self._deaths) > _MOST_REMEMBERED:
            self._deaths.popitem(last=False)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self._clock.call_later(seconds, self._overdue)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Ticket:
    """A place in the queue."""

    def __init__(self, number: int, job: Job) -> None:
        self.number = number
        self.job = job
        self.spoken: asyncio.Future[wire.Rendered] = asyncio.get_running_loop().create_future()

    def give(self, rendered: wire.Rendered) -> None:
        if not self.spoken.done():
            self.spoken.set_result(rendered)

    def fail(self, error: VoiceFailed) -> None:
        if not self.spoken.done():
            self.spoken.set_exception(error)
