"""Both clients of the benchmark send the same request and read the same answer; and it runs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callwright.egress import Answer, EgressSettings, Fault
from callwright.egress.post import HttpDoor
from support.http_peers import HeldClock, Peer, answering, hang, listening, reset, running_out

BENCH = Path(__file__).parents[3] / "bench"
SETTINGS = EgressSettings(allow=("127.0.0.0/8",))


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch, clock: HeldClock) -> list[Any]:
    monkeypatch.syspath_prepend(BENCH)
    from small_client import SmallDoor

    return [HttpDoor(SETTINGS, clock), SmallDoor(SETTINGS, clock)]


def seen_of(answer: Answer) -> tuple[object, ...]:
    return answer.status, answer.fault, answer.body, answer.whole, answer.url


@pytest.mark.parametrize(
    "peer",
    [
        answering(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        answering(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True),
        answering(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", close=True),
        answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True),
        reset,
        hang,
    ],
)
async def test_both_see_the_same(doors: list[Any], clock: HeldClock, peer: Peer) -> None:
    async with listening(running_out(clock, hang) if peer is hang else peer) as (port, requests):
        url = f"http://127.0.0.1:{port}/a?b=c"
        found = [seen_of(await door.post(url, [("webhook-id", "1")], b"{}", 30)) for door in doors]
        for door in doors:
            await door.close()
    assert found[0] == found[1]
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in requests), strict=True)
    lines = [sorted(head.lower().split(b"\r\n")) for head in heads]
    assert lines[0] == lines[1]
    assert bodies == (b"{}", b"{}")


async def test_both_keep_their_connections_and_refuse_addresses(doors: list[Any]) -> None:
    connections: list[object] = []

    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer not in connections:
            connections.append(writer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with listening(peer) as (port, _):
        for door in doors:
            assert [(await door.post(f"http://127.0.0.1:{port}/", [], b"", 30)).ok for _ in range(3)] == [True] * 3
            assert (await door.post("http://10.0.0.1/", [], b"", 30)).fault is Fault.REFUSED_ADDRESS
            await door.close()
    assert len(connections) == 2


def test_it_runs() -> None:
    arguments: list[Any] = [sys.executable, BENCH / "http_clients.py", "--posts", "20", "--rounds", "1", "--origins", "1", "3"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    assert done.stdout.count("small / aiohttp: posts a CPU-second") == 4
