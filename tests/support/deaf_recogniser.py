"""A process that talks like the recogniser's and does what the first sample of a file tells it: hear, refuse, hang or die."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import wave

from callwright import log
from callwright.ipc import Link
from callwright.speech.recognition import wire
from callwright.telephony import Word

HEARS, REFUSES, HANGS, DIES, BREATHES = range(1, 6)


def first_sample(path: str) -> int:
    with wave.open(path, "rb") as file:
        return int.from_bytes(file.readframes(1), "little", signed=True)


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--fd", type=int)
    options.add_argument("--epoch", type=int)
    options.add_argument("settings")
    given = options.parse_args()
    log.configure("info")
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def receive(message: wire.Listen) -> None:
        match first_sample(message.path):
            case 1:
                words = [Word("hello", 100, 400, 0.9), Word("there", 500, 800, 0.8)]
                link.send(wire.Heard(message.id, "Hello there.", words, f"fake {message.language}"))
            case 2:
                link.send(wire.NotHeard(message.id, "It was not to be heard."))
            case 4:
                os._exit(9)
            case 5:
                for at in range(3):
                    link.send(wire.Listening(message.id, at))

    link = await Link.over(socket.socket(fileno=given.fd), wire.CoreMessage, given.epoch, receive, over.set_result, pings=False)
    await over


if __name__ == "__main__":
    asyncio.run(main())
