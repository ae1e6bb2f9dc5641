"""What two that talk to each other hear while one's packets are lost, late, doubled, renumbered or not its own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from uuid import UUID

import msgspec
import numpy as np
import pytest

from callwright.media import rtcp
from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.latch import Address
from callwright.media.rtp import RtpPacket
from callwright.media.telephone_event import KEYS, EventPayload
from callwright.media.wire import DigitHeard, HeardAgain, WentSilent
from callwright.telephony import RtpCounters
from support.sound import FRAME, kept, share, tone
from support.streams import EVENTS, SECOND, Came, Leg, carry, converse, run, spoken

A, B = UUID(int=10), UUID(int=11)
SECONDS = 10
PACKETS = SECONDS * 50
STRANGER: Address = ("203.0.113.9", 5000)

Fire = Callable[[list[Came]], list[Came]]


def changed(one: Came, **fields: object) -> Came:
    return one._replace(packet=msgspec.structs.replace(one.packet, **fields))


def lost(*pattern: bool) -> Fire:
    return lambda came: list(kept(came, pattern))


def jittery(most_ms: int) -> Fire:
    def fire(came: list[Came]) -> list[Came]:
        chance = random.Random(5)
        return [one._replace(at=one.at + chance.randrange(most_ms * 8)) for one in came]

    return fire


def swapped(came: list[Came]) -> list[Came]:
    """Every tenth packet comes 30 ms late, behind the two that follow it."""
    return [one._replace(at=one.at + 240 + FRAME // 4) if i % 10 == 5 else one for i, one in enumerate(came)]


def doubled(came: list[Came]) -> list[Came]:
    return [one for one in came for one in (one, one._replace(at=one.at + 40))]


def another_source(came: list[Came]) -> list[Came]:
    """From the middle on all is new: SSRC, numbers and clock."""
    return [
        changed(one, ssrc=7, sequence=i, timestamp=0xFFFF_FF00 + i * FRAME & 0xFFFF_FFFF) if i >= PACKETS // 2 else one
        for i, one in enumerate(came)
    ]


def renumbered(step: int) -> Fire:
    return lambda came: [
        changed(one, sequence=one.packet.sequence + step & 0xFFFF) if i >= PACKETS // 2 else one for i, one in enumerate(came)
    ]


def clock_set(step: int) -> Fire:
    return lambda came: [
        changed(one, timestamp=one.packet.timestamp + step & 0xFFFF_FFFF) if i >= PACKETS // 2 else one
        for i, one in enumerate(came)
    ]


def wrong_type_between(came: list[Came]) -> list[Came]:
    """A codec that was not agreed, beside every packet and in its numbers' way."""
    return [one for one in came for one in (one, changed(one, payload_type=18, payload=bytes(20)))]


def with_strangers(ssrc: int, source: Address | None) -> Fire:
    """Somebody throws in noise of his own beside every packet, once the far end is known."""

    def fire(came: list[Came]) -> list[Came]:
        chance = random.Random(6)
        noise = [
            Came(
                one.at + 30,
                RtpPacket(0, 100 + i, 5_000 + i * FRAME, ssrc or chance.randrange(1 << 32), chance.randbytes(160)),
                source or one.source,
            )
            for i, one in enumerate(came[5:])
        ]
        return came + noise

    return fire


def everything(came: list[Came]) -> list[Came]:
    return jittery(60)(doubled(lost(*[False] * 19, True)(came)))


def counters(**fields: int) -> RtpCounters:
    return msgspec.structs.replace(RtpCounters(received=PACKETS), **fields)


# Clean is the share of the 20 ms in which the peer hears the tone and little else, relayed and mixed. With jitter the second
# packet comes before the first, which counts as a duplicate: it is not waited for.
FIRES: dict[str, tuple[Fire, float, float, RtpCounters, dict[str, int]]] = {
    "nothing": (list, 1.0, 1.0, counters(), {}),
    "loss_of_5_percent": (lost(*[False] * 19, True), 0.94, 1.0, counters(received=475, lost=24), {}),
    "loss_of_30_percent": (
        lost(False, False, True, False, True, False, False, True, False, False),
        0.69,
        0.99,
        counters(received=350, lost=150),
        {},
    ),
    "loss_of_ten_at_once": (lost(*[False] * 90, *[True] * 10), 0.88, 0.92, counters(received=450, lost=40), {}),
    "jitter_of_40_ms": (jittery(40), 1.0, 0.98, counters(duplicate=1, reordered=59), {}),
    "jitter_of_200_ms": (jittery(200), 0.95, 0.9, counters(duplicate=1, reordered=295), {}),
    "reordering": (swapped, 1.0, 0.98, counters(reordered=50), {}),
    "duplicates": (doubled, 1.0, 1.0, counters(received=2 * PACKETS, duplicate=PACKETS), {}),
    "another_source": (another_source, 0.99, 0.98, counters(received=PACKETS - 1), {"stray": 1}),
    "numbers_jump_ahead": (renumbered(20_000), 0.99, 0.99, counters(received=PACKETS - 1), {"stray": 1}),
    "numbers_jump_back": (renumbered(-20_000), 0.99, 0.99, counters(received=PACKETS - 1), {"stray": 1}),
    "clock_jumps_an_hour_ahead": (clock_set(3600 * SECOND), 0.99, 0.98, counters(), {}),
    "clock_jumps_an_hour_back": (clock_set(-3600 * SECOND), 0.99, 0.97, counters(), {}),
    "clock_jumps_100_ms_ahead": (clock_set(800), 0.98, 0.97, counters(), {}),
    "wrong_payload_type_between": (wrong_type_between, 1.0, 1.0, counters(), {"payload_type": PACKETS}),
    "stranger_from_elsewhere": (with_strangers(99, STRANGER), 1.0, 1.0, counters(), {"stranger": PACKETS - 5}),
    "another_source_thrown_in": (with_strangers(7, None), 1.0, 1.0, counters(), {"stray": PACKETS - 5}),
    "many_sources_thrown_in": (with_strangers(0, None), 1.0, 1.0, counters(), {"stray": PACKETS - 5}),
    "everything_at_once": (
        everything,
        0.93,
        0.97,
        counters(received=950, lost=24, duplicate=475, reordered=65),
        {},
    ),
}


def talking(law_b: Law) -> tuple[Leg, Leg]:
    a, b = Leg(A), Leg(B, law_b, address="192.0.2.2")
    converse(a, b)
    return a, b


def clean(leg: Leg, hz: float) -> float:
    """The share of 20 ms, without those before the tone began and after it ended, in which it is what is heard."""
    sound = leg.timeline
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    good = [int(np.abs(frame).max()) > 500 and share(frame, hz) > 0.9 for frame in frames]
    first, last = good.index(True), len(good) - good[::-1].index(True)
    return sum(good[first:last]) / (last - first)


def is_one_line(leg: Leg) -> None:
    assert {packet.ssrc for packet, _ in leg.sent} == {leg.stream.id.int}
    assert all(len(packet.payload) == FRAME for packet, _ in leg.sent)
    # However its source jumps: never far back, never far ahead, and no number twice.
    numbers = [packet.sequence for packet, _ in leg.sent]
    assert len(set(numbers)) == len(numbers)
    steps = [(b - a + 0x8000 & 0xFFFF) - 0x8000 for a, b in itertools.pairwise(numbers)]
    assert all(-12 <= step <= 12 for step in steps)


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
@pytest.mark.parametrize("name", FIRES)
def test_the_peer_hears_on(name: str, law_b: Law) -> None:
    fire, relayed, mixed, expected, dropped = FIRES[name]
    a, b = talking(law_b)
    carry(fire(spoken(a, SECONDS)), a, b, ticks=PACKETS + 40)
    assert clean(b, 400) >= (relayed if law_b is PCMU else mixed)
    is_one_line(b)
    seen = a.stream.counters()
    assert seen == msgspec.structs.replace(
        expected, sent=seen.sent, late=seen.late, jitter_ms=seen.jitter_ms, mos=seen.mos, round_trip_ms=None
    )
    assert seen.late <= {"clock_jumps_an_hour_back": 5, "jitter_of_200_ms": 20, "everything_at_once": 10}.get(name, 0)
    assert a.stream.dropped == dropped
    # The line keeps to its clock, but for what its source's own jitter and steps are.
    assert all(-260 <= ahead <= 260 for ahead in b.ahead_ms)
    assert abs(b.ahead_ms[-1]) <= 130


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
@pytest.mark.parametrize(
    "ptimes", [(10,), (20,), (30,), (40,), (60,), (20, 30), (10, 20, 30, 40, 50, 60), (20,) * 50 + (10,) * 50]
)
def test_packets_of_any_length_are_heard_whole(ptimes: tuple[int, ...], law_b: Law) -> None:
    a, b = talking(law_b)
    carry(spoken(a, SECONDS, ptimes=ptimes), a, b, ticks=PACKETS + 40)
    assert clean(b, 400) >= 0.99
    is_one_line(b)
    assert abs(b.ahead_ms[-1]) <= 20


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
def test_comfort_noise_is_silence_and_cuts_no_word_off(law_b: Law) -> None:
    """Talk-spurts of 500 ms, each ended by comfort noise, which is repeated while it is quiet."""
    a, b = talking(law_b)
    came = []
    for i, one in enumerate(spoken(a, SECONDS)):
        if i % 50 < 25:
            came.append(one)
        elif i % 50 in (25, 35, 45):
            came.append(changed(one, payload_type=13, payload=b"\x4e"))
    # Between them nothing is sent, and nothing is missing in the numbers.
    numbered = [changed(one, sequence=7000 + i) for i, one in enumerate(came)]
    carry(numbered, a, b, ticks=PACKETS + 40)
    sound = b.timeline
    loud = np.abs(sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)).max(axis=1) > 1000
    runs = [(kind, len(list(group))) for kind, group in itertools.groupby(loud.tolist())]
    words = [length for kind, length in runs if kind]
    assert len(words) == SECONDS
    assert all(24 <= length <= 26 for length in words)
    assert (a.stream.counters().lost, a.stream.dropped) == (0, {})


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
def test_a_source_that_comes_late_and_from_elsewhere_is_heard_and_answered(law_b: Law) -> None:
    a, b = talking(law_b)
    nat: Address = ("198.51.100.7", 61_000)
    came = [one._replace(at=one.at + 5 * SECOND, source=nat) for one in spoken(a, SECONDS)]
    carry(came, a, b, ticks=PACKETS + 290)
    assert clean(b, 400) == 1.0
    assert {address for _, address in a.sent[:240]} == {a.address}
    assert {address for _, address in a.sent[260:]} == {nat}


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
def test_a_stranger_who_was_first_is_put_out_by_the_far_end(law_b: Law) -> None:
    a, b = talking(law_b)
    silence = RtpPacket(0, 1, 1, 5, PCMU.silent_frame)
    early = [
        Came(i * FRAME + 50, msgspec.structs.replace(silence, sequence=i, timestamp=i * FRAME), STRANGER) for i in range(400)
    ]
    came = [one._replace(at=one.at + 2 * SECOND) for one in spoken(a, SECONDS)]
    carry(early + came, a, b, ticks=PACKETS + 140)
    assert clean(b, 400) >= 0.99
    assert a.sent[-1][1] == a.address
    assert a.stream.dropped == {"stranger": 2 + 298 - 2, "stray": 1}


def test_a_far_end_whose_port_is_exchanged_by_a_router_is_found_again() -> None:
    a, b = talking(PCMU)
    old, new = ("198.51.100.7", 61_000), ("198.51.100.7", 61_777)
    # The mapping was lost in four seconds of nothing.
    came = [
        one._replace(at=one.at + (4 * SECOND if i >= 250 else 0), source=new if i >= 250 else old)
        for i, one in enumerate(spoken(a, SECONDS))
    ]
    carry(came, a, b, ticks=PACKETS + 240)
    assert {address for _, address in a.sent[-200:]} == {new}
    assert a.stream.counters().received == PACKETS - 2


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
@pytest.mark.parametrize("drift", [200, -200])
def test_a_clock_that_is_off_adds_no_delay(drift: int, law_b: Law) -> None:
    """200 in a million for three minutes: 36 ms, which must not pile up where sound is put together anew."""
    a, b = talking(law_b)
    came = [one._replace(at=one.at + one.at * drift // 1_000_000) for one in spoken(a, 180)]
    carry(came, a, b, ticks=180 * 50 + 20)
    assert clean(b, 400) >= 0.999
    assert a.stream.counters().late == 0
    bound = 60 if law_b is PCMU else 20
    assert all(abs(ahead) <= bound for ahead in b.ahead_ms)


def test_the_delay_of_a_mix_comes_back_after_a_burst_of_jitter() -> None:
    a, b = talking(PCMA)
    chance = random.Random(8)
    burst = range(250, 500)
    came = [one._replace(at=one.at + (chance.randrange(1600) if i in burst else 0)) for i, one in enumerate(spoken(a, 40))]
    # Every second the far end says something else, so that it can be told when it is heard.
    came = [one for i, one in enumerate(came) if i % 50 < 40]
    carry([changed(one, sequence=7000 + i) for i, one in enumerate(came)], a, b, ticks=40 * 50 + 40)
    sound = b.timeline
    loud = np.abs(sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)).max(axis=1) > 1000
    begins = [i for i in range(2, len(loud)) if loud[i] and not loud[i - 1] and not loud[i - 2]]
    # A word begins where its packet came, a second apart, plus the delay.
    delays = [20 * (begin - begins[0]) % 1000 for begin in begins]
    assert all(delay <= 220 or delay >= 940 for delay in delays), delays
    assert all(delay <= 40 or delay >= 960 for delay in delays[-15:]), delays


def pressed(leg: Leg, keys: str) -> list[Came]:
    """Keys of 100 ms with 200 ms of the tone between them, as telephone-events in the stream's own numbers."""
    came: list[Came] = []
    clock, at = 900_000, 0
    coded = leg.law.encode(tone(400, 20))
    for key in keys:
        payloads = [(leg.law.payload_type, coded, False)] * 10
        for n in range(1, 8):
            payload = EventPayload(KEYS.index(key), n > 4, min(n, 5) * FRAME).serialize()
            payloads.append((EVENTS, payload, n == 1))
        for n, (kind, payload, marker) in enumerate(payloads):
            timestamp = clock + min(n, 10) * FRAME
            came.append(Came(at, RtpPacket(kind, 7000 + len(came), timestamp, 99, payload, marker), leg.address))
            at += FRAME
        clock += len(payloads) * FRAME
    return came


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
@pytest.mark.parametrize(
    "fire",
    [
        lost(False, False, True),
        lost(True, False, False, True, False),
        jittery(60),
        doubled,
        swapped,
        everything,
        with_strangers(99, STRANGER),
        with_strangers(7, None),
    ],
    ids=["loss_of_33_percent", "loss_of_40_percent", "jitter", "doubles", "reordering", "everything", "stranger", "source"],
)
def test_each_key_is_heard_once_and_made_anew_for_the_peer(fire: Fire, law_b: Law) -> None:
    a, b = talking(law_b)
    keys = "1597*#D0"
    carry(fire(pressed(a, keys)), a, b, ticks=len(keys) * 17 + 60)
    assert "".join(told.digit for told in a.told if isinstance(told, DigitHeard)) == keys
    events = [(payload.code, packet) for packet, payload in b.events()]
    runs = [(KEYS[code], [packet for _, packet in group]) for code, group in itertools.groupby(events, lambda one: one[0])]
    assert "".join(key for key, _ in runs) == keys
    for _, packets in runs:
        assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
        assert len({packet.timestamp for packet in packets}) == 1
    assert [told for told in b.told if isinstance(told, DigitHeard)] == []


def report(block_lost: int, jitter: int, highest: int) -> bytes:
    block = rtcp.ReportBlock(A.int, 0, block_lost, highest, jitter)
    return rtcp.serialize(rtcp.ReceiverReport(99, (block,)))


@pytest.mark.parametrize(
    ("data", "dropped", "alive"),
    [
        (rtcp.serialize(rtcp.ReceiverReport(99)), {}, True),
        (rtcp.serialize(rtcp.SenderReport(99, 1 << 40, 0, 0, 0)), {}, True),
        (report(0, 0, 100), {}, True),
        # these say nothing of a far end that is there
        (rtcp.serialize(rtcp.Goodbye((99,))), {}, False),
        (rtcp.serialize(rtcp.SourceName(99, "x")), {}, False),
        (bytes.fromhex("80cc0002 00000001 74657374"), {}, False),
        (b"\x80\xc9", {"malformed_control": 1}, False),
    ],
)
def test_a_far_end_that_only_reports_is_there(data: bytes, dropped: dict[str, int], alive: bool) -> None:
    a = Leg(A)
    begin = run(2000, a)
    a.stream.receive_control(data, a.address, 0, begin * FRAME)
    run(1990, a, begin=begin)
    assert a.told == ([] if alive else [WentSilent(A)])
    assert a.stream.dropped == dropped


def test_a_report_after_silence_says_that_the_far_end_is_there_again() -> None:
    a = Leg(A)
    begin = run(3010, a)
    for _ in range(2):
        a.stream.receive_control(report(0, 0, 100), a.address, 0, begin * FRAME)
    assert a.told == [WentSilent(A), HeardAgain(A)]


@pytest.mark.parametrize("kind", [13, EVENTS, 8, 0])
def test_whatever_was_agreed_shows_that_the_far_end_is_there(kind: int) -> None:
    a = Leg(A)
    begin = run(2000, a)
    a.say(b"\x05\x8a\x00\xa0" if kind == EVENTS else b"\x40" if kind == 13 else PCMU.silent_frame, begin * FRAME, kind=kind)
    run(1990, a, begin=begin)
    assert WentSilent(A) not in a.told


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (rtcp.serialize(rtcp.ReceiverReport(99)), STRANGER),
        (b"", STRANGER),
    ],
)
def test_strangers_keep_nobody_alive(data: bytes, source: Address) -> None:
    a = Leg(A)
    begin = run(10, a)
    for n in range(3):
        a.say(PCMU.silent_frame, (begin + n) * FRAME)
    begin = run(2000, a, begin=begin)
    a.say(PCMU.silent_frame, begin * FRAME, source=source)
    a.stream.receive_control(data, source, 0, begin * FRAME)
    run(1990, a, begin=begin)
    assert a.told == [WentSilent(A)]


@pytest.mark.parametrize(
    ("block_lost", "jitter", "highest", "expected"),
    [
        # 1000 were sent from number 101 on; all came
        (0, 0, 1100, (0, 0.0, 4.38)),
        # every twentieth did not
        (50, 80, 1100, (50, 10.0, 3.86)),
        # a report from the middle
        (25, 0, 600, (25, 0.0, 3.86)),
        # more were received than sent: duplicates
        (-5, 0, 1100, (0, 0.0, 4.38)),
        # what cannot be is not believed further than it goes
        (0x7F_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, (8388607, 536870911.88, 1.0)),
        (0, 0, 0, (0, 0.0, 4.38)),
    ],
)
def test_what_the_far_end_hears_is_an_estimate_of_its_own(block_lost, jitter, highest, expected) -> None:
    a = Leg(A)
    run(1000, a)
    a.stream.receive_control(report(block_lost, jitter, highest), a.address, 0, 1000 * FRAME)
    seen = a.stream.counters()
    assert (seen.far_lost, seen.far_jitter_ms, seen.far_mos) == pytest.approx(expected, abs=0.02)
    assert (seen.sent, seen.mos, seen.round_trip_ms) == (1000, None, None)
