"""hibari: a neural voice for American English, female, in the extra ``voices``."""

from __future__ import annotations

import numpy as np

from callwright.speech.sound import Samples
from callwright.speech.voices.engine import CannotSpeak, EngineUnusable

_SEED = 1  # without one it breathes differently each time


class HibariVoice:
    """The one voice that its package ships; the others would be fetched from the network."""

    def __init__(self) -> None:
        try:
            from hibari import Hibari

            self._engine = Hibari(voice="heart")
            self.speak("Ready.", "heart")  # the first text loads the dictionaries
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineUnusable(f"hibari cannot be loaded ({error}); pip install 'callwright[voices]'") from error

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        if voice != "heart":
            raise CannotSpeak(f"hibari has no voice {voice} here")
        try:
            return np.asarray(self._engine(text, seed=_SEED), np.float32), self._engine.sample_rate
        except Exception as error:
            raise CannotSpeak(f"hibari gave up ({type(error).__name__})") from None
