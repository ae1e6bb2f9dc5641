"""Finding keys in sound (ITU-T Q.23, Q.24): all streams at once, in blocks of 102 samples.

A block shows a key when two tones, one of each group, are most of its energy, stand out in their groups, and are about
equally loud, and when the high one has no second harmonic, which voices have. (Asked of the low one too, this refuses keys
whose low tone is loud or off its frequency.) Two blocks in a row that show one key are a press; two that do not are its end.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from callwright.media.g711 import SAMPLE_RATE

BLOCK: Final = 102  # 12.75 ms: the frequencies of a group are told apart, and 40 ms hold two whole blocks
NO_KEY: Final = -1
KEYS: Final = "123A456B789C*0#D"

_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1209, 1336, 1477, 1633)
_FREQUENCIES: Final = (*_LOW, *_HIGH, *(2 * hz for hz in _HIGH))
_SHARE: Final = 0.6  # of the energy; 0.8 loses keys that are 1.5 % off
_SHARE_OF_LOW: Final = 0.7  # where the low tone is louder by 4 dB, as those of voices are
_MUCH_LOUDER: Final = 2.5
_QUIETEST: Final = 330.0**2  # mean square: -40 dBFS
_STANDS_OUT: Final = 6.0  # over the next of the group, which gets a tenth of a tone that is 2 % off
_LOUDER_HIGH: Final = 4.0  # 6 dB
_LOUDER_LOW: Final = 9.0  # 9.5 dB
_HARMONIC: Final = 0.08  # of the high tone
_ROWS_AT_ONCE: Final = 100  # a larger product would be shared out to threads, which costs more than it saves


def _waves() -> NDArray[np.float32]:
    """Cosine and sine of each frequency, so that a product with a block gives its spectrum there."""
    at = 2 * np.pi * np.outer(np.arange(BLOCK), _FREQUENCIES) / SAMPLE_RATE
    return np.concatenate((np.cos(at), np.sin(at)), axis=1).astype(np.float32)


_WAVES = _waves()


def keys_of(blocks: NDArray[np.float32]) -> NDArray[np.int8]:
    """Which of `KEYS` each row of samples shows, or `NO_KEY`."""
    found = np.full(len(blocks), NO_KEY, np.int8)
    energy = np.einsum("ij,ij->i", blocks, blocks)
    for start in range(0, len(blocks), _ROWS_AT_ONCE):
        loud = start + np.flatnonzero(energy[start : start + _ROWS_AT_ONCE] > _QUIETEST * BLOCK)
        if len(loud):
            found[loud] = _keys_of_loud(blocks[loud], energy[loud])
    return found


def _keys_of_loud(blocks: NDArray[np.float32], energy: NDArray[np.float32]) -> NDArray[np.int8]:
    waves = blocks @ _WAVES
    waves *= waves
    half = len(_FREQUENCIES)
    shares = (waves[:, :half] + waves[:, half:]) * (2 / BLOCK / energy[:, None])
    low, high, harmonics = shares[:, :4], shares[:, 4:8], shares[:, 8:]
    rows = np.arange(len(blocks))
    row, column = low.argmax(axis=1), high.argmax(axis=1)
    lowest, highest = low[rows, row], high[rows, column]
    low_next, high_next = np.partition(low, 2, axis=1)[:, 2], np.partition(high, 2, axis=1)[:, 2]
    shown = (
        (lowest + highest >= np.where(lowest > highest * _MUCH_LOUDER, _SHARE_OF_LOW, _SHARE))
        & (highest <= lowest * _LOUDER_HIGH)
        & (lowest <= highest * _LOUDER_LOW)
        & (lowest >= low_next * _STANDS_OUT)
        & (highest >= high_next * _STANDS_OUT)
        & (harmonics[rows, column] <= highest * _HARMONIC)
    )
    return np.where(shown, row * 4 + column, NO_KEY).astype(np.int8)


class Presses:
    """From the keys of a stream's blocks, one after the other, to presses."""

    __slots__ = ("_before", "_blocks", "_misses", "pressed")

    def __init__(self) -> None:
        self.pressed = NO_KEY
        self._before = NO_KEY
        self._misses = 0
        self._blocks = 0

    @property
    def is_idle(self) -> bool:
        """Whether a block without a key would change nothing."""
        return self.pressed == self._before == NO_KEY

    def block(self, key: int) -> tuple[int, int] | None:
        """Take the next block; return what ended with it: the key and for how many blocks it was down."""
        ended = None
        if self.pressed != NO_KEY:
            if key == self.pressed:
                self._blocks += 1 + self._misses
                self._misses = 0
            elif self._misses:
                ended = self.release()
            else:
                self._misses += 1
        if self.pressed == NO_KEY and key != NO_KEY and key == self._before:
            self.pressed, self._blocks, self._misses = key, 2, 0
        self._before = key
        return ended

    def release(self) -> tuple[int, int]:
        """End the press that is down; return it."""
        ended = self.pressed, self._blocks
        self.pressed = NO_KEY
        return ended
