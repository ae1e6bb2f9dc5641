"""The callers' ends of many calls: each sends a packet every 20 ms with its number in it, and hears which come back."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any

GROUPS = 10  # of streams, each sending at its own part of the 20 ms
TICK_S = 0.02
HEADER = struct.Struct("!BBHII")
BITS = 32
SIGNS = bytes(ord("0") if code < 0x80 else ord("1") for code in range(256))


class Voice:
    """The caller's end of one call."""

    __slots__ = ("base", "came", "group", "send", "sock", "ssrc")

    def __init__(self, port: int, number: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", port))
        self.group = number % GROUPS
        self.ssrc = number + 1
        self.send: Any = None
        self.base = 0
        self.came: dict[int, tuple[float, float]] = {}  # by number: round trip, and lateness but for a constant


class Choir:
    """All callers. Numbers of packets are numbers of ticks, the same for every call."""

    def __init__(self) -> None:
        self._waiting = select.epoll()
        self._by_descriptor: dict[int, Voice] = {}
        self._groups: list[list[Voice]] = [[] for _ in range(GROUPS)]
        self._sent_at = [0.0] * (1 << 16)
        self._begin = time.monotonic()
        self._turn = 0  # GROUPS of them make a tick
        self.voices: list[Voice] = []
        self.measures = False
        self.lateness: list[float] = []

    @property
    def speaking(self) -> int:
        return sum(voice.send is not None for voice in self.voices)

    @property
    def turn(self) -> int:
        """The number that goes out now."""
        return self._turn // GROUPS

    def sent_at(self, number: int) -> float:
        return self._sent_at[number & 0xFFFF]

    def make(self, port: int, number: int) -> Voice:
        return Voice(port, number)

    def speak(self, voice: Voice, number: int, payload: bytes, now: float) -> bytes:
        """The packet of this number."""
        return HEADER.pack(0x80, 0, number, number * 160 & 0xFFFF_FFFF, voice.ssrc) + payload

    def hear(self, voice: Voice, data: bytes) -> None:
        """Take a packet that came."""
        number = int(data[12 : 12 + BITS].translate(SIGNS), 2)
        if number >= 1 << 16:
            return  # silence
        if self.measures and number not in voice.came:
            now = time.monotonic()
            played = (int.from_bytes(data[4:8], "big") - voice.base & 0xFFFF_FFFF) / 8000
            voice.came[number] = now - self._sent_at[number] - voice.group * TICK_S / GROUPS, now - played

    def add(self, port: int) -> Voice:
        voice = self.make(port, len(self.voices))
        self.voices.append(voice)
        self._by_descriptor[voice.sock.fileno()] = voice
        self._waiting.register(voice.sock, select.EPOLLIN)
        return voice

    def remove(self, voice: Voice) -> None:
        self.voices.remove(voice)
        del self._by_descriptor[voice.sock.fileno()]
        voice.sock.close()

    def sing(self, seconds: float) -> range:
        """Send and hear for a while; the numbers that went out."""
        self._skip()
        end = time.monotonic() + seconds
        first = self._turn // GROUPS + 1
        due = self._begin + self._turn * TICK_S / GROUPS
        while due < end:
            for descriptor, _ in self._waiting.poll(max(due - time.monotonic(), 0), 64):
                self._hear(self._by_descriptor[descriptor])
            now = time.monotonic()
            while due <= now and due < end:
                self._say(now, due)
                due = self._begin + self._turn * TICK_S / GROUPS
        return range(first, self._turn // GROUPS)

    def _skip(self) -> None:
        """Leave out what was not said while this program did something else: said all at once, it would be too much.

        A media process keeps 40 packets of a source; of a burst of more the rest is lost, and keys with it.
        """
        behind = time.monotonic() - self._begin - self._turn * TICK_S / GROUPS
        if behind > 5 * TICK_S:
            self._turn += int(behind * GROUPS / TICK_S)

    def _say(self, now: float, due: float) -> None:
        number, group = divmod(self._turn, GROUPS)
        number &= 0xFFFF
        self._turn += 1
        if self.measures:
            self.lateness.append(now - due)
        self._sent_at[number] = self._begin + number * TICK_S
        stamp = f"{number:0{BITS}b}".encode().translate(bytes(0x0A if code == ord("0") else 0x8A for code in range(256)))
        payload = stamp * 5
        for voice in self._groups[group]:
            try:
                voice.send(self.speak(voice, number, payload, now))
            except OSError:
                continue

    def _hear(self, voice: Voice) -> None:
        try:
            if voice.send is None:
                data, source = voice.sock.recvfrom(2048)
                voice.base = int.from_bytes(data[4:8], "big")
                voice.sock.connect(source)
                voice.send = voice.sock.send
                self._groups[voice.group].append(voice)
                return
            data = voice.sock.recv(2048)
        except OSError:
            return
        self.hear(voice, data)
