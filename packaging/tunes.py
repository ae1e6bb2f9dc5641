#!/usr/bin/env python3
"""Make the sounds that are part of the package: a beep before a recording, and a tune for those who wait.

Both are our own, made of nothing but sines. Run from the root of the repository: python packaging/tunes.py
"""

import math
import struct
import wave

FOLDER = "src/callwright/switch/"
RATE = 8_000
BEAT_S = 0.36
# An eight-bar canon over four chords, as half-tones above A 220 Hz; None is a rest.
CHORDS = [(0, 4, 7), (-3, 0, 5), (-4, 0, 3), (-5, 2, 7)]
TUNE = [12, 16, 19, 16, 17, 14, 12, None, 15, 12, 8, 12, 11, 14, 19, None]
TUNE += [24, 19, 16, 19, 21, 17, 12, None, 20, 15, 12, 15, 14, 11, 7, None]


def note(half_tones: float, seconds: float, loudness: float) -> list[float]:
    """A plucked string: three partials that die away."""
    hertz = 220 * 2 ** (half_tones / 12)
    count = round(seconds * RATE)
    return [
        loudness
        * math.exp(-3.2 * at / count)
        * min(1.0, at / 80, (count - at) / 80)
        * sum(math.sin(2 * math.pi * hertz * partial * at / RATE) / partial**2 for partial in (1, 2, 3))
        for at in range(count)
    ]


def tune() -> list[float]:
    beat = round(BEAT_S * RATE)
    sound = [0.0] * (len(TUNE) * beat)
    for index, half_tones in enumerate(TUNE):
        notes = [] if half_tones is None else [note(half_tones, BEAT_S, 0.22)]
        if index % 4 == 0:
            notes += [note(low, 4 * BEAT_S, 0.09) for low in CHORDS[index // 4 % 4]]
        for one in notes:
            for at, sample in enumerate(one):
                sound[(index * beat + at) % len(sound)] += sample
    return sound


def beep() -> list[float]:
    """A fifth of a second of 1,000 Hz with soft edges, and a moment of silence after it."""
    count = RATE // 5
    loud = [0.3 * min(1.0, at / 40, (count - at) / 40) * math.sin(2 * math.pi * at / 8) for at in range(count)]
    return loud + [0.0] * (RATE // 20)


def write(name: str, sound: list[float]) -> None:
    with wave.open(FOLDER + name, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", round(32_000 * sample)) for sample in sound))


if __name__ == "__main__":
    write("music.wav", tune())
    write("beep.wav", beep())
