"""Sounds to be played: fetched, checked and kept as local files, since engines play only those.

A URL is asked for at each use with the ETag of the copy at hand, so a customer who changes a file is heard at once and
an unchanged one is not fetched again. ``file:name.wav`` is a sound the operator put into the folder ``sounds``.
"""

from __future__ import annotations

import asyncio
import hashlib
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, Protocol

from callwright.egress import Transport
from callwright.errors import CallwrightError

LOCAL = "file:"
MAX_BYTES = 32 << 20
FETCH_TIMEOUT_S = 10.0


class Sound(NamedTuple):
    """A playable file; `status` is the HTTP status it was got with, None for a local one."""

    path: Path
    status: int | None


class SoundUnavailable(CallwrightError):
    """A sound could not be fetched or is not playable."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SoundStream(Protocol):
    """One playing of a sound, as files that come one after the other."""

    @property
    def status(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    def __aiter__(self) -> AsyncIterator[Path]: ...


class _Whole:
    def __init__(self, library: SoundLibrary, url: str) -> None:
        self._library = library
        self._url = url
        self.status: int | None = None
        self.note = ""

    async def __aiter__(self) -> AsyncIterator[Path]:
        sound = await self._library.fetch(self._url)
        self.status = sound.status
        yield sound.path


class Sounds(Protocol):
    def stream(self, url: str) -> SoundStream:
        """Make a sound ready to be played, from its first part on."""
        ...

    async def fetch(self, url: str) -> Sound:
        """Return a local WAV file (8 kHz, 16 bit, mono) or raise `SoundUnavailable`."""
        ...


class SoundLibrary:
    """Sounds of the data folder: `cache` for those of URLs, `local` for the operator's own."""

    def __init__(self, transport: Transport, cache: Path, local: Path) -> None:
        self._transport = transport
        self._cache = cache
        self._local = local
        self._etags: dict[str, str] = {}
        self._fetching: dict[str, asyncio.Task[Sound]] = {}

    def stream(self, url: str) -> SoundStream:
        return _Whole(self, url)

    async def fetch(self, url: str) -> Sound:
        if url.startswith(LOCAL):
            return await self._own(url.removeprefix(LOCAL))
        task = self._fetching.get(url)
        if task is None:
            # Calls that want the same URL at the same time share one fetch; none of them can cancel it for the others.
            task = asyncio.get_running_loop().create_task(self._download(url))
            self._fetching[url] = task
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return await asyncio.shield(task)

    async def _own(self, name: str) -> Sound:
        path = self._local / name
        try:
            there = "/" not in name and not name.startswith(".") and path.is_file()
        except (OSError, ValueError):  # longer than a name may be, or with a null in it
            there = False
        if not there:
            raise SoundUnavailable(f"there is no sound {name[:80]!r} in the folder {self._local.name}")
        await asyncio.to_thread(check_wav, path)
        return Sound(path, None)

    async def _download(self, url: str) -> Sound:
        path = self._cache / (hashlib.sha256(url.encode()).hexdigest() + ".wav")
        etag = self._etags.get(url) if path.is_file() else None
        download = await self._transport.download(url, path, max_bytes=MAX_BYTES, timeout=FETCH_TIMEOUT_S, etag=etag)
        answer = download.answer
        if not answer.ok:
            raise SoundUnavailable(answer.detail, answer.status or None)
        if not download.not_modified:
            self._etags.pop(url, None)
            try:
                await asyncio.to_thread(check_wav, path)
            except SoundUnavailable as error:
                path.unlink(missing_ok=True)
                raise SoundUnavailable(str(error), answer.status) from None
            if download.etag:
                self._etags[url] = download.etag
        return Sound(path, answer.status)


def check_wav(path: Path) -> None:
    """Raise `SoundUnavailable` unless the file is WAV, PCM, 8 kHz, 16 bit, mono."""
    try:
        with wave.open(str(path), "rb") as sound:
            seen = (sound.getframerate(), sound.getsampwidth() * 8, sound.getnchannels())
    except (wave.Error, EOFError, OSError) as error:
        raise SoundUnavailable(f"not a WAV file that can be read ({str(error) or 'it ends too early'})") from None
    if seen != (8_000, 16, 1):
        rate, bits, channels = seen
        raise SoundUnavailable(f"a WAV of {rate} Hz, {bits} bit, {channels} channels; 8000 Hz, 16 bit, 1 channel is played")
