"""Row R2 on the wire: what was answered when signalling, or the core itself, died is ended by the successor."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import Answer, Answered, HangUp, Incoming, Moved, Reject
from support.fake_children import FAR_ANSWER, OTHER_CALL, A, B, Bench, C, arrived

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
    assert told_by_a_successor(bench) == [OPEN], "each is released once"


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
    bench.engine.release([(E, b"later")])
    assert bench.take() == [sip.ReleaseDialog(E, b"later")]


def test_a_gate_that_is_closed_lets_the_releases_through(bench: Bench) -> None:
    answering(bench, A, b"a")
    bench.hear(sip.AnswerSent(A))
    bench.engine.admit("draining")
    assert told_by_a_successor(bench) == [sip.ReleaseDialog(A, b"a"), sip.Admit(open=False, refusal="draining")]
