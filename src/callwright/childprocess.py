"""One child process, from its start to its exit status.

Processes are started with `subprocess` and watched by a descriptor (pidfd_open(2), Linux 5.3): that needs no SIGCHLD
and no child watcher, works alike on every event loop, and never waits for a process that is not ours.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import msgspec

from callwright.clock import Clock
from callwright.ipc import Link
from callwright.log import Log

LAST_WORDS = 2_048
LONGEST_LINE = 16_384
# After its link has closed a process is given so long to end by itself, so that the status is its own and not our SIGKILL.
DYING_S = 0.5

log = Log("supervisor")


def _environment() -> dict[str, str]:
    """What a child is told of ours: it has its settings as an argument, and secrets are none of its business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CALLWRIGHT_", "NOTIFY_"))}


class ChildProcess:
    """A module of ours run by the same Python, with one end of a socket pair."""

    def __init__(
        self, name: str, module: str, epoch: int, arguments: Sequence[str], descriptors: Sequence[int], clock: Clock
    ) -> None:
        """Start the process; raise `OSError` when the system will not."""
        loop = asyncio.get_running_loop()
        self.link: Link | None = None
        self._clock = clock
        self._epoch = epoch
        self._lost: asyncio.Future[str] = loop.create_future()
        self._exited: asyncio.Future[int] = loop.create_future()
        with ExitStack() as undo:
            self._socket, theirs = socket.socketpair()
            undo.callback(self._socket.close)
            with theirs:
                reading, writing = os.pipe()
                undo.callback(os.close, reading)
                try:
                    self._process = subprocess.Popen(  # noqa: S603
                        # -P: the working folder is the operator's and must not lend modules.
                        [sys.executable, "-P", "-m", module, "--fd", str(theirs.fileno()), "--epoch", str(epoch), *arguments],
                        pass_fds=(theirs.fileno(), *descriptors),
                        env=_environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=writing,
                        stderr=writing,
                        # Ctrl-C is for the core alone, which then ends its children in order.
                        process_group=0,
                    )
                finally:
                    os.close(writing)
            undo.callback(self._process.wait)
            undo.callback(self._process.kill)
            self._watch = os.pidfd_open(self._process.pid)
            undo.pop_all()
        self.pid = self._process.pid
        self._words = _Words(name, reading)
        loop.add_reader(self._watch, self._on_exit)

    async def greeted(
        self, messages: Any, receive: Callable[[Any], None], stop: asyncio.Future[None], within: float, silence: float
    ) -> str | None:
        """Wait `within` seconds for the child's greeting; None, and `link` is there, or why none came.

        The link begins with the child's first word, because it would take the silence of imports for death.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._socket, _resolve, heard)
        await first(self._clock, within, heard, self._exited, stop)
        loop.remove_reader(self._socket)
        if not heard.done():
            return "ended before it greeted" if self._exited.done() else f"did not greet within {within:g} s"
        if not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
            return "ended before it greeted"
        self.link = await Link.over(self._socket, messages, self._epoch, receive, self._on_lost, pings=True, silence_s=silence)
        await first(self._clock, None, self.link.ready, self._lost, stop)
        return self._lost.result() if self._lost.done() else None

    async def lost(self, stop: asyncio.Future[None]) -> str:
        """Wait until the child is lost, or `stop`; say why."""
        await first(self._clock, None, self._lost, self._exited, stop)
        if self._exited.done():
            # What it said last may still lie in the socket.
            await first(self._clock, DYING_S, self._lost)
        return self._lost.result() if self._lost.done() else "ended"

    def kill(self) -> None:
        """End the process at once; what follows is as with any other death."""
        self._process.kill()

    async def bury(self) -> str:
        """Make sure that the process is gone and return its exit status; `last_words` are complete then."""
        self._part()
        await first(self._clock, DYING_S, self._exited)
        self._process.kill()
        status = describe(await self._exited)
        self._words.close()
        return status

    @property
    def last_words(self) -> list[str]:
        """The last lines of standard output and error that were no log lines, 2 kB at most."""
        return self._words.last.decode(errors="replace").splitlines()

    async def end(self, leave: float) -> str:
        """Let the process end by itself, then ask it to, then make it, `leave` seconds each; return its exit status."""
        self._part()
        await first(self._clock, leave, self._exited)
        if not self._exited.done():
            self._process.terminate()
            await first(self._clock, leave, self._exited)
        self._process.kill()
        status = describe(await self._exited)
        self._words.close()
        return status

    def _part(self) -> None:
        if self.link is not None:
            self.link.close()
        else:
            self._socket.close()

    def _on_lost(self, why: str) -> None:
        self._lost.set_result(why)

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watch)
        os.close(self._watch)
        self._exited.set_result(self._process.wait())


class _Words:
    """What a child writes to standard output and error.

    Lines of `callwright.log` go on to our own log under their logger's name. Anything else is a library's or the
    interpreter's: shown at level debug, and the last of it kept until the child dies.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._descriptor = descriptor
        self._line = b""
        self.last = b""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def close(self) -> None:
        with suppress(BlockingIOError):  # a grandchild may still hold the other end
            while data := os.read(self._descriptor, 65_536):
                self._take(data)
        if self._line:
            self._take(b"\n")
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        data = os.read(self._descriptor, 65_536)
        if data:
            self._take(data)
        else:
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _take(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > LONGEST_LINE:
            lines.append(self._line)
            self._line = b""
        for line in lines:
            if not self._relay(line):
                self.last = (self.last + line + b"\n")[-LAST_WORDS:]
                log.debug("child_said", child=self._name, line=line.decode(errors="replace"))

    def _relay(self, line: bytes) -> bool:
        if not line.startswith(b'{"at":'):
            return False
        try:
            fields = msgspec.json.decode(line, type=dict[str, Any])
            level = logging.getLevelNamesMapping()[fields["level"].upper()]
            source, event = str(fields["logger"]), str(fields["event"])
        except (msgspec.MsgspecError, KeyError, AttributeError):
            return False
        shown = {key: value for key, value in fields.items() if key not in ("at", "level", "logger", "event")}
        logger = logging.getLogger(source)
        if logger.isEnabledFor(level):
            logger.log(level, event, extra={"fields": {"child": self._name, **shown}})
        return True


async def first(clock: Clock, within: float | None, *futures: asyncio.Future[Any]) -> None:
    """Wait for any of the futures, at most `within` seconds; whether one came is theirs to tell."""
    with suppress(TimeoutError):
        async with clock.timeout(within):
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def describe(status: int) -> str:
    """Say an exit status in words.

    >>> describe(3), describe(-9)
    ('exit 3', 'signal 9 (SIGKILL)')
    """
    if status >= 0:
        return f"exit {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
