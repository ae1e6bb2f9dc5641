"""A real media process, spoken to as the core does, and far ends that are UDP sockets."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Self, TypeVar
from uuid import UUID

import msgspec
import numpy as np

from callwright import ipc
from callwright.media import rtp, wire
from callwright.media.g711 import LAWS, Law
from callwright.media.rtp import RtpPacket
from callwright.media.settings import MediaSettings
from callwright.media.telephone_event import EventPayload
from support.ports import free_ports
from support.sound import FRAME, tone
from support.stalls import stalls

EVENTS = 101
FRAME_S = 0.02
_NOBODY = UUID(int=0xB0D1)

M = TypeVar("M")


def free_range(pairs: int) -> MediaSettings:
    """Settings with so many port pairs that nobody had a moment ago."""
    first = free_ports(2 * pairs)
    return MediaSettings(first_port=first, last_port=first + 2 * pairs - 1)


PATIENCE_S = 15.0


class MediaChild:
    def __init__(self, settings: MediaSettings, epoch: int = 1, *, greets: bool = True) -> None:
        self.sock, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callwright.media.process", "--fd", str(theirs.fileno()), "--epoch", str(epoch),
             msgspec.json.encode(settings).decode()],
            pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        theirs.close()
        self.messages: list[tuple[float, msgspec.Struct]] = []
        self._unframer = ipc.Unframer(wire.MediaMessage)
        self._pinged = 0.0
        if greets:
            self.send(ipc.Hello(ipc.PROTOCOL, epoch))
        self._wait(lambda message: message == ipc.Hello(ipc.PROTOCOL, epoch), "Hello", 4 * PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            assert self.process.stderr is not None
            self.errors = self.process.stderr.read()
            self.process.stderr.close()
            self.process.wait()

    def send(self, *messages: msgspec.Struct) -> None:
        self.sock.sendall(ipc.frame(messages))

    def poll(self) -> None:
        """Keep the process believing in us, and read what it said."""
        now = time.monotonic()
        if now - self._pinged > ipc.PING_S:
            self._pinged = now
            self.send(ipc.Ping())
        while select.select([self.sock], [], [], 0)[0]:
            data = self.sock.recv(1 << 16)
            if not data:
                raise AssertionError(f"the media process has gone: {self.process.stderr and self.process.stderr.read()}")
            self.messages += [(time.monotonic(), message) for message in self._unframer.feed(data)]

    def told(self, *kinds: type) -> list[msgspec.Struct]:
        """All of these kinds so far; without kinds: all but greetings, pongs and loads."""
        dull = (ipc.Hello, ipc.Pong, wire.Load)
        return [m for _, m in self.messages if (isinstance(m, kinds) if kinds else not isinstance(m, dull))]

    def wait(self, kind: type[M], stream: UUID | None = None, within: float = PATIENCE_S) -> M:
        """The first message of a kind, and of a stream; it is taken off the list."""
        return self._wait(lambda m: isinstance(m, kind) and stream in (None, getattr(m, "stream", None)), kind.__name__, within)

    def open(self, stream: UUID) -> int:
        self.send(wire.Open(stream))
        return self.wait(wire.Opened, stream).port

    def caught_up(self) -> None:
        """Wait until the process has done all that it was told so far."""
        self.send(wire.Join(_NOBODY, _NOBODY))
        self.wait(wire.Parted, _NOBODY)

    def _wait(self, wanted: Callable[[msgspec.Struct], bool], name: str, within: float):
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self.poll()
            for index, (_, message) in enumerate(self.messages):
                if wanted(message):
                    del self.messages[index]
                    return message
            time.sleep(0.005)
        raise AssertionError(f"no {name} within {within} s; {self.told()}")


class FarEnd:
    """An RTP socket with its RTCP neighbour. It says a tone, or silence without one, and keeps what it hears."""

    def __init__(self, law: Law, hz: int | None = None) -> None:
        while True:
            self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtp.bind(("127.0.0.1", 0))
            self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.control.bind(("127.0.0.1", self.port + 1))
                break
            except (OSError, OverflowError):
                self.close()
        self.rtp.setblocking(False)
        self.control.setblocking(False)
        self.law = law
        self.heard: list[tuple[float, RtpPacket]] = []
        self.target = ("127.0.0.1", 9)
        self._coded = law.encode(tone(hz, 2000)) if hz else law.silent_frame * 100
        self.said = 0
        self._sequence = 500
        self._clock = self._pressed_at = 400 * FRAME

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])

    def close(self) -> None:
        self.rtp.close()
        self.control.close()

    def connect(self, child: MediaChild, stream: UUID, port: int, event_type: int | None = EVENTS, **options: bool) -> None:
        self.target = ("127.0.0.1", port)
        child.send(wire.Connect(stream, "127.0.0.1", self.port, self.law.payload_type, event_type, **options))

    def say(self) -> None:
        begin = self._clock % len(self._coded)
        self.say_packet(self.law.payload_type, self._coded[begin : begin + FRAME])
        self._clock += FRAME
        self.said += 1

    def say_packet(self, kind: int, payload: bytes, marker: bool = False, timestamp: int | None = None) -> None:
        self._sequence += 1
        clock = self._clock if timestamp is None else timestamp
        self.rtp.sendto(rtp.serialize(RtpPacket(kind, self._sequence, clock, 42, payload, marker)), self.target)

    def press(self, code: int, step: int) -> None:
        """One packet of a press of 100 ms: step 1 to 7, the last three being ends. The sound may go on beside it."""
        if step == 1:
            self._pressed_at = self._clock
        payload = EventPayload(code, step > 4, min(step, 5) * FRAME).serialize()
        self.say_packet(EVENTS, payload, marker=step == 1, timestamp=self._pressed_at)

    def hear(self, since: float | None = None) -> None:
        """Take what is there; one who has listened `since` a time notes how late it is."""
        while True:
            try:
                data, (_, port) = self.rtp.recvfrom(2048)
                if port != self.target[1]:
                    continue  # somebody still speaks to a far end of another test that had this port before
            except BlockingIOError:
                return
            now = time.monotonic()
            if self.heard and since is not None:
                stalls.sound_was_late(now - max(self.heard[-1][0], since) - FRAME_S)
            self.heard.append((now, rtp.parse(data)))

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate([LAWS[p.payload_type].decode(p.payload) for _, p in self.heard if p.payload_type in LAWS])

    def events(self) -> list[EventPayload]:
        return [EventPayload.parse(packet.payload) for _, packet in self.heard if packet.payload_type == EVENTS]


def converse(
    child: MediaChild,
    seconds: float,
    *ends: FarEnd,
    each: Callable[[int], None] | None = None,
    until: Callable[[], object] | None = None,
) -> None:
    """Let far ends speak and listen for a while, or `until` something is there; `each` has the number of every 20 ms."""
    begin = time.monotonic()
    for number in range(round(seconds / FRAME_S)):
        if until is not None and until():
            return
        for end in ends:
            end.say()
        if each is not None:
            each(number)
        while time.monotonic() < begin + (number + 1) * FRAME_S:
            select.select([child.sock, *(end.rtp for end in ends)], [], [], 0.004)
            child.poll()
            for end in ends:
                end.hear(begin)
        stalls.sound_was_late(time.monotonic() - begin - (number + 1) * FRAME_S)
