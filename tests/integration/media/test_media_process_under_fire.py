"""What far ends really hear through a media process while one side's packets suffer; both kinds of bridge at once."""

from __future__ import annotations

import random
import signal
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import cycle, pairwise
from pathlib import Path
from statistics import median
from uuid import UUID

import msgspec
import numpy as np
import pytest

from callwright.media import rtcp, rtp, wire
from callwright.media.g711 import LAWS, PCMA, PCMU
from callwright.media.rtp import RtpPacket
from support.media_child import FarEnd, MediaChild, converse, free_range
from support.ports import ports_in_use
from support.server import until
from support.sound import FRAME, share, tone

A, B, C, D = (UUID(int=number) for number in (1, 2, 3, 4))
HZ = 400
# Which packets the network loses, how many slots of 20 ms it keeps each, and which it doubles.
LOST = [False, False, False, True, False, False, False, False, False, False]
KEPT = [0, 3, 1, 0, 6, 2, 9, 0, 4, 1, 0]
DOUBLED = [False, True, False, False, False]


class Quartet:
    """Two pairs: one relayed (A to B), one mixed (C to D). Only A and C suffer."""

    def __init__(self, child: MediaChild, ends: tuple[FarEnd, ...]) -> None:
        self.child = child
        self.ends = dict(zip((A, B, C, D), ends, strict=True))
        self.ports = {stream: child.open(stream) for stream in self.ends}
        for stream, end in self.ends.items():
            end.connect(child, stream, self.ports[stream])
        child.send(wire.Join(A, B), wire.Join(C, D))
        assert (child.wait(wire.Joined, A).how, child.wait(wire.Joined, C).how) == ("relay", "mix")
        self._due: dict[int, list[bytes]] = defaultdict(list)
        self.sent_at: dict[int, float] = {}

    def schedule(self, number: int, packet: RtpPacket) -> None:
        self._due[number].append(rtp.serialize(packet))

    def speak(self, number: int) -> None:
        self.sent_at[number] = time.monotonic()
        for data in self._due[number]:
            for stream in (A, C):
                self.ends[stream].rtp.sendto(data, ("127.0.0.1", self.ports[stream]))

    def closed(self, stream: UUID) -> wire.Closed:
        self.child.send(wire.Close(stream))
        return self.child.wait(wire.Closed, stream)


@pytest.fixture
def quartet() -> Iterator[Quartet]:
    ends = (FarEnd(PCMU), FarEnd(PCMU, 1000), FarEnd(PCMU), FarEnd(PCMA, 1000))
    with MediaChild(free_range(8)) as child:
        yield Quartet(child, ends)
    assert '"level":"error"' not in child.errors
    for end in ends:
        end.close()


def timeline(end: FarEnd) -> np.ndarray:
    """What an ear hears that plays each packet where its timestamp has it."""
    first = end.heard[0][1].timestamp
    places = [(packet.timestamp - first & 0xFFFF_FFFF, packet) for _, packet in end.heard]
    sound = np.zeros(max(at for at, _ in places) + FRAME, np.int16)
    for at, packet in places:
        sound[at : at + FRAME] = LAWS[packet.payload_type].decode(packet.payload)
    return sound


def clean(sound: np.ndarray, hz: float) -> list[bool]:
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    return [int(np.abs(frame).max()) > 500 and share(frame, hz) > 0.9 for frame in frames]


def longest_gap(heard: list[bool]) -> int:
    return max(map(len, "".join("+" if good else "." for good in heard).split("+")))


def test_a_tone_goes_on_through_loss_jitter_doubles_and_strangers(quartet: Quartet) -> None:
    coded = PCMU.encode(tone(HZ, 5000))
    fates = zip(range(250), cycle(LOST), cycle(KEPT), cycle(DOUBLED), strict=False)
    for number, lost, slots, doubled in fates:
        packet = RtpPacket(0, number, number * FRAME, 42, coded[number * FRAME : (number + 1) * FRAME])
        suffers = 50 <= number < 200
        for _ in range(0 if lost and suffers else 2 if doubled and suffers else 1):
            quartet.schedule(number + (slots if suffers else 0), packet)
        if suffers:
            quartet.schedule(number, msgspec.structs.replace(packet, payload_type=18))
    noise = random.Random(2)
    a, b, c, d = quartet.ends.values()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

        def each(number: int) -> None:
            quartet.speak(number)
            if number < 10:
                return
            for stream in (A, C):
                data = rtp.serialize(RtpPacket(0, number, number * FRAME, 42, noise.randbytes(FRAME)))
                stranger.sendto(data, ("127.0.0.1", quartet.ports[stream]))
                if number < 50 or 200 <= number < 250:
                    alien = RtpPacket(0, 900 + number, number * FRAME, 77, noise.randbytes(FRAME))
                    quartet.ends[stream].rtp.sendto(rtp.serialize(alien), ("127.0.0.1", quartet.ports[stream]))

        converse(quartet.child, 5.4, b, d, each=each)
    for end, worst in ((b, 8), (d, 8)):
        heard = clean(timeline(end), HZ)
        first, last = heard.index(True), len(heard) - heard[::-1].index(True)
        assert 230 <= last - first <= 270
        before, during, after = heard[first : first + 45], heard[first + 50 : last - 55], heard[last - 40 : last]
        assert min(sum(before) / len(before), sum(after) / len(after)) >= 0.85
        assert sum(during) / len(during) >= 0.7
        assert longest_gap(during) <= worst
    # The other way nothing is amiss.
    for end in (a, c):
        end.hear()
        assert sum(clean(timeline(end), 1000)) >= 240
    for stream in (A, C):
        closed = quartet.closed(stream)
        counted = closed.counters
        assert (counted.received, counted.lost, counted.duplicate) == (250 - 15 + 30, 15, 30)
        assert counted.reordered > 20
        assert counted.mos is not None
        assert 2.5 < counted.mos < 4.2
        assert closed.dropped == wire.Dropped(payload_type=150, stranger=260, stray=90)


STAMP = 32
LOUD = {False: 0x8A, True: 0x0A}  # loud in both laws, and of the same sign


def stamped(number: int) -> bytes:
    """A frame whose number is in the signs of its samples, which every law keeps."""
    return bytes(LOUD[bool(number >> bit & 1)] for bit in range(STAMP)) * (FRAME // STAMP)


def stamp(packet: RtpPacket) -> int | None:
    signs = [code < 0x80 for code in packet.payload[:STAMP]]
    number = sum(sign << bit for bit, sign in enumerate(signs))
    return number if number < 1 << 16 else None


def delays(quartet: Quartet, end: FarEnd, numbers: range) -> list[float]:
    found = [(stamp(packet), at) for at, packet in end.heard]
    return [at - quartet.sent_at[number] for number, at in found if number in numbers]


def test_the_delay_is_bounded_in_a_burst_of_jitter_and_little_after_it(quartet: Quartet) -> None:
    for number, slots in zip(range(250), cycle(KEPT), strict=False):
        packet = RtpPacket(0, number, number * FRAME, 42, stamped(number))
        quartet.schedule(number + (slots if 80 <= number < 120 else 0), packet)
    converse(quartet.child, 5.4, quartet.ends[B], quartet.ends[D], each=quartet.speak)
    for stream, buffered in ((B, 0.0), (D, 0.2)):
        end = quartet.ends[stream]
        before, during, after = (delays(quartet, end, numbers) for numbers in (range(10, 70), range(80, 120), range(170, 250)))
        # Medians, as one hiccup of the machine makes a few packets as late as it likes.
        assert len(before) >= 30
        assert len(after) >= 40
        assert median(before) <= 0.1
        assert median(during) <= 0.2 + buffered
        assert median(after) <= median(before) + buffered + 0.04


@pytest.mark.parametrize("slots", [4, 20])
def test_a_process_that_stood_still_adds_no_delay(quartet: Quartet, slots: int) -> None:
    """For 80 ms, which it makes up for, and for 400, which it does not."""
    for number in range(170):
        quartet.schedule(number, RtpPacket(0, number, number * FRAME, 42, stamped(number)))

    def each(number: int) -> None:
        quartet.speak(number)
        if number in (80, 80 + slots):
            quartet.child.process.send_signal(signal.SIGSTOP if number == 80 else signal.SIGCONT)

    converse(quartet.child, 3.7, quartet.ends[B], quartet.ends[D], each=each)
    for stream in (B, D):
        before, after = (delays(quartet, quartet.ends[stream], numbers) for numbers in (range(20, 75), range(120, 170)))
        assert len(after) >= 25
        assert median(after) <= median(before) + 0.03


def test_what_the_far_end_reports_is_in_the_counters(quartet: Quartet) -> None:
    a, b = quartet.ends[A], quartet.ends[B]

    def each(number: int) -> None:
        quartet.speak(number)
        a.hear()
        if number == 60:
            seen = a.heard[-1][1]
            block = rtcp.ReportBlock(seen.ssrc, 0, 3, seen.sequence, 80)
            report = rtcp.serialize(rtcp.ReceiverReport(42, (block,)))
            a.control.sendto(report, ("127.0.0.1", quartet.ports[A] + 1))
            b.control.sendto(b"\x80\xc9", ("127.0.0.1", quartet.ports[B] + 1))

    converse(quartet.child, 1.4, b, each=each)
    closed = {stream: quartet.closed(stream) for stream in (A, B)}
    counted = closed[A].counters
    assert (counted.far_lost, counted.far_jitter_ms, counted.round_trip_ms) == (3, 10.0, None)
    assert counted.far_mos is not None
    assert 3.5 < counted.far_mos < 4.3
    assert (closed[B].counters.far_lost, closed[B].dropped.malformed_control) == (None, 1)


def test_the_ports_of_a_killed_process_return_and_its_successor_has_them() -> None:
    settings = msgspec.structs.replace(free_range(4), port_quarantine_s=60.0)
    ours = set(range(settings.first_port, settings.last_port + 1))
    with MediaChild(settings) as child:
        for stream in (A, B, C, D):
            child.open(stream)
        assert ours.intersection(ports_in_use()) == ours
        child.process.kill()
        until(lambda: ours.intersection(ports_in_use()), lambda used: not used, what="that the ports are free")
    with MediaChild(settings) as successor:
        assert sorted(successor.open(stream) for stream in (A, B, C, D)) == sorted(ours)[::2]


def test_a_thousand_streams_leave_no_port_and_no_descriptor_behind() -> None:
    settings = msgspec.structs.replace(free_range(30), port_quarantine_s=0.0)
    with MediaChild(settings) as child:

        def descriptors() -> int:
            return len(list(Path(f"/proc/{child.process.pid}/fd").iterdir()))

        before = descriptors()
        for turn in range(50):
            streams = [UUID(int=100 + turn * 20 + index) for index in range(20)]
            child.send(*(wire.Open(stream) for stream in streams))
            for stream in streams:
                child.wait(wire.Opened, stream)
            child.send(*(wire.Connect(stream, "127.0.0.1", 9, 0, 101) for stream in streams))
            child.send(*(wire.Join(one, other) for one, other in pairwise(streams)))
            child.send(*(wire.Close(stream) for stream in streams))
            for stream in streams:
                child.wait(wire.Closed, stream)
            child.messages.clear()
        assert descriptors() == before
        until(lambda: child.wait(wire.Load), lambda load: (load.streams, load.ports) == (0, 30), what="that all ports are back")
