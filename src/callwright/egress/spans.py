"""The phases of one request: marked where they happen, deep inside the HTTP client, without a word to it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from callwright.clock import Clock
from callwright.egress.door import KIB, Timings

# What may come besides a body: heads, chunk sizes, trailers. More than the event loop reads at once.
_FRAMING = 512 * KIB


def most_on_the_wire(body: int) -> int:
    """Bytes an answer with so much body may take: a body that comes in tiny chunks is mostly framing."""
    return 2 * body + _FRAMING


class Spans:
    """The marks of one request while it runs, in nanoseconds; 0 where a phase has not come. Redirects mark anew."""

    __slots__ = (
        "clock",
        "connected_ns",
        "dns_from_ns",
        "dns_to_ns",
        "flood",
        "head_ns",
        "meter",
        "most",
        "ours",
        "proxy",
        "reached",
        "socket_ns",
        "started_ns",
        "tls_from_ns",
        "tls_to_ns",
        "waited_ns",
    )

    def __init__(self, clock: Clock, most: int) -> None:
        """`most` are the bytes that may come on the wire for one answer, its head and its framing included."""
        self.clock = clock
        self.most = most
        self.flood = ""  # what came too much of, as the end of a sentence
        self.ours = ""  # what of this server it waits for, or waited for last, as a sentence
        self.waited_ns = 0  # for that
        self.proxy = ""  # by host and port, where it goes through one
        self.meter: Any = None  # the `connect.Meter` of its connection
        self.started_ns = clock.mono_ns()
        self.begin()

    def begin(self) -> None:
        """A connection is asked for."""
        self.dns_from_ns = self.dns_to_ns = self.socket_ns = self.tls_from_ns = self.tls_to_ns = 0
        self.connected_ns = self.head_ns = 0
        self.reached = False  # the peer, or the proxy, has taken the connection

    def now_ns(self) -> int:
        return self.clock.mono_ns()

    @property
    def made(self) -> bool:
        """Whether a connection was made for this request, rather than a kept one used."""
        return self.socket_ns != 0

    @property
    def at_proxy(self) -> bool:
        """Whether the proxy has not connected us yet. The handshake is the first thing that goes through its tunnel."""
        return self.proxy != "" and not self.connected_ns and not self.tls_from_ns

    @property
    def in_handshake(self) -> bool:
        """Whether the TLS handshake has begun and not come to its end."""
        return self.tls_from_ns != 0 and not self.tls_to_ns and not self.connected_ns

    @property
    def stuck(self) -> str:
        """What the peer has not done yet, as the part of a sentence that follows its name."""
        if self.head_ns:
            return "gave no whole answer"
        if self.connected_ns:
            return "gave no answer"
        if self.in_handshake:
            return "did not finish the TLS handshake"
        if self.socket_ns:
            return "did not take the connection"
        if self.dns_from_ns and not self.dns_to_ns:
            return "was not found by the name server"
        return "was not asked"

    def timings(self) -> Timings:
        made = self.connected_ns if self.made else 0
        return Timings(
            dns_us=_span(self.dns_from_ns, self.dns_to_ns),
            connect_us=_span(self.socket_ns, self.tls_from_ns or made),
            tls_us=_span(self.tls_from_ns, self.tls_to_ns),
            head_us=_span(self.started_ns, self.head_ns),
            total_us=(self.clock.mono_ns() - self.started_ns) // 1000,
        )


# The request that this task is about. Tasks and callbacks that a request starts see its own.
current: ContextVar[Spans | None] = ContextVar("egress-spans", default=None)


def _span(from_ns: int, to_ns: int) -> int | None:
    return (to_ns - from_ns) // 1000 if from_ns and to_ns else None
