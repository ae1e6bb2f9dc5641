"""HTTP servers: the sockets they listen on and uvicorn around the applications."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are ours, and there are two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving(NamedTuple):
    """A server that runs until `task` is done."""

    server: uvicorn.Server
    task: asyncio.Task[None]


def start(app: ASGIApp, bound: socket.socket) -> Serving:
    """Serve an application on a bound socket, on the running loop."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    return Serving(server, asyncio.create_task(server.serve([bound]), name="http"))


async def stop(servers: Sequence[Serving]) -> None:
    """Answer what is under way, then stop."""
    for serving in servers:
        serving.server.should_exit = True
    await asyncio.gather(*(serving.task for serving in servers), return_exceptions=True)
