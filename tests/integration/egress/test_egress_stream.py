from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from callwright.clock import Clock, SystemClock
from callwright.egress import Answer, EgressSettings, Fault
from callwright.egress.post import HttpDoor
from support.http_peers import HeldClock

MIB = 1 << 20
Peer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def before(peer: Peer, clock: Clock | None = None) -> AsyncIterator[tuple[HttpDoor, str]]:
    """A door, and the URL of a server that gives each request's head to `peer`."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await peer(await reader.readuntil(b"\r\n\r\n"), writer)
            await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    door = HttpDoor(EgressSettings(), clock or SystemClock(), allow=("127.0.0.0/8",))
    try:
        yield door, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        await door.close()
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


class Taking:
    """A consumer that notes what it is given."""

    def __init__(self) -> None:
        self.head: Answer | None = None
        self.size = 0

    async def __call__(self, head: Answer, piece: bytes) -> None:
        self.head = head
        self.size += len(piece)


async def ten_mebibytes(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: x\r\n\r\n" % (10 * MIB))
    for _ in range(10):
        writer.write(bytes(MIB))
        await writer.drain()


async def test_a_body_comes_piece_by_piece_with_its_head() -> None:
    taking = Taking()
    async with before(ten_mebibytes) as (door, url):
        answer = await door.stream(url, taking, timeout=30, stall=30, max_bytes=20 * MIB)
    assert (answer.ok, answer.whole, answer.body, taking.size) == (True, True, b"", 10 * MIB)
    assert taking.head is not None
    assert taking.head.header("ETag") == "x"


async def test_no_more_is_taken_than_the_consumer_wants() -> None:
    sent = 0
    clock, wanted, stuck = HeldClock(), asyncio.Event(), asyncio.Event()

    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            await writer.drain()
            sent += 65_536

    async def slowly(_: Answer, piece: bytes) -> None:
        stuck.set()
        await wanted.wait()

    async with before(endless, clock) as (door, url):
        asked = asyncio.create_task(door.stream(url, slowly, timeout=60, stall=60, max_bytes=64 * MIB))
        await stuck.wait()
        clock.run_out()
        seen = -1
        while seen != sent:  # what the sockets hold is all that is sent
            seen = sent
            await asyncio.sleep(0.05)
        assert seen < 32 * MIB
        assert not asked.done()  # the time of the consumer is not that of the peer
        wanted.set()
        answer = await asked
    assert answer.fault is Fault.TOO_LARGE


@pytest.mark.parametrize("begun", [False, True])
async def test_a_peer_that_stalls_is_left(begun: bool) -> None:
    clock, taking = HeldClock(), Taking()

    async def stalls(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + b"abc" * begun)
        await writer.drain()
        await asyncio.sleep(0.1)
        clock.run_out()
        await asyncio.sleep(60)

    async with before(stalls, clock) as (door, url):
        answer = await door.stream(url, taking, timeout=60, stall=60, max_bytes=100)
    assert (answer.fault, taking.size) == (Fault.TIMEOUT, 3 * begun)
    assert "sent nothing for" in answer.detail


@pytest.mark.parametrize("error", [OSError("disk"), TimeoutError(), ValueError("no sound")])
async def test_what_the_consumer_raises_ends_the_request(error: Exception) -> None:
    async def fails(_: Answer, piece: bytes) -> None:
        raise error

    async with before(ten_mebibytes) as (door, url):
        with pytest.raises(type(error)) as caught:
            await door.stream(url, fails, timeout=30, stall=30, max_bytes=20 * MIB)
    assert caught.value is error


async def test_what_has_not_changed_is_not_sent() -> None:
    async def unchanged(request: bytes, writer: asyncio.StreamWriter) -> None:
        known = b'If-None-Match: "1"' in request
        writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n" if known else b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    taking = Taking()
    async with before(unchanged) as (door, url):
        answer = await door.stream(url, taking, [("If-None-Match", '"1"')], timeout=30, stall=30, max_bytes=9)
        assert (answer.ok, answer.status, taking.size) == (True, 304, 0)
        assert (await door.stream(url, taking, timeout=30, stall=30, max_bytes=9)).status == 200
    assert taking.size == 1
