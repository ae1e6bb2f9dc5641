"""UDP port pairs: RTP on an even port, RTCP on the odd one above it (RFC 3550 §11)."""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import Final

import msgspec

from callwright.errors import CallwrightError
from callwright.media.g711 import SAMPLE_RATE

_EXPEDITED: Final = 46 << 2  # DSCP EF (RFC 4594 §4.1)
# What waits unread is late: about 40 packets of 20 ms. The kernel's default holds five seconds of them, which a process
# that fell behind would have to work off, and relay, before anything new.
_BACKLOG: Final = 16_384
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class NoPorts(CallwrightError):
    """No pair of ports could be had."""


class PortPair(msgspec.Struct, frozen=True):
    port: int
    rtp: socket.socket
    rtcp: socket.socket


class PortPool:
    """Hand out pairs, the longest unused first; one that came back rests, so that no late packet meets a new call.

    `start` turns the order of the first round, so that a process that is restarted does not begin on the ports its
    predecessor used last. Times are media time.
    """

    def __init__(self, host: str, first: int, last: int, quarantine_s: float, start: int = 0) -> None:
        even = first + first % 2
        ports = range(even, last, 2)
        if not ports:
            raise NoPorts(f"ports {first} to {last} hold no even and odd pair: widen media.ports")
        self._host = host
        self._range = f"{first}-{last}"
        self._quarantine = int(quarantine_s * SAMPLE_RATE)
        begin = start % len(ports)
        self._free: deque[int] = deque([*ports[begin:], *ports[:begin]])
        self._resting: deque[tuple[int, int]] = deque()

    def free(self, now: int) -> int:
        """How many pairs could be tried now."""
        self._wake(now)
        return len(self._free)

    def take(self, now: int) -> PortPair:
        """Bind the next pair that nobody else has; raise `NoPorts`, saying what to do, when there is none."""
        self._wake(now)
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                return self._bind(port)
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._free.appendleft(port)
                    raise NoPorts("the process may open no more files: raise LimitNOFILE (ulimit -n)") from error
                if error.errno != errno.EADDRINUSE:
                    self._free.append(port)
                    raise NoPorts(f"cannot bind {self._host}:{port}: {error.strerror}; look at media.bind") from error
                self._resting.append((now + self._quarantine, port))
        raise NoPorts(
            f"all port pairs of {self._range} are in use, resting after use ({len(self._resting)}) or taken by another"
            " program: widen media.ports"
        )

    def give_back(self, pair: PortPair, now: int) -> None:
        pair.rtp.close()
        pair.rtcp.close()
        self._resting.append((now + self._quarantine, pair.port))

    def _wake(self, now: int) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])

    def _bind(self, port: int) -> PortPair:
        rtp = self._socket(port)
        try:
            return PortPair(port, rtp, self._socket(port + 1))
        except OSError:
            rtp.close()
            raise

    def _socket(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BACKLOG)
            sock.bind((self._host, port))
        except OSError:
            sock.close()
            raise
        return sock
