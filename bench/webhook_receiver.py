"""Takes callbacks and notes when each came: ``python bench/webhook_receiver.py HANG_S`` prints two ports and serves until EOF.

It listens on all loopback addresses, so that every address is an origin of its own: on the first port at once, on the second,
which refuses connections until then, once it reads ``open``. What comes to an address of 127.3.0.0/16 is answered after
HANG_S seconds. ``dump FILE`` writes what has come since the last.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HANGING = "127.3."
# When it was there as a whole, on the clock that all processes of a machine share, and the last 36 characters of its id.
_NOTE = struct.Struct("<q36s")
_ID, _LENGTH = b"\r\nwebhook-id:", b"\r\ncontent-length:"
_BACKLOG = 4_096


class Taker(asyncio.Protocol):
    """Requests one after the other on one connection, each with a Content-Length."""

    def __init__(self, taken: list[tuple[int, bytes]], hang_s: float) -> None:
        self._taken = taken
        self._hang_s = hang_s
        self._buffer = b""
        self._late: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._hangs = transport.get_extra_info("sockname")[0].startswith(HANGING)

    def connection_lost(self, error: Exception | None) -> None:
        for late in self._late:
            late.cancel()

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        self._buffer = self._buffer + data if self._buffer else data
        answers = 0
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[: end + 2].lower()
            size = end + 4 + int(_value(head, _LENGTH))
            if len(self._buffer) < size:
                break
            self._buffer = self._buffer[size:]
            self._taken.append((now_ns, _value(head, _ID)[-36:]))
            answers += 1
        if answers and self._hangs:
            loop = asyncio.get_running_loop()
            self._late.add(loop.call_later(self._hang_s, self._transport.write, ANSWER * answers))
        elif answers:
            self._transport.write(ANSWER * answers)


def _value(head: bytes, name: bytes) -> bytes:
    at = head.index(name) + len(name)
    return head[at : head.index(b"\r\n", at)].strip()


async def serve(hang_s: float) -> None:
    loop = asyncio.get_running_loop()
    taken: list[tuple[int, bytes]] = []
    listening, refusing = _bound(), _bound()
    await loop.create_server(lambda: Taker(taken, hang_s), sock=listening, backlog=_BACKLOG)
    said = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), sys.stdin)
    print(listening.getsockname()[1], refusing.getsockname()[1], flush=True)
    while line := (await said.readline()).decode().split():
        if line[0] == "open":
            await loop.create_server(lambda: Taker(taken, hang_s), sock=refusing, backlog=_BACKLOG)
        else:
            _write(Path(line[1]), taken)
            taken.clear()
        print("done", flush=True)


def _write(notes: Path, taken: list[tuple[int, bytes]]) -> None:
    notes.write_bytes(b"".join(_NOTE.pack(*one) for one in taken))


def _bound() -> socket.socket:
    """A port of its own on all addresses; connections are refused while nobody listens on it."""
    bound = socket.socket()
    bound.bind(("0.0.0.0", 0))
    return bound


class Came(NamedTuple):
    at_ns: int
    id: bytes


class Receiver:
    """The process, seen from the one that posts."""

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int], notes: Path) -> None:
        self._process = process
        self.port, self.refusing_port = ports
        self.pid = process.pid
        self._notes = notes

    async def open(self) -> None:
        """Let the port that refused connections take them."""
        await self._tell("open")

    async def dump(self) -> list[Came]:
        """What has come since the last time, in the order it came; it is forgotten."""
        await self._tell(f"dump {self._notes}")
        return [Came(*one) for one in _NOTE.iter_unpack(self._notes.read_bytes())]

    async def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        if not await self._process.stdout.readline():
            raise SystemExit("webhooks: the receiver has died; its last words are above")


@asynccontextmanager
async def receiving(folder: Path, hang_s: float = 30.0) -> AsyncIterator[Receiver]:
    """Run a receiver until it is not needed any more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(hang_s), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        open_port, refusing_port = map(int, (await process.stdout.readline()).split())
        yield Receiver(process, (open_port, refusing_port), folder / "came")
    finally:
        process.stdin.close()
        await process.wait()


async def limit_per_second(receiver: Receiver, seconds: float, connections: int = 16, at_once: int = 8) -> float:
    """Requests a second a receiver takes from a client that costs next to nothing, of a callback's usual size."""
    head = (
        "POST /calls HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: application/json\r\n"
        f"X-Filled: {'x' * 700}\r\nwebhook-id: {'0' * 36}\r\nContent-Length: 900\r\n\r\n"
    )
    request = (head.encode() + b"x" * 900) * at_once
    ended = time.monotonic() + seconds

    async def ask() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        answered = 0
        while time.monotonic() < ended:
            writer.write(request)
            await reader.readexactly(len(ANSWER) * at_once)
            answered += at_once
        writer.close()
        return answered

    began = time.monotonic()
    answered = sum(await asyncio.gather(*(ask() for _ in range(connections))))
    took = time.monotonic() - began
    await receiver.dump()
    return answered / took


def origins(count: int, port: int, *, second: int = 1) -> Iterator[str]:
    """URLs of so many origins, each a loopback address of its own in 127.`second`.0.0/16."""
    return (f"http://127.{second}.{one // 250}.{1 + one % 250}:{port}/calls" for one in range(count))


def paths(count: int, port: int) -> Iterator[str]:
    """URLs of so many programs of one origin."""
    return (f"http://127.0.0.1:{port}/calls/{one}" for one in range(count))


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1])))
