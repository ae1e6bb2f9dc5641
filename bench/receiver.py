"""Takes callbacks as fast as it can and counts them: ``python bench/receiver.py [ADDRESSES]`` prints its port, then serves
until EOF. It listens on as many loopback addresses from 127.0.0.1 on, all at the same port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def loopback(count: int) -> Iterator[str]:
    """So many addresses that stand for as many machines."""
    return (f"127.0.{one // 250}.{one % 250 + 1}" for one in range(count))


class Receiver(asyncio.Protocol):
    """Requests one after the other on one connection, each with a Content-Length."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            size = end + 4 + int(head[at : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None])
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            Receiver.taken += 1
            self._transport.write(ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    first, *others = loopback(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    server = await loop.create_server(Receiver, first, 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    if others:
        await loop.create_server(Receiver, others, port, backlog=1024)
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(Receiver.taken, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
