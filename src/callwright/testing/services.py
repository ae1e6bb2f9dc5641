"""Programs of a test that answer for URLs: functions, and applications as web frameworks make them (ASGI, WSGI).

They are asked in this process, without a port. However long they take, the call's time stands still.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import TimeoutError as FutureTimeout
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.util import setup_testing_defaults

from callwright.egress import Answer, Fault
from callwright.rehearsal.web import Reply, Request

# Real: longer than any time limit of the platform, and short of what makes somebody look why a test hangs.
WITHIN_S = 30.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
AsgiApplication = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
WsgiApplication = Callable[..., Iterable[bytes]]


def reply_of(given: object) -> Reply:
    """What a program or a test says for an answer: a `Reply`, a flow, its steps, a body as it is, a status.

    >>> reply_of([{"action": "hangup"}]).flow, reply_of(503).status
    ({'steps': [{'action': 'hangup'}]}, 503)
    """
    if isinstance(given, Reply):
        return given
    if isinstance(given, Mapping):
        return Reply(flow=dict(given))
    if isinstance(given, list | tuple):
        return Reply(flow={"steps": list(given)})
    if isinstance(given, bytes | str):
        return Reply(body=given.decode() if isinstance(given, bytes) else given)
    if isinstance(given, int) and not isinstance(given, bool):
        return Reply(status=given)
    raise TypeError(
        "An answer to a platform that asks for a flow is a flow (a dict, or a list of its steps), a text, a status or a Reply; "
        f"this is {given!r}"
    )


def asgi(application: AsgiApplication) -> Callable[[Request], Answer]:
    """An application of Starlette, FastAPI, Quart or Django, as ``web={"https://shop.example": asgi(app)}``.

    It is asked on an event loop of its own. Its lifespan is not begun.
    """
    return _AsgiService(application)


def wsgi(application: WsgiApplication) -> Callable[[Request], Answer]:
    """An application of Flask, Django, Bottle or Falcon, as ``web={"https://shop.example": wsgi(app)}``."""

    def answer(request: Request) -> Answer:
        url = urlsplit(request.url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1") or "/",
            "QUERY_STRING": url.query,
            "SERVER_NAME": url.hostname or "",
            "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
            "HTTP_HOST": url.netloc,
            "CONTENT_LENGTH": str(len(request.body)),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
        }
        for name, value in request.headers:
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        setup_testing_defaults(environ)
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return written.append

        pieces = application(environ, start_response)
        try:
            written += list(pieces)
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                close()
        status, headers = begun[-1]
        return _answer(request, int(status.split()[0]), headers, b"".join(written))

    return answer


class _AsgiService:
    def __init__(self, application: AsgiApplication) -> None:
        self._application = application

    def __call__(self, request: Request) -> Answer:
        """The rehearsal's loop waits in this thread; applications have another, and may use threads of their own."""
        asked = asyncio.run_coroutine_threadsafe(self._ask(request), _loop_of_applications())
        try:
            return asked.result(WITHIN_S)
        except FutureTimeout:
            if asked.done():
                raise  # the application's own
            asked.cancel()
            raise TimeoutError(f"The application did not answer {request.method} {request.url} in {WITHIN_S:g} s.") from None

    async def _ask(self, request: Request) -> Answer:
        url = urlsplit(request.url)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path) or "/",
            "raw_path": url.path.encode() or b"/",
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [
                (b"host", url.netloc.encode()),
                (b"content-length", str(len(request.body)).encode()),
                *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers),
            ],
            "client": ("127.0.0.1", 0),
            "server": (url.hostname, url.port or (443 if url.scheme == "https" else 80)),
            "state": {},
        }
        asked = [{"type": "http.request", "body": request.body, "more_body": False}]
        status = 500
        headers: list[tuple[str, str]] = []
        body = bytearray()

        async def receive() -> Message:
            if not asked:
                await asyncio.Event().wait()  # whoever asks does not go away
            return asked.pop()

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.extend((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ()))
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._application(scope, receive, send)
        return _answer(request, status, headers, bytes(body))


@lru_cache(maxsize=1)
def _loop_of_applications() -> asyncio.AbstractEventLoop:
    """One for all, as long as the process lives: what an application keeps from one request to the next belongs to it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="callwright-asgi", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    atexit.register(end)
    return loop


def _answer(request: Request, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    good = 200 <= status < 300
    return Answer(
        request.url,
        status=status,
        headers=tuple(headers),
        body=body,
        whole=True,
        fault=None if good else Fault.HTTP_ERROR,
        detail="" if good else f"{urlsplit(request.url).hostname} answered {status}",
    )
