"""Row R2 on the wire: what was answered when signalling, or the core itself, died is ended by the successor."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import Answer, Answered, Ended, HangUp, Incoming, Moved, Refused, Reject, Released
from support.fake_children import COUNTERS, FAR_ANSWER, G729_ONLY, OTHER_CALL, A, B, Bench, C, arrived

D, E, F = UUID(int=0xD), UUID(int=0xE), UUID(int=0xF)
OPEN = sip.Admit(open=True, refusal="")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def arrive(bench: Bench, leg: UUID, dialog: bytes) -> None:
    bench.hear(msgspec.structs.replace(arrived(leg), dialog=dialog))


def answering(bench: Bench, leg: UUID, dialog: bytes) -> None:
    arrive(bench, leg, dialog)
    bench.submit(Answer, leg, call=leg)
    bench.media_says(media.Opened(leg, 20000))


def told_by_a_successor(bench: Bench) -> list[msgspec.Struct]:
    bench.engine.signalling_down("gone")
    bench.take()
    bench.engine.signalling_up(bench.signalling)
    return bench.take()


def test_events_carry_the_dialog(bench: Bench) -> None:
    arrive(bench, A, b"in")
    bench.submit(Answer, A)
    bench.media_says(media.Opened(A, 20000))
    bench.hear(sip.AnswerSent(A), sip.DialogMoved(A, b"in, moved"))
    told = [(type(event), event.dialog) for event in bench.take() if isinstance(event, Incoming | Answered | Moved)]
    assert told == [(Incoming, b"in"), (Answered, b"in"), (Moved, b"in, moved")]
    bench.place(B)
    bench.hear(sip.LegAnswered(B, FAR_ANSWER, "out@here", b"out"))
    assert [event.dialog for event in bench.take() if isinstance(event, Answered)] == [b"out"]


def test_a_successor_releases_what_was_answered_or_may_have_been_before_it_admits(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A), sip.DialogMoved(A, b"a, moved"))
    bench.place(B)
    bench.hear(sip.LegAnswered(B, FAR_ANSWER, "out@here", b"b"))
    answering(bench, C, b"c")  # its 200 is under way
    answering(bench, D, b"d")
    bench.hear(sip.AnswerSent(D))
    bench.submit(HangUp, D, call=D)  # its BYE is
    assert told_by_a_successor(bench) == [
        sip.ReleaseDialog(A, b"a, moved"),
        sip.ReleaseDialog(B, b"b"),
        sip.ReleaseDialog(C, b"c"),
        sip.ReleaseDialog(D, b"d"),
        OPEN,
    ]
    bench.clock.advance(2)  # the counters do not come
    bench.take()
    bench.hear(sip.DialogOver(A), sip.DialogOver(C))
    assert [(type(event), event.leg) for event in bench.take()] == [(Released, A), (Released, C)]
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(B, b"b"), sip.ReleaseDialog(D, b"d"), OPEN], "until confirmed"
    bench.hear(sip.DialogOver(B), sip.DialogOver(D), sip.DialogOver(D))
    assert [(type(event), event.leg) for event in bench.take()] == [(Released, B), (Released, D)]
    assert told_by_a_successor(bench) == [OPEN]


def test_what_was_never_answered_or_is_over_is_not_released(bench: Bench) -> None:
    arrive(bench, A, b"a")
    arrive(bench, B, b"b")
    bench.submit(Reject, B, call=OTHER_CALL, code=486, phrase="Busy Here")
    bench.place(C, call=C)
    answering(bench, D, b"d")
    bench.hear(sip.AnswerSent(D), sip.LegEnded(D, "far"))  # it waits for its counters
    arrive(bench, E, b"e")
    bench.submit(Answer, E, call=E)  # no stream yet, no 200
    assert told_by_a_successor(bench) == [OPEN]


def test_an_answer_that_crosses_our_cancel_is_released(bench: Bench) -> None:
    bench.place(B)
    bench.submit(HangUp, B)
    bench.hear(sip.LegAnswered(B, FAR_ANSWER, "out@here", b"b"))
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(B, b"b"), OPEN]


def test_what_a_predecessor_of_the_core_left_waits_for_signalling(bench: Bench) -> None:
    bench.engine.signalling_down("not started")
    bench.engine.release([(E, b"e"), (F, b"f")])
    assert bench.take() == []
    bench.engine.signalling_up(bench.signalling)
    assert bench.take() == [sip.ReleaseDialog(E, b"e"), sip.ReleaseDialog(F, b"f"), OPEN]
    bench.hear(sip.DialogOver(E))
    assert [(type(event), event.leg) for event in bench.take()] == [(Released, E)]
    bench.engine.release([(E, b"later")])
    assert bench.take() == [sip.ReleaseDialog(E, b"later")]


def last(bench: Bench) -> list[tuple[type, UUID, bool]]:
    """The events of ends that are in the log."""
    return [(type(event), event.leg, event.unconfirmed) for event in bench.take() if isinstance(event, Ended | Refused)]


def test_an_end_of_ours_is_unconfirmed_until_its_bye_is_answered(bench: Bench) -> None:
    """Were signalling to die before, the BYE may never have arrived."""
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A))
    bench.submit(HangUp, A, call=A)
    bench.hear(sip.LegEnded(A, "us"))
    bench.media_says(media.Closed(A, COUNTERS))
    assert last(bench) == [(Ended, A, True)]
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(A, b"a"), OPEN]
    bench.hear(sip.DialogOver(A))
    assert [(type(event), event.leg) for event in bench.take()] == [(Released, A)]
    assert told_by_a_successor(bench) == [OPEN]


def test_a_bye_that_is_answered_before_the_counters_are_there_needs_no_more_words(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A))
    bench.submit(HangUp, A, call=A)
    bench.hear(sip.LegEnded(A, "us"), sip.DialogOver(A))
    bench.media_says(media.Closed(A, COUNTERS))
    assert last(bench) == [(Ended, A, False)]
    assert told_by_a_successor(bench) == [OPEN]


def test_an_end_of_the_far_ends_needs_no_bye(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A), sip.LegEnded(A, "far"))
    bench.media_says(media.Closed(A, COUNTERS))
    answering(bench, B, b"b")
    bench.hear(sip.LegFailed(B, 487, "Request Terminated", "cancelled"))
    bench.media_says(media.Closed(B, COUNTERS))
    assert last(bench) == [(Ended, A, False), (Refused, B, False)]
    assert told_by_a_successor(bench) == [OPEN]


@pytest.mark.parametrize("word", [sip.LegEnded(A, "far"), sip.LegFailed(A, 487, "Request Terminated", "cancelled")])
def test_a_far_end_that_was_quicker_than_our_bye_needs_none(bench: Bench, word: sip.ToCore) -> None:
    """R1: media died, and before signalling could end the leg the far end had."""
    answering(bench, A, b"a")
    bench.engine.media_down(0, "gone")
    assert last(bench) == [(Refused, A, True)]
    bench.hear(word)
    assert [(type(event), event.leg) for event in bench.take()] == [(Released, A)]
    assert told_by_a_successor(bench) == [OPEN]


def test_an_answer_that_cannot_be_used_and_a_bye_that_crosses_ours(bench: Bench) -> None:
    bench.place(B)
    bench.hear(sip.LegAnswered(B, G729_ONLY, "out@here", b"b"), sip.LegEnded(B, "far"))
    assert last(bench) == [(Refused, B, False)]
    assert told_by_a_successor(bench) == [OPEN]


def test_signalling_that_is_silent_and_then_dies_has_said_no_bye(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A))
    bench.submit(HangUp, A, call=A)
    bench.media_says(media.Closed(A, COUNTERS))
    bench.clock.advance(5)
    assert last(bench) == [(Ended, A, True)]
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(A, b"a"), OPEN]


def test_a_gate_that_is_closed_lets_the_releases_through(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A))
    bench.engine.admit("draining")
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(A, b"a"), sip.Admit(open=False, refusal="draining")]
