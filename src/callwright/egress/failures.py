"""From an exception of the HTTP client to a `Fault` and the sentence that says what was seen and what to do."""

from __future__ import annotations

import errno
import ssl

import aiohttp

from callwright.egress.door import Fault
from callwright.egress.faults import NO_TLS, Failed
from callwright.egress.sockets import AddressRefused
from callwright.egress.urls import Url

# A garbled answer can be as long as its sender likes; the sentence cannot.
MAX_SEEN = 200
PROXY_WANTS_A_NAME = 407
PLAIN_PORT = 80
# What OpenSSL calls it when the other side answers with something that is not TLS.
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"})
_TLS_ALERT = "\\x15\\x03"  # how a record that refuses our plain HTTP begins, as the library quotes it (RFC 8446 §5.1)
_TOO_LARGE = ("Got more than", "Too many headers")  # how what the library says of such a head begins
# What the kernel says of this machine, and not of the peer.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def judged(error: Exception, target: Url, *, proxy: str = "") -> Failed:
    """`proxy`: the operator's, by host and port, until it has connected us; what fails before is not the peer's."""
    return Failed(*_of(error, target, proxy))


def of_proxy(status: int, target: Url, proxy: str) -> Failed:
    """The proxy itself answered, and not with what we asked for."""
    wanted = status == PROXY_WANTS_A_NAME
    remedy = "give its user name and password in egress.proxy" if wanted else "its log says why"
    return Failed(Fault.PROXY, f"the proxy {proxy} does not connect us to {target.host}: it answered {status}; {remedy}")


def _of(error: Exception, target: Url, proxy: str) -> tuple[Fault, str]:
    host = target.host
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    seen = _seen(cause, target) or type(error).__name__
    if (refused := _refused(error)) is not None:
        return Fault.REFUSED_ADDRESS, refused if target.literal else f"{host}: {refused}"
    if isinstance(cause, OSError) and cause.errno in _OURS:
        return Fault.BUSY, f"no socket for {host} ({seen}): this server has too many; raise LimitNOFILE (ulimit -n)"
    match error:
        case aiohttp.InvalidURL():
            return Fault.BAD_URL, f"{host}: the URL cannot be requested ({seen})"
        case _ if proxy:
            failed = _before_the_tunnel(error, target, proxy, seen)
            return failed.fault, failed.detail
        case aiohttp.ClientConnectorDNSError():
            return Fault.DNS, f"{host} has no address ({seen}); check the name and the server's resolver"
        case aiohttp.ClientSSLError() | ssl.SSLError() if getattr(cause, "reason", None) in _NOT_TLS:
            return Fault.TLS, f"{host}: no TLS connection ({seen}); {NO_TLS}"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return Fault.TLS, f"{host}: no TLS connection ({seen}); check its certificate, or egress.ca_file"
        case aiohttp.ClientConnectorError():
            if isinstance(cause, ConnectionResetError | ConnectionAbortedError):
                # One without a text was closed in the TLS handshake; the library's name for that tells nobody anything.
                why = f" ({seen})" if str(cause) else ""
                remedy = f"; {NO_TLS}" if target.scheme == "https" else ""
                return Fault.RESET, f"{host} closed the connection while it was being made{why}{remedy}"
            return Fault.CONNECT, f"{host}:{target.port} does not take the connection ({seen}); is the program running?"
        case aiohttp.ServerDisconnectedError() if target.scheme == "http" and target.port != PLAIN_PORT:
            remedy = "if that port speaks TLS, write https:// in the URL"
            return Fault.RESET, f"{host} closed the connection before its answer was whole ({seen}); {remedy}"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return Fault.RESET, f"{host} closed the connection before its answer was whole ({seen})"
        case _:
            return Fault.PROTOCOL, _not_http(target, seen)


def _before_the_tunnel(error: Exception, target: Url, proxy: str, seen: str) -> Failed:
    """What a proxy answers to CONNECT is not quoted: a port that echoes would have us tell the password."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return of_proxy(error.status, target, proxy)
        case aiohttp.ClientConnectorDNSError():
            what = f"has no address ({seen}); check egress.proxy and the server's resolver"
        case aiohttp.ClientProxyConnectionError():
            what = f"does not take the connection ({seen}); check egress.proxy and the proxy itself"
        case aiohttp.ClientResponseError():
            what = "answered CONNECT with something that is not HTTP; check that egress.proxy names a proxy"
        case _:
            what = f"closed the connection before it connected us to {target.host}; its log says why"
    return Failed(Fault.PROXY, f"the proxy {proxy} {what}")


def _not_http(target: Url, seen: str) -> str:
    if seen.startswith(_TOO_LARGE):
        return f"{target.host} answered with headers too large ({seen}); let it send fewer and shorter ones"
    remedy = "; that port speaks TLS, write https:// in the URL" if target.scheme == "http" and _TLS_ALERT in seen else ""
    return f"{target.host} answered with something that is not HTTP ({seen}){remedy}"


def _seen(cause: BaseException, target: Url) -> str:
    """What the library says, without the URL's path and query: those are often secrets, and a peer may send them back."""
    match cause:
        case aiohttp.ClientResponseError():
            text = cause.message
        case aiohttp.InvalidURL():
            text = cause.description or ""
        case _:
            text = str(cause)
    written = target.path + (f"?{target.query}" if target.query else "")
    for secret in (target.text, written, target.path, target.query):
        if len(secret) > 1:
            text = text.replace(secret, "…")
    return _on_one_line(text)


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
