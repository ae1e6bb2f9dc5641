"""The real signalling process with a test in the place of the core."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec

from callwright.ipc import Link, LinkBroken
from callwright.sip import wire
from callwright.sip.settings import SignallingSettings, TrunkSource

T = TypeVar("T", bound=msgspec.Struct)
ROOT = Path(__file__).resolve().parents[2]

PATIENCE_S, START_S = 15.0, 60.0
PROGRAM = ("-m", "callwright.sip.process")
# A tenth of RFC 3261's times: what takes 32 s on the wire takes 3.2 s here.
SETTINGS = SignallingSettings(
    t1_s=0.05,
    offer_answer_s=1.0,
    max_late_ms=10_000.0,
    new_legs_per_s=100_000.0,  # a fast machine runs hundreds of tests' calls in a second
    trunks=(TrunkSource("carrier", ("127.0.0.9/32",)), TrunkSource("lab", ("127.0.0.8/30", "198.51.100.0/24"))),
)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, lambda: heard.done() or heard.set_result(None))
    try:
        async with asyncio.timeout(START_S):
            await heard
    finally:
        loop.remove_reader(sock)


class Core:
    """Starts the process, keeps what it says, and hands it out one by one."""

    def __init__(self, settings: SignallingSettings, *, epoch: int = 7, program: tuple[str, ...] = PROGRAM) -> None:
        self.settings = settings
        self.said: list[Any] = []
        self.loads: list[wire.Load] = []
        self.policy: Callable[[Any], None] | None = None
        self.lost: str | None = None
        self._news = asyncio.Event()
        self._epoch = epoch
        self._program = program
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.sip.getsockname()

    async def start(self, *, child_epoch: int | None = None, admit: bool = True) -> Core:
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(  # noqa: ASYNC220 (a fork, done at once)
            [
                sys.executable,
                *self._program,
                *("--fd", str(theirs.fileno()), "--sip-fd", str(self.sip.fileno())),
                *("--epoch", str(self._epoch if child_epoch is None else child_epoch)),
                *("--settings", msgspec.json.encode(self.settings).decode()),
            ],
            pass_fds=(theirs.fileno(), self.sip.fileno()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        theirs.close()
        await _readable(ours)  # the link would take the silence of slow imports for death
        self.link = await Link.over(
            ours, wire.SignallingMessage, self._epoch, self._hear, self._lose, pings=True, silence_s=PATIENCE_S
        )
        try:
            async with asyncio.timeout(START_S):
                await self.link.ready
        except (TimeoutError, LinkBroken) as error:
            raise AssertionError(f"the process did not start ({error}): {await self.stop()}") from None
        if admit:
            self.send(wire.Admit(True))
        return self

    async def stop(self) -> tuple[str, str]:
        """Close the link; return what the process wrote to its standard output and error."""
        self.link.close()
        out, err = await asyncio.get_running_loop().run_in_executor(None, self._finish)
        self.sip.close()
        return out.decode(), err.decode()

    def _finish(self) -> tuple[bytes, bytes]:
        try:
            return self.process.communicate(timeout=START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()

    def _lose(self, why: str) -> None:
        self.lost = why

    def _hear(self, message: Any) -> None:
        if isinstance(message, wire.Load):
            self.loads.append(message)
        elif self.policy is not None:
            self.policy(message)
            return
        else:
            self.said.append(message)
        self._news.set()

    def send(self, *messages: msgspec.Struct) -> None:
        for message in messages:
            self.link.send(message)

    async def take(self, kind: type[T], leg: UUID | None = None, *, within: float = PATIENCE_S) -> T:
        """The first message of a kind (about a leg) that was not taken yet."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for message in self.said:
                        if isinstance(message, kind) and leg in (None, getattr(message, "leg", None)):
                            self.said.remove(message)
                            return message
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} within {within} s; there is {self.said}") from None

    def about(self, leg: UUID) -> list[Any]:
        """What was said of a leg and not taken yet."""
        return [message for message in self.said if message.leg == leg]

    async def caught_up(self) -> None:
        """Wait until the process has done all that it was told so far: an order without an offer, sent after it, is refused."""
        leg = uuid4()
        self.send(wire.PlaceLeg(leg, "1", "127.0.0.1", "127.0.0.1", 9, "2", ""))
        await self.take(wire.LegFailed, leg)

    async def load(self, *, within: float = PATIENCE_S) -> wire.Load:
        """The next report of load."""
        seen = len(self.loads)
        async with asyncio.timeout(within):
            while len(self.loads) == seen:
                self._news.clear()
                await self._news.wait()
        return self.loads[-1]
