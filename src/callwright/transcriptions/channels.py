"""The sound of a recording for a recogniser, channel by channel, and one text of what was heard in each.

Two parties that speak at once are understood better apart, and a reader wants to know who spoke; so each channel is written
down by itself, and what was heard is put in order by its times.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from callwright.audiofile import wav
from callwright.recordings.files import Sound
from callwright.telephony import Transcript
from callwright.transcriptions.model import Content, Said

PORTION = 1 << 20
# Languages that are written without spaces between words.
_UNSPACED = frozenset({"zh", "cmn", "yue", "ja", "th", "lo", "my", "km"})


class Channels:
    """Mono WAV files of the channels of a recording, there inside the ``with`` block.

    `paths` can be opened by this process and its children alone. Of a sealed recording they are in memory, never on the disk.
    """

    def __init__(self, channels: int, *, sealed: bool) -> None:
        self._stack = ExitStack()
        self._files = [
            os.fdopen(os.memfd_create("sound"), "w+b") if sealed else tempfile.TemporaryFile()  # noqa: SIM115
            for _ in range(channels)
        ]
        for file in self._files:
            self._stack.enter_context(file)
        self.paths = [Path(f"/proc/{os.getpid()}/fd/{file.fileno()}") for file in self._files]

    async def fill(self, sound: Sound) -> None:
        """Copy a recording. Raises as reading it does, and `OSError`."""
        channels = len(self._files)
        size = (sound.size - wav.HEADER_SIZE) // channels
        for file in self._files:
            file.write(wav.header(1, size))
        at = wav.HEADER_SIZE
        while portion := await sound.read(at, PORTION):
            at += len(portion)
            samples = memoryview(portion).cast("h")
            for channel, file in enumerate(self._files):
                file.write(samples[channel::channels].tobytes() if channels > 1 else portion)
        for file in self._files:
            file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()


def together(heard: Sequence[Transcript], language: str) -> Content:
    """One content of what was heard in each channel: a line for each turn where words have times, else for each channel."""
    engine = heard[0].engine
    words = [
        Said(word.text, word.start_ms, word.end_ms, word.confidence, channel)
        for channel, transcript in enumerate(heard)
        for word in transcript.words
    ]
    words.sort(key=lambda word: word.start_ms)
    texts = [transcript.text for transcript in heard if transcript.text]
    timed = all(transcript.words for transcript in heard if transcript.text)
    if len(texts) <= 1 or not timed:
        return Content("\n".join(texts), tuple(words), engine)
    space = "" if language.partition("-")[0] in _UNSPACED else " "
    turns = [space.join(word.text for word in turn) for _, turn in groupby(words, key=lambda word: word.channel)]
    return Content("\n".join(turns), tuple(words), engine)
