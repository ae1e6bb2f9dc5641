"""What the core and the process that listens tell each other, in frames of `callwright.ipc`."""

from __future__ import annotations

import msgspec

from callwright.telephony import Word


class Listen(msgspec.Struct, frozen=True, tag=True):
    """Write down a WAV file (8 kHz, 16 bit, mono); `language` as `languages.code` has it."""

    id: int
    path: str
    language: str


class Listening(msgspec.Struct, frozen=True, tag=True):
    """A sign of life: so much has been listened to."""

    id: int
    heard_ms: int


class Heard(msgspec.Struct, frozen=True, tag=True):
    id: int
    text: str
    words: list[Word]
    engine: str


class NotHeard(msgspec.Struct, frozen=True, tag=True):
    """It could not be written down; `why` says what to do."""

    id: int
    why: str


CoreMessage = Listen
RecogniserMessage = Listening | Heard | NotHeard
