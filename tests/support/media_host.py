"""A web server that gives sound files as a test wants them given: slowly, in part, endlessly, with or without an ETag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Body = Callable[[asyncio.StreamWriter], Awaitable[None]]


class MediaHost:
    """Files by path. `requests` holds the heads of what was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self._files: dict[str, tuple[int, tuple[str, ...], bytes | Body]] = {}

    def put(self, path: str, content: bytes | Body, *headers: str, status: int = 200) -> str:
        """Give this content at `path`, with these header lines; return the URL."""
        self._files[path] = (status, headers, content)
        return self.url + path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request)
        path = request.split()[1].removeprefix("/")
        status, headers, content = self._files.get(path, (404, (), b"no such file"))
        known = next((line for line in headers if line.startswith("ETag: ")), None)
        if known is not None and f"If-None-Match: {known.removeprefix('ETag: ')}\r\n" in request:
            status, content = 304, b""
        length = () if callable(content) or status == 304 else (f"Content-Length: {len(content)}",)
        lines = (f"HTTP/1.1 {status} Text", *headers, *length, "Connection: close", "", "")
        writer.write("\r\n".join(lines).encode())
        if callable(content):
            await content(writer)
        else:
            writer.write(content)
        await writer.drain()


@asynccontextmanager
async def media_host() -> AsyncIterator[MediaHost]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await host.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = MediaHost(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    try:
        yield host
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
