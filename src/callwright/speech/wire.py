"""What the core and a process that speaks tell each other, in frames of `callwright.ipc`."""

from __future__ import annotations

import msgspec


class Render(msgspec.Struct, frozen=True, tag=True):
    """Speak a text into a file: 8 kHz, 16 bit, mono WAV, which appears at the path when it is whole."""

    id: int
    voice: str
    text: str
    path: str


class Rendered(msgspec.Struct, frozen=True, tag=True):
    """The file is there; `size` is its length in bytes."""

    id: int
    size: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The text could not be spoken; `why` says it without the text."""

    id: int
    why: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The engine is loaded and can speak."""


class Unusable(msgspec.Struct, frozen=True, tag=True):
    """The engine cannot be loaded, and will not be until the process is started again; `why` says what to do."""

    why: str


CoreMessage = Render
SpeechMessage = Rendered | Failed | Ready | Unusable
