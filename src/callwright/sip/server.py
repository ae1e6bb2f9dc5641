"""The UDP socket of the signalling process, read and written without sippy's threads.

The socket is the core's and outlives this process. Everything read is handed to the transaction layer at once; everything
written leaves at once or is counted as lost, which the timers of SIP repair.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from errno import EACCES, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, EINVAL, ENETUNREACH, EPERM
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from sippy.Network_server import Network_server, Network_server_opts, Remote_address
from sippy.Time.MonoTime import MonoTime

from callwright.sip.wellformed import framing_fault, refusal_of

Address = tuple[str, int]

MAX_DATAGRAM = 65_535
BATCH = 64  # datagrams a turn of the loop; more would starve timers and the link to the core
SMALLEST_MESSAGE = 32
RECEIVE_BUFFER = 4 << 20
UNREACHABLE = frozenset({ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, EINVAL, EPERM, EACCES})
_IP_RECVERR = getattr(socket, "IP_RECVERR", 11)
_SO_RCVBUFFORCE = 33


class Datagram(bytes):
    """Bytes that decode to one character each, whatever they are (`headers`)."""

    def decode(self, encoding: str = "ascii", errors: str = "surrogateescape") -> str:
        return str(self, "ascii", "surrogateescape")


class DatagramOptions(Network_server_opts):
    flags = 0


class DatagramServer(Network_server):
    """sippy's view of the socket; `global_config` carries the socket and the callbacks.

    `_sip_garbage(source, error)` is told of datagrams that cannot be used, `_sip_unreachable(address)` of addresses to which
    nothing can be sent: an ICMP error, or the kernel has no way there. `_sip_knows(host)` says whether one may call.
    """

    transport = "udp"

    def __init__(self, global_config: dict[str, Any], options: DatagramOptions) -> None:
        super().__init__(options)
        self.skt: socket.socket = global_config["_sip_socket"]
        self.dropped = 0
        self._garbage: Callable[[str, Exception], None] = global_config["_sip_garbage"]
        self._unreachable: Callable[[Address], None] = global_config["_sip_unreachable"]
        self._knows: Callable[[str], bool] = global_config["_sip_knows"]
        self._buffer = bytearray(MAX_DATAGRAM)

    def send_to(self, data: bytes | str, address: Address, delayed: bool = False) -> None:
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if not is_ipv4(address[0]):
            self.dropped += 1
            return
        # With IP_RECVERR a send reports what became of an earlier one, perhaps to somebody else: then try again.
        for last in (False, True):
            try:
                self.skt.sendto(data, address)
                return
            except (BlockingIOError, OverflowError):  # the buffer is full, or there is no such port
                break
            except OSError as error:
                self.collect_errors()
                if last and error.errno in UNREACHABLE:
                    self._unreachable(address)
        self.dropped += 1

    def drain(self) -> None:
        """Take what has arrived, up to `BATCH` datagrams."""
        receive, buffer = self.skt.recvfrom_into, self._buffer
        for count in range(BATCH):
            try:
                size, address = receive(buffer)
            except BlockingIOError:
                if not count:
                    self.collect_errors()
                return
            except OSError:
                self.collect_errors()
                continue
            self.handle_read(Datagram(memoryview(buffer)[:size]), Remote_address(address, "udp"), MonoTime())

    def handle_read(self, data: bytes, address: Remote_address, rtime: MonoTime, delayed: bool = False) -> None:
        if data[:1] in (b"\r", b"\n"):
            data = Datagram(data.lstrip(b"\r\n"))  # RFC 3261 §7.5
        if len(data) < SMALLEST_MESSAGE:
            if data.strip(b"\r\n\0"):  # else a keep-alive (RFC 5626 §3.5.1, and what telephones make of it)
                self._garbage(str(address), ValueError(f"{len(data)} bytes are no SIP message"))
            return
        if fault := framing_fault(data):
            self._garbage(str(address), ValueError(fault))
            return
        try:
            self.uopts.data_callback(data, address, self, rtime)
        except Exception as error:
            self._garbage(str(address), error)
            if getattr(error, "answered", False) or not self._knows(address.received):
                return
            if (refusal := refusal_of(data, address.address[1])) is not None:
                self.send_to(refusal[0], (address.received, refusal[1]))

    def collect_errors(self) -> None:
        """Read the ICMP errors the kernel has kept for us."""
        while True:
            try:
                _, extras, _, address = self.skt.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for level, kind, content in extras:
                if level == socket.IPPROTO_IP and kind == _IP_RECVERR and struct.unpack_from("=I", content)[0] in UNREACHABLE:
                    self._unreachable(address)

    def join(self) -> None:
        """Nothing to wait for; the socket stays open for the successor."""


def prepare(sock: socket.socket) -> int:
    """Make the socket fit for signalling; return the size of its receive buffer in bytes."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@lru_cache(maxsize=4096)
def is_ipv4(host: str) -> bool:
    """Whether it is a literal address. Names would be looked up by the kernel's resolver while every call waits."""
    try:
        IPv4Address(str(host))
    except ValueError:
        return False
    return True
