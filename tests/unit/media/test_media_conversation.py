"""More than two who hear each other: sums without one's own voice, and the ways in and out."""

from __future__ import annotations

import gc
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.telephone_event import KEYS, EventPayload
from callwright.media.wire import DigitHeard, Joined, Parted, PlayBegan, PlayEnded
from support.listening import RECORDING, Surroundings, sound_of
from support.litter import clear_litter
from support.sound import FRAME, share
from support.streams import EVENTS, Leg, Tone, clip

A, B, C, D = (UUID(int=number) for number in (10, 11, 12, 13))
TONES = {A: 400, B: 1000, C: 1700, D: 2600}


def legs(*laws: Law) -> list[Leg]:
    return [Leg(UUID(int=number), law, address=f"192.0.2.{number}") for number, law in enumerate(laws, A.int)]


def round_of(*laws: Law) -> Surroundings:
    room = Surroundings(*legs(*laws))
    first, *others = room.legs
    for leg in others:
        room.conversations.join(leg.stream, first.stream)
    return room


def talk(room: Surroundings, ticks: int, *speaking: Leg) -> None:
    tones = [Tone(leg, TONES[leg.stream.id]) for leg in speaking]
    for _ in range(ticks):
        for say in tones:
            say(room.now + FRAME // 2)
        room.tick(1)


def heard_by(leg: Leg, ticks: int) -> set[int]:
    """The tones of the last so many packets sent to a leg."""
    sound = leg.heard[-ticks * FRAME :]
    return {hz for hz in TONES.values() if share(sound, hz) > 0.15}


@pytest.mark.parametrize("laws", [(PCMU, PCMU, PCMU), (PCMA, PCMU, PCMA), (PCMU, PCMA, PCMU, PCMA)])
def test_each_hears_all_but_itself(laws: tuple[Law, ...]) -> None:
    room = round_of(*laws)
    talk(room, 50, *room.legs)
    for leg in room.legs:
        assert heard_by(leg, 30) == {TONES[other.stream.id] for other in room.legs if other is not leg}
        sound = leg.heard[-30 * FRAME :]
        assert share(sound, TONES[leg.stream.id]) < 0.001
        assert [packet.sequence for packet, _ in leg.sent] == list(range(101, 151))
        assert {packet.payload_type for packet, _ in leg.sent} == {leg.law.payload_type}
    assert room.failed == []


def test_several_conversations_are_mixed_apart() -> None:
    room = Surroundings(*legs(PCMU, PCMA, PCMU, PCMA, PCMA, PCMU))
    first, second = room.legs[:3], room.legs[3:]
    for members in (first, second):
        for leg in members[1:]:
            room.conversations.join(leg.stream, members[0].stream)
    talk(room, 50, first[0], second[0])
    assert [heard_by(leg, 30) for leg in first] == [set(), {400}, {400}]
    assert [heard_by(leg, 30) for leg in second] == [set(), {2600}, {2600}]


def test_sums_beyond_the_scale_are_clipped() -> None:
    room = Surroundings(*legs(PCMU, PCMU, PCMU, PCMU))
    for leg in room.legs[1:]:
        room.conversations.join(leg.stream, room.legs[0].stream)
    loud = PCMU.encode(np.full(FRAME, 30_000, np.int16))
    for _ in range(30):
        for leg in room.legs:
            leg.clock += FRAME
            leg.say(loud, room.now + FRAME // 2)
        room.tick(1)
    assert all(leg.heard[-FRAME:].min() > 31_000 for leg in room.legs)


def test_what_is_told_on_the_ways_in_and_out() -> None:
    room = Surroundings(*legs(PCMU, PCMU, PCMA, PCMU))
    a, b, c, d = (leg.stream for leg in room.legs)
    join, part = room.conversations.join, room.conversations.part

    def told(call) -> list[object]:
        room.told.clear()
        call()
        return list(room.told)

    assert told(lambda: join(a, b)) == [Joined(A, B, "relay"), Joined(B, A, "relay")]
    assert told(lambda: join(c, b)) == [Joined(C, B, "mix")]
    assert told(lambda: join(c, a)) == [Joined(C, A, "mix")]
    assert told(lambda: join(d, c)) == [Joined(D, C, "mix")]
    assert told(lambda: part(b)) == [Parted(B)]
    assert told(lambda: part(b)) == []
    assert told(lambda: part(d)) == [Parted(D)]
    assert told(lambda: part(c)) == [Parted(C), Parted(A)]
    assert told(lambda: join(a, c)) == [Joined(A, C, "mix"), Joined(C, A, "mix")]
    # One that is in a conversation leaves it for another.
    assert told(lambda: join(b, d)) == [Joined(B, D, "relay"), Joined(D, B, "relay")]
    assert told(lambda: join(a, d)) == [Parted(A), Parted(C), Joined(A, D, "mix")]
    assert all(stream.conversation is not None for stream in (a, b, d))
    assert (c.conversation, c.peer, c.round) == (None, None, None)


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
def test_a_third_comes_and_goes_and_two_go_on_as_before(law_b: Law) -> None:
    room = Surroundings(*legs(PCMU, law_b, PCMU))
    a, b, c = room.legs
    room.conversations.join(a.stream, b.stream)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000}, {400}, set()]
    room.conversations.join(c.stream, a.stream)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000, 1700}, {400, 1700}, {400, 1000}]
    room.conversations.part(c.stream)
    assert a.stream.hop_out is not None
    assert a.stream.hop_out.relays is (law_b is PCMU)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000}, {400}, set()]
    for leg in room.legs:
        numbers = [packet.sequence for packet, _ in leg.sent]
        assert numbers == list(range(101, 101 + len(numbers)))
        assert max(abs(ahead) for ahead in leg.ahead_ms) <= 30
        assert leg.stream.dropped == {}


def test_a_prompt_is_heard_by_the_one_it_is_played_to() -> None:
    room = round_of(PCMU, PCMA, PCMU)
    a, b, c = room.legs
    a.play(1, (clip(2600, 600),), 1, stop_on_digit=False)
    talk(room, 30, a, b, c)
    assert [heard_by(leg, 15) for leg in room.legs] == [{2600}, {400, 1700}, {400, 1000}]
    talk(room, 30, a, b, c)
    assert heard_by(a, 15) == {1000, 1700}
    assert room.of(PlayBegan, PlayEnded) == [PlayBegan(A, 1), PlayEnded(A, 1, "done")]


def test_who_is_on_hold_neither_hears_nor_is_heard() -> None:
    room = round_of(PCMU, PCMU, PCMU)
    a, b, c = room.legs
    talk(room, 30, a, b, c)
    sent = len(a.sent)
    a.connect(room.now, send=False, receive=False)
    talk(room, 40, a, b, c)
    assert len(a.sent) == sent
    assert [heard_by(leg, 20) for leg in (b, c)] == [{1700}, {1000}]
    a.connect(room.now)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000, 1700}, {400, 1700}, {400, 1000}]


def test_one_that_changes_its_law_is_heard_on() -> None:
    room = round_of(PCMU, PCMU, PCMU)
    a, b, c = room.legs
    talk(room, 30, a, b, c)
    a.law = PCMA
    a.connect(room.now)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000, 1700}, {400, 1700}, {400, 1000}]
    assert {packet.payload_type for packet, _ in a.sent[-20:]} == {8}


def test_one_whose_far_side_is_not_known_yet_is_let_in_when_it_is() -> None:
    room = Surroundings(*legs(PCMU, PCMA, PCMU))
    a, b, c = room.legs
    b.stream.law = None
    for leg in (b, c):
        room.conversations.join(leg.stream, a.stream)
    talk(room, 30, a, c)
    assert [heard_by(leg, 20) for leg in (a, c)] == [{1700}, {400}]
    assert b.sent == []
    b.connect(room.now)
    talk(room, 40, a, b, c)
    assert [heard_by(leg, 20) for leg in room.legs] == [{1000, 1700}, {400, 1700}, {400, 1000}]


def test_keys_press_nobody_elses_in_a_round() -> None:
    room = round_of(PCMU, PCMU, PCMU)
    a, b, c = room.legs
    for n in range(1, 8):
        a.say(EventPayload(KEYS.index("5"), n > 4, min(n, 5) * FRAME).serialize(), room.now + 80, kind=EVENTS, marker=n == 1)
        room.tick(1)
    assert room.of(DigitHeard) == [DigitHeard(A, "5", 100)]
    assert b.events() == c.events() == []


def test_a_third_that_comes_while_a_key_is_down_lets_it_go() -> None:
    room = Surroundings(*legs(PCMU, PCMU, PCMU))
    a, b, c = room.legs
    room.conversations.join(a.stream, b.stream)
    a.say(EventPayload(5, False, FRAME).serialize(), room.now + 80, kind=EVENTS, marker=True)
    room.tick(3)
    room.conversations.join(c.stream, a.stream)
    room.tick(10)
    assert [payload.end for _, payload in b.events()][-3:] == [True] * 3
    assert not b.stream.keypad.busy


def test_late_packets_are_counted_whatever_the_conversation_was() -> None:
    room = round_of(PCMU, PCMU, PCMU)
    a, _, c = room.legs
    talk(room, 20, *room.legs)
    for _ in range(3):
        a.say(PCMU.silent_frame, room.now, source=None)  # its clock does not go on: long past
    a.stream.round.late = 4  # type: ignore[union-attr]
    room.conversations.part(c.stream)
    assert a.stream.counters().late == 4


def test_a_round_is_recorded(tmp_path: Path) -> None:
    room = round_of(PCMU, PCMA, PCMU)
    a, b, c = room.legs
    room.record(a, tmp_path / "a.wav", "both")
    talk(room, 100, a, b, c)
    room.stop(RECORDING)
    heard, sent = sound_of(tmp_path / "a.wav")[400 * 8 : 1600 * 8].T
    assert {hz for hz in TONES.values() if share(heard, hz) > 0.15} == {400}
    assert {hz for hz in TONES.values() if share(sent, hz) > 0.15} == {1000, 1700}


def test_one_member_whose_sound_cannot_be_had_leaves_the_others() -> None:
    room = round_of(PCMU, PCMU, PCMU)
    a, b, c = room.legs
    talk(room, 20, a, b, c)
    a.stream.round.take = None  # type: ignore[union-attr,method-assign]
    talk(room, 30, a, b, c)
    assert set(room.failed) == {a.stream}
    assert [heard_by(leg, 20) for leg in (b, c)] == [{1700}, {1000}]


def test_conversations_that_are_over_leave_no_cycles() -> None:
    room = Surroundings(*legs(PCMU, PCMA, PCMU))
    talk(room, 2, *room.legs)
    clear_litter()
    gc.disable()
    try:
        for leg in room.legs[1:]:
            room.conversations.join(leg.stream, room.legs[0].stream)
        talk(room, 20, *room.legs)
        for leg in room.legs:
            room.conversations.part(leg.stream)
        room.told.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_where_nobody_speaks_all_hear_silence() -> None:
    room = round_of(PCMU, PCMU, PCMA)
    room.tick(50)
    for leg in room.legs:
        assert [packet.payload for packet, _ in leg.sent] == [leg.law.silent_frame] * 50
