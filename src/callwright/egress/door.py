"""The interface of HTTP out: what is asked, what comes back, what can go wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

import msgspec

Header = tuple[str, str]
KIB = 1024
MAX_KEPT = 64 * KIB
# The answers that name another URL in Location (RFC 9110 §15.4).
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class EgressSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How requests leave the server."""

    # Networks (CIDR) that may be reached although they are private, loopback or otherwise special.
    allow: tuple[str, ...] = ()
    # Connections in use at once; a request beyond waits, and its waiting counts against its own time limit.
    connections: int = 1_384
    # What to set where these are too few, as the end of a sentence.
    connections_remedy: str = ""
    # Idle connections kept for reuse, at most a quarter of the files that may be open, and for how long. 4 s is below the
    # 5 s after which many servers close theirs.
    idle_connections: int = 1_000
    idle_s: float = 4.0
    # Seconds a resolved name is kept. Each connection's address is checked, whether the name was looked up or kept.
    dns_cache_s: int = 30
    # A file of certificate authorities (PEM) to trust instead of the system's.
    ca_file: str = ""
    # A forward proxy that every request goes through, with who we are: http://user:password@host:port. A secret.
    proxy: str = ""

    def __repr__(self) -> str:
        return "EgressSettings(…)"  # may hold a password, and a traceback or a log line may show it


class Fault(Enum):
    """Why there is no good answer."""

    BAD_URL = "bad_url"
    REFUSED_ADDRESS = "refused_address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"  # the operator's proxy did not carry the request to its peer
    BUSY = "busy"  # this server had no connection or thread free: it says nothing of the peer
    TIMEOUT = "timeout"
    RESET = "reset"  # the peer closed or reset before its answer was whole
    PROTOCOL = "protocol"  # what came is not HTTP
    TOO_LARGE = "too_large"
    ENCODING = "encoding"  # the body is compressed although we asked for it plain
    REDIRECT = "redirect"
    HTTP_ERROR = "http_error"  # a status of 400 or more, or none we can use
    CLOSED = "closed"  # the door is closed: the server is stopping


class Timings(msgspec.Struct, frozen=True):
    """Spans of one request in microseconds; None where the phase did not happen (a reused connection has no `dns`).

    Of several requests (redirects, a repeated post) the connection's spans are the last one's. Through a proxy, `dns` is
    the lookup of its own name, and `connect` lasts until it has connected us.
    """

    dns_us: int | None = None
    connect_us: int | None = None  # TCP
    tls_us: int | None = None  # TLS, after TCP
    head_us: int | None = None  # from the start until the answer's head was complete
    total_us: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What became of a request.

    `fault` is None exactly when the status is 2xx (a conditional `stream` also takes 304) and, for `fetch` and `stream`,
    the body is whole. A `post` is answered once the head is complete: `body` holds what came within the limits, and
    `whole` says whether that was all of it. `detail` is the sentence for `fault`; it names the host at most.
    """

    url: str
    status: int = 0
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    whole: bool = False
    fault: Fault | None = None
    detail: str = ""
    timings: Timings = Timings()

    @property
    def ok(self) -> bool:
        return self.fault is None

    def header(self, name: str) -> str | None:
        """The first header of that name, in whatever case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


# Is given the head of an answer and the next piece of its body.
Consumer = Callable[[Answer, bytes], Awaitable[None]]


class Poster(Protocol):
    """Sends what is to be known elsewhere. Raises for nothing a peer does; `timeout` is in seconds for the whole exchange."""

    async def post(
        self,
        url: str,
        headers: Sequence[Header],
        body: bytes,
        timeout: float,
        *,
        repeatable: bool = False,
        max_kept: int = MAX_KEPT,
    ) -> Answer:
        """Send one POST; follow nothing; keep at most `max_kept` bytes of the answer.

        `repeatable` says that the receiver may get the request twice. Then one that went out on a kept connection and
        was cut off before any answer (the server had just closed it) is sent once more on a new one (RFC 9112 §9.3.1).
        """
        ...


class Transport(Poster, Protocol):
    """Asks, too. Raises for nothing a peer does; `timeout` is in seconds for the whole exchange."""

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        """GET a document of at most `max_bytes`, through at most `redirects` redirects."""
        ...

    async def close(self) -> None: ...


class Streamer(Protocol):
    """Gets what is not to be held, nor waited for until it is whole. Raises for nothing a peer does; times are in seconds."""

    async def stream(
        self,
        url: str,
        consumer: Consumer,
        headers: Sequence[Header] = (),
        *,
        timeout: float,
        stall: float,
        max_bytes: int,
        redirects: int = 3,
    ) -> Answer:
        """GET a body piece by piece; while `consumer` works on one, no more than a little is taken from the peer.

        `timeout` is until the first piece, `stall` from one to the next, without the time the consumer takes; there is no
        limit for all of it. What the consumer raises ends the request and is raised here. 304 is a good answer when
        `headers` hold a condition.
        """
        ...
