"""Sound for rehearsals over SIP: prompts of the right length, a murmur that is taken for a voice, and a machine's beep."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from callwright.rehearsal.prompts import Prompt, Prompts

RATE: Final = 8000
FRAME_S: Final = 0.02
BEEP_HZ: Final = 1000.0
BEEP_S: Final = 0.4
_PROMPT_HZ: Final = 220.0
_QUIET: Final = 600
_LOUD: Final = 6000
# Several pitches at once, or the listener for beeps would take a syllable for one.
_VOICE_HZ: Final = (180.0, 320.0, 470.0)
# In frames: a sound that never pauses is noise to voice detection, and a pause of 200 ms is silence.
_SYLLABLE: Final = 8
_BETWEEN: Final = 3

Samples = NDArray[np.int16]


class SoundingPrompts(Prompts):
    """Prompts whose files are there: a quiet tone of their length."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def make(self, number: int, prompt: Prompt) -> Path:
        path = self._folder / f"prompt-{number}.wav"
        write(path, _tones((_PROMPT_HZ,), prompt.seconds, _QUIET))
        return path


class Voices:
    """What parties say into their telephones, by its length in seconds; and their machines' beep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, Path] = {}
        self.beep = folder / "beep.wav"
        write(self.beep, _tones((BEEP_HZ,), BEEP_S, _LOUD))

    def file(self, seconds: float) -> Path:
        frames = max(1, round(seconds / FRAME_S))
        path = self._files.get(frames)
        if path is None:
            path = self._files[frames] = self._folder / f"voice-{frames}.wav"
            write(path, murmur(frames))
        return path


def murmur(frames: int) -> Samples:
    """Syllables, the last of which ends with the last frame."""
    sound = _tones(_VOICE_HZ, frames * FRAME_S, _LOUD)
    frame = round(RATE * FRAME_S)
    left = np.arange(frames)[::-1]
    speaks = left % (_SYLLABLE + _BETWEEN) < _SYLLABLE
    speaks[:3] = True  # it is heard to begin when it does
    return np.asarray(sound * np.repeat(speaks, frame), np.int16)


def write(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.astype("<i2").tobytes())


def _tones(hz: tuple[float, ...], seconds: float, peak: int) -> Samples:
    at = np.arange(round(seconds * RATE)) / RATE
    sound = sum((np.sin(2 * np.pi * one * at) for one in hz), np.zeros(at.size))
    return np.rint(peak / len(hz) * sound).astype(np.int16)
