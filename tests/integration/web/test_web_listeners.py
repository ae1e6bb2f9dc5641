"""A listener that reads nothing holds nobody up."""

from __future__ import annotations

import asyncio
import socket
from uuid import UUID

import pytest

from callwright import web
from callwright.calls.events import TOPIC
from callwright.calls.rows import insert_other_event
from callwright.native import Authority, streaming
from callwright.store import Change, Wake
from support.described import native_app
from support.native_room import NOW_US, NativeRoom

ASKED = b"GET /listen?url=http://localhost/ HTTP/1.1\r\nHost: x\r\n\r\n"


async def stuck_listener(room: NativeRoom, bound: socket.socket) -> tuple[web.Serving, socket.socket]:
    """A server, and a listener to which more was told than the kernel takes and nothing was read of."""
    serving = web.start(native_app(room.parts, Authority.SOCKET), bound)
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    silent.setblocking(False)
    async with asyncio.timeout(20):
        while not serving.server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(silent, bound.getsockname())
        await loop.sock_sendall(silent, ASKED)
        world_id = room.accounts.world("live").id
        connections = serving.server.server_state.connections
        number = 0
        while not connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # One that is cut off soon may be so before it is seen to be stuck.
        while connections and not any(connection.flow.write_paused for connection in connections):
            for _ in range(200):
                number += 1
                write = insert_other_event(world_id, UUID(int=number), UUID(int=77), "callUpdated", NOW_US, b"")
                await room.store.commit(Change((write,), (Wake(TOPIC, world_id, UUID(int=77)),)))
            await asyncio.sleep(0.01)
    return serving, silent


@pytest.fixture
def bound():
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made.bind(("127.0.0.1", 0))
        yield made


async def test_a_server_that_stops_does_not_wait_for_it(bound, caplog):
    room = await NativeRoom.open()
    serving, silent = await stuck_listener(room, bound)
    with silent:
        room.listening.close()
        async with asyncio.timeout(20):
            await web.stop([serving])
    # uvicorn tells here, with a traceback, of whom it waited for in vain.
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    assert not room.listening._seats.taken


async def test_one_who_takes_nothing_is_cut_off(bound, caplog, monkeypatch):
    monkeypatch.setattr(streaming, "CUT_S", 0.01)
    room = await NativeRoom.open()
    serving, silent = await stuck_listener(room, bound)
    with silent:
        async with asyncio.timeout(20):
            while serving.server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await web.stop([serving])
    told = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert told == ["listener_dropped"]
