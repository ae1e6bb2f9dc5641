"""The application behind a real HTTP server: what only shows on a connection."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from support.rest import Rest


@pytest.fixture
async def connection(rest: Rest) -> AsyncIterator[http.client.HTTPConnection]:
    """A connection that is kept alive; its calls block, so they go to a thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(rest.app, lifespan="off", ws="none", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=60)
    yield connection
    connection.close()
    server.should_exit = True
    await serving


async def exchange(
    connection: http.client.HTTPConnection, rest: Rest, method: str, path: str, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    def run() -> tuple[int, dict[str, str], bytes]:
        connection.request(method, path, body, {"Authorization": f"AccessKey {rest.live_key}"})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    return await asyncio.to_thread(run)


async def test_one_connection_serves_everything(rest: Rest, connection: http.client.HTTPConnection) -> None:
    call = (await rest.inbound_call()).call
    # Python's library sends a body with DELETE; it must not be taken for the next request.
    assert (await exchange(connection, rest, "DELETE", f"/calls/{call.id}", b"{}"))[::2] == (204, b"")
    status, headers, body = await exchange(connection, rest, "GET", f"/v1/calls/{call.id}/legs/?page=1")
    assert (status, headers["content-type"], headers["content-length"]) == (200, "application/json", str(len(body)))
    status, head, nothing = await exchange(connection, rest, "HEAD", f"/calls/{call.id}/legs")
    assert (status, head["content-length"], nothing) == (200, str(len(body)), b"")
    assert (await exchange(connection, rest, "POST", "/calls", b"{}"))[0] == 422
    assert (await exchange(connection, rest, "GET", "/numbers/%2B31205550123"))[0] == 200
    assert (await exchange(connection, rest, "GET", "/%ff%2f%00"))[0] == 404
    assert rest.switch.asked == [("hang up call", call.id)]


async def test_a_body_that_is_too_large_closes_the_connection(rest: Rest, connection: http.client.HTTPConnection) -> None:
    status, headers, body = await exchange(connection, rest, "POST", "/calls", b" " * 70_000)
    assert (status, headers["connection"]) == (413, "close")
    assert b'"code":21' in body
    assert (await exchange(connection, rest, "GET", "/calls"))[0] == 200
