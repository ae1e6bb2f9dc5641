"""A speech service on loopback: it keeps what it is asked and answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np

from callwright.speech.wavfile import wav
from support.sound import share, tone

HERTZ = 700
SOUND = wav(tone(HERTZ, 500).astype("<i2").tobytes())


class Asked(NamedTuple):
    """A request; header names are in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes


class SpeechService:
    """`answer` gives status and body; None lets the request hang."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], tuple[int, bytes] | None] = lambda asked: (200, SOUND)
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
            asked = Asked(head[0].split()[1], headers, await reader.readexactly(int(headers["content-length"])))
            self.asked.append(asked)
            if (answer := self.answer(asked)) is None:
                await reader.read()
            else:
                status, body = answer
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def speech_service() -> AsyncIterator[SpeechService]:
    service = SpeechService()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()


def is_of_service(samples: np.ndarray) -> bool:
    return share(samples[400:3_600], HERTZ) > 0.9
