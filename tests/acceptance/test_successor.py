"""Kill -9 under a call: both telephones are let go within five seconds, and the record says why (lifecycle row R2)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from callwright.phone.client import Phone
from support.server import Server, Webserver, free_port, in_order, record

NUMBER, CALLER, CALLEE = "31205550100", "31612345678", "31205550199"
WITHIN_S = 5.0
SETTINGS = {"webhooks.retry": "1,1,1,1,1,1,1,1"}
TOLD = in_order(
    ("starting", "starting"),
    ("starting", "starting starting"),
    ("starting", "ringing ringing"),
    ("ongoing", "ringing ongoing"),
    ("ongoing", "ongoing ongoing"),
    ("ended", "hangup hangup"),
)


@pytest.fixture
async def phones() -> AsyncIterator[list[Phone]]:
    both = await asyncio.gather(Phone.start(user=CALLER), Phone.start(user=CALLEE))
    yield both
    await asyncio.gather(*(one.stop() for one in both))


@pytest.fixture
def web() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """What a test starts; it leaves warnings in the log, for it sees a death, and ends with the test."""
    started: list[Server] = []
    yield started
    for server in started:
        server.kill()


async def bridged(server: Server, web: Webserver, a: Phone, b: Phone) -> str:
    """A calls the number and talks to B; the id of the call."""
    target = {"action": "transfer", "options": {"destination": f"sip:{CALLEE}@{b.sip}"}}
    server.answers(NUMBER, target, webhook=web.url("/calls"))
    await a.call(f"sip:{NUMBER}@{server.sip}", tone=500.0)
    await asyncio.gather(a.wait("answered"), b.wait("answered"))
    call = server.call_to(NUMBER)
    server.reaches(call, "ongoing", "ongoing")
    return call


async def let_go(a: Phone, b: Phone, since: float) -> None:
    """Both hear a BYE in time."""
    for over in await asyncio.gather(a.wait("ended", timeout=WITHIN_S), b.wait("ended", timeout=WITHIN_S)):
        assert (over["who"], over["answered"]) == ("far", True)
    assert time.monotonic() - since < WITHIN_S


def signalling_of(server: Server) -> int:
    """The process id of the server's signalling."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    (found,) = [child for child in children if b"callwright.sip.process" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return int(found)


async def test_signalling_is_killed(tmp_path: Path, phones: list[Phone], web: Webserver, servers: list[Server]) -> None:
    a, b = phones
    server = Server.start(tmp_path / "server", SETTINGS)
    servers.append(server)
    call = await bridged(server, web, a, b)
    killed = time.monotonic()
    os.kill(signalling_of(server), signal.SIGKILL)
    await let_go(a, b, killed)
    lost = [(way, "hangup", "signalling_lost", 200) for way in ("incoming", "outgoing")]
    assert server.ended(call) == record("ended", *lost)
    assert web.told(call) == TOLD

    await a.call(f"sip:{NUMBER}@{server.sip}", tone=500.0)  # the successor takes calls as before
    await asyncio.gather(a.wait("answered"), b.wait("answered"))
    await a.do("hangup")
    await asyncio.gather(a.wait("ended"), b.wait("ended"))
    server.idle()


async def test_the_core_is_killed(tmp_path: Path, phones: list[Phone], web: Webserver, servers: list[Server]) -> None:
    a, b = phones
    port = free_port()
    first = Server.start(tmp_path / "server", SETTINGS, sip_port=port)
    servers.append(first)
    web.status = 503
    call = await bridged(first, web, a, b)
    first.kill()
    assert web.about(call) == []
    web.status = 200
    restarted = time.monotonic()
    waiting = asyncio.create_task(let_go(a, b, restarted))
    successor = await asyncio.to_thread(Server.start, tmp_path / "server", SETTINGS, keys=first.keys, sip_port=port)
    servers.append(successor)
    await waiting
    lost = [(way, "hangup", "node_restarted", 200) for way in ("incoming", "outgoing")]
    assert successor.record(call) == record("ended", *lost)
    assert web.told(call) == TOLD

    await a.call(f"sip:{NUMBER}@{successor.sip}", tone=500.0)
    await asyncio.gather(a.wait("answered"), b.wait("answered"))
    await a.do("hangup")
    await asyncio.gather(a.wait("ended"), b.wait("ended"))
    shown: list[Any] = [successor.live.get(f"/calls/{call}/legs").content, successor.journal(call)]
    assert "dialog" not in str(shown)
    assert successor.logged(level="error") == []
