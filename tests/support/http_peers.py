"""Peers of the HTTP door: servers whose every byte a test writes, names it resolves, certificates it makes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from callwright.clock import Clock, SystemClock
from callwright.egress import EgressSettings
from callwright.egress.post import HttpDoor
from callwright.egress.sockets import Resolver

LOOPBACK = ("127.0.0.0/8",)
HELD_S = 120.0
Peer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver whose answers the test writes."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    async def addresses(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    def close(self) -> None:
        pass


class HeldClock(SystemClock):
    """The time of the newest request is over when the test says so, however slow the machine is."""

    def __init__(self) -> None:
        self._limit: asyncio.Timeout | None = None

    def timeout(self, seconds: float | None) -> Any:
        self._limit = asyncio.timeout(seconds and HELD_S)
        return self._limit

    def run_out(self) -> None:
        """Let it be over, unless it is stopped at the moment."""
        assert self._limit is not None
        if self._limit.when() is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def listening(peer: Peer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that hands each request's bytes to `peer`; yields its port and the requests seen."""
    seen: list[bytes] = []
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(v) for k, _, v in (h.partition(b":") for h in head.lower().split(b"\r\n")) if k == b"content-length"),
                    0,
                )
                request = head + await reader.readexactly(length)
                seen.append(request)
                await peer(request, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()
            writers.remove(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        await until(lambda: not writers)


@asynccontextmanager
async def door(
    settings: EgressSettings | None = None,
    names: Resolver | None = None,
    allow: tuple[str, ...] = LOOPBACK,
    clock: Clock | None = None,
) -> AsyncIterator[HttpDoor]:
    made = HttpDoor(settings or EgressSettings(), clock or SystemClock(), allow=allow, resolver=names)
    try:
        yield made
    finally:
        await made.close()


async def until(true: Callable[[], bool]) -> None:
    """Let the sockets' work be done: they give no sign to wait for."""
    for _ in range(20_000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true within 20 s")


def still_open(door: HttpDoor) -> int:
    assert door._client is not None
    return door._client.gate.open


def answering(raw: bytes, *, close: bool = False) -> Peer:
    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        if close:
            writer.close()

    return peer


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def hang(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def running_out(clock: HeldClock, peer: Peer, *, after_s: float = 0.1) -> Peer:
    """The same peer; a little after it was asked the time is over."""

    async def asked(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asyncio.get_running_loop().call_later(after_s, clock.run_out)
        await peer(request, reader, writer)

    return asked


async def reset(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
