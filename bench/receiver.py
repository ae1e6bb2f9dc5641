"""Takes callbacks as fast as it can and counts them: ``python bench/receiver.py`` prints its port, then serves until EOF."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


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
    server = await loop.create_server(Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(Receiver.taken, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
