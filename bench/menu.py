"""Callers of a menu: each hears a prompt, presses a key into it, is recorded until it presses another, and hears the next.

What a caller does follows from what it hears, so a server that is slow has fewer rounds, and one that forgets a caller
is found out: `stuck`.
"""

from __future__ import annotations

import time
from typing import Any

from choir import HEADER, TICK_S, Choir, Voice

ROUNDS = 60
EVENTS = 101
SPEAKS = 150  # ticks, three seconds
_HEARS = 50  # packets of the prompt until the key
_EVENT_PACKETS = 7
_STUCK_S = 5.0
_LAG = 5  # ticks, by which numbers of what comes are behind those of what goes
_TEXT = (
    "Welcome to the parcel service. To hear where your parcel is, press one. To leave a message for the driver, press two. To"
    " change the day of delivery, press three. To hear all this again, stay on the line, and somebody will read it to you."
)


def steps() -> list[dict[str, Any]]:
    """The flow: say from the cache, gather a key, record; again and again."""
    found: list[dict[str, Any]] = []
    for number in range(ROUNDS):
        say = {"action": "say", "options": {"payload": _TEXT, "language": "en-GB"}, "onKeypressVar": "choice", "maxNumKeys": 1}
        record = {"action": "record", "options": {"maxLength": 30, "timeout": 10, "finishOnKey": "#", "beep": False}}
        found += [{"id": f"say{number}", **say}, {"id": f"record{number}", **record}]
    return found


class Caller(Voice):
    """Where it stands in its round. Times are monotonic seconds."""

    __slots__ = ("before", "began", "first", "heard", "key", "last_loud", "offset", "pressed", "released", "since", "step")

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port, number)
        self.heard = 0  # loud packets of the prompt that is heard now
        self.last_loud = 0.0
        self.key = 5
        self.step = -1  # packets of the key that went out, -1 while none is down
        self.first = 0
        self.pressed = 0.0
        self.released = 0.0
        self.since = 0  # ticks of speaking
        self.began = False
        self.before = True  # the key into the prompt is still to come
        self.offset: int | None = None


class Menus(Choir):
    """`barge_ins`: seconds from a key's first packet to the last sound of the prompt; `starts`: from the end of the key
    that ends a recording to the first sound of the next prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.barge_ins: list[float] = []
        self.starts: list[float] = []
        self.rounds = 0

    @property
    def stuck(self) -> int:
        now = time.monotonic()
        return sum(
            voice.send is not None and voice.before and voice.step < 0 and not voice.heard and now - voice.released > _STUCK_S
            for voice in self.voices
            if isinstance(voice, Caller)
        )

    def forget(self) -> None:
        self.barge_ins.clear()
        self.starts.clear()
        self.rounds = 0

    def make(self, port: int, number: int) -> Voice:
        return Caller(port, number)

    def speak(self, voice: Voice, number: int, payload: bytes, now: float) -> bytes:
        assert isinstance(voice, Caller)
        if voice.step < 0:
            self._decide(voice, number, now)
        if voice.step < 0:
            return HEADER.pack(0x80, 0, number, number * 160 & 0xFFFF_FFFF, voice.ssrc) + payload
        voice.step += 1
        step = voice.step
        ends = step > _EVENT_PACKETS - 3
        if step == _EVENT_PACKETS:
            voice.step = -1
            voice.released = now
        duration = min(step, _EVENT_PACKETS - 2) * 160
        event = bytes([voice.key, ends << 7 | 10]) + duration.to_bytes(2, "big")
        kind = EVENTS | (step == 1) << 7
        return HEADER.pack(0x80, kind, number, voice.first * 160 & 0xFFFF_FFFF, voice.ssrc) + event

    def hear(self, voice: Voice, data: bytes) -> None:
        assert isinstance(voice, Caller)
        now = time.monotonic()
        stamp = int.from_bytes(data[4:8], "big")
        ticks = (stamp - voice.base & 0xFFFF_FFFF) // 160
        if voice.offset is None:
            voice.released = now
        if voice.offset is None or not self.measures:
            # Packets that waited in the socket look as if they were of later numbers.
            newest = self.turn - _LAG - ticks
            voice.offset = newest if voice.offset is None else min(voice.offset, newest)
        number = ticks + voice.offset & 0xFFFF
        if self.measures and number not in voice.came:
            voice.came[number] = now - self.sent_at(number) - _LAG * TICK_S, now - ticks * TICK_S
        if any(code & 0x7F < 0x50 for code in data[12::8]):
            voice.last_loud = now
            if voice.before and voice.step < 0:
                if not voice.heard and voice.began and self.measures:
                    self.starts.append(now - voice.released)
                voice.heard += 1

    def _decide(self, voice: Caller, number: int, now: float) -> None:
        """Press a key, or not."""
        if voice.before:
            if voice.heard >= _HEARS:
                self._press(voice, 5, number, now)
                voice.before, voice.since = False, 0
            return
        voice.since += 1
        if voice.since == SPEAKS:
            if self.measures:
                self.barge_ins.append(max(voice.last_loud - voice.pressed, 0.0))
                self.rounds += 1
            self._press(voice, 11, number, now)
            voice.before, voice.began, voice.heard = True, True, 0

    def _press(self, voice: Caller, key: int, number: int, now: float) -> None:
        voice.key, voice.step, voice.first, voice.pressed = key, 0, number, now
