"""Sound as it comes, cut into files that can be played one after the other while the rest is still on its way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from callwright.clock import Clock
from callwright.switch.sounds.plain import HEADER, RATE, header

BYTES_A_SECOND: Final = RATE * 2
FIRST_S: Final = 0.5  # the length of the first file; each is twice as long as the one before
LONGEST_S: Final = 30.0
LEAST_S: Final = 0.1
# A file is given early when the listener comes so near to the end of the last one.
AHEAD_S: Final = 0.4


class Cutter:
    """Writes sound into `folder`: ``whole.wav`` with all of it, and pieces ``0000.wav`` onwards."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.pieces: list[Path] = []
        self.whole = folder / "whole.wav"
        self._folder = folder
        self._clock = clock
        self._file: BinaryIO = self.whole.open("wb")
        self._file.write(header(0))
        self._pending = bytearray()
        self._odd = b""
        self._written = 0
        self._given = 0
        self._began_ns = 0

    def heard_until_ns(self) -> int | None:
        """When a listener who began with the first file has heard all that were given; None before there is one."""
        return self._began_ns + round(self._given / BYTES_A_SECOND * 1e9) if self.pieces else None

    def due_in(self) -> float | None:
        """Seconds until what is pending must be given, so that a listener hears no gap; None when nothing need be."""
        until = self.heard_until_ns()
        if until is None or len(self._pending) < LEAST_S * BYTES_A_SECOND:
            return None
        return max((until - self._clock.mono_ns()) / 1e9 - AHEAD_S, 0.0)

    def add(self, sound: bytes) -> None:
        """Take sound, and cut off as many pieces as it makes; raise `OSError`."""
        sound = self._odd + sound
        even = len(sound) & ~1
        self._odd = sound[even:]
        sound = sound[:even]
        self._file.write(sound)
        self._written += len(sound)
        self._pending += sound
        wanted = min(FIRST_S * 2 ** len(self.pieces), LONGEST_S)
        if len(self._pending) >= wanted * BYTES_A_SECOND:
            self.cut()

    def cut(self) -> None:
        """Make a piece of what is pending."""
        if not self._pending:
            return
        piece = self._folder / f"{len(self.pieces):04}.wav"
        piece.write_bytes(header(len(self._pending)) + self._pending)
        if not self.pieces:
            self._began_ns = self._clock.mono_ns()
        self._given += len(self._pending)
        self._pending.clear()
        self.pieces.append(piece)

    def finish(self) -> Path:
        """Cut the last piece and close the whole file; return its path."""
        self.cut()
        self._file.seek(0)
        self._file.write(header(self._written))
        self._file.close()
        assert os.path.getsize(self.whole) == HEADER + self._written
        return self.whole

    def close(self) -> None:
        self._file.close()
