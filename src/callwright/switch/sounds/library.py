"""Sounds to be played: fetched, made fit for a telephone and kept as local files, since engines play only those.

A URL is asked for at each use with the ETag of the copy at hand, so a customer who changes a file is heard at once and
an unchanged one is not fetched again; a server that gives a ``max-age`` is not asked while that lasts. The copy is also
played when the server cannot be reached. ``file:name.mp3`` is a sound the operator put into the folder ``sounds``.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

import msgspec

from callwright.clock import Clock, SystemClock
from callwright.egress import Answer, Fault, Header, Streamer
from callwright.switch.sounds.cache import Found, Kept, SoundCache, policy
from callwright.switch.sounds.decoders import Decoders
from callwright.switch.sounds.intake import HEAD, Intake
from callwright.switch.sounds.plain import PlainWav
from callwright.switch.sounds.production import Production, SoundUnavailable

LOCAL: Final = "file:"
MAX_BYTES: Final = 32 << 20
FIRST_S: Final = 5.0  # until the first bytes
FIRST_WITH_COPY_S: Final = 2.5
# Between two pieces of a body. How long a listener waits is the production's business; this ends what nobody hears.
BETWEEN_S: Final = 60.0
LINGER_S: Final = 600.0  # pieces stay for those who were given them

_ACCEPT: Final[Header] = ("Accept", "audio/*, */*;q=0.1")
_PIECE: Final = 1 << 18
# The copy at hand is played instead (RFC 5861 §4).
_OLD_WILL_DO: Final = frozenset(
    {Fault.BUSY, Fault.DNS, Fault.CONNECT, Fault.PROXY, Fault.TLS, Fault.TIMEOUT, Fault.RESET, Fault.PROTOCOL}
)


class SoundSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`decoders`: processes that read sound files, at most. `cache_bytes`: of sounds that are kept."""

    decoders: int = 4
    cache_bytes: int = 1 << 30


class Sounds(Protocol):
    def stream(self, url: str) -> SoundStream:
        """Make a sound ready to be played, from its first part on."""
        ...


class SoundStream(Protocol):
    """One playing of a sound: files (8 kHz, 16 bit, mono WAV), to be played one after the other as they come.

    They stay where they are for ten minutes after the last one. `SoundUnavailable` is raised before the first or between
    two. `status` is that of the HTTP answer, None where there was none; `note` says what was odd although it worked.
    """

    @property
    def status(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    def __aiter__(self) -> AsyncIterator[Path]: ...


class SoundLibrary:
    """Sounds of the data folder: `cache` for those of URLs, `local` for the operator's own."""

    def __init__(
        self,
        transport: Streamer,
        cache: Path,
        local: Path,
        *,
        clock: Clock | None = None,
        settings: SoundSettings | None = None,
    ) -> None:
        settings = settings or SoundSettings()
        self._clock = clock or SystemClock()
        self._transport = transport
        self._local = local
        self._live = cache / "live"
        self._cache = SoundCache(cache, settings.cache_bytes, self._clock)
        self._decoders = Decoders(settings.decoders, self._clock)
        self._making: dict[str, Production] = {}
        self._opened = False

    def warm(self) -> None:
        """Get ready for the first sound that has to be decoded."""
        self._open()
        self._decoders.warm()

    def stream(self, url: str) -> SoundStream:
        self._open()
        return _Stream(self, url)

    async def close(self) -> None:
        for production in tuple(self._making.values()):
            production.task.cancel()
        await asyncio.gather(*(made.task for made in self._making.values()), return_exceptions=True)
        await self._decoders.close()

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            shutil.rmtree(self._live, ignore_errors=True)  # of a server that was before

    async def of_url(self, url: str) -> Production | Path:
        """The production of a URL's sound, shared by all who want it now; or the copy that needs no question."""
        if (making := self._under_way(url)) is not None:
            return making
        found = await asyncio.to_thread(self._cache.find, url)
        if (making := self._under_way(url)) is not None:
            return making
        if found is not None and found.kept.fresh_until_us > self._clock.now_us():
            return found.path
        return self._make(url, _Download(self, url, found))

    async def of_file(self, name: str) -> Production | Path:
        """The operator's own file, or the production of what can be played of it."""
        path = self._local / name
        try:
            there = "/" not in name and not name.startswith(".") and path.is_file()
        except (OSError, ValueError):  # longer than a name may be, or with a null in it
            there = False
        if not there:
            raise SoundUnavailable(f"there is no sound {name[:80]!r} in the folder {self._local.name}")
        source, plain = await asyncio.to_thread(_looked_at, path)
        if plain:
            return path
        if (making := self._under_way(source)) is not None:
            return making
        found = await asyncio.to_thread(self._cache.find, source)
        if found is not None:
            return found.path
        return self._under_way(source) or self._make(source, _Reading(self, source, path))

    def _under_way(self, source: str) -> Production | None:
        making = self._making.get(source)
        return None if making is None or making.over else making

    def _make(self, source: str, work: _Download | _Reading) -> Production:
        folder = self._live / token_hex(8)
        production = Production(folder, self._clock, self._decoders, work.feed, work.keep)
        self._making[source] = production
        loop = asyncio.get_running_loop()

        def over(_: asyncio.Task[None]) -> None:
            if self._making.get(source) is production:
                del self._making[source]
            self._clock.call_later(LINGER_S, lambda: loop.run_in_executor(None, shutil.rmtree, folder, True))

        production.task.add_done_callback(over)
        return production

    async def kept(self, source: str, file: Path, kept: Kept) -> Path:
        return await asyncio.to_thread(self._cache.keep, source, file, kept)

    async def noted(self, source: str, kept: Kept) -> None:
        await asyncio.to_thread(self._cache.note, source, kept)

    @property
    def transport(self) -> Streamer:
        return self._transport

    @property
    def clock(self) -> Clock:
        return self._clock


class _Stream:
    def __init__(self, library: SoundLibrary, url: str) -> None:
        self._library = library
        self._url = url
        self._production: Production | None = None

    @property
    def status(self) -> int | None:
        return None if self._production is None else self._production.status

    @property
    def note(self) -> str:
        return "" if self._production is None else self._production.note

    def __aiter__(self) -> AsyncIterator[Path]:
        return self._files()

    async def _files(self) -> AsyncIterator[Path]:
        if self._url.startswith(LOCAL):
            found = await self._library.of_file(self._url.removeprefix(LOCAL))
        else:
            found = await self._library.of_url(self._url)
        if isinstance(found, Path):
            yield found
            return
        self._production = found
        async for path in found.files():
            yield path


class _Download:
    """A URL as the source of a production."""

    def __init__(self, library: SoundLibrary, url: str, copy: Found | None) -> None:
        self._library = library
        self._url = url
        self._copy = copy
        self._answer: Answer | None = None

    async def feed(self, production: Production, intake: Intake) -> Path | None:
        async def consume(head: Answer, piece: bytes) -> None:
            production.status = head.status
            await intake.feed(piece)

        copy = self._copy
        self._answer = answer = await self._library.transport.stream(
            self._url,
            consume,
            [_ACCEPT, *(copy.kept.conditions if copy else ())],
            timeout=FIRST_WITH_COPY_S if copy else FIRST_S,
            stall=BETWEEN_S,
            max_bytes=MAX_BYTES,
        )
        begun = production.status is not None
        production.status = answer.status or None
        if copy is not None and answer.status == 304:
            kept = policy(answer, self._library.clock.now_us()).kept
            fresh = msgspec.structs.replace(copy.kept, fresh_until_us=kept.fresh_until_us)
            await self._library.noted(self._url, fresh)
            return copy.path
        if answer.ok:
            return None
        old_will_do = answer.fault in _OLD_WILL_DO or answer.status >= 500
        if copy is not None and old_will_do and not begun and not copy.kept.must_ask:
            production.note = f"{answer.detail}; the copy at hand is played"
            return copy.path
        raise SoundUnavailable(answer.detail, answer.status or None)

    async def keep(self, whole: Path) -> Path:
        assert self._answer is not None
        told = policy(self._answer, self._library.clock.now_us())
        return await self._library.kept(self._url, whole, told.kept) if told.store else whole


class _Reading:
    """A file of the operator's as the source of a production."""

    def __init__(self, library: SoundLibrary, source: str, path: Path) -> None:
        self._library = library
        self._source = source
        self._path = path

    async def feed(self, production: Production, intake: Intake) -> Path | None:
        with await asyncio.to_thread(self._path.open, "rb") as file:
            size = 0
            while piece := await asyncio.to_thread(file.read, _PIECE):
                size += len(piece)
                if size > MAX_BYTES:
                    raise SoundUnavailable(f"the file has more than {MAX_BYTES >> 20} MiB; split it")
                await intake.feed(piece)
        return None

    async def keep(self, whole: Path) -> Path:
        return await self._library.kept(self._source, whole, Kept())


def _looked_at(path: Path) -> tuple[str, bool]:
    """What a conversion of this file is kept under, and whether it needs none. Raises `SoundUnavailable`."""
    try:
        status = path.stat()
        with path.open("rb") as file:
            plain = PlainWav.recognise(file.read(HEAD)) is not None
    except OSError as error:
        raise SoundUnavailable(f"{path.name[:80]!r} cannot be read: {error.strerror}; check its rights") from None
    return f"{LOCAL}{path}\n{status.st_mtime_ns}\n{status.st_size}", plain
