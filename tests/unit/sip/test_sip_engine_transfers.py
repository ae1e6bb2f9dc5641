"""Blind transfers on the SIP engine between fake children."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    AcceptRefer,
    Cause,
    CommandRefused,
    Ended,
    HangUp,
    Refer,
    ReferArrived,
    ReferOutcome,
    ReferProgress,
    Referred,
    RejectRefer,
    Who,
)
from support.fake_children import COUNTERS, A, Bench

ASKED = sip.ReferArrived(A, "sip:x@example.org", "sip:y@example.org")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.answer(A)
    return bench


def test_a_transfer_is_taken(bench: Bench) -> None:
    bench.hear(ASKED)
    bench.submit(AcceptRefer)
    bench.submit(ReferProgress, code=180, phrase="Ringing")
    bench.submit(ReferProgress, code=486, phrase="Busy Here")
    assert bench.take() == [
        bench.event(ReferArrived, A, 3, target="sip:x@example.org", referred_by="sip:y@example.org"),
        sip.AnswerRefer(A, 202, "Accepted"),
        sip.TellReferral(A, 180, "Ringing"),
        sip.TellReferral(A, 486, "Busy Here"),
    ]
    assert bench.clock.pending == 0


def test_a_transfer_is_refused(bench: Bench) -> None:
    bench.hear(ASKED)
    with pytest.raises(CommandRefused, match="400 to 699"):
        bench.submit(RejectRefer, code=200, phrase="OK")
    bench.submit(RejectRefer, code=403, phrase="Forbidden")
    assert bench.take()[1:] == [sip.AnswerRefer(A, 403, "Forbidden")]
    assert bench.clock.pending == 0


def test_a_transfer_that_nobody_decides_on_is_refused(bench: Bench) -> None:
    bench.hear(ASKED)
    bench.take()
    bench.clock.advance(2)
    assert bench.take() == [sip.AnswerRefer(A, 603, "Decline")]
    with pytest.raises(CommandRefused, match="asks for no transfer, or waits no longer"):
        bench.submit(AcceptRefer)


@pytest.mark.parametrize("code", [99, 700])
def test_progress_that_makes_no_sense(bench: Bench, code: int) -> None:
    with pytest.raises(CommandRefused, match="no transfer was accepted"):
        bench.submit(ReferProgress, code=180, phrase="Ringing")
    bench.hear(ASKED)
    bench.submit(AcceptRefer)
    with pytest.raises(CommandRefused, match="100 to 699"):
        bench.submit(ReferProgress, code=code, phrase="Odd")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (sip.ReferEnded(A, "done", 200, "OK"), {"outcome": ReferOutcome.DONE, "sip_code": 200, "detail": "OK"}),
        (sip.ReferEnded(A, "refused", 603), {"outcome": ReferOutcome.REFUSED, "sip_code": 603}),
        (sip.ReferEnded(A, "unknown", 0, "silence"), {"outcome": ReferOutcome.UNKNOWN, "detail": "silence"}),
        (sip.ReferEnded(A, "a word of a later version", 0), {"outcome": ReferOutcome.UNKNOWN}),
    ],
)
def test_what_becomes_of_a_transfer(bench: Bench, said: sip.ReferEnded, told: dict[str, object]) -> None:
    bench.submit(Refer, target="31612345678")
    bench.hear(said, said)
    assert bench.take() == [sip.SendRefer(A, "31612345678"), bench.event(Referred, A, 3, **told)]
    assert bench.clock.pending == 0
    bench.submit(Refer, target="sip:x@example.org")
    assert bench.take() == [sip.SendRefer(A, "sip:x@example.org")]


def test_a_transfer_of_which_nothing_is_heard(bench: Bench) -> None:
    bench.submit(Refer, target="31612345678")
    bench.take()
    bench.clock.advance(60)
    detail = "the far end told nothing final within 60 s"
    assert bench.take() == [bench.event(Referred, A, 3, outcome=ReferOutcome.UNKNOWN, detail=detail)]
    bench.hear(sip.ReferEnded(A, "done", 200))
    assert bench.take() == []


def test_a_transfer_ends_with_its_leg_and_before_its_last_event(bench: Bench) -> None:
    bench.submit(Refer, target="31612345678")
    bench.hear(ASKED)
    bench.take()
    bench.hear(sip.LegEnded(A, "far"))
    bench.media_says(media.Closed(A, COUNTERS))
    detail = "the leg ended before the far end told what became of it"
    assert bench.take() == [
        bench.event(Referred, A, 4, outcome=ReferOutcome.UNKNOWN, detail=detail),
        media.Close(A),
        bench.event(Ended, A, 5, cause=Cause.HANGUP, who=Who.FAR, counters=COUNTERS),
    ]
    assert bench.clock.pending == 0


def test_an_outcome_that_crosses_our_hanging_up(bench: Bench) -> None:
    bench.submit(Refer, target="31612345678")
    bench.submit(HangUp)
    bench.hear(sip.ReferEnded(A, "done", 200), sip.LegEnded(A, "us"))
    told = [event for event in bench.take() if isinstance(event, Referred)]
    assert told == [bench.event(Referred, A, 3, outcome=ReferOutcome.DONE, sip_code=200)]
