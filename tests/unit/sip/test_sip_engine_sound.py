"""Prompts, keys, bridges and silence on the SIP engine between fake children."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    Bridge,
    Bridged,
    Cause,
    CommandRefused,
    Digit,
    EarlyMedia,
    Ended,
    HangUp,
    Play,
    PlayFinished,
    PlayOutcome,
    PlayStarted,
    Ring,
    SendDigits,
    Silent,
    Stop,
    Unbridge,
    Unbridged,
    Who,
)
from support.fake_children import COUNTERS, FAR_ANSWER, OTHER_CALL, A, B, Bench, C


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.answer(A)
    return bench


@pytest.fixture
def pair(bench: Bench) -> Bench:
    bench.reach(B)
    return bench


def test_a_prompt_from_start_to_end(bench: Bench) -> None:
    play = bench.submit(Play, files=("a.wav", "b.wav"), repeat=2, stop_on_digit=True)
    bench.media_says(media.PlayBegan(A, play))
    bench.clock.advance(60)
    bench.media_says(media.PlayEnded(A, play, "done"))
    assert bench.take() == [
        media.Play(A, play, ("a.wav", "b.wav"), 2, True),
        bench.event(PlayStarted, A, 3, ago=60, play=play),
        bench.event(PlayFinished, A, 4, play=play, outcome=PlayOutcome.DONE),
    ]
    assert bench.clock.pending == 0


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("digit", PlayOutcome.DIGIT),
        ("stopped", PlayOutcome.STOPPED),
        ("failed", PlayOutcome.FAILED),
        ("an outcome of a later version", PlayOutcome.FAILED),
    ],
)
def test_how_a_prompt_ends(bench: Bench, outcome: str, told: PlayOutcome) -> None:
    play = bench.submit(Play, files=("a.wav",))
    bench.take()
    bench.media_says(media.PlayEnded(A, play, outcome, "not a WAV"), media.PlayEnded(A, play, outcome))
    assert bench.take() == [bench.event(PlayFinished, A, 3, play=play, outcome=told, detail="not a WAV")]


def test_stop_reaches_media_only_while_something_plays(bench: Bench) -> None:
    bench.submit(Stop)
    assert bench.take() == []
    play = bench.submit(Play, files=("a.wav",))
    bench.submit(Stop)
    assert bench.take() == [media.Play(A, play, ("a.wav",), 1, False), media.Stop(A)]


def test_a_prompt_in_place_of_another(bench: Bench) -> None:
    first = bench.submit(Play, files=("a.wav",))
    second = bench.submit(Play, files=("b.wav",))
    bench.take()
    bench.media_says(media.PlayEnded(A, first, "stopped"), media.PlayBegan(A, second))
    assert bench.take() == [
        bench.event(PlayFinished, A, 3, play=first, outcome=PlayOutcome.STOPPED),
        bench.event(PlayStarted, A, 4, play=second),
    ]


def test_a_prompt_that_does_not_start(bench: Bench) -> None:
    play = bench.submit(Play, files=("a.wav",))
    bench.clock.advance(5)
    bench.media_says(media.PlayBegan(A, play))
    assert bench.take() == [
        media.Play(A, play, ("a.wav",), 1, False),
        media.Stop(A),
        bench.event(PlayFinished, A, 3, play=play, outcome=PlayOutcome.FAILED, detail="media-1 did not start it within 5 s"),
    ]


def test_a_prompt_is_finished_before_its_leg_is(bench: Bench) -> None:
    play = bench.submit(Play, files=("a.wav",))
    bench.take()
    bench.hear(sip.LegEnded(A, "far"))
    bench.media_says(media.PlayEnded(A, play, "stopped"), media.Closed(A, COUNTERS))
    assert bench.take() == [
        bench.event(PlayFinished, A, 3, play=play, outcome=PlayOutcome.STOPPED),
        media.Close(A),
        bench.event(Ended, A, 4, cause=Cause.HANGUP, who=Who.FAR, counters=COUNTERS),
    ]
    assert bench.clock.pending == 0


def test_digits_go_to_media(bench: Bench) -> None:
    bench.submit(SendDigits, digits="1#A", tone_ms=80, gap_ms=60)
    assert bench.take() == [media.SendDigits(A, "1#A", 80, 60)]


@pytest.mark.parametrize(
    ("command", "fields", "why"),
    [
        (Play, {"files": ()}, "at least one file"),
        (Play, {"files": ("a.wav",), "repeat": -1}, "a repeat of 0 or more"),
        (SendDigits, {"digits": ""}, "of 0-9"),
        (SendDigits, {"digits": "12x"}, "of 0-9"),
        (SendDigits, {"digits": "1" * 65}, "1 to 64"),
        (SendDigits, {"digits": "1", "tone_ms": 10}, "20 to 5000 ms"),
        (Unbridge, {}, "is not bridged"),
        (Bridge, {"other": A}, "is no other leg"),
        (Bridge, {"other": C}, "is no other leg"),
    ],
)
def test_sound_that_makes_no_sense_is_refused(bench: Bench, command: type, fields: dict[str, object], why: str) -> None:
    with pytest.raises(CommandRefused, match=why):
        bench.submit(command, **fields)
    assert bench.take() == []


# keys


def info(body: str, kind: str = "application/dtmf-relay") -> sip.InfoArrived:
    return sip.InfoArrived(A, kind, body)


def test_keys_as_telephone_events_and_in_info(bench: Bench) -> None:
    bench.media_says(media.DigitHeard(A, "5", 120))
    bench.hear(info("Signal=5\r\nDuration=120\r\n"))
    bench.media_says(media.DigitHeard(A, "#", 90))
    assert bench.take() == [
        bench.event(Digit, A, 3, digit="5", duration_ms=120, means="rfc4733"),
        bench.event(Digit, A, 4, digit="#", duration_ms=90, means="rfc4733"),
    ]


def test_a_phone_that_agreed_to_telephone_events_but_sends_info(bench: Bench) -> None:
    bench.hear(info("Signal= 7\r\nDuration= 250"), info("*", "application/dtmf"))
    bench.media_says(media.DigitHeard(A, "7", 120))
    assert bench.take() == [
        bench.event(Digit, A, 3, digit="7", duration_ms=250, means="info"),
        bench.event(Digit, A, 4, digit="*", duration_ms=0, means="info"),
    ]


def test_a_key_in_info_stops_a_prompt_that_listens_for_keys(bench: Bench) -> None:
    deaf = bench.submit(Play, files=("a.wav",))
    bench.media_says(media.PlayBegan(A, deaf))
    bench.take()
    bench.hear(info("Signal=1"))
    assert bench.take() == [bench.event(Digit, A, 4, digit="1", duration_ms=0, means="info")]
    play = bench.submit(Play, files=("b.wav",), stop_on_digit=True)
    bench.media_says(media.PlayEnded(A, deaf, "stopped"), media.PlayBegan(A, play))
    bench.take()
    bench.hear(info("Signal=2"))
    bench.media_says(media.PlayEnded(A, play, "stopped"))
    assert bench.take() == [
        bench.event(Digit, A, 7, digit="2", duration_ms=0, means="info"),
        media.Stop(A),
        bench.event(PlayFinished, A, 8, play=play, outcome=PlayOutcome.DIGIT),
    ]


# bridges


def test_a_bridge_and_its_end(pair: Bench) -> None:
    pair.submit(Bridge, A, other=B)
    pair.media_says(media.Joined(A, B, "relay"))
    assert pair.take() == [media.Join(A, B)]
    pair.media_says(media.Joined(B, A, "relay"))
    assert pair.take() == [pair.event(Bridged, A, 3, other=B, how="relay")]
    assert pair.clock.pending == 0
    pair.submit(Unbridge, B)
    pair.submit(Unbridge, A)
    assert pair.take() == [media.Part(B)]
    pair.media_says(media.Parted(A), media.Parted(B))
    assert pair.take() == [pair.event(Unbridged, B, 2)]
    pair.submit(Bridge, B, other=A)
    pair.media_says(media.Joined(A, B, "mix"), media.Joined(B, A, "mix"))
    assert pair.take() == [media.Join(B, A), pair.event(Bridged, B, 3, other=A, how="mix")]
    assert pair.clock.pending == 0


def test_an_unbridge_that_overtakes_the_joining(pair: Bench) -> None:
    pair.submit(Bridge, A, other=B)
    pair.submit(Unbridge, A)
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"), media.Parted(A), media.Parted(B))
    assert pair.take() == [
        media.Join(A, B),
        media.Part(A),
        pair.event(Bridged, A, 3, other=B, how="relay"),
        pair.event(Unbridged, A, 4),
    ]


def test_one_bridge_at_a_time_and_only_within_a_call(pair: Bench) -> None:
    pair.reach(C, call=OTHER_CALL)
    with pytest.raises(CommandRefused, match="is no other leg of this call"):
        pair.submit(Bridge, A, other=C)
    pair.submit(Bridge, A, other=B)
    with pytest.raises(CommandRefused, match="one of the legs is bridged"):
        pair.submit(Bridge, B, other=A)


def test_a_leg_that_is_not_answered_cannot_be_bridged_with(bench: Bench) -> None:
    bench.place(B)
    with pytest.raises(CommandRefused, match="the other leg is not answered by the far end"):
        bench.submit(Bridge, A, other=B)


def test_ring_back_from_the_callee_to_a_caller_who_is_not_answered() -> None:
    bench = Bench()
    bench.arrive(A)
    bench.submit(Ring)
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.submit(Ring, A, early_media=True)
    bench.submit(Bridge, A, other=B)
    assert bench.take() == [
        media.Connect(B, "192.0.2.2", 4000, 0, 101),
        bench.event(EarlyMedia, B, 1),
        media.Open(A),
    ]
    bench.media_says(media.Opened(A, 20000))
    assert bench.take()[:2] == [media.Connect(A, "192.0.2.1", 4000, 0, 101), media.Join(A, B)]


def test_what_waited_for_early_media_is_given_up_with_the_leg() -> None:
    bench = Bench()
    bench.arrive(A)
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.submit(Ring, A, early_media=True)
    play = bench.submit(Play, A, files=("a.wav",))
    bench.submit(Bridge, A, other=B)
    bench.submit(Unbridge, A)
    bench.submit(Bridge, A, other=B)
    bench.take()
    bench.submit(HangUp, A)
    bench.hear(sip.LegFailed(A, 603, "Decline"))
    assert [type(message) for message in bench.take()[:3]] == [sip.EndLeg, media.Close, PlayFinished]
    with pytest.raises(CommandRefused, match="not bridged"):
        bench.submit(Unbridge, B)
    assert play


def test_a_late_word_about_an_earlier_pair_does_not_touch_the_next(pair: Bench) -> None:
    pair.reach(C)
    pair.submit(Bridge, A, other=B)
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"))
    pair.hear(sip.LegEnded(A, "far"))
    pair.take()
    pair.submit(Bridge, B, other=C)
    pair.media_says(media.Parted(B), media.Joined(B, A, "relay"), media.Joined(B, C, "mix"), media.Joined(C, B, "mix"))
    assert pair.take() == [media.Join(B, C), pair.event(Bridged, B, 3, other=C, how="mix")]


# silence


def test_silence_is_told_of_answered_legs_only(bench: Bench) -> None:
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.take()
    bench.media_says(media.WentSilent(A), media.WentSilent(B))
    assert bench.take() == [bench.event(Silent, A, 3)]
