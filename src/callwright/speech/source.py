"""What speaks: an engine in a process of its own, or a service over HTTP, seen alike by the library."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from callwright.errors import CallwrightError
from callwright.speech.languages import Language


class VoiceFailed(CallwrightError):
    """A voice did not speak a text; the next one of the chain may. The message does not repeat the text."""


class VoiceResting(VoiceFailed):
    """Nothing should be asked of the voice now, which was told when that began."""


class VoiceDied(VoiceFailed):
    """The voice's process ended while it spoke, which may have been an accident."""


class Voice(msgspec.Struct, frozen=True):
    """A voice of a source: `name` is the source's own, `gender` ``male``, ``female`` or empty where it is not known."""

    name: str
    gender: str = ""


class Job:
    """A text to be spoken into a file. `urgent` may change while it waits: it is whether a call waits for it."""

    def __init__(self, text: str, language: Language, voice: Voice, path: Path, *, urgent: bool) -> None:
        self.text = text
        self.language = language
        self.voice = voice
        self.path = path
        self.urgent = urgent


class Source(Protocol):
    """Somebody who speaks."""

    @property
    def name(self) -> str:
        """What settings, logs and metrics call it."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why a call should not ask it now, if there is another; None while it can be asked."""
        ...

    def voice(self, language: Language, gender: str) -> Voice | None:
        """The voice for a language, of the gender if it has one; None when it does not speak the language."""
        ...

    async def identity(self, voice: Voice) -> str:
        """What the sound depends on besides text and voice: versions, models, options."""
        ...

    async def render(self, job: Job) -> int:
        """Speak into the file of the job and return its size in bytes; raise `VoiceFailed`."""
        ...
