"""From what went wrong to a `Fault` and the sentence that says what was seen and what to do."""

from __future__ import annotations

import ssl

import aiohttp

from callwright.egress.connect import AddressRefused
from callwright.egress.door import Fault
from callwright.egress.urls import Url

# A garbled answer can be as long as its sender likes; the sentence cannot.
MAX_SEEN = 200


def of_error(error: BaseException, target: Url, timeout: float) -> tuple[Fault, str]:
    """Class and sentence for an exception of the HTTP client."""
    host = target.host
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    seen = str(cause)[:MAX_SEEN] or type(error).__name__
    match error:
        case aiohttp.InvalidURL():
            return Fault.BAD_URL, f"{host}: the URL cannot be requested ({seen})"
        case aiohttp.ClientConnectorDNSError():
            return Fault.DNS, f"{host} has no address ({seen}); check the name and the server's resolver"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return Fault.TLS, f"{host}: no TLS connection ({seen}); check its certificate, or egress.ca_file"
        case aiohttp.ClientConnectorError():
            if (refused := _refused(error)) is not None:
                return Fault.REFUSED_ADDRESS, f"{host}: {refused}"
            if isinstance(cause, ConnectionResetError | ConnectionAbortedError):
                return Fault.RESET, f"{host} closed the connection while it was being made ({seen})"
            return Fault.CONNECT, f"{host}:{target.port} does not take the connection ({seen}); is the program running?"
        case TimeoutError():
            return Fault.TIMEOUT, f"{host} gave no whole answer within {timeout:g} s; answer first, work afterwards"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return Fault.RESET, f"{host} closed the connection before its answer was whole ({seen})"
        case _:
            return Fault.PROTOCOL, f"{host} answered with something that is not HTTP ({seen})"


def of_status(status: int, target: Url) -> tuple[Fault | None, str]:
    """2xx is good; 3xx is a redirect nobody follows; the rest is the peer's error."""
    if 200 <= status < 300:
        return None, ""
    if 300 <= status < 400:
        return Fault.REDIRECT, f"{target.host} answered {status}; redirects are not followed, give the final URL"
    return Fault.HTTP_ERROR, f"{target.host} answered {status}"


def _refused(error: BaseException) -> str | None:
    """The veto's sentence, which the client wraps at least once."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressRefused):
            return seen.strerror
        seen = getattr(seen, "os_error", None) or seen.__cause__
    return None
