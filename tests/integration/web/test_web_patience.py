"""Connections that never get to the point are closed; those that do are not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from callwright import web
from support.together import each

REQUEST_S = 0.6  # more than it takes to send one, even where the machine stands still for a moment


async def application(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await asyncio.sleep(REQUEST_S + 0.2)  # the answer may take longer than the request was allowed to
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(web, "REQUEST_S", REQUEST_S)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    serving = web.start(application, bound)
    await asyncio.sleep(0)
    yield bound.getsockname()[1]
    await web.stop([serving])
    bound.close()


async def test_a_stop_breaks_off_what_is_not_taken(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """uvicorn would tell of it with a traceback, as of a fault."""
    monkeypatch.setattr(web, "GRACE_S", 0.2)
    let_go = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def tell() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})

        telling = asyncio.create_task(tell())
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            telling.cancel()
        let_go.set()

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        serving = web.start(endless, bound)
        reader, writer = await connected(bound.getsockname()[1])
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(20):
            await web.stop([serving])
            await let_go.wait()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["answers_broken_off"]
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


async def test_a_request_has_to_arrive(port: int) -> None:
    async def case(what: tuple[bytes, bytes]) -> None:
        sent, answer = what
        reader, writer = await connected(port)
        writer.write(sent)
        async with asyncio.timeout(20):
            said = await reader.read()
        assert said.partition(b"\r\n")[0] == answer
        writer.close()
        await writer.wait_closed()

    nothing, half_a_head = b"", b"GET / HTTP/1.1\r\nHost: x\r\n"
    half_a_body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345"
    await each([*((sent, b"") for sent in (nothing, half_a_head, half_a_body)), (whole, b"HTTP/1.1 200 OK")], case)


async def test_so_has_the_next_one(port: int) -> None:
    reader, writer = await connected(port)
    answers = []
    async with asyncio.timeout(20):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            answers.append((head.partition(b"\r\n")[0], await reader.readexactly(2)))
        writer.write(b"GET / HTTP/1.1\r\nHost")
        assert await reader.read() == b""
    assert answers == [(b"HTTP/1.1 200 OK", b"ok")] * 2
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET /api/calls?tag=" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "The URL has more than 65535 bytes."),
        (b"nonsense\r\n\r\n", "The request is not valid HTTP."),
    ],
)
async def test_what_is_no_request_is_refused_as_any_other(port: int, sent: bytes, said: str) -> None:
    reader, writer = await connected(port)
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert json.loads(body)["error"]["message"] == said
    writer.close()
    await writer.wait_closed()
