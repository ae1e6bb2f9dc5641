"""What the room of speech is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Engine = Literal["piper", "hibari", "pico", "espeak"]
ENGINES: tuple[Engine, ...] = ("piper", "hibari", "pico", "espeak")


def voice_key(text: str) -> tuple[str, str]:
    """Language and gender of a key of `ProviderSettings.voices`, each in lower case or empty.

    >>> voice_key("nl-NL Female"), voice_key("male"), voice_key("*")
    (('nl-nl', 'female'), ('', 'male'), ('', ''))
    """
    words = text.lower().replace("_", "-").split()
    gender = words.pop() if words and words[-1] in ("male", "female") else ""
    language = " ".join(words)
    return "" if language == "*" else language, gender


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A speech service reached over HTTP; `kind` names the adapter.

    `voices` maps ``nl-nl female``, ``nl-nl``, ``nl female``, ``nl``, ``female`` or ``*`` to a voice of the service; the
    first of these that is there speaks, and without any the language is not asked of this service.
    """

    name: str
    kind: str
    url: str
    voices: Mapping[str, str]
    key: str = ""
    model: str = ""
    # Seconds for the whole request; the answer is kept for the next time even when a call did not wait for it.
    timeout: float = 10.0


class SpeechSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks, in which order, and for how long it is kept."""

    engines: tuple[str, ...] = ENGINES
    providers: tuple[ProviderSettings, ...] = ()
    # A folder of Piper voices (*.onnx, each with its *.onnx.json), and the gender of those whose name does not tell.
    piper_folder: str = ""
    piper_genders: Mapping[str, str] = {}
    cache_bytes: int = 1 << 30
    # Seconds after which what nobody asked for any more is removed.
    cache_age_s: float = 90 * 86_400
    # Seconds for which a file that was given out stays, whatever the size of the cache: as long as a call may last.
    keep_s: float = 14_400
    # Seconds a caller waits for one voice before the next one is tried.
    patience_s: float = 2.0
    # Seconds after which a process that works on one text is taken to hang, and killed.
    deadline_s: float = 10.0
    log_level: str = "info"


class VoiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of one engine is told."""

    engine: str
    piper_folder: str = ""
    log_level: str = "info"
