"""What can be said of an answer's status, and how a request that got none in time is told."""

from __future__ import annotations

from callwright.egress.door import Fault
from callwright.egress.spans import Spans
from callwright.egress.urls import Url

STOPPING = "the server is stopping"
NO_TLS = "does that port speak TLS? For plain HTTP write http:// in the URL"


class Failed(Exception):
    """A request came to nothing, or its answer broke off; raised by the client that made it."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


def of_time(spans: Spans, host: str, timeout: float) -> Failed:
    """The time of a request is over, and no answer has come. What this server or its proxy kept it from is not the peer's."""
    if spans.ours and spans.waited_ns * 2 >= spans.now_ns() - spans.started_ns:
        return Failed(Fault.BUSY, f"{host} was not to blame: in {timeout:g} s {spans.ours}")
    if spans.at_proxy:
        lacking = f"connect us to {host}" if spans.reached else "take the connection"
        remedy = "its log says why" if spans.reached else "check egress.proxy and the proxy itself"
        return Failed(Fault.PROXY, f"the proxy {spans.proxy} did not {lacking} within {timeout:g} s; {remedy}")
    remedy = f"; {NO_TLS}" if spans.in_handshake else ""
    return Failed(Fault.TIMEOUT, f"{host} {spans.stuck} within {timeout:g} s{remedy}")


def of_status(status: int, target: Url) -> tuple[Fault | None, str]:
    """2xx is good; 3xx is a redirect nobody follows; the rest is the peer's error."""
    if 200 <= status < 300:
        return None, ""
    if 300 <= status < 400:
        return Fault.REDIRECT, f"{target.host} answered {status}; redirects are not followed, give the final URL"
    return Fault.HTTP_ERROR, f"{target.host} answered {status}"
