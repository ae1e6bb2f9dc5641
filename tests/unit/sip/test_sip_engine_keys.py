"""Keys on the SIP engine between fake children: by which means they come, and what they stop."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import Answer, Digit, Incoming, Play, PlayFinished, PlayOutcome, Ring
from support.fake_children import COUNTERS, OFFER, A, Bench

NO_EVENTS = OFFER.replace(" 101", "").replace("a=rtpmap: telephone-event/8000\r\n", "").replace("a=fmtp: 0-16\r\n", "")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.answer(A)
    return bench


@pytest.fixture
def toneful() -> Bench:
    """A caller who did not offer telephone events."""
    bench = Bench()
    bench.arrive(A, NO_EVENTS)
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.hear(sip.AnswerSent(A))
    return bench


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


def test_tones_are_looked_for_where_events_were_not_agreed(toneful: Bench) -> None:
    sent = [message for message in toneful.take() if isinstance(message, media.Connect | media.DetectDigits)]
    assert sent == [media.Connect(A, "192.0.2.1", 4000, 0, None), media.DetectDigits(A, True)]
    toneful.media_says(media.DigitHeard(A, "5", 80, True), media.DigitHeard(A, "6", 90, True))
    assert toneful.take() == [
        toneful.event(Digit, A, 3, digit="5", duration_ms=80, means="inband"),
        toneful.event(Digit, A, 4, digit="6", duration_ms=90, means="inband"),
    ]


def test_they_are_not_where_events_were_agreed(bench: Bench) -> None:
    bench.hear(sip.OfferArrived(A, OFFER.replace("alice 1 1", "alice 1 2")))
    assert not any(isinstance(message, media.DetectDigits) for message in bench.take())


def test_a_session_that_loses_its_events_and_gets_them_back(bench: Bench) -> None:
    for sdp in (NO_EVENTS, OFFER, NO_EVENTS):
        bench.hear(sip.OfferArrived(A, sdp))
    sent = [message for message in bench.take() if isinstance(message, media.DetectDigits)]
    assert sent == [media.DetectDigits(A, True), media.DetectDigits(A, False), media.DetectDigits(A, True)]


def test_info_ends_the_search_for_tones(toneful: Bench) -> None:
    toneful.take()
    toneful.hear(info("Signal=5"))
    toneful.media_says(media.DigitHeard(A, "5", 80, True))
    assert toneful.take() == [
        media.DetectDigits(A, False),
        toneful.event(Digit, A, 3, digit="5", duration_ms=0, means="info"),
    ]


@pytest.mark.parametrize(
    ("digit", "after", "told"),
    [
        ("5", 0.2, False),  # the very key whose tones were heard
        ("6", 0.2, True),  # what was heard before was a voice, or another key
        ("5", 2.0, True),
    ],
)
def test_tones_give_way_to_info(toneful: Bench, digit: str, after: float, told: bool) -> None:
    toneful.media_says(media.DigitHeard(A, "5", 80, True))
    toneful.clock.advance(after)
    toneful.take()
    toneful.hear(info(f"Signal={digit}"))
    toneful.media_says(media.DigitHeard(A, digit, 80, True))
    toneful.hear(info("Signal=9"))
    digits = [message for message in toneful.take() if isinstance(message, Digit)]
    assert [(event.digit, event.means) for event in digits] == [(digit, "info")] * told + [("9", "info")]


def test_a_caller_presses_keys_before_the_answer() -> None:
    """Where there is early media there may be something to choose; where there is none, nobody asked."""
    bench = Bench()
    bench.arrive(A)
    bench.hear(info("Signal=1"))
    bench.submit(Ring, early_media=True)
    bench.media_says(media.Opened(A, 20000), media.DigitHeard(A, "2", 80))
    events = [message for message in bench.take() if isinstance(message, Digit | Incoming)]
    assert events[1:] == [bench.event(Digit, A, 2, digit="2", duration_ms=80, means="rfc4733")]


def test_no_key_is_told_of_a_leg_that_is_being_ended(toneful: Bench) -> None:
    toneful.hear(sip.LegEnded(A, "far"))
    toneful.take()
    toneful.hear(info("Signal=1"))
    toneful.media_says(media.DigitHeard(A, "2", 80, True), media.Closed(A, COUNTERS))
    assert not any(isinstance(message, Digit) for message in toneful.take())
