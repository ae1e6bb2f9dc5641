"""A request whose answer goes on, put to an application without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp

from callwright.web import CUT

PATIENCE_S = 30.0


class HeldRequest:
    """What was sent is read piece by piece; `taking` holds the server up while it is clear."""

    def __init__(self, app: ASGIApp, target: str, headers: Mapping[str, str], method: str = "GET") -> None:
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": None, "server": None, "extensions": {CUT: {"now": lambda: self.cut_off.set()}},
        }  # fmt: skip
        self.cut_off = asyncio.Event()
        self.taking = asyncio.Event()
        self.taking.set()
        self.gone = asyncio.Event()
        self.started: Any = None
        self.ended = False
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    @property
    def answer_headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.started["headers"]}

    async def piece(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._pieces.get()

    async def close(self) -> None:
        self.gone.set()
        async with asyncio.timeout(PATIENCE_S):
            await self.task

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.taking.wait()
        if message["type"] == "http.response.start":
            self.started = message
            return
        self.ended = not message.get("more_body", False)
        if message["body"]:
            self._pieces.put_nowait(message["body"])
