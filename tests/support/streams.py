"""Streams against far ends made of lists; time is the number of the tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import NamedTuple
from uuid import UUID

import numpy as np

from callwright.media import rtp
from callwright.media.clips import Clip
from callwright.media.conversation import Conversations
from callwright.media.g711 import LAWS, PCMU, Law
from callwright.media.latch import Address
from callwright.media.line import Line
from callwright.media.prompt import Prompt
from callwright.media.rtp import RtpPacket
from callwright.media.stream import Stream
from callwright.media.telephone_event import EventPayload
from callwright.media.wire import Connect
from support.sound import FRAME, tone

SECOND = 8000
EVENTS = 101


class Leg:
    """A stream and its far end."""

    def __init__(self, stream: UUID, law: Law = PCMU, event_type: int | None = EVENTS, address: str = "192.0.2.1") -> None:
        self.address = (address, 4000)
        self.told: list[object] = []
        self.sent: list[tuple[RtpPacket, tuple[str, int]]] = []
        self.times: list[int] = []
        self.now = 0
        self.control: list[tuple[bytes, tuple[str, int]]] = []
        line = Line(ssrc=stream.int, sequence=100, timestamp=0, now=0)
        self.stream = Stream(stream, line, "name", self._take, lambda *data: self.control.append(data), self.told.append, 0)
        self.law = law
        self.event_type = event_type
        self._sequence = 7000
        self.clock = 900_000
        self.conversations: Conversations | None = None
        self.connect()

    def _take(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((rtp.parse(data), address))
        self.times.append(self.now)

    def connect(self, now: int = 0, *, send: bool = True, receive: bool = True, address: str | None = None) -> str | None:
        far = Connect(
            self.stream.id, address or self.address[0], self.address[1], self.law.payload_type, self.event_type, send, receive
        )
        wrong = self.stream.connect(far, now)
        if self.conversations is not None:
            self.conversations.agree(self.stream)
        return wrong

    def play(self, play: int, clips: tuple[Clip, ...], repeat: int, *, stop_on_digit: bool) -> None:
        prompt = Prompt(play, repeat, stop_on_digit=stop_on_digit)
        prompt.fill(prompt.expect(), clips)
        self.stream.play(prompt)

    def say(self, payload: bytes, now: int, kind: int | None = None, source: tuple[str, int] | None = None, **fields) -> None:
        self._sequence += 1
        packet = RtpPacket(self.law.payload_type if kind is None else kind, self._sequence, self.clock, 99, payload, **fields)
        self.stream.receive(rtp.serialize(packet), source or self.address, now)

    @property
    def heard(self) -> np.ndarray:
        """What the far end hears, events left out."""
        return np.concatenate(
            [LAWS[p.payload_type].decode(p.payload) for p, _ in self.sent if p.payload_type != self.event_type]
            or [np.zeros(0, np.int16)]
        )

    @property
    def timeline(self) -> np.ndarray:
        """What the far end hears, each packet where its timestamp has it, and nothing where none came."""
        first = self.sent[0][0].timestamp
        places = [(packet.timestamp - first & 0xFFFF_FFFF, packet) for packet, _ in self.sent]
        sound = np.zeros(max(at for at, _ in places) + FRAME, np.int16)
        for at, packet in places:
            sound[at : at + FRAME] = LAWS[packet.payload_type].decode(packet.payload)
        return sound

    @property
    def ahead_ms(self) -> list[float]:
        """How far each packet's timestamp is ahead of the time it was sent at, as the first one has it."""
        first = self.sent[0][0].timestamp - self.times[0]
        ahead = [packet.timestamp - first - at & 0xFFFF_FFFF for (packet, _), at in zip(self.sent, self.times, strict=True)]
        return [(one - (one >> 31 << 32)) * 1000 / SECOND for one in ahead]

    def events(self) -> list[tuple[RtpPacket, EventPayload]]:
        return [(p, EventPayload.parse(p.payload)) for p, _ in self.sent if p.payload_type == self.event_type]


def converse(*legs: Leg) -> Conversations:
    """Let legs, two at least, hear each other; what is told goes to the leg it is of."""
    told = {leg.stream.id: leg.told for leg in legs}
    conversations = Conversations(lambda message: told[message.stream].append(message), lambda _: None)
    for leg in legs:
        leg.conversations = conversations
    conversations.join(legs[0].stream, legs[1].stream)
    for leg in legs[2:]:
        conversations.join(leg.stream, legs[0].stream)
    return conversations


class Tone:
    """A far end that says a tone, 20 ms at a time."""

    def __init__(self, leg: Leg, hz: int, kind: Law | None = None) -> None:
        self._leg = leg
        self._law = kind or leg.law
        self._coded = self._law.encode(tone(hz, 10_000))
        self._at = 0

    def __call__(self, now: int) -> None:
        self._leg.clock += FRAME
        self._leg.say(self._coded[self._at : self._at + FRAME], now, kind=self._law.payload_type)
        self._at += FRAME


def run(ticks: int, *legs: Leg, saying=(), begin: int = 1) -> int:
    """Let so many ticks pass; far ends speak in the middle of each. Returns the tick to go on with."""
    for tick in range(begin, begin + ticks):
        for say in saying:
            say(tick * FRAME - FRAME // 2)
        for conversations in {leg.conversations for leg in legs if leg.conversations is not None}:
            conversations.tick(tick * FRAME)
        for leg in legs:
            leg.stream.tick(tick * FRAME)
            leg.stream.watch(1_700_000_000_000_000 + tick * 20_000, tick * FRAME, 60 * SECOND)
    return begin + ticks


def clip(hz: int, ms: int) -> Clip:
    return Clip({kind: law.encode(tone(hz, ms)) for kind, law in LAWS.items()})


class Came(NamedTuple):
    """A packet that reaches a stream."""

    at: int
    packet: RtpPacket
    source: Address


def spoken(leg: Leg, seconds: float, hz: float = 400, ptimes: Sequence[int] = (20,)) -> list[Came]:
    """A steady tone of a far end, in packets of these lengths in turn, as a perfect network brings it."""
    coded = leg.law.encode(tone(hz, round(seconds * 1000)))
    came: list[Came] = []
    begin = 0
    for number, ptime in enumerate(cycle(ptimes)):
        end = begin + ptime * SECOND // 1000
        if end > len(coded):
            return came
        packet = RtpPacket(leg.law.payload_type, 7000 + number & 0xFFFF, 900_000 + begin, 99, coded[begin:end])
        came.append(Came(end + FRAME // 2, packet, leg.address))
        begin = end
    raise AssertionError("cycle ended")


def carry(came: Iterable[Came], leg: Leg, *legs: Leg, ticks: int) -> None:
    """Bring packets to a stream when they come, and let it and its peers have their ticks."""
    queue = sorted(came, key=lambda one: one.at)
    queue.reverse()
    every = (leg, *legs)
    for tick in range(1, ticks + 1):
        now = tick * FRAME
        while queue and queue[-1].at <= now:
            one = queue.pop()
            for each in every:
                each.now = one.at
            leg.stream.receive(rtp.serialize(one.packet), one.source, one.at)
        for each in every:
            each.now = now
            each.stream.tick(now)
            each.stream.watch(1_700_000_000_000_000 + tick * 20_000, now, 60 * SECOND)
