"""The speech port: what others need of whoever speaks and of whoever writes down what was spoken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec

from callwright.errors import CallwrightError


class Utterance(msgspec.Struct, frozen=True):
    """A text to be spoken: `language` is a tag of the contract, in any case; `gender` ``male``, ``female`` or empty."""

    text: str
    language: str = ""
    gender: str = ""


class SpeechUnavailable(CallwrightError):
    """A text cannot be spoken: no voice is there, or all that are failed."""


class Speech(Protocol):
    """Whoever speaks."""

    def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        """Give files (8 kHz, 16 bit, mono WAV) sentence by sentence, the first as soon as it is there.

        They stay where they are for at least as long as a call may last. Raises `SpeechUnavailable` before the first file
        or between two.
        """
        ...


class Word(msgspec.Struct, frozen=True):
    """A word that was heard: milliseconds from the start of the recording, `confidence` 0 to 1, None when it is not told."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None


class Transcript(msgspec.Struct, frozen=True):
    """What was heard in a recording; `engine` names what wrote it down."""

    text: str
    words: tuple[Word, ...] = ()
    language: str = ""
    engine: str = ""


class TranscriptionFailed(CallwrightError):
    """A recording could not be written down; the message says what to install, to set or to do."""


class Transcriber(Protocol):
    """Whoever writes down what was spoken."""

    def refusal(self, language: str) -> str | None:
        """Why nothing in this language can be written down, with a remedy; None when it can."""
        ...

    async def transcribe(self, wav: Path, language: str) -> Transcript:
        """Write down a plain WAV file (8 kHz, 16 bit, one or two channels). Raises `TranscriptionFailed`."""
        ...
