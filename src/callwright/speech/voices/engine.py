"""What an engine is to the process that runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from callwright.errors import CallwrightError
from callwright.speech.settings import VoiceSettings
from callwright.speech.sound import Samples


class EngineUnusable(CallwrightError):
    """An engine cannot be loaded; the message says what to install or to set."""


class CannotSpeak(CallwrightError):
    """An engine gave up on a text; the message does not repeat it."""


class Engine(Protocol):
    """One engine, loaded. It is asked from one thread."""

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        """Samples from −1 to 1, and their rate; raise `CannotSpeak`."""
        ...


def load(settings: VoiceSettings) -> Engine:
    """Load the engine of these settings; raise `EngineUnusable`."""
    return _LOADERS[settings.engine](settings)


def _espeak(settings: VoiceSettings) -> Engine:
    from callwright.speech.voices.espeak import Espeak

    return Espeak()


def _pico(settings: VoiceSettings) -> Engine:
    from callwright.speech.voices.pico import Pico

    return Pico()


def _hibari(settings: VoiceSettings) -> Engine:
    from callwright.speech.voices.hibari import HibariVoice

    return HibariVoice()


def _piper(settings: VoiceSettings) -> Engine:
    from callwright.speech.voices.piper import PiperFolder

    return PiperFolder(settings.piper_folder)


_LOADERS: dict[str, Callable[[VoiceSettings], Engine]] = {
    "espeak": _espeak,
    "pico": _pico,
    "hibari": _hibari,
    "piper": _piper,
}
