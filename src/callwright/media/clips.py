"""Prompts in memory: files are read and encoded once, in a thread of their own, and kept while there is room."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from callwright.media import wav
from callwright.media.g711 import LAWS, SAMPLE_RATE
from callwright.media.wav import UnplayableFile

_MOST_BYTES: Final = wav.LONGEST_S * SAMPLE_RATE * 2 + (1 << 20)
_PIECE: Final = 10 * SAMPLE_RATE  # encoded at once, so that the other thread gets its turn


class Clip(msgspec.Struct, frozen=True):
    """One file in both laws, by payload type."""

    coded: dict[int, bytes]


Loaded = tuple[Any, tuple[Clip, ...] | UnplayableFile]


class ClipLibrary:
    """Find clips by path, modification time and size; the ones longest unused go first when room runs out.

    `find` may be called from one thread only, and `collect` from the same. `wake` is called from the reading thread
    when there is something to collect.
    """

    def __init__(self, capacity: int, wake: Callable[[], None]) -> None:
        self._capacity = capacity
        self._wake = wake
        self._kept: OrderedDict[tuple[str, int, int], Clip] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._wanted: SimpleQueue[tuple[Any, tuple[str, ...]] | None] = SimpleQueue()
        self._loaded: SimpleQueue[Loaded] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def find(self, paths: tuple[str, ...], ticket: Any) -> tuple[Clip, ...] | None:
        """Return the clips if all are at hand; else begin to read, and `collect` gives them with the ticket."""
        clips = [self._kept_clip(path) for path in paths]
        found = tuple(clip for clip in clips if clip is not None)
        if len(found) == len(paths):
            return found
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="clips", daemon=True)
            self._thread.start()
        self._wanted.put((ticket, paths))
        return None

    def collect(self) -> list[Loaded]:
        """What was read since the last time: the ticket, and the clips or why they cannot be played."""
        loaded = []
        while not self._loaded.empty():
            loaded.append(self._loaded.get_nowait())
        return loaded

    def close(self) -> None:
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
            self._thread = None

    def load(self, path: str) -> Clip:
        """Read and encode one file, or take it from memory; raise `UnplayableFile`."""
        try:
            # A pipe or a device would be waited for without end.
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise UnplayableFile(f"{path}: not a regular file")
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                key = (path, status.st_mtime_ns, status.st_size)
                with self._lock:
                    if key in self._kept:
                        return self._kept[key]
                if status.st_size > _MOST_BYTES:
                    raise UnplayableFile(f"{path}: {status.st_size} bytes are more than an hour of sound; split the file")
                data = file.read(_MOST_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UnplayableFile(f"{path}: {reason}; check the path and its permissions") from error
        try:
            clip = _encoded(data)
        except UnplayableFile as error:
            raise UnplayableFile(f"{path}: {error}") from None
        self._keep(key, clip)
        return clip

    def _kept_clip(self, path: str) -> Clip | None:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None  # the reading thread finds the words
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            clip = self._kept.get(key)
            if clip is not None:
                self._kept.move_to_end(key)
        return clip

    def _keep(self, key: tuple[str, int, int], clip: Clip) -> None:
        size = _weight(clip)
        if size > self._capacity:
            return
        with self._lock:
            self._kept[key] = clip
            self._size += size
            while self._size > self._capacity:
                self._size -= _weight(self._kept.popitem(last=False)[1])

    def _serve(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            ticket, paths = wanted
            try:
                self._loaded.put((ticket, tuple(self.load(path) for path in paths)))
            except UnplayableFile as error:
                self._loaded.put((ticket, error.with_traceback(None)))
            except Exception as error:
                self._loaded.put((ticket, UnplayableFile(f"reading failed: {error!r}")))
            self._wake()


def _weight(clip: Clip) -> int:
    return sum(map(len, clip.coded.values()))


def _encoded(data: bytes) -> Clip:
    samples = wav.read(data)
    pieces = [samples[start : start + _PIECE] for start in range(0, len(samples), _PIECE)]
    return Clip({kind: b"".join(law.encode(piece) for piece in pieces) for kind, law in LAWS.items()})
