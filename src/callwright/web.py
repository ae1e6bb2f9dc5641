"""HTTP servers: the sockets they listen on and uvicorn around the applications."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callwright import native
from callwright.errors import Malformed
from callwright.log import Log

# Enough for 64 kB over the worst line, little enough that idle strangers do not collect. A TLS handshake comes before that and
# has the event loop's own 60 s, which uvicorn leaves as they are.
REQUEST_S = 20.0
# What an answer that is under way has left when the server stops. Then the connection is closed, before uvicorn gives up
# and tells of each as of a fault of the application.
GRACE_S = 2.0
# What the parser of URLs under uvicorn takes.
LONGEST_URL = 65_535
# In a request's scope, among its ``extensions``: closes the connection at once, whatever of the answer is still to go out.
CUT = "callwright.cut"

# The status and the JSON that a path answers with to what is no request.
Refusal = Callable[[str, Malformed], tuple[int, bytes]]

_log = Log("web")


class _Patient(HttpToolsProtocol):
    """A connection that is closed when a request takes longer than `REQUEST_S` to arrive, or none begins.

    One timer looks after all its requests: setting one for each costs more than the answer to a small request.
    """

    refusal: Refusal
    _awaited_since: float | None = None
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaited_since = self.loop.time()
        self._look = self.loop.call_later(REQUEST_S, self._look_after)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._awaited_since = self.loop.time()
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"now": self.transport.abort}}

    def on_message_complete(self) -> None:
        self._awaited_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what never becomes a request as its path does any other; uvicorn has a line of plain text for it."""
        url: bytes = getattr(self, "url", b"")
        path = url[:LONGEST_URL].decode("latin-1")
        if len(url) > LONGEST_URL:
            problem = Malformed(f"The URL has more than {LONGEST_URL} bytes.", remedy="Ask for less at once.")
            status, body = self.refusal(path, problem)
        else:  # RFC 9112 §2.2, whatever an interface has for what it can read
            _, body = self.refusal(path, Malformed("The request is not valid HTTP."))
            status = 400
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        self.transport.write(line + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body)
        self.transport.close()

    def _look_after(self) -> None:
        since, now = self._awaited_since, self.loop.time()
        left = REQUEST_S if since is None else since + REQUEST_S - now
        if left > 0:
            self._look = self.loop.call_later(left, self._look_after)
        else:
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are ours, and there are two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving(NamedTuple):
    """A server that runs until `task` is done."""

    server: uvicorn.Server
    task: asyncio.Task[None]


def start(app: ASGIApp, bound: socket.socket, tls: ssl.SSLContext | None = None, refusal: Refusal = native.refusal) -> Serving:
    """Serve an application on a bound socket, on the running loop; with TLS where there is a server's side of it.

    `refusal` is for what is no request, and so never comes to the application.
    """
    config = uvicorn.Config(
        app,
        http=type("_Patient", (_Patient,), {"refusal": staticmethod(refusal)}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    config.load()
    config.ssl = tls
    server = _Server(config)
    return Serving(server, asyncio.create_task(server.serve([bound]), name="http"))


async def stop(servers: Sequence[Serving]) -> None:
    """Answer what is under way, then stop. What takes longer than `GRACE_S` is broken off: no client takes that for its end."""
    for serving in servers:
        serving.server.should_exit = True
    tasks = [serving.task for serving in servers]
    await asyncio.wait(tasks, timeout=GRACE_S)
    late = [connection for serving in servers for connection in list(serving.server.server_state.connections)]
    for connection in late:
        connection.transport.abort()
    if late:
        _log.warning("answers_broken_off", count=len(late), detail=f"they were under way {GRACE_S:.0f} s after the stop")
    await asyncio.gather(*tasks, return_exceptions=True)
