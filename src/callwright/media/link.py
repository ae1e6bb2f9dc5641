"""The media process's end of the socket pair, without an event loop: the rules of `callwright.ipc`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

from callwright.errors import CallwrightError
from callwright.ipc import DEAD_AFTER_PINGS, MAX_FRAME, PING_S, PROTOCOL, Hello, LinkBroken, Ping, Pong, Unframer, frame

PING_NS: Final = int(PING_S * 1_000_000_000)
SILENCE_NS: Final = DEAD_AFTER_PINGS * PING_NS
_READ: Final = 1 << 18
# Whether an end is noticed by reading or by writing is chance.
_CLOSED = (BrokenPipeError, ConnectionResetError)


class CoreGone(CallwrightError):
    """There is nobody to work for any more."""


class CoreLink:
    """Messages to and from the core over a non-blocking socket, which is asked with every tick whether the core is there."""

    def __init__(self, sock: socket.socket, messages: Any, epoch: int, receive: Callable[[Any], None], now_ns: int) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._unframer = Unframer(messages)
        self._hello = Hello(PROTOCOL, epoch)
        self._receive = receive
        self._greeted = False
        self._pending: list[msgspec.Struct] = [self._hello]
        self._unsent = bytearray()
        self._silent_ns = 0
        self._checked_ns = now_ns

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def is_waiting(self) -> bool:
        """Whether bytes wait for the core to read."""
        return bool(self._unsent)

    def send(self, message: msgspec.Struct) -> None:
        self._pending.append(message)

    def read(self) -> None:
        """Take what has come; raise `CoreGone` when the other end is closed or is not our core."""
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return
        except _CLOSED as error:
            raise CoreGone("end of file") from error
        except OSError as error:
            raise CoreGone(f"the link broke: {error.strerror}") from error
        if not data:
            raise CoreGone("end of file")
        self._silent_ns = 0
        try:
            messages = self._unframer.feed(data)
        except LinkBroken as error:
            raise CoreGone(f"unreadable: {error}") from error
        for message in messages:
            if isinstance(message, Hello):
                if message != self._hello:
                    raise CoreGone(f"a core of protocol {message.protocol}, epoch {message.epoch}; ours is {self._hello.epoch}")
                self._greeted = True
            elif isinstance(message, Ping):
                self._pending.append(Pong())
            elif self._greeted and not isinstance(message, Pong):
                self._receive(message)

    def flush(self) -> None:
        """Send what is pending as one frame; what the socket does not take waits."""
        if self._pending:
            self._unsent += frame(self._pending)
            self._pending.clear()
        if not self._unsent:
            return
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except _CLOSED as error:
            raise CoreGone("end of file") from error
        except OSError as error:
            raise CoreGone(f"the link broke: {error.strerror}") from error
        del self._unsent[:sent]
        if len(self._unsent) > MAX_FRAME:
            raise CoreGone(f"it has not read {len(self._unsent)} bytes")

    def check(self, now_ns: int) -> None:
        """Raise `CoreGone` when the core missed three pings.

        Between two ticks more than one is not missed: a machine that stood still had the core stand still as well.
        """
        self._silent_ns += min(now_ns - self._checked_ns, PING_NS)
        self._checked_ns = now_ns
        if self._silent_ns > SILENCE_NS:
            self.read()  # after a stall of our own its words may wait behind those of many far ends
        if self._silent_ns > SILENCE_NS:
            raise CoreGone(f"silent for {SILENCE_NS / 1e9:g} s")
