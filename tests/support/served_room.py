"""A native room behind sockets: the control socket of a data folder, and TCP."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from uuid import UUID

from starlette.applications import Starlette
from starlette.routing import Mount

from callwright import web
from callwright.calls.events import TOPIC
from callwright.calls.rows import insert_other_event
from callwright.datafolder import DataFolder
from callwright.native import Authority, control_app
from callwright.store import Change, Wake
from support.described import native_app
from support.native_room import NOW_US, NativeRoom


class Served:
    """A native room that is served on the control socket of a folder, and on TCP, from a thread."""

    def __init__(self, data: Path, room: NativeRoom | None = None, *, send_buffer: int = 0) -> None:
        """With a `send_buffer` the kernel takes so many bytes, about, of what a client has not read yet."""
        self.room = room
        self.http = ""
        self._folder = DataFolder(data)
        self._send_buffer = send_buffer
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> Served:
        self._folder.prepare()
        self._thread.start()
        assert self._ready.wait(60)
        return self

    async def _serve(self) -> None:
        room = self.room = self.room or await NativeRoom.open()
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        network = socket.create_server(("127.0.0.1", 0))
        if self._send_buffer:
            network.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
        self.http = f"http://127.0.0.1:{network.getsockname()[1]}"
        with network, self._folder.bind_control() as control:
            control.listen()  # from now on nobody is turned away, although the answer may take a moment
            public = Starlette(routes=[Mount("/api", native_app(room.parts, Authority.NETWORK))])
            servers = [web.start(control_app(room.parts), control), web.start(public, network)]
            self._ready.set()
            await self._stop.wait()
            room.listening.close()
            room.feed.close()
            await web.stop(servers)

    def happen(self, n: int, *, call: int = 77, world: str = "live") -> None:
        assert self.room is not None
        world_id = self.room.accounts.world(world).id
        write = insert_other_event(world_id, UUID(int=n), UUID(int=call), "callUpdated", NOW_US, b"")
        self.commit(Change((write,), (Wake(TOPIC, world_id, UUID(int=call)),)))

    def commit(self, change: Change) -> None:
        assert self.room is not None
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self.room.store.commit(change), self._loop).result(60)

    def stop(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
