"""RTP (RFC 3550) with telephone-event (RFC 4733): one stream each way, and an account of what arrives."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from callwright.phone.sound import FRAME, LAWS, Heard, Recording, Samples, Tone, decode, encode, measure

DIGITS = "0123456789*#ABCD"
END = 0x80
TICK, WINDOW, MEMORY = 0.02, 0.2, 30.0
# `lost` is expected minus received, over all SSRCs.
COUNTED = """sent received lost duplicate reordered gaps markers ssrc_changes timestamp_back malformed unknown_type
    event_packets event_ends""".split()  # noqa: SIM905


class Packet(NamedTuple):
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    def pack(self) -> bytes:
        second = self.marker << 7 | self.payload_type
        return struct.pack("!BBHII", 0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        """Raise ValueError for anything but RTP version 2 without sources, extension and padding, which nobody agreed on."""
        if len(data) < 12 or data[0] != 0x80:
            raise ValueError("not RTP with the plain header")
        _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        return cls(second & 127, bool(second & 128), sequence, timestamp, ssrc, data[12:])


def digit_payloads(digit: str, tone_ms: int) -> list[bytes]:
    """The payloads of one digit, one per 20 ms: the duration grows, and the end is sent three times (RFC 4733 §2.5.1)."""
    if digit not in DIGITS or not 20 <= tone_ms <= 8000:
        raise ValueError(f"digit {digit!r} of {tone_ms} ms: one of {DIGITS}, 20 to 8000 ms")
    steps = round(tone_ms / 20)
    spans = [(0, 160 * step) for step in range(1, steps)] + [(END, 160 * steps)] * 3
    return [struct.pack("!BBH", DIGITS.index(digit), flag | 10, duration) for flag, duration in spans]


class Reception:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.jitter_ms = 0.0
        self._ssrc: int | None = None
        self._last: tuple[float, int] | None = None
        self._event: tuple[int, int] | None = None

    def note(self, packet: Packet, at: float) -> bool:
        """Enter a packet that arrived `at` (seconds); False for a duplicate."""
        if packet.ssrc != self._ssrc:
            self.counts["ssrc_changes"] += self._ssrc is not None
            self._ssrc, self._highest, self._missing, self._last = packet.ssrc, packet.sequence - 1, set[int](), None
        ahead = (packet.sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
        number = self._highest + ahead
        if ahead > 0:
            self.counts.update(gaps=ahead > 1, lost=ahead - 1)
            self._missing.update(range(max(self._highest + 1, number - 1000), number))
            self._highest = number
        elif number in self._missing:
            self.counts.update(reordered=1, lost=-1)
            self._missing.discard(number)
        else:
            self.counts["duplicate"] += 1
            return False
        self.counts.update(received=1, markers=packet.marker)
        if ahead > 0 and packet.payload_type in LAWS.values():  # the packets of an event all carry its first timestamp
            if self._last is not None:
                forward = (packet.timestamp - self._last[1] + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
                self.counts["timestamp_back"] += forward < 0
                # RFC 3550 §6.4.1
                self.jitter_ms += (abs((at - self._last[0]) * 1000 - forward / 8) - self.jitter_ms) / 16
            self._last = at, packet.timestamp
        return True

    def digit(self, packet: Packet) -> tuple[str, int] | None:
        """The digit and its milliseconds, from the first packet of an event (one per timestamp) that says it is over."""
        code, flags, duration = struct.unpack_from("!BBH", packet.payload if len(packet.payload) >= 4 else b"\xff\0\0\0")
        self.counts.update(event_packets=1, event_ends=flags >> 7)
        if code >= len(DIGITS) or not flags & END or self._event == (packet.ssrc, packet.timestamp):
            return None
        self._event = packet.ssrc, packet.timestamp
        return DIGITS[code], duration // 8


def _even_port(address: str) -> socket.socket:
    while True:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.setblocking(False)
        end.bind((address, 0))
        if end.getsockname()[1] % 2 == 0:
            return end
        end.close()


class Stream:
    """The sound of one call: a packet every 20 ms on one SSRC line out, whatever arrives in, measured every 200 ms."""

    def __init__(self, address: str, tone: Tone, tell: Callable[..., None], *, deaf: bool = False) -> None:
        """`deaf`: what arrives is counted, and not listened to."""
        self._loop, self._tell, self._tone, self._end = asyncio.get_running_loop(), tell, tone, _even_port(address)
        self.here: tuple[str, int] = self._end.getsockname()
        self._muted = self._withheld = self._talking = False
        self._ssrc, self._sequence, self._timestamp = (random.getrandbits(bits) for bits in (32, 16, 32))
        self._deaf = deaf
        self._reception, self._heard, self._told, self._event_start, self._ticks = Reception(), Heard(), Heard(), 0, 0
        self._keys: deque[tuple[bytes, bool] | None] = deque()
        self._frames: deque[tuple[float, Samples]] = deque(maxlen=round(MEMORY / TICK))
        self._timer: asyncio.TimerHandle | None = None
        self._recording: Recording | None = None
        self._loop.add_reader(self._end, self._read)

    def connect(self, to: tuple[str, int], law: str, event_type: int | None, sends: bool) -> None:
        """Send to `to`, if we send; `event_type` is the payload type of telephone-event, both ways."""
        self._to, self._kind, self._event_type, self._sends = to, LAWS[law], event_type, sends
        if self._timer is None:
            self._due = self._loop.time()
            self._tick()

    def tone(self, hz: float = 0.0, level: float = -13.0) -> None:
        self._tone = Tone(hz, level)

    def play(self, file: str) -> None:
        """Send a WAV file in the place of the tone; `played` tells its end. One that is being sent is left for it."""
        if self._timer is None:
            raise ValueError("no sound was agreed for this call yet")
        self._recording = Recording(file)

    def mute(self, on: bool = True, packets: bool = True) -> None:
        """Send silence or, without `packets`, nothing at all."""
        self._muted, self._withheld = on, on and not packets

    def digits(self, digits: str, tone_ms: int = 100, gap_ms: int = 100) -> None:
        if self._timer is None or self._event_type is None:
            raise ValueError("telephone-event was not agreed for this call")
        for payloads in [digit_payloads(digit, tone_ms) for digit in digits]:
            self._keys.extend((payload, n == 0) for n, payload in enumerate(payloads))
            self._keys.extend([None] * max(1, round(gap_ms / 20) - 2))  # the end is repeated for 40 ms

    def report(self, measure: float = 0.5) -> None:
        """Tell what is heard in the next seconds, at most 30."""
        since = self._loop.time()
        self._loop.call_later(measure, lambda: self._report(since, self._measure(since), asked=True))

    def counters(self) -> None:
        counts = {name: self._reception.counts[name] for name in COUNTED}
        self._tell("counters", **counts, jitter_ms=round(self._reception.jitter_ms, 2))

    def close(self) -> None:
        self._loop.remove_reader(self._end)
        self._end.close()
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        self._due = now if now - self._due > 1.0 else self._due + TICK
        self._timer = self._loop.call_at(self._due, self._tick)
        self._timestamp = self._timestamp + FRAME & 0xFFFFFFFF
        talks = self._sends and not self._withheld
        if talks:
            self._speak(first=not self._talking)
        else:  # what is said and pressed meanwhile is lost
            self._frame()
            if self._keys:
                self._keys.popleft()
        self._talking = talks
        self._ticks += 1
        if self._ticks % round(WINDOW / TICK) == 0 and not self._deaf:
            before, self._heard = self._heard, self._measure(now - WINDOW)
            # One window may hold the end of one sound and the start of the next: a new one is told when two agree.
            if self._heard.resembles(before) and not self._heard.resembles(self._told):
                self._told = self._heard
                self._report(now - 2 * WINDOW, self._heard, asked=False)

    def _measure(self, since: float) -> Heard:
        return measure(np.concatenate([np.empty(0, np.int16), *(samples for at, samples in self._frames if at >= since)]))

    def _report(self, since: float, heard: Heard, asked: bool) -> None:
        self._tell("heard", since=round(since, 4), asked=asked, **heard._asdict())

    def _speak(self, first: bool) -> None:
        frame, key = self._frame(), self._keys.popleft() if self._keys else None
        if key is not None and self._event_type is not None:
            self._event_start = self._timestamp if key[1] else self._event_start
            self._send(self._event_type, key[1], self._event_start, key[0])
        else:
            self._send(self._kind, first, self._timestamp, encode(frame * (not self._muted), self._kind))

    def _frame(self) -> Samples:
        if self._recording is not None:
            if (frame := self._recording.frame()) is not None:
                return frame
            self._recording = None
            self._tell("played")
        return self._tone.frame()

    def _send(self, kind: int, marker: bool, timestamp: int, payload: bytes) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        with suppress(OSError):  # as good as lost on the way: the far side counts it
            self._end.sendto(Packet(kind, marker, self._sequence, timestamp, self._ssrc, payload).pack(), self._to)
            self._reception.counts["sent"] += 1

    def _read(self) -> None:
        with suppress(OSError):
            while True:
                try:
                    self._take(Packet.parse(self._end.recv(2048)))
                except ValueError:
                    self._reception.counts["malformed"] += 1

    def _take(self, packet: Packet) -> None:
        now = self._loop.time()
        if not self._reception.note(packet, now) or self._timer is None:
            return
        if packet.payload_type in LAWS.values():
            if not self._deaf:
                self._frames.append((now, decode(packet.payload, packet.payload_type)))
        elif packet.payload_type != self._event_type:
            self._reception.counts["unknown_type"] += 1
        elif (key := self._reception.digit(packet)) is not None:
            self._tell("digit", digit=key[0], duration_ms=key[1])
