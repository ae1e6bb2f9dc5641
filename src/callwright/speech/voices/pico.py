"""SVOX Pico through py-nanotts: six female voices for five languages."""

from __future__ import annotations

from callwright.speech.sound import Samples, pcm
from callwright.speech.voices.engine import CannotSpeak, EngineUnusable

RATE = 16_000
# At its own 1.0 the peaks are cut off.
_VOLUME = 0.4
# Pico reads commands between angle brackets, among them such as play a file and write one.
_NO_COMMANDS = str.maketrans("<>\\", "   ")


class Pico:
    """A voice is named by its language: ``en-GB``."""

    def __init__(self) -> None:
        try:
            import py_nanotts

            self._engine = py_nanotts.NanoTTS()
            self._voices = frozenset(voice.value for voice in py_nanotts.Voice)
        except (ImportError, OSError) as error:
            raise EngineUnusable(f"Pico cannot be loaded ({error}); pip install py-nanotts") from error

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        if voice not in self._voices:
            raise CannotSpeak(f"Pico has no voice {voice}")
        try:
            spoken = self._engine.speak(text.translate(_NO_COMMANDS), voice=voice, volume=_VOLUME)
        except (RuntimeError, ValueError) as error:
            raise CannotSpeak(f"Pico gave up ({type(error).__name__})") from None
        return pcm(spoken), RATE
