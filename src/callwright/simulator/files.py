"""What the simulator needs of sound files: how long one lasts, and where a recording goes.

On a server these are real files: prompts are read, and recordings hold silence of the right length, with what parties said
in it where a voice spoke that. In a rehearsal nothing is read or written.
"""

from __future__ import annotations

import wave
from typing import Protocol

from callwright.audiofile import Writer

RATE = 8000
CHUNK_S = 60


class Tape(Protocol):
    """A recording under way."""

    def say(self, at: float, samples: bytes) -> None:
        """Hold what the far end said (16 bit, 8 kHz) from so many seconds after the beginning, or before it, on."""
        ...

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


class _Tape:
    """Silence, and in it what was said, which is the first of the channels. Places are counted in samples."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._said: list[tuple[int, bytes]] = []

    def say(self, at: float, samples: bytes) -> None:
        self._said.append((round(at * RATE), samples))

    def end(self, seconds: float) -> None:
        written, end = 0, round(seconds * RATE)
        try:
            for begin, said in sorted(self._said):
                self._be_silent(min(begin, end) - written)
                written = max(written, min(begin, end))
                # What lies before the recording is left out, as is what another voice spoke over or what comes after its end.
                piece = said[2 * (written - begin) : 2 * (end - begin)]
                self._speak(piece)
                written += len(piece) // 2
            self._be_silent(end - written)
        finally:
            self._writer.close()

    def _be_silent(self, samples: int) -> None:
        for begin in range(0, samples, CHUNK_S * RATE):
            self._writer.write(bytes(min(samples - begin, CHUNK_S * RATE) * 2 * self._writer.channels))

    def _speak(self, samples: bytes) -> None:
        width = 2 * self._writer.channels
        pcm = bytearray(len(samples) // 2 * width)
        pcm[0::width], pcm[1::width] = samples[0::2], samples[1::2]
        self._writer.write(bytes(pcm))


class WavFiles:
    """Files on disk."""

    def seconds(self, file: str) -> float:
        # Counted and not read off the header: a WAV that was written as a stream says too much there.
        with wave.open(file, "rb") as sound:
            samples = len(sound.readframes(sound.getnframes())) // (sound.getsampwidth() * sound.getnchannels())
            return samples / sound.getframerate()

    def record(self, path: str, channels: int, key: bytes) -> Tape:
        return _Tape(Writer(path, channels, key))


WAV_FILES = WavFiles()
