"""Writing a file of sound so that what was heard until a crash can be played."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from callwright.audiofile import wav
from callwright.audiofile.peaks import PeakMeter, write_peaks
from callwright.audiofile.sealed import Seal

# A quarter of a second is kept back at most, in either kind of file.
PIECE: Final = wav.SAMPLE_RATE // 4
_LENGTHS_EVERY: Final = 4  # pieces


class Writer:
    """A new file at `path`; folders above it are made. With a `key` of 32 bytes it is sealed.

    `write` takes 16-bit samples, little-endian, channel by channel in turn, in any portions. Sound goes to the file every
    quarter second; a plain file's lengths every second. After `close` the waveform lies beside the file (`.peaks`).
    Any `OSError` may come out of all three; what was written before stays. Used by one thread at a time.
    """

    def __init__(self, path: str | Path, channels: int, key: bytes = b"") -> None:
        if channels not in (1, 2):
            raise ValueError(f"a recording has 1 or 2 channels, not {channels}")
        self.path: Final = Path(path)
        self.channels: Final = channels
        self._key = key
        self._piece = PIECE * 2 * channels
        self._seal = Seal.new(key, channels, self._piece) if key else None
        self._kept = bytearray()
        self._pieces = 0
        self._size = 0
        self._end = 0
        self._peaks = PeakMeter(channels)
        with suppress(FileExistsError):  # a file where a folder should be; to open ours below it says so
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._append(wav.header(channels, 0) if self._seal is None else self._seal.header())
        except BaseException:
            os.close(self._file)
            raise

    @property
    def duration_ms(self) -> int:
        """Length of the sound that was taken, whether it is in the file yet or not."""
        return (self._size + len(self._kept)) // (2 * self.channels) * 1000 // wav.SAMPLE_RATE

    @property
    def safe_ms(self) -> int:
        """Length of the sound that is in the file."""
        return self._size // (2 * self.channels) * 1000 // wav.SAMPLE_RATE

    def write(self, pcm: bytes) -> None:
        self._kept += pcm
        while len(self._kept) >= self._piece:
            piece = bytes(self._kept[: self._piece])
            self._append(piece if self._seal is None else self._seal.chunk(self._pieces, piece))
            del self._kept[: self._piece]
            self._took(piece)
            self._pieces += 1
            if self._seal is None and self._pieces % _LENGTHS_EVERY == 0:
                self._write_lengths()

    def close(self) -> None:
        """Write what is left, and the waveform; the file is closed whatever happens."""
        if self._file < 0:
            return
        try:
            self.write(b"")
            rest = bytes(self._kept[: len(self._kept) // (2 * self.channels) * 2 * self.channels])
            self._append(rest if self._seal is None else self._seal.last(self._pieces, rest))
            self._kept.clear()
            self._took(rest)
            if self._seal is None:
                self._write_lengths()
        finally:
            self.abandon()
        write_peaks(self.path, self._peaks.finish(), self._key)

    def abandon(self) -> None:
        """Close the file as it is, as a crash would; `repair` puts it right."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _took(self, piece: bytes) -> None:
        self._size += len(piece)
        self._peaks.add(piece)

    def _append(self, data: bytes) -> None:
        """Write all of it, or nothing: half a piece before the next one would make noise, or a file that cannot be opened."""
        at = self._end
        left = memoryview(data)
        try:
            while left:
                written = os.pwrite(self._file, left, at)
                left, at = left[written:], at + written
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end = at

    def _write_lengths(self) -> None:
        os.pwrite(self._file, wav.header(self.channels, self._size), 0)
