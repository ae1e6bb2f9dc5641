"""The processes that turn files into telephone sound, seen from the server: few, made when wanted, and expendable."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import Final, Protocol

from callwright.clock import Clock
from callwright.errors import CallwrightError
from callwright.log import Log

MODULE: Final = "callwright.switch.sounds.decoding"
WAIT_S: Final = 5.0  # for a process that is free
FILES: Final = 200  # then a process is replaced: what leaks in libraries stays small
ABORT: Final = 0xFFFF_FFFF
BLOCK: Final = 1 << 20

# What a child is told of our environment: nothing that may be secret.
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG")
_LENGTH = struct.Struct("<I")
_IN = struct.Struct("<cI")

_log = Log("sounds")


class NotDecoded(CallwrightError):
    """No sound came of it."""


class Decoding(Protocol):
    """One file being made into sound: bytes go in, sound comes out, both at once."""

    async def feed(self, data: bytes) -> None: ...

    async def finish(self) -> None:
        """That was all."""
        ...

    async def read(self) -> bytes:
        """The next sound (8 kHz, 16 bit, mono), empty at the end. Raises `NotDecoded`."""
        ...

    async def close(self) -> None: ...


class Decoder:
    """One process, one file at a time."""

    def __init__(self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.files = 0
        self.spoilt = False

    @classmethod
    async def start(cls) -> Decoder:
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-P", "-m", MODULE, "--fd", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Four threads of linear algebra in each would take addresses and cores, and nothing is multiplied.
                env={**environment, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                process_group=0,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def feed(self, data: bytes) -> None:
        for start in range(0, len(data), BLOCK):
            block = data[start : start + BLOCK]
            await self._put(_LENGTH.pack(len(block)) + block)

    async def end(self, *, abort: bool = False) -> None:
        await self._put(_LENGTH.pack(ABORT if abort else 0))

    async def say(self) -> tuple[bytes, bytes]:
        """The next word of the process: a letter and a block."""
        try:
            kind, length = _IN.unpack(await self._reader.readexactly(_IN.size))
            return kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            self.spoilt = True
            raise NotDecoded(f"the program that reads it ended ({await self._status()})") from None

    async def kill(self) -> None:
        self.spoilt = True
        self._process.kill()
        self._writer.close()
        await asyncio.to_thread(self._process.wait)

    async def _put(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self.spoilt = True  # `say` has the words for it

    async def _status(self) -> str:
        self._writer.close()
        status = await asyncio.to_thread(self._process.wait)
        if status == -signal.SIGXCPU:
            return "it took too long"
        return f"signal {-status}" if status < 0 else f"exit {status}"


class Work:
    """One file in one process."""

    def __init__(self, pool: Decoders, decoder: Decoder) -> None:
        self._pool = pool
        self._decoder = decoder
        self._fed = False
        self._over = False
        self._word: asyncio.Task[tuple[bytes, bytes]] | None = None

    async def feed(self, data: bytes) -> None:
        if not self._over:
            await self._decoder.feed(data)

    async def finish(self) -> None:
        if not self._fed:
            self._fed = True
            await self._decoder.end()

    async def read(self) -> bytes:
        if self._word is None:
            self._word = asyncio.get_running_loop().create_task(self._decoder.say())
        try:
            # The task stays, so that giving up waiting loses nothing of what comes.
            kind, block = await asyncio.shield(self._word)
        finally:
            if self._word.done():
                self._word = None
        if kind == b"P":
            return block
        self._over = True
        if kind == b"F":
            raise NotDecoded(block.decode(errors="replace"))
        return b""

    async def close(self) -> None:
        """Give the process back, or make an end of it when it has not come to the end of its file."""
        if self._word is not None:
            self._word.cancel()
            with suppress(asyncio.CancelledError, NotDecoded):
                await self._word
            self._decoder.spoilt = True
        if self._over and not self._decoder.spoilt:
            if not self._fed:
                self._fed = True
                await self._decoder.end(abort=True)
        else:
            self._decoder.spoilt = True
        await self._pool.give_back(self._decoder)


class Decoders:
    """At most so many processes; one is kept ready."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._clock = clock
        self._places = asyncio.Semaphore(most)
        self._ready: deque[Decoder] = deque()
        self._busy: set[Decoder] = set()
        self._warming: asyncio.Task[None] | None = None
        self._closed = False

    def warm(self) -> None:
        """Have a process ready soon: one takes a third of a second to start."""
        if not self._closed and not self._ready and self._warming is None:
            self._warming = asyncio.get_running_loop().create_task(self._start_one())

    async def take(self) -> Work:
        """A process for one file. Raises `NotDecoded`."""
        try:
            async with self._clock.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise NotDecoded("too many sounds are being read at once; make it a WAV of 8000 Hz, 16 bit, 1 channel") from None
        try:
            if not self._ready and self._warming is not None:
                await asyncio.shield(self._warming)
            decoder = self._ready.popleft() if self._ready else await Decoder.start()
        except OSError as error:
            self._places.release()
            raise NotDecoded(f"the program that reads it does not start ({error.strerror})") from None
        except BaseException:
            self._places.release()
            raise
        decoder.files += 1
        self._busy.add(decoder)
        return Work(self, decoder)

    async def give_back(self, decoder: Decoder) -> None:
        self._busy.discard(decoder)
        self._places.release()
        if decoder.spoilt or decoder.files >= FILES or self._ready or self._closed:
            await decoder.kill()
            self.warm()
        else:
            self._ready.append(decoder)

    async def close(self) -> None:
        self._closed = True
        if self._warming is not None:
            await self._warming
        while self._ready:
            await self._ready.popleft().kill()
        for decoder in tuple(self._busy):
            await decoder.kill()

    async def _start_one(self) -> None:
        try:
            self._ready.append(await Decoder.start())
        except OSError as error:
            _log.warning("sound_decoder_not_started", error=error.strerror)
        finally:
            self._warming = None
