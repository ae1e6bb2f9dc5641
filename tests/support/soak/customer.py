"""The customer's side of a soak: takes callbacks, serves the sound that is played, and echoes sound with losses."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from random import Random
from typing import cast

from aiohttp import web

from support.soak.plan import SOUND, SOUND_S
from support.sound import tone_file

ETAG = '"1"'


class Customer:
    """Keeps of each callback only its call and sequence. `order` has for each call the sequences as they first came."""

    def __init__(self) -> None:
        self.order: dict[str, list[int]] = {}
        self.again: Counter[str] = Counter()
        self.posts = 0
        self._sound = tone_file(440.0, SOUND_S)
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/calls", self._take)
        app.router.add_get(SOUND, self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.posts += 1
        (item,) = json.loads(await request.read())["items"]
        call, sequence = item["payload"]["id"], int(request.headers["webhook-sequence"])
        seen = self.order.setdefault(call, [])
        if sequence in seen:
            self.again[call] += 1
        else:
            seen.append(sequence)
        return web.Response()

    async def _serve(self, request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == ETAG:
            return web.Response(status=304, headers={"ETag": ETAG})
        return web.Response(body=self._sound, content_type="audio/wav", headers={"ETag": ETAG})


class Deaf:
    """A port that sound may be sent to: nobody hears it, and no ICMP error comes back."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def stop(self) -> None:
        self._socket.close()


class LossyEcho(asyncio.DatagramProtocol):
    """Sends each packet back where it came from, but for those that are lost."""

    def __init__(self, loss_percent: int, chance: Random) -> None:
        self._loss = loss_percent / 100
        self._chance = chance
        self._transport: asyncio.DatagramTransport | None = None
        self.echoed = 0
        self.lost = 0
        self.port = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = transport.get_extra_info("sockname")[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is one in deed, not by ancestry

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        # A packet is lost on its way here or on its way back.
        if self._chance.random() < self._loss or self._chance.random() < self._loss:
            self.lost += 1
        elif self._transport is not None:
            self.echoed += 1
            self._transport.sendto(data, address)

    def error_received(self, error: Exception) -> None:
        pass  # the stream it went to is closed

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()
