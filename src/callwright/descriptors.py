"""What the kernel is asked for at the start: descriptors enough, and the ports of SIP and HTTP."""

from __future__ import annotations

import errno
import ipaddress
import os
import resource
import socket
from contextlib import suppress

from callwright.errors import SettingsError

# Two seconds of 1,000 datagrams a second at their largest usual size, for a loop that is held up.
RECEIVE_BUFFER = 4 << 20


def raise_descriptor_limit() -> int:
    """Raise the number of files and sockets this process and its children may have open as far as allowed; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # An unlimited hard limit may be more than the kernel's own (fs.nr_open); then the limit stays as it is.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def bind_sip(host: str, port: int) -> socket.socket:
    """Bind the UDP socket for SIP, which the core keeps while signalling processes come and go.

    `host` is a literal address; port 0 takes any free one. Raise `SettingsError` when the port cannot be had.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"SIP cannot listen on {host} port {port}: {_why(error, port, 'sip.port')}") from error
    _widen(bound)
    return bound


def bind_http(host: str, port: int, *, setting: str = "http.port") -> socket.socket:
    """Bind the TCP socket for HTTP; raise `SettingsError` when the port cannot be had. `setting` is what names it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"HTTP cannot listen on {host} port {port}: {_why(error, port, setting)}") from error
    return bound


def receive_buffer(bound: socket.socket) -> int:
    """The bytes of datagrams that may wait; Linux keeps twice that, half of it for its own books (socket(7))."""
    return bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def _widen(bound: socket.socket) -> None:
    # Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it the kernel cuts the wish down by itself.
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        bound.setsockopt(socket.SOL_SOCKET, force, RECEIVE_BUFFER)
    except PermissionError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _why(error: OSError, port: int, setting: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"another program has it; stop that program or set {setting}"
        case errno.EADDRNOTAVAIL:
            return (
                f"this machine does not have that address; set {setting.partition('.')[0]}.host to one it has, or to 127.0.0.1"
            )
        case errno.EACCES:
            return (
                f"a port below 1024 is not for uid {os.geteuid()}; set {setting}, or give the process CAP_NET_BIND_SERVICE"
                if port < 1024
                else "this user may not"
            )
        case _:
            return os.strerror(error.errno or 0)
