"""A SIP engine between two fake children: what it tells them and what it reports is kept in lists, time is moved by hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.telephony import Answer, Command, Event, Originate, RtpCounters, Target

START_US = 1_700_000_000_000_000
CALL, OTHER_CALL = UUID(int=0xC1), UUID(int=0xC2)
A, B, C = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
COUNTERS = RtpCounters(sent=50, received=49, lost=1, mos=4.1, round_trip_ms=35.5, far_lost=2, far_jitter_ms=1.5, far_mos=4.0)

OFFER = "\r\n".join(
    [
        "v=0",
        "o=alice 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "",
    ]
)
FAR_ANSWER = OFFER.replace("alice", "bob").replace("192.0.2.1", "192.0.2.2").replace("RTP/AVP 0 8", "RTP/AVP 0")
G729_ONLY = OFFER.replace("RTP/AVP 0 8 101", "RTP/AVP 18")
BROKEN = OFFER.replace("m=audio 4000", "m=audio four")


class Timer:
    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        self.act = None


class ManualClock:
    """Time stands still until `advance`."""

    def __init__(self) -> None:
        self._us = 0
        self._order = count()
        self._timers: list[tuple[int, int, Timer]] = []

    def now_us(self) -> int:
        return START_US + self._us

    def mono_ns(self) -> int:
        return self._us * 1000

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        raise NotImplementedError

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self._us + round(seconds * 1_000_000), next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        until = self._us + round(seconds * 1_000_000)
        while self._timers and self._timers[0][0] <= until:
            self._us, _, timer = heapq.heappop(self._timers)
            if timer.act is not None:
                act, timer.act = timer.act, None
                act()
        self._us = until

    @property
    def pending(self) -> int:
        return sum(timer.act is not None for _, _, timer in self._timers)


class Line:
    """The engine's end of a link; `sent` is what went to the child."""

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []
        self.backlog = 0

    def send(self, message: msgspec.Struct) -> None:
        self.sent.append(message)


class Bench:
    """`log` has everything that left the engine, in order; `take` empties it."""

    def __init__(self, *, media_processes: int = 1, max_calls: int = 300, lookup: Any = None, **settings: Any) -> None:
        self.clock = ManualClock()
        self.log: list[msgspec.Struct] = []
        self.turned_away: list[sip.TurnedAway] = []
        self.ids = count(1)
        options = {"lookup": lookup} if lookup else {}
        self.engine = SipEngine(
            EngineSettings(address="198.51.100.1", max_calls=max_calls, **settings),
            self.clock,
            media_processes=media_processes,
            turned_away=self.turned_away.append,
            **options,
        )
        self.engine.attach(self.log.append)
        self.signalling = Line()
        self.signalling.sent = self.log
        self.engine.signalling_up(self.signalling)
        self.media: list[Line] = []
        for index in range(media_processes):
            line = Line()
            line.sent = self.log
            self.media.append(line)
            self.engine.media_up(index, line)
        self.take()  # what signalling is told when it comes up

    def take(self) -> list[msgspec.Struct]:
        taken = self.log[:]
        self.log.clear()
        return taken

    def submit(self, kind: Callable[..., Command], leg: UUID = A, *, call: UUID = CALL, **fields: Any) -> int:
        number = next(self.ids)
        self.engine.submit(kind(id=number, call=call, leg=leg, **fields))
        return number

    def hear(self, *messages: Any) -> None:
        for message in messages:
            self.engine.on_signalling(message)

    def media_says(self, *messages: Any, index: int = 0) -> None:
        for message in messages:
            self.engine.on_media(index, message)

    def event(self, kind: Callable[..., Event], leg: UUID, seq: int, *, ago: float = 0, **fields: Any) -> Event:
        us = round(ago * 1_000_000)
        return kind(leg=leg, seq=seq, at_us=self.clock.now_us() - us, mono_ns=self.clock.mono_ns() - us * 1000, **fields)

    # whole stretches of a call

    def arrive(self, leg: UUID = A, sdp: str = OFFER) -> None:
        self.hear(arrived(leg, sdp))

    def answer(self, leg: UUID = A, *, call: UUID = CALL, port: int = 20000) -> None:
        """Let an incoming leg come up and forget how."""
        self.arrive(leg)
        self.submit(Answer, leg, call=call)
        self.media_says(media.Opened(leg, port))
        self.hear(sip.AnswerSent(leg))
        self.take()

    def originate(self, leg: UUID = B, *, call: UUID = CALL, host: str = "192.0.2.2") -> int:
        return self.submit(Originate, leg, call=call, caller="31612345678", target=Target("31698765432", host))

    def place(self, leg: UUID = B, *, call: UUID = CALL, port: int = 20002) -> None:
        """Let an INVITE go out and forget how."""
        self.originate(leg, call=call)
        self.media_says(media.Opened(leg, port))
        self.take()

    def reach(self, leg: UUID = B, *, call: UUID = CALL, port: int = 20002) -> None:
        """Let an outgoing leg come up and forget how."""
        self.place(leg, call=call, port=port)
        self.hear(sip.LegAnswered(leg, FAR_ANSWER, "out@here"))
        self.take()


def arrived(leg: UUID = A, sdp: str = OFFER) -> sip.LegArrived:
    return sip.LegArrived(leg, "31612345678", "31201234567", sdp, "in@there", "192.0.2.1", 5060, "carrier", 1, 69)


def described(leg: UUID, port: int, *lines: str, version: int = 1) -> str:
    """A description of ours for a leg of this bench."""
    head = ["v=0", f"o=callwright {leg.int} {version} IN IP4 198.51.100.1", "s=-", "c=IN IP4 198.51.100.1", "t=0 0"]
    return "\r\n".join([*head, *(line.format(port=port) for line in lines), ""])


PCMU_LINES = (
    "m=audio {port} RTP/AVP 0 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
)
OFFER_LINES = (
    "m=audio {port} RTP/AVP 0 8 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
    "a=sendrecv",
)


def our_answer(leg: UUID = A, port: int = 20000, direction: str = "sendrecv", version: int = 1) -> str:
    return described(leg, port, *PCMU_LINES, f"a={direction}", version=version)


def our_offer(leg: UUID = B, port: int = 20002, version: int = 1) -> str:
    return described(leg, port, *OFFER_LINES, version=version)
