from __future__ import annotations

import itertools
import random

import pytest

from callwright.media import rtp
from callwright.media.g711 import PCMU
from callwright.media.line import Line
from callwright.media.relay import Relay
from callwright.media.rtp import RtpPacket
from support.sound import FRAME, kept

SOUND = b"s" * FRAME
SILENCE = PCMU.silent_frame


def a_line() -> Line:
    return Line(ssrc=7, sequence=65534, timestamp=0xFFFF_FF00, now=0)


def parsed(data: bytes | None) -> RtpPacket:
    assert data is not None
    return rtp.parse(data)


def test_slots_follow_each_other_over_the_wraps() -> None:
    line = a_line()
    packets = [parsed(line.sound(SOUND, tick * FRAME)) for tick in range(3)]
    assert packets == [
        RtpPacket(0, 65535, 0xFFFF_FFA0, 7, SOUND, marker=True),
        RtpPacket(0, 0, 0x40, 7, SOUND),
        RtpPacket(0, 1, 0xE0, 7, SOUND),
    ]
    assert (line.packets, line.octets) == (3, 480)


def test_an_hour_of_nothing_is_an_hour_on_the_clock_and_a_marker() -> None:
    line = a_line()
    first = parsed(line.sound(SOUND, 0))
    later = parsed(line.sound(SOUND, 3600 * 8000))
    assert (later.timestamp - first.timestamp) & 0xFFFF_FFFF == 3600 * 8000
    assert (later.sequence - first.sequence) & 0xFFFF == 1
    assert later.marker


def test_an_event_keeps_the_timestamp_of_its_begin_and_the_clock_goes_on() -> None:
    line = a_line()
    before = parsed(line.sound(SOUND, 0))
    event = [parsed(line.event(101, b"evnt", tick * FRAME, first=tick == 1)) for tick in (1, 2, 3)]
    after = parsed(line.sound(SOUND, 4 * FRAME))
    assert {packet.timestamp for packet in event} == {before.timestamp + FRAME & 0xFFFF_FFFF}
    assert [packet.marker for packet in event] == [True, False, False]
    assert after.timestamp == before.timestamp + 4 * FRAME & 0xFFFF_FFFF
    assert after.sequence == before.sequence + 4 & 0xFFFF


class Bridge:
    """A relay onto a line, with the tick that fills in silence."""

    def __init__(self) -> None:
        self.line = a_line()
        self.relay = Relay(self.line)
        self.sent: list[tuple[int, RtpPacket]] = []

    def run(self, coming: list[tuple[int, RtpPacket]], until: int, jitter: float = 0) -> None:
        events = sorted(
            [(at, 0, packet) for at, packet in coming] + [(t * FRAME, 1, None) for t in range(1, until)], key=lambda e: e[:2]
        )
        for at, _, packet in events:
            if packet is not None:
                data = self.relay.forward(packet, at)
            elif self.line.is_due(at) and self.relay.is_gap(at, jitter):
                data = self.line.sound(SILENCE, at)
            else:
                data = None
            if data is not None:
                self.sent.append((at, rtp.parse(data)))

    def steps(self) -> list[tuple[int, int]]:
        """From packet to packet: step of the sequence number, step of the timestamp."""
        packets = [packet for _, packet in self.sent]
        return [
            ((b.sequence - a.sequence) & 0xFFFF, (b.timestamp - a.timestamp) & 0xFFFF_FFFF)
            for a, b in itertools.pairwise(packets)
        ]


def coming(count: int, begin: int = 1010, sequence: int = 30_000, timestamp: int = 0xFFFF_F000) -> list[tuple[int, RtpPacket]]:
    return [
        (begin + i * FRAME, RtpPacket(0, (sequence + i) & 0xFFFF, (timestamp + i * FRAME) & 0xFFFF_FFFF, 99, SOUND))
        for i in range(count)
    ]


def test_relayed_packets_follow_silence_without_a_seam() -> None:
    bridge = Bridge()
    bridge.run(coming(50), 70)
    assert set(bridge.steps()) <= {(1, 160), (1, 320), (1, 480)}
    kinds = [packet.payload == SOUND for _, packet in bridge.sent]
    assert kinds == [False] * 6 + [True] * 50 + [False] * (len(kinds) - 56)
    assert {packet.ssrc for _, packet in bridge.sent} == {7}
    assert [i for i, (_, packet) in enumerate(bridge.sent) if packet.marker] == [0, 6, 56]


def test_while_packets_come_the_line_has_no_others_and_the_right_rate() -> None:
    chance = random.Random(1)
    bridge = Bridge()
    packets = [(at + chance.randrange(200), packet) for at, packet in coming(500)]
    bridge.run(packets, 500)
    relayed = bridge.sent[6:]
    assert all(packet.payload == SOUND for _, packet in relayed)
    assert set(bridge.steps()[7:]) <= {(1, 160), (2, 320), (0xFFFF, 0xFFFF_FF60)}
    span = (relayed[-1][1].timestamp - relayed[0][1].timestamp) & 0xFFFF_FFFF
    assert abs(span - (relayed[-1][0] - relayed[0][0])) <= 400


def test_loss_stays_visible_to_the_receiver() -> None:
    bridge = Bridge()
    bridge.run(list(kept(coming(60), [False, False, True])), 66)
    relayed = [step for step, (_, packet) in zip(bridge.steps()[6:], bridge.sent[7:], strict=False) if packet.payload == SOUND]
    assert set(relayed) == {(1, 160), (2, 320)}


def test_disorder_stays_visible_to_the_receiver() -> None:
    packets = coming(20)
    packets[10], packets[11] = (packets[10][0], packets[11][1]), (packets[11][0], packets[10][1])
    bridge = Bridge()
    bridge.run(packets, 26)
    assert bridge.steps()[6:][9:12] == [(2, 320), (0xFFFF, 0xFFFF_FF60), (2, 320)]


def test_a_pause_is_filled_and_what_comes_late_into_it_is_dropped() -> None:
    packets = coming(100)
    # The network holds twelve packets back and then delivers them together.
    packets[30:42] = [(packets[42][0] - 5, packet) for _, packet in packets[30:42]]
    bridge = Bridge()
    bridge.run(packets, 100)
    assert 8 <= bridge.relay.late <= 12
    assert all(0 < step < 0x8000_0000 for _, step in bridge.steps())
    assert all(sequence == 1 for sequence, _ in bridge.steps())
    late_end = bridge.sent[-1]
    first = bridge.sent[0]
    assert abs(((late_end[1].timestamp - first[1].timestamp) & 0xFFFF_FFFF) - (late_end[0] - first[0])) <= 320


def test_silence_waits_longer_for_a_source_that_jitters() -> None:
    calm, rough = Bridge(), Bridge()
    calm.run(coming(10), 40, jitter=0)
    rough.run(coming(10), 40, jitter=300)
    gaps = [
        next(b - a for (a, p), (b, q) in zip(x.sent, x.sent[1:], strict=False) if p.payload == SOUND != q.payload)
        for x in (calm, rough)
    ]
    assert 480 <= gaps[0] <= 640
    assert 1360 <= gaps[1] <= 1520


@pytest.mark.parametrize("jump", [8000 * 60, -8000 * 60, 0x8000_0000])
def test_a_source_that_sets_its_clock_does_not_set_the_line(jump: int) -> None:
    packets = coming(60)
    packets[30:] = [
        (at, RtpPacket(0, packet.sequence, (packet.timestamp + jump) & 0xFFFF_FFFF, 99, SOUND)) for at, packet in packets[30:]
    ]
    bridge = Bridge()
    bridge.run(packets, 60)
    assert all(step <= 640 for _, step in bridge.steps())
    assert sum(packet.payload == SOUND for _, packet in bridge.sent) >= 55


def test_a_source_set_back_while_silence_was_filled_in_is_heard_again() -> None:
    before, after = coming(20), coming(40, begin=1010 + 40 * FRAME, sequence=30_020, timestamp=0xFFFF_F000)
    bridge = Bridge()
    bridge.run(before + after, 90)
    heard = [packet for _, packet in bridge.sent if packet.payload == SOUND]
    assert 52 <= len(heard) < 60
    assert all(step <= 1120 for _, step in bridge.steps())


def test_after_the_relay_the_tick_goes_on_without_doubling_a_slot() -> None:
    line = a_line()
    relay = Relay(line)
    relayed = parsed(relay.forward(RtpPacket(0, 5, 500, 99, SOUND), 10 * FRAME - 20))
    assert not line.is_due(10 * FRAME)
    assert line.is_due(11 * FRAME)
    following = parsed(line.sound(SILENCE, 11 * FRAME))
    assert parsed(line.sound(SILENCE, 12 * FRAME)).timestamp == following.timestamp + FRAME
    assert line.clock(12 * FRAME) == (relayed.timestamp + 2 * FRAME + 20) & 0xFFFF_FFFF
    assert (following.timestamp - relayed.timestamp) & 0xFFFF_FFFF == FRAME
    assert (following.sequence - relayed.sequence) & 0xFFFF == 1


def offsets(bridge: Bridge) -> list[float]:
    """How far the line's timestamps are ahead of the time they were sent at, in ms, from where it began."""
    first = bridge.sent[0][1].timestamp - bridge.sent[0][0]
    ahead = [(packet.timestamp - first - at) & 0xFFFF_FFFF for at, packet in bridge.sent]
    return [(one - (one >> 31 << 32)) / 8 for one in ahead]


def held_back(packets: list[tuple[int, RtpPacket]], at: int, count: int) -> list[tuple[int, RtpPacket]]:
    """The network keeps some and delivers them all at once."""
    until = packets[at + count][0]
    return [(until if at <= i < at + count else when, packet) for i, (when, packet) in enumerate(packets)]


def test_a_network_that_stalls_again_and_again_does_not_set_the_line_ahead() -> None:
    packets = coming(3000)
    for at in range(50, 2950, 50):
        packets = held_back(packets, at, 5 + at % 17)
    bridge = Bridge()
    bridge.run(packets, 3000)
    assert all(-20 <= ahead <= 40 for ahead in offsets(bridge))
    heard = sum(packet.payload == SOUND for _, packet in bridge.sent)
    # What was held back longer than silence waits is lost, and nothing else.
    assert heard + bridge.relay.late == 3000
    assert bridge.relay.late <= 58 * 18


def test_a_source_that_becomes_later_is_followed_and_comes_back() -> None:
    """Once 200 ms later, silence has taken its place; what it cost is heard no second time."""
    packets = [(at + (1600 if 100 <= i < 300 else 0), packet) for i, (at, packet) in enumerate(coming(400))]
    bridge = Bridge()
    bridge.run(sorted(packets, key=lambda one: one[0]), 410)
    assert bridge.relay.late <= 10
    assert all(-240 <= ahead <= 40 for ahead in offsets(bridge))
    assert abs(offsets(bridge)[-1]) <= 40


def test_sources_that_begin_anew_amid_jitter_leave_the_line_on_time() -> None:
    chance = random.Random(3)
    bridge = Bridge()
    for source in range(40):
        base = source * 50
        packets = coming(49, 1010 + base * FRAME, chance.randrange(1 << 16), chance.randrange(1 << 32))
        bridge.relay.restart()
        for at, packet in sorted([(at + chance.randrange(1600), packet) for at, packet in packets], key=lambda one: one[0]):
            data = bridge.relay.forward(packet, at)
            if data is not None:
                bridge.sent.append((at, rtp.parse(data)))
    assert all(-250 <= ahead <= 250 for ahead in offsets(bridge))


@pytest.mark.parametrize("drift", [200, -200])
def test_a_source_whose_clock_is_off_by_200_in_a_million_is_passed_on_whole(drift: int) -> None:
    packets = [(at + at * drift // 1_000_000, packet) for at, packet in coming(15_000)]
    bridge = Bridge()
    bridge.run(packets, 15_000)
    assert bridge.relay.late == 0
    assert sum(packet.payload == SOUND for _, packet in bridge.sent) >= 14_990
    assert set(bridge.steps()[7:]) == {(1, 160)}


@pytest.mark.parametrize("drift", [2000, -2000])
def test_after_a_long_time_of_a_clock_that_is_off_a_new_source_is_heard_at_once(drift: int) -> None:
    """Twelve minutes, as 200 in a million are off in two hours: 1.44 s."""
    packets = [(at - at * drift // 1_000_000, packet) for at, packet in coming(36_000)]
    bridge = Bridge()
    bridge.run(packets, packets[-1][0] // FRAME + 1)
    assert abs(offsets(bridge)[-1] - 1.44 * drift / 2) <= 40
    bridge.relay.restart()
    newcomer = coming(50, packets[-1][0] + FRAME, sequence=5, timestamp=777)
    relayed = [parsed(bridge.relay.forward(packet, at)) for at, packet in newcomer]
    steps = [(b.timestamp - a.timestamp) & 0xFFFF_FFFF for a, b in itertools.pairwise([bridge.sent[-1][1], *relayed])]
    assert (set(steps), bridge.relay.late) == ({FRAME}, 0)
