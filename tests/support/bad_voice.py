"""A process that speaks tones, and misbehaves on words of a text: ``crash espeak`` kills the one of eSpeak.

Otherwise it is that of `callwright.speech.process`.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from callwright.speech import process
from callwright.speech.settings import VoiceSettings
from callwright.speech.sound import Samples
from callwright.speech.voices.engine import CannotSpeak, EngineUnusable


class BadVoice:
    def __init__(self, settings: VoiceSettings) -> None:
        self._name = settings.engine
        self._hertz = 300 if settings.engine == "espeak" else 500

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        if f"crash {self._name}" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if f"hang {self._name}" in text:
            while True:
                time.sleep(3600)
        if f"refuse {self._name}" in text:
            raise CannotSpeak("it will not")
        if f"fault {self._name}" in text:
            raise ZeroDivisionError(text)
        at = np.arange(8_000) / 16_000
        loudness = 0.0 if f"silence {self._name}" in text else np.nan if f"noise {self._name}" in text else 0.9
        return (loudness * np.sin(2 * np.pi * self._hertz * at)).astype(np.float32), 16_000


def load(settings: VoiceSettings) -> BadVoice:
    if settings.engine == "hibari":
        raise EngineUnusable("hibari is not for tests")
    return BadVoice(settings)


if __name__ == "__main__":
    process.load = load
    sys.exit(process.main(sys.argv[1:]))
