"""A small HTTP client on httptools: the measured alternative to the library behind the door (decision 0039).

It does for a POST what the product needs: an address vetted once and then connected to as it stands, TLS for the name, a
time limit, a bound on head, body and interim answers, connections kept for each origin. It knows no proxies, redirects or
streams.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import cast

import httptools

from callwright.clock import Clock
from callwright.egress import Answer, EgressSettings, Fault, Header, Timings, Url, parse
from callwright.egress.addresses import Veto
from callwright.egress.faults import of_status
from callwright.egress.sockets import Resolver, SystemResolver

MAX_HEAD = 65_536
MAX_INTERIM = 8
_START = b"User-Agent: Callwright\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"


class Broken(Exception):
    """The answer cannot be used; `fault` says how."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Connection(asyncio.Protocol):
    """One connection and the answer that is awaited on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None] | None = None
        self.usable = False
        self.fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        done = self._done
        if done is None or done.done():
            return
        if exc is None and self.headed and not self._framed:
            self.whole = True  # such a body lasts until the end of the connection
            done.set_result(None)
        else:
            done.set_exception(Broken(Fault.RESET))

    async def exchange(self, request: bytes, max_kept: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.headers: list[Header] = []
        self.status = 0
        self.kept = bytearray()
        self.headed = self.whole = self._framed = self._kept_alive = False
        self._max_kept = max_kept
        self._head_left = MAX_HEAD
        self._interim = 0
        self._done = self._loop.create_future()
        self._transport.write(request)
        try:
            await self._done
        finally:
            self._done = None
            self.fresh = False
            if not self.usable or not self._kept_alive:
                self.close()

    def close(self) -> None:
        self.usable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._done is None:
            self.close()  # an answer that nobody asked for
            return
        if not self.headed:
            self._head_left -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(Fault.PROTOCOL)
        else:
            if not self.headed and self._head_left < 0:
                self._fail(Fault.PROTOCOL)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            self.headers.clear()
            if self._interim > MAX_INTERIM:
                self._fail(Fault.PROTOCOL)
            return
        self.status = status
        self.headed = True

    def on_body(self, body: bytes) -> None:
        room = self._max_kept - len(self.kept)
        self.kept += body[:room]
        if len(body) > room:
            self._finish()

    def on_message_complete(self) -> None:
        if self.headed:
            self.whole = True
            self._kept_alive = self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, fault: Fault) -> None:
        self.close()
        if self._done is not None and not self._done.done():
            self._done.set_exception(Broken(fault))


class SmallDoor:
    """As much of a `Transport` as a deliverer needs."""

    def __init__(self, settings: EgressSettings, clock: Clock, *, resolver: Resolver | None = None) -> None:
        self._clock = clock
        self._veto = Veto(settings.allow)
        self._resolver = resolver or SystemResolver()
        self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        self._idle: dict[tuple[str, str, int], deque[Connection]] = {}

    async def post(
        self,
        url: str,
        headers: Sequence[Header],
        body: bytes,
        timeout: float,
        *,
        repeatable: bool = False,
        max_kept: int = 65_536,
    ) -> Answer:
        began = self._clock.mono_ns()
        target = parse(url)
        request = _written(target, headers, body)
        connection: Connection | None = None
        fault: Fault | None = None
        try:
            async with self._clock.timeout(timeout):
                connection = self._kept(target) or await self._connect(target)
                try:
                    await connection.exchange(request, max_kept)
                except Broken as broken:
                    if broken.fault is not Fault.RESET or connection.headed or connection.fresh or not repeatable:
                        raise
                    connection = await self._connect(target)
                    await connection.exchange(request, max_kept)
        except Broken as broken:
            fault = broken.fault
        except TimeoutError:
            fault = Fault.TIMEOUT
        except ssl.SSLError:
            fault = Fault.TLS
        except OSError:
            fault = Fault.CONNECT
        total_us = (self._clock.mono_ns() - began) // 1000
        if connection is None or not connection.headed:
            return Answer(target.text, fault=fault, timings=Timings(total_us=total_us))
        if connection.usable:
            self._idle.setdefault(target.origin, deque()).append(connection)
        verdict, detail = of_status(connection.status, target)
        return Answer(
            target.text,
            status=connection.status,
            headers=tuple(connection.headers),
            body=bytes(connection.kept),
            whole=connection.whole,
            fault=verdict,
            detail=detail,
            timings=Timings(total_us=total_us),
        )

    async def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._resolver.close()

    def _kept(self, target: Url) -> Connection | None:
        connections = self._idle.get(target.origin)
        while connections:
            if (connection := connections.pop()).usable:
                return connection
        return None

    async def _connect(self, target: Url) -> Connection:
        addresses = [target.host] if target.literal else await self._resolver.addresses(target.host, target.port)
        if any(self._veto.refusal(address) for address in addresses):
            raise Broken(Fault.REFUSED_ADDRESS)
        loop = asyncio.get_running_loop()
        tls = self._tls if target.scheme == "https" else None
        _, connection = await loop.create_connection(
            lambda: Connection(loop), addresses[0], target.port, ssl=tls, server_hostname=target.host if tls else None
        )
        return connection


def _written(target: Url, headers: Sequence[Header], body: bytes) -> bytes:
    host = target.text.split("/", 3)[2]
    path = target.text[target.text.index("/", target.text.index("//") + 2) :]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{lines}"
    return head.encode("latin-1") + _START + b"\r\n" + body
