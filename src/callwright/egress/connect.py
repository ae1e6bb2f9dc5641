"""Connections of the HTTP client: vetted names, timed handshakes, and a meter on what comes in."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from callwright.egress.door import KIB, EgressSettings
from callwright.egress.sockets import Gate, Resolver
from callwright.egress.spans import Spans, current
from callwright.errors import SettingsError

MAX_HEAD = 64 * KIB
# Interim answers (1xx) before the real one; each costs a parser and a message.
MAX_INTERIM = 8
_INTERIM = b"HTTP/1.1 1"
_END_OF_HEAD = b"\r\n\r\n"


class _Lookups(AbstractResolver):
    """The names' addresses, vetted all together: what is kept of them, and connected to later, has passed."""

    def __init__(self, resolver: Resolver, gate: Gate) -> None:
        self._resolver = resolver
        self._gate = gate

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        spans = current.get()
        if spans is not None:
            spans.dns_from_ns = spans.now_ns()
        addresses = await self._resolver.addresses(host, port)
        if spans is not None:
            spans.dns_to_ns = spans.now_ns()
        if not addresses:
            raise OSError("the name has no address")
        self._gate.vet(addresses)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    def waits(self, host: str) -> bool:
        """Whether the look-up of a name has not begun, as all threads for that are busy."""
        return host in getattr(self._resolver, "waiting", ())

    async def close(self) -> None:
        """The door closes the resolver, which two connectors share."""


class _TimedTls(ssl.SSLObject):
    """Marks the handshake in the request it is made for."""

    def do_handshake(self) -> None:
        spans = current.get()
        if spans is None:
            return super().do_handshake()
        if not spans.tls_from_ns:
            spans.tls_from_ns = spans.now_ns()
        super().do_handshake()  # raises while more has to come
        spans.tls_to_ns = spans.now_ns()
        return None


def tls_context(settings: EgressSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise SettingsError(f"egress.ca_file: {settings.ca_file!r} cannot be used ({error}); name a PEM file") from None
    context.sslobject_class = _TimedTls
    return context


class Meter(asyncio.Protocol):
    """Stands between a socket and the client's protocol: counts what comes, and ends what nobody asked for.

    The client would take an answer that comes while a connection is idle for the answer to its next request, and it
    bounds neither interim answers nor framing.
    """

    def __init__(self, inner: Any, transport: asyncio.Transport) -> None:
        self._inner = inner
        self._transport = transport
        self._left = 0
        self._interim = 0
        self._headed = False
        self._head = bytearray()
        self._body: aiohttp.StreamReader | None = None
        self._lost = False
        self.spans: Spans | None = None

    def begin(self, spans: Spans) -> None:
        self.spans = spans
        self._left = spans.most
        self._interim = 0
        self._headed = False
        self._head.clear()
        self._body = None

    def feeds(self, body: aiohttp.StreamReader) -> None:
        """The head has come, and this is to be read: end it when the connection ends, which the client can forget."""
        self._body = body
        if self._lost:
            self._break_off(body)

    def end(self) -> None:
        """The request is over, and the connection is kept: nothing may come on it until the next."""
        self.spans = None

    def data_received(self, data: bytes) -> None:
        spans = self.spans
        if spans is None:
            self._transport.abort()
            return
        self._left -= len(data)
        if self._left < 0:
            self._stop(spans, f"more than {spans.most} bytes for one answer")
            return
        if not self._headed and not spans.head_ns:
            end = self._end_of_head(data)
            if self._interim > MAX_INTERIM:
                self._stop(spans, f"more than {MAX_INTERIM} interim answers")
                return
            # By itself, because the client knows no answer whose head comes together with a broken body, or a body of 204.
            self._inner.data_received(data[:end])
            data = data[end:]
            if not self._transport.is_closing() and len(self._head) > MAX_HEAD:
                self._stop(spans, f"a head of more than {MAX_HEAD} bytes")
            if self._transport.is_closing() or not data:
                return
        self._inner.data_received(data)

    def _end_of_head(self, data: bytes) -> int:
        """How much of this still belongs to the head; interim answers have heads of their own, which are counted."""
        before = len(self._head)
        self._head += data
        while 0 <= (end := self._head.find(_END_OF_HEAD)) <= MAX_HEAD - len(_END_OF_HEAD):
            end += len(_END_OF_HEAD)
            if not self._head.startswith(_INTERIM):
                self._headed = True
                self._head.clear()
                return end - before
            self._interim += 1
            del self._head[:end]
            before -= end
        return MAX_HEAD - before

    def _stop(self, spans: Spans, flood: str) -> None:
        spans.flood = flood
        self._transport.abort()

    def eof_received(self) -> bool | None:
        return cast("bool | None", self._inner.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self._lost = True
        if self._body is not None:
            self._break_off(self._body)

    @staticmethod
    def _break_off(body: aiohttp.StreamReader) -> None:
        if not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("its body is garbled"))

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Connector(aiohttp.TCPConnector):
    """Notes what a request waits for, by the names that the library has for its steps; tests see that it still has them."""

    def __init__(self, lookups: _Lookups, remedy: str, **options: Any) -> None:
        super().__init__(resolver=lookups, **options)
        self._lookups = lookups
        self._remedy = f"; {remedy}" if remedy else ""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """A connection for the current request, kept or new, with its meter running."""
        spans = current.get()
        assert spans is not None
        spans.begin()
        connection = await super().connect(req, traces, timeout)
        transport = cast("asyncio.Transport", connection.transport)
        meter = transport.get_protocol()
        if not isinstance(meter, Meter):
            meter = Meter(meter, transport)
            transport.set_protocol(meter)
        meter.begin(spans)
        spans.meter = meter
        connection.add_callback(meter.end)
        spans.connected_ns = spans.now_ns()
        return connection

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        with _waiting(f"all {self.limit} connections of this server were in use{self._remedy}"):
            await super()._wait_for_available_connection(key, traces)

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> Any:
        spans = current.get()
        began_ns = 0 if spans is None else spans.now_ns()
        try:
            return await super()._resolve_host(host, port, traces)
        except asyncio.CancelledError:
            if spans is not None:
                spans.dns_from_ns = spans.dns_from_ns or began_ns  # another request's look-up may be waited for
                if self._lookups.waits(host):
                    spans.ours = "all threads that look names up were busy; see that the name server of this server answers"
                    spans.waited_ns += spans.now_ns() - began_ns
            raise

    async def _create_direct_connection(self, *args: Any, **options: Any) -> Any:
        made = await super()._create_direct_connection(*args, **options)
        if (spans := current.get()) is not None:
            spans.reached = True
        return made


@contextmanager
def _waiting(ours: str) -> Iterator[None]:
    """While this lasts, the current request waits for something of ours."""
    spans = current.get()
    assert spans is not None
    spans.ours = ours
    began_ns = spans.now_ns()
    try:
        yield
    finally:
        spans.waited_ns += spans.now_ns() - began_ns


def connector(settings: EgressSettings, gate: Gate, resolver: Resolver, tls: ssl.SSLContext, *, keep: bool) -> _Connector:
    """Connections that are kept for a while after use, or closed at once."""
    reuse: dict[str, Any] = {"keepalive_timeout": settings.idle_s} if keep else {"force_close": True}
    return _Connector(
        _Lookups(resolver, gate),
        settings.connections_remedy,
        ssl=tls,
        use_dns_cache=settings.dns_cache_s > 0,
        ttl_dns_cache=settings.dns_cache_s or None,
        limit=settings.connections,
        socket_factory=gate.socket,
        **reuse,
    )
