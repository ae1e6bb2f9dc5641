"""Sounds that were made fit for a telephone, kept by what they were made of; the longest unused go when room runs out."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from callwright.clock import SECOND_US, Clock
from callwright.egress import Answer, Header
from callwright.log import Log

# Whoever was given a file may still have to read it.
IN_USE_US: Final = 600 * SECOND_US
_LONGEST_FRESH_S: Final = 86_400 * 365
_DIRECTIVE = re.compile(r"\s*([a-z-]+)\s*(?:=\s*\"?([^\",]*)\"?)?\s*(?:,|$)", re.IGNORECASE)

_log = Log("sounds")


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a file, beside it on the disk. `fresh_until_us` is when its source is to be asked again."""

    etag: str = ""
    last_modified: str = ""
    fresh_until_us: int = 0
    must_ask: bool = False  # the source does not want an old copy played, even when it cannot be reached

    @property
    def conditions(self) -> list[Header]:
        if self.etag:
            return [("If-None-Match", self.etag)]
        return [("If-Modified-Since", self.last_modified)] if self.last_modified else []


class Found(NamedTuple):
    path: Path
    kept: Kept


class Policy(NamedTuple):
    """What the head of an answer says about keeping its body (RFC 9111 §5.2.2)."""

    store: bool
    kept: Kept


def policy(answer: Answer, now_us: int) -> Policy:
    directives = {name.lower(): value for name, value in _DIRECTIVE.findall(answer.header("Cache-Control") or "")}
    age = directives.get("max-age", "")
    fresh_s = int(age) if age.isascii() and age.isdecimal() and len(age) < 12 and "no-cache" not in directives else 0
    return Policy(
        "no-store" not in directives,
        Kept(
            etag=answer.header("ETag") or "",
            last_modified=answer.header("Last-Modified") or "",
            fresh_until_us=now_us + min(fresh_s, _LONGEST_FRESH_S) * SECOND_US if fresh_s else 0,
            must_ask=bool(directives.keys() & {"no-cache", "must-revalidate"}),
        ),
    )


class SoundCache:
    """A folder of WAV files and, beside each, what is known of it. Its methods work on the disk: use them in threads."""

    def __init__(self, folder: Path, most_bytes: int, clock: Clock) -> None:
        self._folder = folder
        self._most = most_bytes
        self._clock = clock

    def find(self, source: str) -> Found | None:
        """What is kept of a source; using it makes it the youngest."""
        path, notes = self._places(source)
        try:
            kept = msgspec.json.decode(notes.read_bytes(), type=Kept)
            if not path.is_file():
                return None
            now = self._clock.now_us()
            os.utime(notes, ns=(now * 1000, now * 1000))
        except (OSError, msgspec.MsgspecError):
            return None
        return Found(path, kept)

    def keep(self, source: str, file: Path, kept: Kept) -> Path:
        """Move a file into the cache, in the place of what was there; raise `OSError`."""
        path, notes = self._places(source)
        # The sound of one and the notes of another must never meet, so the old notes go first.
        notes.unlink(missing_ok=True)
        os.replace(file, path)
        self.note(source, kept)
        self._make_room()
        return path

    def note(self, source: str, kept: Kept) -> None:
        _, notes = self._places(source)
        part = notes.with_name(f".{secrets.token_hex(4)}.part")
        part.write_bytes(msgspec.json.encode(kept))
        now = self._clock.now_us()
        os.utime(part, ns=(now * 1000, now * 1000))
        os.replace(part, notes)

    def _places(self, source: str) -> tuple[Path, Path]:
        name = hashlib.sha256(source.encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{name}.wav", self._folder / f"{name}.json"

    def _make_room(self) -> None:
        oldest_first = sorted(self._contents())
        size = sum(length for _, length, _ in oldest_first)
        now = self._clock.now_us()
        for used_us, length, path in oldest_first:
            if size <= self._most or used_us > now - IN_USE_US:
                break
            with suppress(OSError):
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink()
                size -= length
                _log.debug("sound_forgotten", bytes=length)

    def _contents(self) -> Sequence[tuple[int, int, Path]]:
        """When each file was last used, its size and its path; files without notes count as old as they are."""
        found = []
        for entry in os.scandir(self._folder):
            if not entry.name.endswith(".wav"):
                continue
            with suppress(OSError):
                notes = Path(entry.path).with_suffix(".json")
                used = (notes if notes.exists() else Path(entry.path)).stat().st_mtime_ns // 1000
                found.append((used, entry.stat().st_size, Path(entry.path)))
        return found
