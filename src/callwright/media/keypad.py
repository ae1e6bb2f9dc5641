"""Pressing keys towards a far end: telephone-events (RFC 4733 §2.5.1) or, where none were agreed, tones in the sound."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from callwright.media.g711 import FRAME, LAWS, SAMPLE_RATE, Law
from callwright.media.telephone_event import KEYS, EventPayload

MAX_WAITING: Final = 256
SHORTEST_MS: Final = 40
LONGEST_MS: Final = 8000  # one event packet cannot tell of more (RFC 4733 §2.3.5)

_FRAME_MS = 20
_ENDS = 3  # how often the last packet of an event is sent
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_PAD = ("123A", "456B", "789C", "*0#D")
_LOW_PEAK, _HIGH_PEAK = 7900, 9960  # -9 and -7 dBm0: the high tone 2 dB up, as line loss takes more of it
_RAMP = SAMPLE_RATE // 200  # 5 ms


class Press:
    """One key to be pressed; held until `release` when it was begun without a length."""

    def __init__(self, key: str, frames: int | None, gap_frames: int) -> None:
        self.key = key
        self.frames = frames
        self.gap_frames = gap_frames

    def release(self, duration_ms: int) -> None:
        self.frames = _frames(duration_ms)


class KeySlot(msgspec.Struct, frozen=True):
    """What goes out in one 20 ms slot: an event's payload, or else a frame of sound; `first` begins an event."""

    payload: bytes
    event: bool = False
    first: bool = False


class Keypad:
    """A queue of presses, played one 20 ms slot at a time."""

    def __init__(self) -> None:
        self.busy = False
        self._waiting: deque[Press] = deque()
        self._press: Press | None = None
        self._as_event = False
        self._age = 0
        self._ends_left = 0
        self._end_payload = b""
        self._rest = 0

    def press(self, keys: str, tone_ms: int, gap_ms: int) -> int:
        """Queue keys (``0-9*#A-D``, any case); return how many could not be: unknown ones, or too many."""
        refused = 0
        for key in keys.upper():
            if key not in KEYS or len(self._waiting) >= MAX_WAITING:
                refused += 1
            else:
                self._waiting.append(Press(key, _frames(tone_ms), _frames(gap_ms)))
                self.busy = True
        return refused

    def hold(self, key: str) -> Press:
        """Queue one key that stays down until it is released (or for eight seconds)."""
        press = Press(key, None, _frames(SHORTEST_MS))
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(press)
            self.busy = True
        return press

    def next(self, law: Law, events: bool) -> KeySlot:
        """Play the next slot; to be called only while `busy`. `events` says whether telephone-event was agreed."""
        if self._ends_left:
            self._ends_left -= 1
            self._settle()
            return KeySlot(self._end_payload, event=True)
        if self._press is None:
            if self._rest or not self._waiting:
                self._rest = max(self._rest - 1, 0)
                self._settle()
                return KeySlot(law.silent_frame)
            self._press = self._waiting.popleft()
            self._as_event = events
            self._age = 0
        self._age += 1
        return self._event_slot(self._press) if self._as_event else self._tone_slot(self._press, law)

    def _event_slot(self, press: Press) -> KeySlot:
        last = self._age >= (_frames(LONGEST_MS) if press.frames is None else press.frames)
        payload = EventPayload(KEYS.index(press.key), last, self._age * FRAME).serialize()
        if last:
            self._end_payload = payload
            self._ends_left = _ENDS - 1
            self._rest = max(press.gap_frames - self._ends_left, 0)
            self._press = None
        return KeySlot(payload, event=True, first=self._age == 1)

    def _tone_slot(self, press: Press, law: Law) -> KeySlot:
        frames = tone(press.key, press.frames or _frames(SHORTEST_MS), law.payload_type)
        if self._age >= len(frames):
            self._rest = press.gap_frames
            self._press = None
        return KeySlot(frames[self._age - 1])

    def _settle(self) -> None:
        if not (self._waiting or self._press or self._ends_left or self._rest):
            self.busy = False


@lru_cache(maxsize=128)
def tone(key: str, frames: int, payload_type: int) -> tuple[bytes, ...]:
    """Make the two sines of a key (ITU-T Q.23) as encoded frames, with ramps of 5 ms at both ends."""
    row = next(index for index, keys in enumerate(_PAD) if key in keys)
    at = np.arange(frames * FRAME) / SAMPLE_RATE
    sound = _LOW_PEAK * np.sin(2 * np.pi * _ROWS[row] * at)
    sound += _HIGH_PEAK * np.sin(2 * np.pi * _COLUMNS[_PAD[row].index(key)] * at)
    ramp = np.linspace(0, 1, _RAMP)
    sound[:_RAMP] *= ramp
    sound[-_RAMP:] *= ramp[::-1]
    coded = LAWS[payload_type].encode(np.rint(sound).astype(np.int16))
    return tuple(coded[start : start + FRAME] for start in range(0, len(coded), FRAME))


def _frames(duration_ms: int) -> int:
    return -(-min(max(duration_ms, SHORTEST_MS), LONGEST_MS) // _FRAME_MS)
