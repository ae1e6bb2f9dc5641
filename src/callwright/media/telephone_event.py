"""Key presses as RTP telephone-events (RFC 4733): reading them once each."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from callwright.media.g711 import SAMPLE_RATE
from callwright.media.rtp import MalformedPacket

KEYS: Final = "0123456789*#ABCD"  # in the order of their event codes (RFC 4733 §3.2)
VOLUME_DBM0: Final = 10

_EVENT = struct.Struct("!BBH")
_END = 0x80
_SILENCE_ENDS: Final = SAMPLE_RATE // 5  # 200 ms without a packet: the packets that ended the event are lost
_LONGEST: Final = 5 * SAMPLE_RATE  # a key that is stuck is reported after five seconds
_FORGOTTEN: Final = SAMPLE_RATE  # a late packet of an earlier event is told from a clock that was set back
_LONG_SEGMENT: Final = 0x8000


class EventPayload(msgspec.Struct, frozen=True):
    """`duration` is in samples since the RTP timestamp, which is that of the event's begin."""

    code: int
    end: bool
    duration: int
    volume: int = VOLUME_DBM0

    @classmethod
    def parse(cls, payload: bytes) -> EventPayload:
        if len(payload) < _EVENT.size:
            raise MalformedPacket(f"a telephone-event of {len(payload)} bytes")
        code, flags, duration = _EVENT.unpack_from(payload)
        return cls(code, flags >= _END, duration, flags & 0x3F)

    def serialize(self) -> bytes:
        return _EVENT.pack(self.code, self.end << 7 | self.volume, self.duration)


class KeyDown(msgspec.Struct, frozen=True):
    key: str


class KeyUp(msgspec.Struct, frozen=True):
    key: str
    duration_ms: int


class EventReader:
    """Turn the packets of telephone-events into one `KeyDown` and one `KeyUp` for each press.

    Any packet of an event begins it, so lost first packets do no harm; its last one, silence or another event ends
    it, so lost last packets do none either; packets repeated after the end change nothing. An event that goes on in
    segments (RFC 4733 §2.5.1.3) is one press.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._code = -1
        self._start = 0
        self._duration = 0
        self._before = 0
        self._ended = True
        self._last_at = 0

    def packet(self, timestamp: int, payload: EventPayload, marker: bool, now: int) -> list[KeyDown | KeyUp]:
        """Take one packet. Codes beyond the sixteen keys (flash, fax tones) give nothing."""
        if payload.code >= len(KEYS):
            return []
        found: list[KeyDown | KeyUp] = []
        if not self._is_same_press(timestamp, payload, marker, now):
            if self._is_older(timestamp, now):
                return found
            found += self._release()
            self._code, self._start, self._duration, self._before = payload.code, timestamp, 0, 0
            self._ended = False
            self.pressed = True
            found.append(KeyDown(KEYS[payload.code]))
        self._last_at = now
        self._duration = max(self._duration, payload.duration)
        if payload.end:
            self._ended = True
        if self.pressed and (payload.end or self._before + self._duration >= _LONGEST):
            found += self._release()
        return found

    def elapse(self, now: int) -> list[KeyDown | KeyUp]:
        """End a press whose packets stopped coming; to be asked now and then while `pressed`."""
        return self._release() if self.pressed and now - self._last_at >= _SILENCE_ENDS else []

    def _is_same_press(self, timestamp: int, payload: EventPayload, marker: bool, now: int) -> bool:
        if self._code < 0:
            return False
        if timestamp == self._start:
            return payload.code == self._code
        if marker or self._ended or payload.code != self._code or self._duration < _LONG_SEGMENT:
            return False
        step = (timestamp - self._start) & 0xFFFF_FFFF
        if abs(step - self._duration) > SAMPLE_RATE // 2:
            return False
        self._before += step
        self._start, self._duration = timestamp, 0
        return True

    def _is_older(self, timestamp: int, now: int) -> bool:
        behind = (self._start - timestamp) & 0xFFFF_FFFF
        return self._code >= 0 and behind < 0x8000_0000 and now - self._last_at < _FORGOTTEN

    def _release(self) -> list[KeyDown | KeyUp]:
        if not self.pressed:
            return []
        self.pressed = False
        return [KeyUp(KEYS[self._code], (self._before + self._duration) * 1000 // SAMPLE_RATE)]
