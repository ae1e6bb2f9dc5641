"""``GET /openapi.json`` and ``GET /docs``: the description of an interface, for programs and for people.

Both are made once, when somebody first asks, in a thread: calls go on meanwhile. They hold no data and no secret, so
whoever reaches the server may read them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from callwright.openapi.document import Interface

DOCUMENT, PAGE = "/openapi.json", "/docs"
PREFIX = "/v1"
# The page has its style in it, and nothing else may be loaded or run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class _File(NamedTuple):
    content: bytes
    media: str
    tag: str


class Published:
    """An ASGI application for the paths in `paths`; `interface` is asked once.

    As in the compatible interface, a path is there with and without ``/v1`` and a trailing slash, and nothing is redirected.
    """

    paths = frozenset(f"{prefix}{path}{slash}" for path in (DOCUMENT, PAGE) for prefix in ("", PREFIX) for slash in ("", "/"))

    def __init__(self, interface: Callable[[], Interface]) -> None:
        self._interface = interface
        self._files: asyncio.Task[dict[str, _File]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response("This can only be read.\n", 405, {"Allow": "GET, HEAD"}, "text/plain; charset=utf-8")
        if self._files is None or (self._files.done() and self._files.cancelled()):
            self._files = asyncio.create_task(asyncio.to_thread(self._make))
        # Shielded: one who goes away while it is being made does not take it from the others.
        file = (await asyncio.shield(self._files))[_plain(request.url.path)]
        headers = {
            "ETag": file.tag,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if file.tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media)

    def _make(self) -> dict[str, _File]:
        from callwright.openapi import page
        from callwright.openapi.document import describe

        document = describe(self._interface())
        return {
            DOCUMENT: _file(msgspec.json.encode(document), "application/json"),
            PAGE: _file(page.render(document).encode(), "text/html; charset=utf-8"),
        }


def _plain(path: str) -> str:
    return path.removeprefix(PREFIX).removesuffix("/")


def _file(content: bytes, media: str) -> _File:
    return _File(content, media, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
