"""Sound of one direction, put where its time has it, before it goes to a file."""

from __future__ import annotations

from typing import Final

from callwright.media.g711 import SAMPLE_RATE, TRANSLATED, Law

_WINDOW: Final = SAMPLE_RATE  # over which the fastest packet is looked for
_FIRST_WINDOW: Final = SAMPLE_RATE // 4
_TOO_EARLY: Final = -SAMPLE_RATE // 100  # 10 ms: the fastest packet was not so fast
_TOO_LATE: Final = SAMPLE_RATE // 50  # 20 ms, as chance may delay all packets of a window
_FURTHEST: Final = SAMPLE_RATE  # from where the clock has it: further away it was set
_ASTRAY: Final = SAMPLE_RATE // 5  # 200 ms: no jitter, if it lasts
_PATIENCE: Final = SAMPLE_RATE // 10


class Timeline:
    """From RTP timestamps of a source to media time.

    A packet belongs where its timestamp has it, counted from the fastest packets of late: these were delayed least, and
    what they say of the source's clock is truest. So jitter moves nothing, while drift, a slower network, and a clock
    that was set are followed.
    """

    __slots__ = ("_astray_since", "_least", "_offset", "_window_end")

    def __init__(self) -> None:
        self._offset: int | None = None
        self._least = 0
        self._window_end = 0
        self._astray_since: int | None = None

    def restart(self) -> None:
        """The next packet is of another source."""
        self._offset = None

    def place(self, timestamp: int, now: int) -> int:
        """Where in media time a packet belongs that came just now."""
        late = self._late(timestamp, now)
        if late is None or abs(late) > _FURTHEST or (abs(late) > _ASTRAY and self._stays_astray(now)):
            self._offset = now - timestamp
            self._window_end = now + _FIRST_WINDOW
            self._least = late = 0
        elif abs(late) <= _ASTRAY:
            self._astray_since = None
        self._least = min(self._least, late)
        if now >= self._window_end:
            self._turn(now)
        return now - late

    def find(self, timestamp: int, now: int) -> int:
        """Where a timestamp lies that was told of just now; now, if it is of another clock, as some gateways' events are."""
        late = self._late(timestamp, now) or 0
        return now - late if abs(late) <= _FURTHEST else now

    def _late(self, timestamp: int, now: int) -> int | None:
        if self._offset is None:
            return None
        return (now - timestamp - self._offset + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000

    def _stays_astray(self, now: int) -> bool:
        if self._astray_since is None:
            self._astray_since = now
        return now - self._astray_since >= _PATIENCE

    def _turn(self, now: int) -> None:
        assert self._offset is not None
        if self._least <= _TOO_EARLY or _TOO_LATE <= self._least < _FURTHEST:
            self._offset += self._least
        self._window_end = now + _WINDOW
        self._least = _FURTHEST


class Track:
    """Codes of sound from the media time `at` on; gaps are silence."""

    __slots__ = ("_codes", "_law", "at")

    def __init__(self, law: Law, at: int) -> None:
        self._law = law
        self._codes = bytearray()
        self.at = at

    def agree(self, law: Law) -> None:
        """Go on in another law, or the same."""
        if law is not self._law:
            self._codes = self._codes.translate(TRANSLATED[self._law.payload_type, law.payload_type])
            self._law = law

    def put(self, at: int, payload: bytes) -> None:
        """Lay sound down; what is from before the track, or was taken already, is left out."""
        codes = self._codes
        place = at - self.at
        if place == len(codes):
            codes += payload
            return
        if place < 0:
            payload, place = payload[-place:], 0
            if not payload:
                return
        if place > len(codes):
            codes += bytes([self._law.silence]) * (place - len(codes))
        codes[place : place + len(payload)] = payload

    def take(self, end: int) -> bytearray:
        """Take what lies before the media time `end`."""
        length = max(end - self.at, 0)
        piece = self._codes[:length]
        del self._codes[:length]
        piece += bytes([self._law.silence]) * (length - len(piece))
        self.at += length
        return piece
