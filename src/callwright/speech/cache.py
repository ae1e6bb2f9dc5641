"""Sound that was made of texts, on disk: found by what it was made of, removed when it has not been asked for the longest.

Names are hashes, so a folder tells nothing of what was said; the sound itself does, and ages (`SpeechSettings.cache_age_s`).
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from pathlib import Path

import msgspec

from callwright.clock import Clock
from callwright.log import Log
from callwright.speech.wavfile import HEADER, RATE

FORMAT = 1  # grows whenever the same text would sound otherwise: levels, silences, the cutting of sentences
_SUFFIX = ".wav"
_TOUCH_S = 3_600  # the file's own time of use is written no more often

_log = Log("speech")
_encoder = msgspec.json.Encoder(order="deterministic")


class _Kept:
    __slots__ = ("size", "used_us")

    def __init__(self, size: int, used_us: int) -> None:
        self.size = size
        self.used_us = used_us


class SpeechCache:
    """Files below a folder. What was given out within `keep_s` stays, even when there is more than `most_bytes`."""

    def __init__(self, folder: Path, clock: Clock, *, most_bytes: int, age_s: float, keep_s: float) -> None:
        self._folder = folder
        self._clock = clock
        self._most = most_bytes
        self._age_us = round(age_s * 1e6)
        self._keep_us = round(keep_s * 1e6)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # the longest unused first
        self._size = 0
        self._full = False

    @property
    def size(self) -> int:
        """Bytes that are known of."""
        return self._size

    @staticmethod
    def key(*, engine: str, identity: str, voice: str, language: str, text: str) -> str:
        """A name for what these make."""
        made_of = {"engine": engine, "identity": identity, "voice": voice, "language": language, "text": text}
        return hashlib.sha256(_encoder.encode({"format": FORMAT, "rate": RATE, **made_of})).hexdigest()

    def path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"

    def make_room(self, key: str) -> Path:
        """The path of what will be made, in a folder that is there; raise `OSError`."""
        path = self.path(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def find(self, key: str) -> Path | None:
        """The file if it is there; it is then in use."""
        path = self.path(key)
        try:
            status = os.stat(path)
        except OSError:
            self._forget(key)
            return None
        if status.st_size <= HEADER:
            return None
        self._use(key, status.st_size)
        now = self._clock.now_us() / 1e6
        if now - status.st_mtime > _TOUCH_S:
            os.utime(path, (now, now))
        return path

    def admit(self, key: str, size: int) -> Path:
        """Take up a file that was made."""
        self._use(key, size)
        self._evict()
        return self.path(key)

    def survey(self) -> list[tuple[float, str, int]]:
        """What is there from before: time of use, key, size. Left-over halves are removed. For a thread."""
        found = []
        for below in self._folder.glob("??"):
            for entry in os.scandir(below):
                if entry.name.endswith(".part"):
                    _remove(Path(entry.path))
                elif entry.name.endswith(_SUFFIX):
                    status = entry.stat()
                    found.append((status.st_mtime, entry.name.removesuffix(_SUFFIX), status.st_size))
        return sorted(found)

    def take_up(self, found: list[tuple[float, str, int]]) -> None:
        """Know of what `survey` found, as used before everything that was used since."""
        for used, key, size in reversed(found):
            if key not in self._kept:
                self._kept[key] = _Kept(size, round(used * 1e6))
                self._kept.move_to_end(key, last=False)
                self._size += size
        self._evict(calls_before=False)

    def _use(self, key: str, size: int) -> None:
        kept = self._kept.get(key)
        self._size += size - (kept.size if kept else 0)
        self._kept[key] = _Kept(size, self._clock.now_us())
        self._kept.move_to_end(key)

    def _forget(self, key: str) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._size -= kept.size

    def _evict(self, *, calls_before: bool = True) -> None:
        """Remove from the longest unused on. Calls did not outlive a restart, so then nothing is in use."""
        now = self._clock.now_us()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            unused = now - oldest.used_us
            if self._size <= self._most and unused <= self._age_us:
                break
            if calls_before and unused <= self._keep_us:
                if not self._full:
                    self._full = True
                    _log.warning(
                        "speech_cache_full", bytes=self._size, remedy="raise speech.cache_mb: calls that are up use more"
                    )
                return
            self._forget(key)
            _remove(self.path(key))
        self._full = False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("speech_cache_file_stays", detail=error.strerror)
