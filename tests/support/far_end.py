"""The other side of a call: signals by hand, says what it is given, and keeps all that it hears by the time of its RTP.

Signalling is that of `sip_peer`; sound is a packet every 20 ms. A far end does nothing a test has not asked for, except
that it says silence while it has nothing to say.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from callwright.phone.rtp import Packet, digit_payloads
from callwright.phone.sound import LAWS, decode, encode
from support.measuring import RATE, WHOLE, find, key_tones
from support.sip_peer import Caller, Message, Peer
from support.stalls import stalls

FRAME = RATE // 50
EVENTS = 101
PATIENCE_S = 30.0

Samples = NDArray[np.int16]


class Line:
    """Its sound. `heard` begins with the first packet that came; what was lost is silence in it."""

    def __init__(self, law: str = "PCMU", *, events: bool = True) -> None:
        self.law = law
        self.events = events
        self.keys = ""
        self.heard_at: float | None = None
        self.said = 0
        self._loop = asyncio.get_running_loop()
        self._kind = LAWS[law]
        self._socket = _even_port()
        self.port: int = self._socket.getsockname()[1]
        self._frames: dict[int, Samples] = {}
        self._first: int | None = None
        self._last_event: int | None = None
        self._queue: deque[tuple[Samples, asyncio.Future[float]]] = deque()
        self._events: deque[tuple[bytes, bool] | None] = deque()
        self._to: tuple[str, int] | None = None
        self._early: list[tuple[bytes, int, float]] = []
        self._ssrc, self._sequence, self._timestamp = (random.getrandbits(bits) for bits in (32, 16, 32))
        self._event_start = 0
        self._talking: asyncio.Task[None] | None = None
        self._loop.add_reader(self._socket, self._read)

    # what it hears

    @property
    def heard(self) -> Samples:
        if not self._frames:
            return np.zeros(0, np.int16)
        end = max(at + len(frame) for at, frame in self._frames.items())
        whole = np.zeros(end, np.int16)
        for at, frame in self._frames.items():
            whole[at : at + len(frame)] = frame
        return whole

    @property
    def now(self) -> float:
        """Seconds of sound that came so far: where in `heard` what comes next will be."""
        return max((at + len(frame) for at, frame in self._frames.items()), default=0) / RATE

    def since(self, start: float) -> Samples:
        return self.heard[round(start * RATE) :]

    def heard_when(self, at: float) -> float:
        """When (loop time) what stands at `at` seconds in `heard` came, if the network was quick."""
        assert self.heard_at is not None
        return self.heard_at + at

    # what it says

    def say(self, samples: Samples) -> asyncio.Future[float]:
        """Say this after what is being said; the future has the loop time at which it began, once it is all said."""
        done: asyncio.Future[float] = self._loop.create_future()
        self._queue.append((np.asarray(samples, np.int16), done))
        return done

    async def press(self, keys: str, *, how: str = "events", ms: int = 100, gap_ms: int = 100) -> None:
        """Press keys: as ``events`` (RFC 4733) or as ``tones``."""
        if how == "tones":
            await self.say(key_tones(keys, ms=ms, gap_ms=gap_ms))
            return
        for key in keys:
            payloads = digit_payloads(key, ms)
            self._events.extend((payload, number == 0) for number, payload in enumerate(payloads))
            self._events.extend([None] * max(1, gap_ms // 20 - 2))
        while self._events:  # noqa: ASYNC110 - it gives no sign
            await asyncio.sleep(0.01)

    def connect(self, to: tuple[str, int]) -> None:
        self._to = to
        for packet in self._early:
            self._hear(*packet)
        self._early.clear()
        if self._talking is None:
            self._talking = asyncio.create_task(self._talk())

    def silence(self) -> None:
        """Send nothing any more."""
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None

    def close(self) -> None:
        self.silence()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    async def _talk(self) -> None:
        due = self._loop.time()
        current: Samples = np.zeros(0, np.int16)
        done: asyncio.Future[float] | None = None
        began, first = 0.0, True
        while True:
            if not len(current) and self._queue:
                current, done = self._queue.popleft()
                began = self._loop.time()
            frame, current = current[:FRAME], current[FRAME:]
            if event := self._events.popleft() if self._events else None:
                self._event_start = self._timestamp if event[1] else self._event_start
                self._send(EVENTS, event[1], self._event_start, event[0])
            else:
                self._send(self._kind, first, self._timestamp, encode(np.pad(frame, (0, FRAME - len(frame))), self._kind))
            if done is not None and not len(current):
                if not done.done():
                    done.set_result(began)
                done = None
            first = False
            self._timestamp = self._timestamp + FRAME & 0xFFFF_FFFF
            due += 0.02
            stalls.sound_was_late(self._loop.time() - due)
            await asyncio.sleep(max(due - self._loop.time(), 0))

    def _send(self, kind: int, marker: bool, timestamp: int, payload: bytes) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        assert self._to is not None
        with suppress(OSError):
            self._socket.sendto(Packet(kind, marker, self._sequence, timestamp, self._ssrc, payload).pack(), self._to)
            self.said += 1

    def _read(self) -> None:
        with suppress(OSError):
            while True:
                data, (_, port) = self._socket.recvfrom(2_048)
                if self._to is None:
                    self._early.append((data, port, self._loop.time()))
                else:
                    self._hear(data, port, self._loop.time())

    def _hear(self, data: bytes, port: int, at: float) -> None:
        """Only whom it speaks to: somebody may still speak to a far end of another test that had this port before."""
        if self._to is not None and port == self._to[1]:
            with suppress(ValueError):
                self._take(Packet.parse(data), at)

    def _take(self, packet: Packet, came_at: float) -> None:
        if packet.payload_type == EVENTS:
            end = len(packet.payload) >= 4 and packet.payload[1] & 0x80
            if end and packet.timestamp != self._last_event:
                self._last_event = packet.timestamp
                self.keys += "0123456789*#ABCD"[packet.payload[0]]
            return
        if packet.payload_type not in LAWS.values():
            return
        if self._first is None:
            self._first, self.heard_at = packet.timestamp, came_at
        at = (packet.timestamp - self._first + (1 << 31) & 0xFFFF_FFFF) - (1 << 31)
        if at >= 0:
            self._frames[at] = decode(packet.payload, packet.payload_type)


class FarEnd:
    """A telephone with one call at a time."""

    def __init__(self, server: tuple[str, int], *, law: str = "PCMU", events: bool = True, port: int = 0) -> None:
        self.peer = Peer(server, port=port)
        self.line = Line(law, events=events)
        self.dialog: Caller | None = None
        self.invite: Message | None = None

    @classmethod
    async def at(cls, server: Any, **options: Any) -> Self:
        return cls((server.host, server.port), **options)

    @property
    def uri(self) -> str:
        return f"sip:callee@127.0.0.1:{self.peer.port}"

    def close(self) -> None:
        self.line.close()
        self.peer.close()

    async def call(self, number: str, *, caller: str = "31612345678", answered: bool = True) -> None:
        """Call a number of the server's, and wait for its answer."""
        self.dialog = self.peer.call(number, caller=f"<sip:{caller}@127.0.0.1>")
        self.dialog.invite(self.description())
        if answered:
            await self.is_answered()

    async def is_answered(self, within: float = PATIENCE_S) -> Message:
        assert self.dialog is not None
        answer = await self.peer.get(200, within=within)
        self.dialog.ack(answer)
        self._connect(answer)
        return answer

    async def is_called(self, within: float = PATIENCE_S) -> Message:
        """Wait for a call, and ring."""
        self.invite = await self.peer.get("INVITE", within=within)
        self.peer.reply(self.invite, 180, "Ringing")
        return self.invite

    async def answers(self, within: float = PATIENCE_S) -> Message:
        """Wait for a call if there is none yet, and answer it."""
        invite = self.invite or await self.is_called(within)
        self.peer.reply(invite, 200, body=self.description())
        self.dialog = self.peer.called(invite)
        self._connect(invite)
        await self.peer.get("ACK")
        return invite

    async def hang_up(self) -> None:
        assert self.dialog is not None
        self.dialog.send("BYE")
        await self.peer.ok("BYE")
        self.line.silence()

    async def is_hung_up(self, within: float = PATIENCE_S) -> Message:
        bye = await self.peer.get("BYE", within=within)
        self.peer.reply(bye, 200)
        self.line.silence()
        return bye

    async def press_by_info(self, key: str, *, relay: bool = True, ms: int = 160) -> Message:
        """Press a key with SIP INFO, in either of the two forms of body that are about."""
        assert self.dialog is not None
        kind = "application/dtmf-relay" if relay else "application/dtmf"
        self.dialog.send("INFO", f"Signal={key}\r\nDuration={ms}\r\n" if relay else key, kind=kind)
        return await self.peer.ok("INFO")

    def description(self, direction: str = "sendrecv", version: int = 1) -> str:
        kind = LAWS[self.line.law]
        lines = [
            "v=0", f"o=- 7 {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
            f"m=audio {self.line.port} RTP/AVP {kind}" + f" {EVENTS}" * self.line.events,
            f"a=rtpmap:{kind} {self.line.law}/8000",
            *([f"a=rtpmap:{EVENTS} telephone-event/8000", f"a=fmtp:{EVENTS} 0-15"] if self.line.events else []),
            f"a={direction}", "",
        ]  # fmt: skip
        return "\r\n".join(lines)

    async def until(self, true: Callable[[], bool], what: str, within: float = PATIENCE_S) -> None:
        """Wait until what is heard makes it true."""
        deadline = asyncio.get_running_loop().time() + within
        while not true():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {within:g} s: {what}; {self.line.now:.1f} s were heard")
            await asyncio.sleep(0.05)

    async def hears_for(self, seconds: float) -> Samples:
        """What comes in the next so many seconds of sound."""
        begin = self.line.now
        await self.until(lambda: self.line.now >= begin + seconds, f"{seconds} s of sound", seconds + PATIENCE_S)
        return self.line.since(begin)[: round(seconds * RATE)]

    async def is_heard(self, clip: Samples, *others: FarEnd) -> None:
        """Say a clip, and again, until all the others have heard it whole."""
        for _ in range(6):
            since = [(one, one.line.now) for one in others]
            await self.line.say(clip)
            await asyncio.gather(*(one.hears_for(0.3) for one in others))
            likeness = [find(clip, one.line.since(start)).likeness for one, start in since]
            others = tuple(one for one, alike in zip(others, likeness, strict=True) if alike <= WHOLE)
            if not others:
                return
        raise AssertionError(f"it is not heard whole; in the end {likeness}")

    def _connect(self, described: Message) -> None:
        port = re.search(r"m=audio (\d+)", described.body)
        address = re.search(r"c=IN IP4 (\S+)", described.body)
        assert port is not None, described.body
        assert address is not None, described.body
        self.line.connect((address.group(1), int(port.group(1))))


def _even_port() -> socket.socket:
    while True:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.setblocking(False)
        end.bind(("127.0.0.1", 0))
        if end.getsockname()[1] % 2 == 0:
            return end
        end.close()
