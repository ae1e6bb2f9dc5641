"""Prompts, keys, bridges and silence on the SIP engine between fake children."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    Bridge,
    Cause,
    CommandRefused,
    Ended,
    Play,
    PlayFinished,
    PlayOutcome,
    PlayStarted,
    SendDigits,
    Silent,
    Stop,
    Unbridge,
    Who,
)
from support.fake_children import COUNTERS, FAR_ANSWER, A, B, Bench, C


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
        (Unbridge, {}, "in no conversation"),
        (Bridge, {"other": A}, "is no other leg"),
        (Bridge, {"other": C}, "is no other leg"),
    ],
)
def test_sound_that_makes_no_sense_is_refused(bench: Bench, command: type, fields: dict[str, object], why: str) -> None:
    with pytest.raises(CommandRefused, match=why):
        bench.submit(command, **fields)
    assert bench.take() == []


# silence


def test_silence_is_told_of_answered_legs_only(bench: Bench) -> None:
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.take()
    bench.media_says(media.WentSilent(A), media.WentSilent(B))
    assert bench.take() == [bench.event(Silent, A, 3)]
