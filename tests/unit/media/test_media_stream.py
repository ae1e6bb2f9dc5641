from __future__ import annotations

import gc
import itertools
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.media import rtcp, rtp
from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.line import Line
from callwright.media.rtp import RtpPacket
from callwright.media.stream import Stream
from callwright.media.telephone_event import KEYS, EventPayload
from callwright.media.wire import Connect, DigitHeard, HeardAgain, Joined, Parted, PlayBegan, PlayEnded, WentSilent
from callwright.telephony import PlayOutcome, RtpCounters
from support.litter import clear_litter
from support.sound import FRAME, share, tone
from support.streams import EVENTS, Leg, Tone, clip, converse, run

A, B = UUID(int=10), UUID(int=11)


def test_a_prompt_and_a_digit_after_relayed_packets_lose_nothing() -> None:
    a, b = joined(PCMU, PCMU)
    begin = run(20, a, b, saying=(Tone(a, 400),))
    Tone(a, 400)(begin * FRAME - 80)
    b.play(1, (clip(2000, 100),), 1, stop_on_digit=False)
    begin = run(10, a, b, begin=begin)
    prompt = PCMU.encode(tone(2000, 100))
    assert prompt in b"".join(packet.payload for packet, _ in b.sent)
    begin = run(20, a, b, saying=(Tone(a, 400),), begin=begin)
    Tone(a, 400)(begin * FRAME - 80)
    b.stream.keypad.press("1", 60, 40)
    run(10, a, b, begin=begin)
    assert [(packet.marker, payload.duration) for packet, payload in b.events()] == [
        (True, 160),
        (False, 320),
        *[(False, 480)] * 3,
    ]
    is_one_line(b)


def is_one_line(leg: Leg) -> None:
    packets = [packet for packet, _ in leg.sent]
    steps = {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)}
    clock = [p.timestamp for p in packets if p.payload_type != leg.event_type]
    assert steps == {1}
    assert {packet.ssrc for packet in packets} == {leg.stream.id.int}
    # An event of seven packets is the longest that takes the sound's place here.
    assert all(0 < b - a <= 9 * FRAME for a, b in itertools.pairwise(clock))


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_with_nothing_to_say_silence_is_sent_every_20_ms(law: Law) -> None:
    leg = Leg(A, law)
    run(50, leg)
    assert [packet for packet, _ in leg.sent] == [
        RtpPacket(law.payload_type, 101 + n, (n + 2) * FRAME, A.int, law.silent_frame, marker=n == 0) for n in range(50)
    ]


def test_nothing_is_sent_before_the_far_side_is_known_nor_while_it_may_not_hear() -> None:
    leg = Leg(A)
    fresh = Stream(B, Line(1, 1, 1, 0), "name", lambda *_: pytest.fail("sent"), lambda *_: None, leg.told.append, 0)
    fresh.tick(FRAME)
    leg.connect(send=False)
    run(10, leg)
    assert leg.sent == []
    leg.connect(send=True)
    run(2, leg, begin=500)
    assert [(packet.marker, packet.timestamp) for packet, _ in leg.sent] == [(True, 501 * FRAME), (False, 502 * FRAME)]


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_a_prompt_is_heard_to_the_frame_and_told(law: Law) -> None:
    leg = Leg(A, law)
    run(5, leg)
    leg.play(4, (clip(400, 200), clip(800, 100)), 2, stop_on_digit=False)
    assert leg.told == []
    run(1, leg, begin=6)
    assert leg.told == [PlayBegan(A, 4)]
    run(29, leg, begin=7)
    assert leg.told == [PlayBegan(A, 4)]
    run(5, leg, begin=36)
    assert leg.told == [PlayBegan(A, 4), PlayEnded(A, 4, "done")]
    sound = leg.heard
    for begin, end, hz in ((5, 15, 400), (15, 20, 800), (20, 30, 400), (30, 35, 800)):
        assert share(sound[begin * FRAME : end * FRAME], hz) > 0.98
    assert np.abs(sound[35 * FRAME :]).max() <= 8
    assert [n for n, (packet, _) in enumerate(leg.sent) if packet.marker] == [0, 5]
    is_one_line(leg)


def test_a_new_prompt_takes_the_place_of_the_old_and_stop_ends_it() -> None:
    leg = Leg(A)
    leg.play(1, (clip(400, 1000),), 0, stop_on_digit=False)
    run(3, leg)
    leg.play(2, (clip(800, 1000),), 0, stop_on_digit=False)
    run(3, leg, begin=4)
    leg.stream.end_play(PlayOutcome.STOPPED)
    leg.stream.end_play(PlayOutcome.STOPPED)
    assert leg.told == [PlayBegan(A, 1), PlayEnded(A, 1, "stopped"), PlayBegan(A, 2), PlayEnded(A, 2, "stopped")]


def test_an_empty_prompt_begins_and_ends() -> None:
    leg = Leg(A)
    leg.play(1, (), 0, stop_on_digit=False)
    run(2, leg)
    assert leg.told == [PlayBegan(A, 1), PlayEnded(A, 1, "done")]


def test_a_prompt_runs_on_while_the_far_side_is_on_hold() -> None:
    leg = Leg(A)
    leg.connect(send=False)
    leg.play(1, (clip(400, 200),), 1, stop_on_digit=False)
    run(11, leg)
    assert leg.told == [PlayBegan(A, 1), PlayEnded(A, 1, "done")]
    assert leg.sent == []


def press(leg: Leg, key: str, now: int, packets: int = 4) -> int:
    """Say a press of so many updates and three ends; returns when it was over."""
    leg.clock += FRAME
    for n in range(1, packets + 4):
        duration = min(n, packets + 1) * FRAME
        payload = EventPayload(KEYS.index(key), n > packets, duration).serialize()
        leg.say(payload, now + n * FRAME, kind=EVENTS, marker=n == 1)
    leg.clock += (packets + 3) * FRAME
    return now + (packets + 3) * FRAME


def test_a_key_stops_a_prompt_with_its_first_packet() -> None:
    leg = Leg(A)
    leg.play(1, (clip(400, 1000),), 1, stop_on_digit=True)
    run(5, leg)
    leg.say(EventPayload(5, False, 160).serialize(), 5 * FRAME + 1, kind=EVENTS, marker=True)
    assert leg.told == [PlayBegan(A, 1), PlayEnded(A, 1, "digit")]
    run(12, leg, begin=6)
    assert leg.sent[5][0].payload == PCMU.silent_frame
    assert leg.told[2:] == [DigitHeard(A, "5", 20)]


def test_a_key_leaves_a_prompt_that_is_not_to_be_stopped() -> None:
    leg = Leg(A)
    leg.play(1, (clip(400, 1000),), 1, stop_on_digit=False)
    run(2, leg)
    press(leg, "5", 2 * FRAME)
    assert leg.told == [PlayBegan(A, 1), DigitHeard(A, "5", 100)]


def joined(law_a: Law, law_b: Law, **options) -> tuple[Leg, Leg]:
    a, b = Leg(A, law_a, **options), Leg(B, law_b, address="192.0.2.2")
    converse(a, b)
    how = "relay" if law_a is law_b else "mix"
    assert (a.told, b.told) == ([Joined(A, B, how)], [Joined(B, A, how)])
    a.told.clear()
    b.told.clear()
    return a, b


@pytest.mark.parametrize("law_a", [PCMU, PCMA])
@pytest.mark.parametrize("law_b", [PCMU, PCMA])
def test_two_hear_each_other_in_any_laws(law_a: Law, law_b: Law) -> None:
    a, b = joined(law_a, law_b)
    run(100, a, b, saying=(Tone(a, 400), Tone(b, 1000)))
    for leg, hz in ((a, 1000), (b, 400)):
        assert share(leg.heard[10 * FRAME :], hz) > 0.98
        assert len(leg.heard) == pytest.approx(100 * FRAME, abs=2 * FRAME)
        is_one_line(leg)


def test_a_packet_in_the_other_law_is_understood() -> None:
    a, b = joined(PCMU, PCMU)
    run(60, a, b, saying=(Tone(a, 400, kind=PCMA),))
    assert share(b.heard[10 * FRAME :], 400) > 0.98
    assert {packet.payload_type for packet, _ in b.sent} == {0}


@pytest.mark.parametrize("law_b", [PCMU, PCMA])
def test_a_prompt_on_one_side_replaces_the_peer_there_and_only_there(law_b: Law) -> None:
    a, b = joined(PCMU, law_b)
    saying = (Tone(a, 400), Tone(b, 1000))
    run(50, a, b, saying=saying)
    a.play(1, (clip(2000, 400),), 1, stop_on_digit=False)
    run(80, a, b, saying=saying, begin=51)
    sound = a.heard
    assert share(sound[10 * FRAME : 48 * FRAME], 1000) > 0.98
    assert share(sound[52 * FRAME : 68 * FRAME], 2000) > 0.98
    assert share(sound[78 * FRAME : 120 * FRAME], 1000) > 0.98
    assert share(b.heard[10 * FRAME : 120 * FRAME], 400) > 0.98
    is_one_line(a)
    is_one_line(b)


def test_packets_of_another_length_are_cut_to_20_ms() -> None:
    a, b = joined(PCMU, PCMU)
    sound = PCMU.encode(tone(400, 3000))
    for tick in range(1, 101):
        if tick % 3 == 1:
            a.clock += 480
            begin = tick // 3 * 480
            a.say(sound[begin : begin + 480], tick * FRAME - 5)
        run(1, a, b, begin=tick)
    assert {len(packet.payload) for packet, _ in b.sent} == {FRAME}
    assert share(b.heard[10 * FRAME :], 400) > 0.98
    is_one_line(b)


@pytest.mark.parametrize("law_b", [PCMU, PCMA])
def test_a_key_is_regenerated_for_the_peer_and_told_once(law_b: Law) -> None:
    a, b = joined(PCMU, law_b)
    saying = (Tone(a, 400), Tone(b, 1000))
    begin = run(30, a, b, saying=saying)
    a.clock += FRAME
    for n in range(1, 8):
        a.say(EventPayload(7, n > 4, min(n, 5) * FRAME).serialize(), (begin + n - 1) * FRAME - 80, kind=EVENTS, marker=n == 1)
        run(1, a, b, begin=begin + n - 1)
    a.clock += 7 * FRAME
    run(40, a, b, saying=saying, begin=begin + 7)
    events = b.events()
    assert (a.told, b.told) == ([DigitHeard(A, "7", 100)], [])
    assert {payload.code for _, payload in events} == {7}
    assert {packet.ssrc for packet, _ in events} == {B.int}
    assert len({packet.timestamp for packet, _ in events}) == 1
    assert [packet.marker for packet, _ in events] == [True] + [False] * (len(events) - 1)
    assert [payload.end for _, payload in events][-3:] == [True] * 3
    assert 80 <= events[-1][1].duration / 8 <= 120
    is_one_line(b)
    assert share(b.heard[-25 * FRAME :], 400) > 0.95


def test_a_peer_without_events_gets_none() -> None:
    a, b = joined(PCMU, PCMU)
    b.event_type = None
    b.connect()
    press(a, "1", 0)
    run(20, a, b)
    assert all(packet.payload == PCMU.silent_frame for packet, _ in b.sent)
    assert a.told == [DigitHeard(A, "1", 100)]


def test_digits_take_the_line_and_the_prompt_waits() -> None:
    leg = Leg(A)
    leg.play(1, (clip(400, 200),), 1, stop_on_digit=False)
    run(5, leg)
    leg.stream.keypad.press("42", 60, 60)
    run(30, leg, begin=6)
    assert [(payload.code, payload.end) for _, payload in leg.events()] == [
        (code, end) for code in (4, 2) for end in (False, False, True, True, True)
    ]
    assert leg.told == [PlayBegan(A, 1), PlayEnded(A, 1, "done")]
    is_one_line(leg)


def test_without_events_digits_are_tones_in_the_sound() -> None:
    leg = Leg(A, PCMA, event_type=None)
    leg.stream.keypad.press("5", 100, 100)
    run(12, leg)
    sound = leg.heard[: 5 * FRAME]
    assert share(sound, 770) + share(sound, 1336) > 0.95


def test_hold_silences_both_ways_and_unhold_ends_it() -> None:
    a, b = joined(PCMU, PCMU)
    saying = (Tone(a, 400), Tone(b, 1000))
    begin = run(30, a, b, saying=saying)
    a.connect(send=False, receive=False)
    before = len(a.sent)
    begin = run(40, a, b, saying=saying, begin=begin)
    assert len(a.sent) == before
    assert np.abs(b.heard[-30 * FRAME :]).max() <= 8
    assert a.stream.dropped["held"] == 40
    a.connect(begin * FRAME)
    run(40, a, b, saying=saying, begin=begin)
    assert share(b.heard[-30 * FRAME :], 400) > 0.98
    assert share(a.heard[-30 * FRAME :], 1000) > 0.98
    is_one_line(b)


def test_a_law_that_changes_in_the_middle_turns_relay_into_mix() -> None:
    a, b = joined(PCMU, PCMU)
    run(30, a, b, saying=(Tone(a, 400), Tone(b, 1000)))
    b.law = PCMA
    b.connect()
    run(60, a, b, saying=(Tone(a, 400), Tone(b, 1000)), begin=31)
    assert share(b.heard[-40 * FRAME :], 400) > 0.98
    assert share(a.heard[-40 * FRAME :], 1000) > 0.98
    assert [packet.payload_type for packet, _ in b.sent][-1] == 8
    is_one_line(b)


@pytest.mark.parametrize("law_b", [PCMU, PCMA])
def test_a_law_mapped_to_a_dynamic_number_keeps_it_both_ways(law_b: Law) -> None:
    a, b = joined(PCMU, law_b)
    a.stream.connect(Connect(A, *a.address, 0, EVENTS, mapped_type=97), 0)
    say, coded = Tone(b, 1000), PCMU.encode(tone(400, 1200))
    for tick in range(1, 61):
        a.clock += FRAME
        a.say(coded[(tick - 1) * FRAME : tick * FRAME], tick * FRAME - 80, kind=97)
        run(1, a, b, saying=(say,), begin=tick)
    assert {packet.payload_type for packet, _ in a.sent} == {97}
    assert {packet.payload_type for packet, _ in b.sent} == {law_b.payload_type}
    assert share(b.heard[10 * FRAME :], 400) > 0.98
    heard = np.concatenate([PCMU.decode(packet.payload) for packet, _ in a.sent[10:]])
    assert share(heard, 1000) > 0.98
    assert a.stream.dropped == {}


def test_comfort_noise_is_silence() -> None:
    a, b = joined(PCMU, PCMU)
    begin = run(20, a, b, saying=(Tone(a, 400),))
    a.say(b"\x40", begin * FRAME, kind=13)
    run(10, a, b, begin=begin)
    assert np.abs(b.heard[-10 * FRAME :]).max() <= 8
    assert a.stream.dropped == {}


def test_parting_returns_both_to_silence_and_is_told_once() -> None:
    a, b = joined(PCMU, PCMA)
    run(20, a, b, saying=(Tone(a, 400), Tone(b, 1000)))
    assert a.conversations is not None
    a.conversations.part(a.stream)
    a.conversations.part(b.stream)
    assert (a.told, b.told) == ([Parted(A)], [Parted(B)])
    run(20, a, b, saying=(Tone(a, 400), Tone(b, 1000)), begin=21)
    assert np.abs(b.heard[-15 * FRAME :]).max() <= 8


def test_a_source_is_locked_and_sent_to_and_strangers_are_counted() -> None:
    leg = Leg(A)
    nat, stranger = ("198.51.100.7", 61000), ("203.0.113.9", 5000)
    for n in range(3):
        leg.say(PCMU.silent_frame, n, source=nat)
    for n in range(20):
        leg.say(PCMU.silent_frame, n, source=stranger)
    run(1, leg)
    assert leg.sent[0][1] == nat
    assert leg.stream.counters().received == 3
    assert leg.stream.dropped == {"stranger": 20}


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "malformed"),
        (b"\x80", "malformed"),
        (bytes(200), "malformed"),
        (rtp.serialize(RtpPacket(96, 1, 1, 1, bytes(160))), "payload_type"),
        (rtp.serialize(RtpPacket(0, 1, 1, 1, b"")), "payload_size"),
        (rtp.serialize(RtpPacket(0, 1, 1, 1, bytes(1400))), "payload_size"),
        (rtp.serialize(RtpPacket(101, 1, 1, 1, b"abc")), "malformed"),
        (rtcp.serialize(rtcp.ReceiverReport(1)), "control"),
    ],
)
def test_junk_is_counted_by_what_it_is(datagram: bytes, reason: str) -> None:
    leg = Leg(A)
    leg.stream.receive(datagram, leg.address, 0)
    assert leg.stream.dropped == {reason: 1}


def test_an_address_that_cannot_be_used_is_said_and_nothing_is_sent() -> None:
    leg = Leg(A)
    assert "example.com:4000" in (leg.connect(address="example.com") or "")
    run(3, leg)
    assert leg.sent == []
    leg.law = Law("G729", 18, np.zeros(1 << 16, np.uint8), np.zeros(256, np.int16))
    assert "payload type 18" in (leg.connect() or "")


def test_silence_of_the_far_end_is_told_once_for_each() -> None:
    leg = Leg(A)
    begin = run(2999, leg)
    assert leg.told == []
    begin = run(3000, leg, begin=begin)
    assert leg.told == [WentSilent(A)]
    leg.say(PCMU.silent_frame, begin * FRAME)
    begin = run(3001, leg, begin=begin)
    assert leg.told == [WentSilent(A), HeardAgain(A), WentSilent(A)]


def test_a_far_end_on_hold_is_not_silent_until_it_is_back() -> None:
    leg = Leg(A)
    leg.connect(receive=False)
    begin = run(4000, leg)
    assert leg.told == []
    leg.connect(begin * FRAME)
    begin = run(2990, leg, begin=begin)
    assert leg.told == []
    run(20, leg, begin=begin)
    assert leg.told == [WentSilent(A)]


def test_reports_go_out_every_five_seconds_and_at_the_end() -> None:
    leg = Leg(A)
    run(500, leg, saying=(Tone(leg, 400),))
    leg.stream.goodbye(1_700_000_000_000_000, 501 * FRAME)
    compounds = [rtcp.parse(data) for data, address in leg.control if address == ("192.0.2.1", 4001)]
    assert [[type(packet).__name__ for packet in compound] for compound in compounds] == [
        ["SenderReport"],
        ["SenderReport"],
        ["SenderReport", "Goodbye"],
    ]
    last = compounds[-1][0]
    assert isinstance(last, rtcp.SenderReport)
    assert (last.packets, last.octets, last.ssrc) == (500, 80_000, A.int)
    assert last.timestamp == leg.sent[-1][0].timestamp + FRAME
    assert [(block.ssrc, block.lost, block.highest) for block in last.blocks] == [(99, 0, 7500)]


def test_what_the_far_end_reports_is_noted() -> None:
    leg = Leg(A)
    at_us = 1_700_000_000_000_000
    sent = rtcp.ntp_time(at_us) >> 16 & 0xFFFF_FFFF
    block = rtcp.ReportBlock(A.int, 10, 17, 500, 80, last_sr=sent, delay=65536)
    report = rtcp.serialize(rtcp.SenderReport(99, 1 << 40, 0, 1, 160, (block,)))
    leg.stream.receive_control(report, ("192.0.2.1", 4001), at_us + 1_120_000, 0)
    far = RtpCounters(round_trip_ms=120.0, far_lost=17, far_jitter_ms=10.0)
    assert leg.stream.counters() == far
    leg.stream.goodbye(at_us, 4000)
    [compound] = [rtcp.parse(data) for data, _ in leg.control]
    assert compound[0] == rtcp.ReceiverReport(A.int)


def test_control_junk_and_strangers_are_counted() -> None:
    leg = Leg(A)
    leg.stream.receive_control(b"junk", leg.address, 0, 0)
    leg.stream.receive_control(rtcp.serialize(rtcp.Goodbye((1,))), ("203.0.113.9", 1), 0, 0)
    assert leg.stream.dropped == {"malformed_control": 1, "stranger_control": 1}


def test_the_counters_of_a_life() -> None:
    a, b = joined(PCMU, PCMA)
    say = Tone(a, 400)
    for tick in range(1, 101):
        if tick in (50, 51):
            a._sequence += 1
            a.clock += FRAME
        elif tick == 60:
            say(tick * FRAME - 80)
            a._sequence -= 1
            a.say(PCMU.silent_frame, tick * FRAME - 80)
        else:
            say(tick * FRAME - 80)
        run(1, a, b, begin=tick)
    assert a.stream.counters() == RtpCounters(
        sent=100, received=99, lost=2, late=0, duplicate=1, reordered=0, jitter_ms=0.0, mos=a.stream.counters().mos
    )
    assert 4.0 < (a.stream.counters().mos or 0) < 4.38


def test_what_cannot_be_sent_is_counted() -> None:
    leg = Leg(A)

    def refuse(data: bytes, address: tuple[str, int]) -> None:
        raise OSError

    leg.stream._send = refuse
    run(3, leg)
    assert leg.stream.dropped == {"unsendable": 3}


def test_streams_leave_no_cycles_behind() -> None:
    clear_litter()
    gc.disable()
    try:
        a, b = joined(PCMU, PCMA)
        a.play(1, (clip(400, 40),), 1, stop_on_digit=True)
        run(20, a, b, saying=(Tone(a, 400), Tone(b, 1000)))
        press(a, "1", 20 * FRAME)
        run(30, a, b, begin=28)
        a.conversations.part(a.stream)
        for leg in (a, b):
            # The far end of a test holds its stream, as the process does not.
            leg.stream._send = leg.stream._send_control = leg.stream._report = print
        del a, b, leg
        assert gc.collect() == 0
    finally:
        gc.enable()


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda *fields: rtp.serialize(RtpPacket(*fields)),
                st.sampled_from([0, 8, 13, EVENTS, 96]),
                st.integers(0, 0xFFFF),
                st.integers(0, 0xFFFF_FFFF),
                st.sampled_from([1, 2]),
                st.sampled_from([b"", b"\x05\x80\x01\x00", bytes(80), bytes(160), bytes(480)]),
                st.booleans(),
            ),
        ),
        max_size=40,
    ),
    st.sampled_from([PCMU, PCMA]),
)
def test_nothing_a_far_end_sends_raises_or_breaks_the_peers_line(datagrams: list[bytes], law: Law) -> None:
    a, b = Leg(A), Leg(B, law)
    converse(a, b)
    for tick, datagram in enumerate(datagrams, 1):
        a.stream.receive(datagram, a.address, tick * FRAME - 50)
        a.stream.receive_control(datagram, a.address, 0, tick * FRAME)
        run(1, a, b, begin=tick)
    sent = [packet for packet, _ in b.sent]
    assert all(len(packet.payload) in (FRAME, 4) for packet in sent)
    assert {packet.ssrc for packet in sent} <= {B.int}
