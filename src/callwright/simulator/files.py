"""What the simulator needs of sound files: how long one lasts, and where a recording goes.

On a server these are real files: prompts are read, and recordings hold silence of the right length. In a rehearsal nothing
is read or written.
"""

from __future__ import annotations

import wave
from typing import Protocol

from callwright.audiofile import Writer

RATE = 8000
CHUNK_S = 60


class Tape(Protocol):
    """A recording under way."""

    def end(self, seconds: float) -> None:
        """Keep it, so long; raises `OSError`."""
        ...


class Files(Protocol):
    def seconds(self, file: str) -> float:
        """How long a file lasts; raises `OSError`, `EOFError` or `wave.Error` for what is no WAV file."""
        ...

    def record(self, path: str, channels: int, key: bytes) -> Tape:
        """Begin a recording; raises `OSError`. `key` is as in `telephony.StartRecording`."""
        ...


class _SilentTape:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def end(self, seconds: float) -> None:
        samples = round(seconds * RATE)
        try:
            for begin in range(0, samples, CHUNK_S * RATE):
                self._writer.write(bytes(min(samples - begin, CHUNK_S * RATE) * 2 * self._writer.channels))
        finally:
            self._writer.close()


class WavFiles:
    """Files on disk."""

    def seconds(self, file: str) -> float:
        # Counted and not read off the header: a WAV that was written as a stream says too much there.
        with wave.open(file, "rb") as sound:
            samples = len(sound.readframes(sound.getnframes())) // (sound.getsampwidth() * sound.getnchannels())
            return samples / sound.getframerate()

    def record(self, path: str, channels: int, key: bytes) -> Tape:
        return _SilentTape(Writer(path, channels, key))


WAV_FILES = WavFiles()
