"""What a service manager is told: that the server is ready, that its event loop still turns, and that it stops.

One datagram each to the socket it names (sd_notify(3)). Without one nothing is sent, and nothing waits.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import MutableMapping
from types import TracebackType
from typing import Self

from callwright.clock import Clock
from callwright.log import Log

# A ping may come late once without being missed.
PINGS_IN_TIME = 3

_log = Log("watchdog")


class Watchdog:
    """Pings from the event loop while entered, so that a loop that is stuck, or a process that is frozen, is seen."""

    def __init__(self, environment: MutableMapping[str, str], clock: Clock, pid: int | None = None) -> None:
        """Take what a service manager left in the environment; children must not speak for the server."""
        self._clock = clock
        self._address = _address(environment.pop("NOTIFY_SOCKET", ""))
        period_us = environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid() if pid is None else pid))
        period_s = int(period_us) / 1e6 if meant and period_us.isascii() and period_us.isdecimal() else 0.0
        self.ping_s = period_s / PINGS_IN_TIME
        self._socket: socket.socket | None = None
        self._next: asyncio.TimerHandle | None = None
        self._unheard = False

    def __enter__(self) -> Self:
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            if self.ping_s:
                self._ping()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._socket is not None:
            self._socket.close()

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def _ping(self) -> None:
        self._tell("WATCHDOG=1")
        self._next = self._clock.call_later(self.ping_s, self._ping)

    def _tell(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError as error:
            if not self._unheard:
                _log.warning("service_manager_not_reached", state=state, why=error.strerror)
            self._unheard = True
        else:
            self._unheard = False


def _address(named: str) -> str:
    """A path, or ``@name`` for a name without a file (unix(7)); anything else is not meant for us (sd_notify(3))."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""
