"""From an exception of the HTTP client to a `Fault` and the sentence that says what was seen and what to do."""

from __future__ import annotations

import errno
import ssl

import aiohttp

from callwright.egress.door import Fault
from callwright.egress.faults import Failed
from callwright.egress.sockets import AddressRefused
from callwright.egress.urls import Url

# A garbled answer can be as long as its sender likes; the sentence cannot.
MAX_SEEN = 200
PROXY_WANTS_A_NAME = 407
# What the kernel says of this machine, and not of the peer.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def judged(error: Exception, target: Url, *, by_proxy: bool = False) -> Failed:
    """`by_proxy`: it went to the operator's proxy, which is the only name that was looked up then."""
    if by_proxy and isinstance(error, aiohttp.ClientConnectorDNSError):
        seen = _on_one_line(str(error.os_error))
        return Failed(Fault.PROXY, f"the proxy has no address ({seen}); check egress.proxy and the server's resolver")
    return Failed(*_of(error, target))


def of_proxy(status: int, target: Url) -> Failed:
    """The proxy itself answered, and not with what we asked for."""
    wanted = status == PROXY_WANTS_A_NAME
    remedy = "give its user name and password in egress.proxy" if wanted else "its log says why"
    return Failed(Fault.PROXY, f"the proxy does not connect us to {target.host}: it answered {status}; {remedy}")


def _of(error: Exception, target: Url) -> tuple[Fault, str]:
    host = target.host
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    seen = _on_one_line(str(cause)) or type(error).__name__
    if (refused := _refused(error)) is not None:
        return Fault.REFUSED_ADDRESS, f"{host}: {refused}"
    if isinstance(cause, OSError) and cause.errno in _OURS:
        return Fault.BUSY, f"no socket for {host} ({seen}): this server has too many; raise LimitNOFILE (ulimit -n)"
    match error:
        case aiohttp.InvalidURL():
            return Fault.BAD_URL, f"{host}: the URL cannot be requested ({seen})"
        case aiohttp.ClientHttpProxyError():
            failed = of_proxy(error.status, target)
            return failed.fault, failed.detail
        case aiohttp.ClientProxyConnectionError():
            return Fault.PROXY, f"the proxy does not take the connection ({seen}); check egress.proxy and the proxy itself"
        case aiohttp.ClientConnectorDNSError():
            return Fault.DNS, f"{host} has no address ({seen}); check the name and the server's resolver"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return Fault.TLS, f"{host}: no TLS connection ({seen}); check its certificate, or egress.ca_file"
        case aiohttp.ClientConnectorError():
            if isinstance(cause, ConnectionResetError | ConnectionAbortedError):
                return Fault.RESET, f"{host} closed the connection while it was being made ({seen})"
            return Fault.CONNECT, f"{host}:{target.port} does not take the connection ({seen}); is the program running?"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return Fault.RESET, f"{host} closed the connection before its answer was whole ({seen})"
        case _:
            return Fault.PROTOCOL, f"{host} answered with something that is not HTTP ({seen})"


def _on_one_line(text: str) -> str:
    """What can be written down wherever it goes: it may quote what the peer sent."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 2 * MAX_SEEN])
    return " ".join(shown.split())[:MAX_SEEN]


def _refused(error: BaseException) -> str | None:
    """The veto's sentence, which the client wraps at least once."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressRefused):
            return seen.strerror
        seen = getattr(seen, "os_error", None) or seen.__cause__
    return None
