"""The SIP engine over real signalling and media, with a test in the place of call control, and far ends with sound."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import numpy as np
from numpy.typing import NDArray

from callwright.clock import SystemClock
from callwright.media import rtp
from callwright.media import wire as media_wire
from callwright.media.g711 import PCMU
from callwright.media.rtp import RtpPacket
from callwright.media.settings import MediaSettings
from callwright.sip import wire as sip_wire
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.sip.settings import SignallingSettings
from callwright.supervisor import Child, Supervisor
from callwright.telephony import Answer, Answered, Command, Event, Incoming
from support.ports import free_ports
from support.sip_peer import Caller, Peer
from support.sound import FRAME, tone
from support.stalls import stalls

FRAME_S = 0.02
PATIENCE_S = 30.0
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
PAD = "123A456B789C*0#D"
E = TypeVar("E", bound=Event)

PLAIN = "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"


def key_tones(keys: str, ms: int = 100, gap_ms: int = 100) -> NDArray[np.int16]:
    """Keys as the two tones each has (ITU-T Q.23)."""
    parts: list[NDArray[np.int16]] = []
    for key in keys:
        row, column = divmod(PAD.index(key), 4)
        parts += [tone(ROWS[row], ms, 5000) + tone(COLUMNS[column], ms, 5000), np.zeros(gap_ms * 8, np.int16)]
    return np.concatenate(parts)


class SoundEnd:
    """An RTP socket of a far end: says what `says` holds, then silence, and keeps what it hears."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.target: tuple[str, int] | None = None
        self.says: NDArray[np.int16] = np.empty(0, np.int16)
        self.heard: list[NDArray[np.int16]] = []
        self._sequence = 0
        self._quiet = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._read)
        self._speaking = self._loop.create_task(self._speak())

    async def close(self) -> None:
        self._loop.remove_reader(self.socket)
        self._speaking.cancel()
        await asyncio.gather(self._speaking, return_exceptions=True)
        self.socket.close()

    async def has_spoken(self) -> None:
        """Wait until all of `says` was sent."""
        self._quiet.clear()
        await self._quiet.wait()

    async def hears(self, hz: float, *, within: float = PATIENCE_S) -> None:
        """Wait until most of the last 200 ms are a tone."""
        deadline = self._loop.time() + within
        while not self._last(0.2, hz):
            assert self._loop.time() < deadline, f"{hz:g} Hz was not heard within {within:g} s"
            await asyncio.sleep(FRAME_S)

    async def hears_nothing(self, *, within: float = PATIENCE_S) -> None:
        """Wait until nothing, or silence, was heard for 200 ms."""
        deadline = self._loop.time() + within
        while True:
            self.heard.clear()
            await asyncio.sleep(0.2)
            if not any(np.abs(frame.astype(np.int32)).max() > 100 for frame in self.heard):
                return
            assert self._loop.time() < deadline, f"there was sound for {within:g} s"

    def _last(self, seconds: float, hz: float) -> bool:
        frames = self.heard[-round(seconds / FRAME_S) :]
        if len(frames) * FRAME_S < seconds:
            return False
        samples = np.concatenate(frames).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        bins = np.fft.rfftfreq(len(samples), 1 / 8000)
        energy = float(spectrum.sum())
        return energy > 1e9 and float(spectrum[np.abs(bins - hz) < 20].sum()) / energy > 0.3

    def _read(self) -> None:
        while True:
            try:
                data, (_, port) = self.socket.recvfrom(2048)
                packet = rtp.parse(data)
            except BlockingIOError:
                return
            except (ConnectionError, ValueError):
                continue
            # Somebody may still speak to a far end of another test that had this port before.
            is_ours = self.target is None or port == self.target[1]
            if is_ours and packet.payload_type == PCMU.payload_type:
                self.heard.append(PCMU.decode(packet.payload))

    async def _speak(self) -> None:
        due = self._loop.time()
        while True:
            if self.target is not None:
                frame, self.says = self.says[:FRAME], self.says[FRAME:]
                frame = np.concatenate([frame, np.zeros(FRAME - len(frame), np.int16)])
                self._sequence += 1
                packet = RtpPacket(0, self._sequence, self._sequence * FRAME, 7, PCMU.encode(frame), False)
                self.socket.sendto(rtp.serialize(packet), self.target)
            if not len(self.says):
                self._quiet.set()
            due += FRAME_S
            stalls.sound_was_late(self._loop.time() - due)
            await asyncio.sleep(max(due - self._loop.time(), 0))


class FarParty:
    """Who has called: its dialog, its sound, and the leg it is to the engine."""

    def __init__(self, peer: Peer, dialog: Caller, sound: SoundEnd, leg: UUID) -> None:
        self.peer = peer
        self.dialog = dialog
        self.sound = sound
        self.leg = leg


class EngineStage:
    """An engine with a signalling and a media process; `events` is all that it has told."""

    async def begin(self) -> None:
        clock = SystemClock()
        self.call = uuid4()
        self.events: list[Event] = []
        self._ids = count(1)
        self._parties: list[FarParty] = []
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        engine = self.engine = SipEngine(EngineSettings(address="127.0.0.1", open_s=20.0, close_s=10.0), clock)
        engine.attach(self.events.append)
        first = free_ports(40)
        ports = MediaSettings(first_port=first, last_port=first + 39, port_quarantine_s=0.0)
        timers = SignallingSettings(t1_s=0.05, max_late_ms=10_000.0)
        self.signalling = Child(
            "signalling",
            "callwright.sip.process",
            sip_wire.SignallingMessage,
            engine.on_signalling,
            clock=clock,
            arguments=["--sip-fd", str(self.sip.fileno()), "--settings", msgspec.json.encode(timers).decode()],
            descriptors=[self.sip.fileno()],
            up=engine.signalling_up,
            down=engine.signalling_down,
        )
        self.media = Child(
            "media-1",
            "callwright.media.process",
            media_wire.MediaMessage,
            lambda message: engine.on_media(0, message),
            clock=clock,
            arguments=[msgspec.json.encode(ports).decode()],
            up=lambda link: engine.media_up(0, link),
            down=lambda why: engine.media_down(0, why),
        )
        self._supervisor = Supervisor([self.signalling, self.media])
        self._supervisor.start()
        await self._supervisor.started()

    async def end(self) -> None:
        for party in self._parties:
            await party.sound.close()
            party.peer.close()
        await self._supervisor.stop()
        self.engine.close()
        self.sip.close()

    def do(self, kind: Callable[..., Command], leg: UUID, **fields: Any) -> int:
        number = next(self._ids)
        self.engine.submit(kind(id=number, call=self.call, leg=leg, **fields))
        return number

    def of(self, kind: type[E], leg: UUID) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and event.leg == leg]

    async def told(self, kind: type[E], leg: UUID, number: int = 1, *, within: float = PATIENCE_S) -> E:
        """Wait for the first, or a later, event of a kind about a leg."""
        deadline = asyncio.get_running_loop().time() + within
        while len(seen := self.of(kind, leg)) < number:
            about = [type(event).__name__ for event in self.events if event.leg == leg]
            assert asyncio.get_running_loop().time() < deadline, f"no {kind.__name__} within {within:g} s; {about}"
            await asyncio.sleep(0.004)
        return seen[number - 1]

    async def party(self, *, events: bool = True) -> FarParty:
        """Somebody calls and is answered; `events`: whether their telephone speaks telephone-event."""
        peer, sound = Peer(self.sip.getsockname()), SoundEnd()
        dialog = peer.call()
        known = {event.leg for event in self.events}
        offer = description(sound.port, events=events)
        dialog.invite(offer)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not (new := [e.leg for e in self.events if isinstance(e, Incoming) and e.leg not in known]):
            assert asyncio.get_running_loop().time() < deadline, "no call arrived"
            await asyncio.sleep(0.004)
        (leg,) = new
        party = FarParty(peer, dialog, sound, leg)
        self._parties.append(party)
        self.do(Answer, leg)
        ok = await peer.get(200)
        dialog.ack(ok)
        sound.target = ("127.0.0.1", int(ok.body.partition("m=audio ")[2].split()[0]))
        await self.told(Answered, leg)
        return party

    def kill(self, child: Child) -> None:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)


def description(port: int, *, events: bool = True, version: int = 1, direction: str = "sendrecv") -> str:
    text = PLAIN.format(version=version, port=port)
    if events:
        text = text.replace("RTP/AVP 0\r\n", "RTP/AVP 0 101\r\n") + "a=rtpmap:101 telephone-event/8000\r\n"
    return f"{text}a={direction}\r\n"


@asynccontextmanager
async def engine_stage() -> AsyncIterator[EngineStage]:
    stage = EngineStage()
    await stage.begin()
    try:
        yield stage
    finally:
        await stage.end()
