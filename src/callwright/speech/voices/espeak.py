"""eSpeak NG through ctypes. The library is GPL-3 and keeps its voice in global state: one of these in a process, on one thread.

Functions and constants are those of its header ``speak_lib.h`` (version 1.52).
"""

from __future__ import annotations

import ctypes
import re

from callwright.speech.sound import Samples, pcm
from callwright.speech.voices.engine import CannotSpeak, EngineUnusable

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples come through the callback, before espeak_Synth returns
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_UTF8 = 1  # espeakCHARS_UTF8; without the flags for SSML and phonemes, so that markup and [[ mean nothing
_POSITION_CHARACTER = 1
_RATE, _VOLUME = 1, 2  # espeak_PARAMETER
WORDS_A_MINUTE = 155  # its own 175 is hard to follow on a telephone
_LOUDNESS = 60  # at its own 100 some voices clip

# A Hebrew letter and its marks. Unicode's order has vowels before the points that belong to the letter; eSpeak knows the
# other one alone, and says the names of marks when it does not find it.
_HEBREW_MARKS = re.compile("([\u05d0-\u05ea])([\u0591-\u05c7]{2,})")
_HEBREW_POINTS = "\u05bc\u05c1\u05c2"

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """All its languages; a voice is a file of its data, with a variant: ``gmw/en+f2``."""

    def __init__(self) -> None:
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path()
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineUnusable(f"eSpeak NG cannot be loaded ({error}); pip install espeakng-loader") from error
        self._rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT)
        if self._rate <= 0:
            raise EngineUnusable("eSpeak NG does not take its data; pip install --force-reinstall espeakng-loader")
        self._pieces: list[bytes] = []
        self._callback = _Callback(self._take)  # kept: ctypes would free it under the library's feet
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_SetParameter(_RATE, WORDS_A_MINUTE, 0)
        self._library.espeak_SetParameter(_VOLUME, _LOUDNESS, 0)

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        # A name that is not known returns an error and keeps the voice of the text before.
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise CannotSpeak(f"eSpeak NG has no voice {voice}")
        self._pieces.clear()
        encoded = _HEBREW_MARKS.sub(_points_first, text).encode()
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, _POSITION_CHARACTER, 0, _UTF8, None, None
        )
        if status != 0:
            raise CannotSpeak(f"eSpeak NG gave up with status {status}")
        samples = pcm(b"".join(self._pieces))
        self._pieces.clear()
        return samples, self._rate

    def _take(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        return 0


def _points_first(letter: re.Match[str]) -> str:
    return letter[1] + "".join(sorted(letter[2], key=lambda mark: mark not in _HEBREW_POINTS))
