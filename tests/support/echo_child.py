"""A child process for tests of supervision: it answers what it hears, and misbehaves as told."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time

import msgspec

from callwright import log
from callwright.ipc import Link


class Say(msgspec.Struct, frozen=True, tag=True):
    text: str


class Heard(msgspec.Struct, frozen=True, tag=True):
    text: str
    pid: int
    epoch: int


async def converse(sock: socket.socket, epoch: int, behaviour: str) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(message: Say) -> None:
        if message.text == "crash":
            raise SystemExit(7)
        if message.text == "farewell":
            # the last word goes out with the greeting of death
            link.send(Heard("farewell", os.getpid(), epoch))
            asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(os._exit, 0))
            return
        link.send(Heard(message.text, os.getpid(), epoch))

    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, lambda *_: print("not yet", file=sys.stderr, flush=True))
    link = await Link.over(sock, Say | Heard, epoch, receive, lambda why: over.set_result(None), pings=False)
    if behaviour in ("deaf", "deaf to the link"):
        await asyncio.sleep(30)
    await over


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--fd", type=int)
    options.add_argument("--epoch", type=int)
    options.add_argument("--behaviour", default="")
    options.add_argument("--inherited", type=int)
    given = options.parse_args()
    log.configure("info")
    if given.behaviour == "crash at start":
        print("x" * 5_000 + "\nlast line", file=sys.stderr)
        raise SystemExit(3)
    if given.behaviour == "mute":
        time.sleep(30)
    if given.behaviour == "slow to import":
        time.sleep(2.2)
    if given.behaviour == "noisy":
        log.Log("echo").warning("echo_ready", number="***678")
        print("plain words", flush=True)
    if given.inherited is not None:
        socket.socket(fileno=given.inherited).sendall(b"inherited")
    epoch = given.epoch - 1 if given.behaviour == "old epoch" else given.epoch
    asyncio.run(converse(socket.socket(fileno=given.fd), epoch, given.behaviour))


if __name__ == "__main__":
    main()
