"""Files as answers: a recording, all of it or the part that was asked for, sent in portions.

Reading is done on threads, so that a slow disk or a far object store holds up nobody else; one portion is in memory at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from starlette.types import Receive, Send

from callwright.errors import CallwrightError, OutOfRange
from callwright.log import Log
from callwright.recordings.files import Sound

PORTION = 256 * 1024

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.ASCII | re.IGNORECASE)
_log = Log("api")


class Part(NamedTuple):
    """Bytes `start` to `stop`, which is not among them, of a file of `size` bytes."""

    start: int
    stop: int
    size: int

    @property
    def content_range(self) -> bytes:
        return b"bytes %d-%d/%d" % (self.start, self.stop - 1, self.size)


def part_of(value: str, size: int) -> Part | None:
    """What a ``Range`` header asks for (RFC 9110 §14.2); None for all: it is no range of bytes, or several.

    Raises `OutOfRange` when there is no such part.
    """
    match = _RANGE.fullmatch(value.strip())
    if match is None or (not match[1] and not match[2]):
        return None
    first, last = (int(text[:20]) if text else None for text in match.groups())
    if first is None:
        assert last is not None
        start, stop = max(size - last, 0), size
    elif last is not None and last < first:
        return None  # not a range at all, so it is passed over
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= stop:
        raise OutOfRange(f"The file has {size} bytes, none of which was asked for ({value.strip()[:40]}).")
    return Part(start, stop, size)


def is_fresh(if_none_match: str, etag: str) -> bool:
    """Whether a client that sends this has the file already (RFC 9110 §13.1.2, weak comparison)."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in known or known == ["*"]


class Download:
    """A sound to be sent; `headers` are those besides its length. It is closed once it is sent, or cannot be."""

    def __init__(self, sound: Sound, part: Part | None, headers: Mapping[bytes, bytes]) -> None:
        self._sound = sound
        self._part = part or Part(0, sound.size, sound.size)
        self.status = 200 if part is None else 206
        self.headers = [*headers.items(), (b"content-length", b"%d" % (self._part.stop - self._part.start))]
        if part is not None:
            self.headers.append((b"content-range", part.content_range))

    async def send(self, receive: Receive, send: Send, *, with_body: bool) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            if with_body:
                await self._send_body(send, gone)
            else:
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            self._sound.close()

    async def _send_body(self, send: Send, gone: asyncio.Task[None]) -> None:
        at, stop = self._part.start, self._part.stop
        while at < stop and not gone.done():
            try:
                portion = await self._sound.read(at, min(PORTION, stop - at))
                if not portion:
                    raise EOFError(f"it ends at byte {at} of {self._part.size}")
            except (CallwrightError, OSError, EOFError) as error:
                # The status has been sent; a connection that breaks off is the only way left to say it.
                _log.error("download_broken_off", at=at, of=self._part.size, error=error)
                return
            at += len(portion)
            await send({"type": "http.response.body", "body": portion, "more_body": at < stop})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
