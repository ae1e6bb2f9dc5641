"""Calls an ASGI application without a server."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from starlette.types import ASGIApp, Message


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Client:
    """Sends requests with an access key; `body` is bytes, or a value to be sent as JSON."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key

    async def __call__(
        self, method: str, target: str, body: Any = b"", *, headers: dict[str, str] | None = None, chunk: int = 1 << 20
    ) -> Reply:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        path, _, query = target.partition("?")
        sent = {"host": "callwright.test"} | ({} if self._key is None else {"authorization": f"AccessKey {self._key}"})
        incoming = [raw[at : at + chunk] for at in range(0, len(raw), chunk)] or [b""]
        outgoing: list[Message] = []

        async def receive() -> Message:
            if not incoming:
                await asyncio.Event().wait()  # the client stays
            return {"type": "http.request", "body": incoming.pop(0), "more_body": bool(incoming)}

        async def send(message: Message) -> None:
            outgoing.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in (sent | (headers or {})).items()],
        }
        await self._app(scope, receive, send)
        start, *rest = outgoing
        return Reply(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message["body"] for message in rest),
        )
