"""Child processes: started, spoken to, watched, started again.

A child is up once it has greeted, dead once its link is lost or the process has ended, and is started again after a
growing pause. The core is told at once (`down`), before the rest is cleared away. A child ends itself when its end of
the socket pair closes, so nothing is left behind when the core is killed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import msgspec

from callwright.childprocess import ChildProcess, first
from callwright.clock import Clock
from callwright.errors import CallwrightError
from callwright.ipc import SILENCE_S, Link
from callwright.log import Log

log = Log("supervisor")


class ChildFailed(CallwrightError):
    """A child process has never come up."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How a child is treated. All times in seconds.

    `first_pause` doubles with each death up to `longest_pause`. More than `deaths` deaths within `window` make the child
    unhealthy. A life of `settled` makes up for everything. `greeting` is how long a child may take until it greets,
    imports included; `silence` is how long it may say nothing from then on; `leave` is how long it has to end by itself, and
    again after SIGTERM.
    """

    first_pause: float = 0.1
    longest_pause: float = 5.0
    deaths: int = 5
    window: float = 60.0
    settled: float = 60.0
    greeting: float = 20.0
    silence: float = SILENCE_S
    leave: float = 2.0


class State(Enum):
    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    STOPPED = "stopped"


_MOVES = {
    State.STOPPED: {State.STARTING},
    State.STARTING: {State.UP, State.DOWN, State.STOPPED},
    State.UP: {State.DOWN, State.STOPPED},
    State.DOWN: {State.STARTING, State.STOPPED},
}


class Child:
    """One child process through all its lives.

    `module` is run as ``python -m module --fd N --epoch E *arguments``; `descriptors` are open in the child under their
    own numbers. `receive` gets each message of the union `messages`. `up` is called with the link whenever a life
    begins and `down` with the reason when one that was up ends, but not when it ends by `stop`. The epoch grows with
    every life. Without `essential`, calls are taken whether it is up or not.
    """

    def __init__(
        self,
        name: str,
        module: str,
        messages: Any,
        receive: Callable[[Any], None],
        *,
        clock: Clock,
        arguments: Sequence[str] = (),
        descriptors: Sequence[int] = (),
        up: Callable[[Link], None] | None = None,
        down: Callable[[str], None] | None = None,
        patience: Patience = Patience(),  # noqa: B008
        essential: bool = True,
    ) -> None:
        self.name = name
        self.essential = essential
        self.epoch = 0
        self.link: Link | None = None
        self.pid: int | None = None
        self.state = State.STOPPED
        self._module = module
        self._messages = messages
        self._receive = receive
        self._clock = clock
        self._arguments = tuple(arguments)
        self._descriptors = tuple(descriptors)
        self._up = up
        self._down = down
        self._patience = patience
        self._pause = patience.first_pause
        self._deaths: deque[int] = deque(maxlen=patience.deaths + 1)
        self._dies_often = False
        self._task: asyncio.Task[None] | None = None
        self._process: ChildProcess | None = None

    def start(self) -> None:
        """Begin the first life; call it on the event loop."""
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[None] = loop.create_future()
        self._started: asyncio.Future[None] = loop.create_future()
        self._move(State.STARTING)
        self._task = loop.create_task(self._live())

    async def started(self) -> None:
        """Wait, after `start`, until the child has greeted once; raise `ChildFailed` when it only dies."""
        await asyncio.shield(self._started)

    def unhealthy(self) -> str | None:
        """None while the child can be relied on, else what is wrong with it."""
        if self._dies_often:
            return f"{self.name} died more than {self._patience.deaths} times within {self._patience.window:g} s"
        return None if self.state is State.UP else f"{self.name} is {self.state.value}"

    def kill(self) -> None:
        """End the life there is, of a child that does not do its work; another begins after a pause."""
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """End the child: by closing the link, then by SIGTERM, then by SIGKILL."""
        if self._task is None:
            return
        if not self._stop.done():
            self._stop.set_result(None)
        await self._task
        self._give_up(f"{self.name} was stopped before it was up")

    async def _live(self) -> None:
        while not self._stop.done():
            self.epoch += 1
            born = self._clock.mono_ns()
            last_words: list[str] = []
            try:
                process = ChildProcess(self.name, self._module, self.epoch, self._arguments, self._descriptors, self._clock)
            except OSError as error:
                self._move(State.DOWN)
                why, status = f"cannot be started: {error.strerror}", "none"
            else:
                self.pid = process.pid
                self._process = process
                try:
                    why, status = await self._attend(process)
                except Exception:
                    log.exception("child_not_attended", child=self.name)
                    self._move(State.DOWN)
                    why, status = "a fault of the core", await process.bury()
                self.pid = self._process = None
                last_words = process.last_words
            if self._stop.done():
                log.info("child_stopped", child=self.name, epoch=self.epoch, status=status)
                break
            lived_s = round((self._clock.mono_ns() - born) / 1e9, 1)
            pause = self._pause
            log.error("child_died", child=self.name, epoch=self.epoch, why=why, status=status, lived_s=lived_s, pause_s=pause)
            for line in last_words:
                log.error("child_last_words", child=self.name, line=line)
            self._count_death()
            self._pause = min(pause * 2, self._patience.longest_pause)
            await first(self._clock, pause, self._stop)
            if not self._stop.done():
                self._move(State.STARTING)
        self._move(State.STOPPED)

    async def _attend(self, process: ChildProcess) -> tuple[str, str]:
        """See one life through; return why it ended and the exit status."""
        why = await process.greeted(self._messages, self._take, self._stop, self._patience.greeting, self._patience.silence)
        if why is None and not self._stop.done():
            assert process.link is not None
            self._come_up(process.link, process.pid)
            settling = self._clock.call_later(self._patience.settled, self._settle)
            why = await process.lost(self._stop)
            settling.cancel()
            self.link = None
        if why is None or self._stop.done():
            return "stopped", await process.end(self._patience.leave)
        was_up = self.state is State.UP
        self._move(State.DOWN)
        if was_up and self._down is not None:
            self._tell(self._down, why)
        return why, await process.bury()

    def _come_up(self, link: Link, pid: int) -> None:
        self._move(State.UP)
        self.link = link
        log.info("child_up", child=self.name, epoch=self.epoch, pid=pid)
        if self._up is not None:
            self._tell(self._up, link)
        if not self._started.done():
            self._started.set_result(None)

    def _move(self, state: State) -> None:
        assert state in _MOVES[self.state], f"{self.name}: {self.state} to {state}"
        self.state = state

    def _count_death(self) -> None:
        now = self._clock.mono_ns()
        self._deaths.append(now)
        often = len(self._deaths) > self._patience.deaths and now - self._deaths[0] <= self._patience.window * 1e9
        if often and not self._dies_often:
            self._dies_often = True
            log.error("child_unhealthy", child=self.name, deaths=len(self._deaths), window_s=self._patience.window)
            self._give_up(f"{self.unhealthy()}; the log has its last words")

    def _give_up(self, why: str) -> None:
        if not self._started.done():
            self._started.set_exception(ChildFailed(why))
            self._started.exception()  # the log has it, whether anyone waits or not

    def _settle(self) -> None:
        self._pause = self._patience.first_pause
        self._deaths.clear()
        if self._dies_often:
            self._dies_often = False
            log.info("child_healthy", child=self.name, epoch=self.epoch)

    def _take(self, message: Any) -> None:
        self._tell(self._receive, message)

    def _tell(self, callback: Callable[[Any], None], value: Any) -> None:
        # A fault in what the core makes of a child must not cost the child's calls.
        try:
            callback(value)
        except Exception:
            log.exception("child_callback_failed", child=self.name, callback=getattr(callback, "__qualname__", repr(callback)))


class Supervisor:
    """All children of the core. They start, and end, side by side."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = tuple(children)

    @property
    def children(self) -> tuple[Child, ...]:
        return self._children

    def start(self) -> None:
        for child in self._children:
            child.start()

    async def started(self) -> None:
        """Wait until every essential child has greeted; raise `ChildFailed` when one only dies."""
        await asyncio.gather(*(child.started() for child in self._essential()))

    def unhealthy(self) -> str | None:
        """None while all children that calls need can be relied on, else what is wrong."""
        return next((trouble for child in self._essential() if (trouble := child.unhealthy())), None)

    def _essential(self) -> list[Child]:
        return [child for child in self._children if child.essential]

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in self._children))
