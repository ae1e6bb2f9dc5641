"""Keys, voices and beeps in the sound of streams: when they are told, and what they end."""

from __future__ import annotations

import gc
import random
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.keypad import tone as keypad_tone
from callwright.media.rtp import RtpPacket
from callwright.media.telephone_event import KEYS, EventPayload
from callwright.media.voice import SILENT, Beep, Voice, levels, pitches
from callwright.media.wire import BeepHeard, DigitHeard, PlayBegan, PlayEnded, RecordEnded, VoiceChanged
from support.listening import Surroundings, sound_of
from support.litter import clear_litter
from support.sound import FRAME, share, tone
from support.streams import EVENTS, Came, Leg, clip
from support.talk import talk

A, B = UUID(int=10), UUID(int=11)
MS = 8


def quiet(ms: int) -> np.ndarray:
    return np.random.default_rng(ms).normal(0, 10, ms * MS).astype(np.int16)


def key(name: str, ms: int) -> np.ndarray:
    return PCMU.decode(b"".join(keypad_tone(name, ms // 20, 0)))


def packets(leg: Leg, sound: np.ndarray, at: int = 0, ptime: int = 20) -> list[tuple[Leg, Came]]:
    coded = leg.law.encode(sound.astype(np.int16))
    size = ptime * MS
    return [
        (
            leg,
            Came(
                at + start + FRAME // 2,
                RtpPacket(leg.law.payload_type, 7000 + n, 900_000 + at + start, 99, coded[start : start + size]),
                leg.address,
            ),
        )
        for n, start in enumerate(range(0, len(coded) // size * size, size))
    ]


def event(leg: Leg, name: str, begin: int, sequence: int, packets: int = 7) -> list[tuple[Leg, Came]]:
    came = []
    for n in range(1, packets + 1):
        payload = EventPayload(KEYS.index(name), n > packets - 3, min(n, packets - 2) * FRAME).serialize()
        packet = RtpPacket(EVENTS, sequence + n - 1, 900_000 + begin, 99, payload, n == 1)
        came.append((leg, Came(begin + (n - 1) * FRAME + FRAME // 2, packet, leg.address)))
    return came


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_keys_in_the_sound_are_told_once_each(law: Law, ptime: int) -> None:
    leg = Leg(A, law, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    sound = np.concatenate([part for name in "15*#0" for part in (quiet(80), key(name, 100))] + [quiet(200)])
    room.tick(80, packets(leg, sound, ptime=ptime))
    digits = room.of(DigitHeard)
    assert [(one.digit, one.inband) for one in digits] == [(name, True) for name in "15*#0"]
    assert all(75 <= one.duration_ms <= 105 for one in digits)
    assert room.told == digits


def test_keys_are_not_looked_for_unless_asked() -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    came = packets(leg, np.concatenate([quiet(100), key("5", 100), quiet(100)]))
    room.tick(20, came)
    room.attention.detect_keys(leg.stream, True)
    room.attention.detect_keys(leg.stream, False)
    room.tick(20, packets(leg, np.concatenate([quiet(100), key("5", 100), quiet(100)]), at=room.now))
    assert room.told == []
    assert len(room.attention) == 0


@pytest.mark.parametrize("lost", [{7}, {8, 9}, {6}])
def test_a_lost_packet_makes_no_second_press(lost: set[int]) -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    came = packets(leg, np.concatenate([quiet(80), key("5", 200), quiet(200)]))
    room.tick(40, [one for n, one in enumerate(came) if n not in lost])
    assert [one.digit for one in room.of(DigitHeard)] == ["5"]


def test_a_far_end_that_falls_silent_with_a_key_down_lets_it_go() -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    room.tick(30, packets(leg, np.concatenate([quiet(100), key("5", 100)])))
    assert [one.digit for one in room.of(DigitHeard)] == ["5"]


def test_a_key_that_is_down_when_nobody_asks_any_more_is_told() -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    room.tick(8, packets(leg, np.concatenate([quiet(60), key("5", 400)])))
    room.attention.detect_keys(leg.stream, False)
    [digit] = room.of(DigitHeard)
    assert digit.digit == "5"
    room.tick(10)
    assert len(room.of(DigitHeard)) == 1


def barge_in(leg: Leg, room: Surroundings, came: list[tuple[Leg, Came]]) -> tuple[float, float]:
    """Play over a key press; milliseconds until the prompt is over, and until its last sound went out."""
    leg.play(1, (clip(1000, 3000),), 1, stop_on_digit=True)
    ended_ms = 0.0
    while not room.of(PlayEnded):
        room.tick(1, [one for one in came if room.now < one[1].at <= room.now + FRAME])
        ended_ms = room.now / MS
    room.tick(10)
    loud = [at for (packet, _), at in zip(leg.sent, leg.times, strict=True) if max(packet.payload.translate(PCMU.loudness)) > 2]
    return ended_ms, max(loud) / MS


def test_an_event_stops_a_prompt_before_the_next_frame() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    came = event(leg, "5", 500 * MS, 7000)
    ended_ms, last_ms = barge_in(leg, room, came)
    first_ms = came[0][1].at / MS
    assert room.told[:2] == [PlayBegan(A, 1), PlayEnded(A, 1, "digit")]
    assert ended_ms - first_ms <= 20
    assert last_ms < first_ms


def test_an_event_whose_first_packets_are_lost_stops_it_with_the_first_that_comes() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    came = event(leg, "5", 500 * MS, 7000)[2:]
    _, last_ms = barge_in(leg, room, came)
    assert last_ms < came[0][1].at / MS


def test_a_key_in_the_sound_stops_a_prompt_before_the_next_frame() -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    came = packets(leg, np.concatenate([quiet(500), key("5", 100), quiet(500)]))
    _, last_ms = barge_in(leg, room, came)
    assert last_ms - 500 <= 60  # two blocks, a packet, and the tick


def test_a_press_that_is_heard_both_ways_is_told_once_and_then_only_events_are() -> None:
    """A gateway lets 60 ms of the tone through before it sends the event in its place."""
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    leg.play(1, (clip(1000, 3000),), 1, stop_on_digit=True)
    came = packets(leg, np.concatenate([quiet(500), key("5", 60)])) + event(leg, "5", 560 * MS, 7028)
    sound = np.concatenate([quiet(100), key("7", 100), quiet(200)])
    later = [
        (leg, one._replace(packet=RtpPacket(0, 7035 + n, one.packet.timestamp, 99, one.packet.payload)))
        for n, (_, one) in enumerate(packets(leg, sound, at=700 * MS))
    ]
    room.tick(70, came + later)
    assert room.told == [PlayBegan(A, 1), PlayEnded(A, 1, "digit"), DigitHeard(A, "5", 100)]


def test_a_leak_so_short_that_it_was_over_before_the_event_came_is_not_told_either() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    sound = np.concatenate([quiet(500), key("5", 60), quiet(40)])
    room.tick(60, packets(leg, sound) + event(leg, "5", 600 * MS, 7030))
    assert room.told == [DigitHeard(A, "5", 100)]


def test_a_key_in_the_sound_is_told_soon_also_where_events_were_agreed() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    room.tick(50, packets(leg, np.concatenate([quiet(100), key("5", 100), quiet(400)])))
    assert [(one.digit, one.inband) for one in room.of(DigitHeard)] == [("5", True)]


def test_a_key_in_the_sound_ends_a_recording_and_is_not_in_it(tmp_path: Path) -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    room.attention.detect_keys(leg.stream, True)
    room.record(leg, tmp_path / "a.wav", stop_keys="#")
    sound = np.concatenate([tone(400, 1000), key("#", 100), quiet(300)])
    room.tick(80, packets(leg, sound))
    digit, end = room.of(DigitHeard, RecordEnded)
    assert isinstance(digit, DigitHeard)
    assert isinstance(end, RecordEnded)
    assert (digit.digit, end.outcome) == ("#", "key")
    assert 950 <= end.duration_ms <= 1000
    kept = sound_of(tmp_path / "a.wav")[:, 0]
    assert max(share(kept[-40 * MS :], 941), share(kept[-40 * MS :], 1477)) < 0.02


def test_speech_in_packets_holds_no_keys_and_is_told_as_voice() -> None:
    """Half a minute and more, with losses and jitter, which make edges that speech has not."""
    chance = random.Random(8)
    seconds = 0.0
    for sound in talk()[::8]:
        leg = Leg(A, event_type=None)
        room = Surroundings(leg)
        room.attention.detect_keys(leg.stream, True)
        room.attention.listen(leg.stream, True)
        came = [one for one in packets(leg, np.concatenate([quiet(500), sound, quiet(1000)])) if chance.random() > 0.03]
        room.tick(len(came) + 60, came)
        assert room.of(DigitHeard, BeepHeard) == []
        changes = room.of(VoiceChanged)
        assert [one.speaking for one in changes] == [n % 2 == 0 for n in range(len(changes))]
        assert len(changes) >= 2
        assert len(changes) % 2 == 0
        seconds += len(sound) / 8000
    assert seconds > 30


def spoken(leg: Leg, room: Surroundings, parts: list[np.ndarray]) -> list[tuple[bool, float]]:
    """When the far end began and ceased to speak, in milliseconds, as it is told."""
    room.attention.listen(leg.stream, True)
    came = packets(leg, np.concatenate(parts))
    changes = []
    for _ in range(len(came) + 20):
        before = len(room.told)
        room.tick(1, [one for one in came if room.now < one[1].at <= room.now + FRAME])
        changes += [(one.speaking, room.now / MS - one.ago_ms) for one in room.told[before:] if isinstance(one, VoiceChanged)]
    return changes


@pytest.mark.parametrize("noise", [10, 200])
def test_when_somebody_speaks_is_told_with_the_moment_it_began(noise: int) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    word = tone(300, 600, 6000)
    silence = np.random.default_rng(1).normal(0, noise, 3000 * MS).astype(np.int16)
    changes = spoken(leg, room, [silence, word, silence[: 120 * MS], word, silence])
    assert [speaking for speaking, _ in changes] == [True, False]
    (_, began), (_, ceased) = changes
    assert abs(began - 3000) <= 60
    assert abs(ceased - 4320) <= 60


def test_a_click_is_no_voice_and_a_steady_noise_becomes_silence() -> None:
    click = quiet(2000)
    click[500 * MS : 540 * MS] = 8000
    leg = Leg(A)
    assert spoken(leg, Surroundings(leg), [click]) == []
    leg = Leg(A)
    changes = spoken(leg, Surroundings(leg), [quiet(1500), np.random.default_rng(2).normal(0, 800, 6000 * MS), quiet(500)])
    assert [speaking for speaking, _ in changes] == [True, False]
    assert changes[1][1] < 1500 + 3000


def test_a_far_end_that_sends_nothing_while_it_is_silent_ceases_to_speak() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.listen(leg.stream, True)
    room.tick(80, packets(leg, np.concatenate([quiet(400), tone(300, 400)])))
    assert [one.speaking for one in room.of(VoiceChanged)] == [True, False]


@pytest.mark.parametrize("hz", [520, 750, 950, 1000, 1400, 2000])
@pytest.mark.parametrize("ms", [250, 400, 800])
@pytest.mark.parametrize("lost", [set(), {40}])
def test_beeps_are_told_when_they_end(hz: int, ms: int, lost: set[int]) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.listen(leg.stream, True)
    came = packets(leg, np.concatenate([quiet(737), tone(hz, ms, 4000), quiet(500)]))
    room.tick(100, [one for n, one in enumerate(came) if n not in lost])
    assert room.of(BeepHeard) == [BeepHeard(A)]


RING_BACKS = {
    "Europe": ((425,), 1000, 4000),
    "America": ((440, 480), 2000, 4000),
    "Britain": ((400, 450), 400, 200),
    "busy in Europe": ((425,), 480, 480),
    "busy in America": ((480, 620), 500, 500),
    "a dial tone": ((350, 440), 3000, 100),
    "a long tone": ((1000,), 1500, 500),
    "a short tone": ((1000,), 120, 500),
    "two tones in a row": ((1000,), 300, 0),
    "a key": ((770, 1336), 400, 400),
}


@pytest.mark.parametrize("name", RING_BACKS)
def test_tones_of_exchanges_are_no_beeps(name: str) -> None:
    hz, on_ms, off_ms = RING_BACKS[name]
    at = np.arange(on_ms * MS) / 8000
    one = sum(3000 * np.sin(2 * np.pi * each * at) for each in hz)
    second = tone(1400, on_ms) if name == "two tones in a row" else quiet(off_ms)
    third = tone(1800, 1500) if name == "two tones in a row" else quiet(0)
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.listen(leg.stream, True)
    sound = np.concatenate([quiet(300), *([one, second, third] * 2), quiet(300)])
    room.tick(len(sound) // FRAME + 20, packets(leg, sound))
    assert room.of(BeepHeard) == []


def test_what_is_told_while_nobody_listens() -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.attention.listen(leg.stream, True)
    sound = np.concatenate([quiet(500), tone(300, 1000), quiet(1000)])
    came = packets(leg, sound)
    room.tick(40, came)
    room.attention.listen(leg.stream, False)
    room.tick(60, [one for one in came if one[1].at > room.now])
    assert [one.speaking for one in room.of(VoiceChanged)] == [True]
    assert len(room.attention) == 0


def test_levels_and_pitches_of_rows() -> None:
    frames = np.stack([tone(1000, 20, 16_384), np.zeros(FRAME), tone(620, 20, 100)]).astype(np.float32)
    assert levels(frames).round().tolist() == [-9, SILENT, -53]
    assert np.abs(pitches(frames) - [1000, 0, 620]).max() < 12
    voice, beep = Voice(), Beep()
    assert [voice.frame(SILENT) for _ in range(100)] == [None] * 100
    assert not any(beep.frame(0.0) for _ in range(10))


def test_one_stream_that_fails_leaves_the_others() -> None:
    legs = [Leg(A, event_type=None), Leg(B, event_type=None, address="192.0.2.2")]
    room = Surroundings(*legs)
    sound = np.concatenate([quiet(100), key("5", 100), quiet(200)])
    for leg in legs:
        room.attention.detect_keys(leg.stream, True)
    legs[0].stream.hear_tone = None  # type: ignore[method-assign]
    room.tick(30, packets(legs[0], sound) + packets(legs[1], sound))
    assert [(one.stream, one.digit) for one in room.of(DigitHeard) if one.stream == B] == [(B, "5")]
    assert room.failed[0] is legs[0].stream


def test_listening_leaves_no_cycles() -> None:
    leg = Leg(A, event_type=None)
    room = Surroundings(leg)
    came = packets(leg, np.concatenate([quiet(100), key("5", 100), tone(300, 500), quiet(300)]))
    room.tick(1)
    clear_litter()
    gc.disable()
    try:
        room.attention.detect_keys(leg.stream, True)
        room.attention.listen(leg.stream, True)
        room.tick(60, came)
        room.attention.leave(leg.stream)
        room.told.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()
