"""The customer's web service: writes each request down, then answers it well or badly, as chance has it.

``python -m support.kill_test.receiver FILE SEED`` prints its port. It outlives every death of the server. ``calm`` on its
standard input ends the failures, the end of the input ends the program.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import cast

import msgspec
import uvloop

from support.kill_test.plan import ANSWERS, LATE_S, SPELL_ONCE_IN, SPELL_S, SPELLS

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
_LENGTH = struct.Struct(">I")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_WHOLE = {
    "200": _OK,
    "202 late": b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nOK",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\n\r\nbroken",
    "503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "429, Retry-After: 1": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
}
_BROKEN_OFF = {
    "closed within the head": b"HTTP/1.1 200 OK\r\nContent-",
    "200, body cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
}


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """A request as it arrived, and how it is answered. `at_ns` is monotonic; header names are lower case."""

    at_ns: int
    url: str
    headers: dict[str, str]
    body: bytes
    answer: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Arrival).decode


def write(descriptor: int, arrival: Arrival) -> None:
    record = _encode(arrival)
    os.write(descriptor, _LENGTH.pack(len(record)) + record)


def read(path: Path) -> Iterator[Arrival]:
    """What a receiver wrote down, in the order it came."""
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield _decode(file.read(_LENGTH.unpack(head)[0]))


class Temper:
    """How the next request is answered."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.calm = False
        self._spells: dict[str, tuple[str, float]] = {}  # by host: what it answers, until when

    def answer(self, host: str) -> str:
        if self.calm:
            return "200"
        answer, until = self._spells.get(host, ("", 0.0))
        if time.monotonic() < until:
            return answer
        if self.chance.random() < 1 / SPELL_ONCE_IN:
            answer = self.chance.choice(SPELLS)
            self._spells[host] = (answer, time.monotonic() + self.chance.uniform(*SPELL_S))
            return answer
        return self.chance.choices(list(ANSWERS), list(ANSWERS.values()))[0]


class Connection(asyncio.Protocol):
    """Requests one after the other, each with a Content-Length."""

    def __init__(self, descriptor: int, temper: Temper) -> None:
        self._descriptor = descriptor
        self._temper = temper
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            size = end + 4 + int(headers["content-length"])
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            answer = self._temper.answer(headers["host"])
            url = f"http://{headers['host']}{first.split(' ')[1]}"
            write(self._descriptor, Arrival(time.monotonic_ns(), url, headers, body, answer))
            self._give(answer)

    def _give(self, answer: str) -> None:
        if answer == "202 late":
            asyncio.get_running_loop().call_later(self._temper.chance.uniform(*LATE_S), self._say, answer)
        elif answer == "reset":
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        elif answer != "silence":
            self._say(answer)

    def _say(self, answer: str) -> None:
        if self._transport.is_closing():
            return  # the server died, or did not wait so long
        if answer in _BROKEN_OFF:
            self._transport.write(_BROKEN_OFF[answer])
            self._transport.close()
        else:
            self._transport.write(_WHOLE[answer])


async def main(path: str, seed: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    temper = Temper(int(seed))
    loop = asyncio.get_running_loop()
    port = 0
    servers = []
    for host in HOSTS:
        servers.append(await loop.create_server(lambda: Connection(descriptor, temper), host, port))
        port = servers[-1].sockets[0].getsockname()[1]
    print(port, flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        temper.calm = line.strip() == "calm"


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
