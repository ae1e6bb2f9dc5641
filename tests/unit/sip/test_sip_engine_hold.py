"""Hold by us, on the SIP engine between fake children: what is offered, what is heard, and what a refusal leaves."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import Cause, CommandRefused, Ended, Forked, Held, Hold, Refreshed, Resume, Who
from support.fake_children import COUNTERS, FAR_ANSWER, G729_ONLY, OFFER, A, B, Bench, our_offer


def says(direction: str, sdp: str = FAR_ANSWER) -> str:
    return f"{sdp}a={direction}\r\n"


def offered(direction: str, version: int) -> sip.SendOffer:
    return sip.SendOffer(B, our_offer(B, 20002, version).replace("a=sendrecv", f"a={direction}"))


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.reach()
    return bench


HELD = media.Connect(B, "192.0.2.2", 4000, 0, 101, send=True, receive=False)
HEARD = media.Connect(B, "192.0.2.2", 4000, 0, 101)


def test_hold_and_resume(bench: Bench) -> None:
    for _ in range(2):
        bench.submit(Hold, B)  # the second changes nothing
    bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    bench.media_says(media.WentSilent(B))  # nobody is told: it is on hold
    bench.submit(Resume, B)
    bench.hear(sip.OfferAnswered(B, 200, says("sendrecv")))
    assert bench.take() == [
        offered("sendonly", 2),
        HELD,
        bench.event(Held, B, 2, direction="recvonly"),
        offered("sendrecv", 3),
        HEARD,
        bench.event(Held, B, 3, direction="sendrecv"),
    ]


def test_resume_before_the_hold_is_answered_waits_for_the_answer(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.submit(Resume, B)
    bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    bench.hear(sip.OfferAnswered(B, 200, says("sendrecv")))
    assert bench.take() == [
        offered("sendonly", 2),
        HELD,
        bench.event(Held, B, 2, direction="recvonly"),
        offered("sendrecv", 3),
        HEARD,
        bench.event(Held, B, 3, direction="sendrecv"),
    ]


def test_a_change_of_mind_that_is_taken_back_before_the_answer_is_not_offered(bench: Bench) -> None:
    for kind in (Hold, Resume, Hold):
        bench.submit(kind, B)
    bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    assert bench.take() == [offered("sendonly", 2), HELD, bench.event(Held, B, 2, direction="recvonly")]


def test_a_refused_hold_that_was_taken_back_needs_no_offer(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.submit(Resume, B)
    bench.hear(sip.OfferAnswered(B, 488, ""))
    assert bench.take() == [offered("sendonly", 2)]
    bench.submit(Hold, B)
    assert bench.take() == [offered("sendonly", 2)]


def test_a_far_end_that_does_not_care_is_not_heard_all_the_same(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.hear(sip.OfferAnswered(B, 200, says("sendrecv")))
    assert bench.take() == [offered("sendonly", 2), HELD]


@pytest.mark.parametrize(
    "answer",
    [sip.OfferAnswered(B, 488, ""), sip.OfferAnswered(B, 491, ""), sip.OfferAnswered(B, 200, G729_ONLY)],
    ids=["refused", "glare without end", "unusable"],
)
def test_a_refusal_leaves_the_session(bench: Bench, answer: sip.OfferAnswered) -> None:
    bench.submit(Hold, B)
    bench.hear(answer)
    bench.submit(Resume, B)  # it is not on hold
    bench.hear(sip.OfferAnswered(B, 200, says("inactive")))  # nobody asked
    assert bench.take() == [offered("sendonly", 2)]
    bench.submit(Hold, B)
    assert bench.take() == [offered("sendonly", 2)]  # the same text again (RFC 3264 §8)


def test_offers_of_the_far_end_do_not_end_our_hold(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    bench.take()
    bench.hear(sip.OfferArrived(B, says("sendrecv")))
    bench.hear(sip.OfferArrived(B, ""), sip.OfferAnswered(B, 200, says("recvonly")))
    connect, answer, held, offer, again, told = bench.take()
    assert (connect, held) == (HELD, bench.event(Held, B, 3, direction="sendrecv"))
    assert isinstance(answer, sip.AnswerOffer)
    assert "a=sendonly" in answer.sdp
    assert isinstance(offer, sip.AnswerOffer)
    assert "a=sendonly" in offer.sdp
    assert (again, told) == (HELD, bench.event(Held, B, 4, direction="recvonly"))


def test_glare_offers_again_what_follows_their_offer(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.hear(sip.OfferArrived(B, says("sendrecv")))
    first, held, answer, told, again = bench.take()
    assert (first, held) == (offered("sendonly", 2), HELD)
    assert isinstance(answer, sip.AnswerOffer)
    assert "a=sendonly" in answer.sdp
    assert told == bench.event(Refreshed, B, 2)
    assert isinstance(again, sip.SendOffer)
    assert [_version(answer.sdp), _version(again.sdp)] == [3, 4]
    bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    assert bench.take() == [HELD, bench.event(Held, B, 3, direction="recvonly")]


def test_glare_with_an_invite_that_asks_for_our_offer(bench: Bench) -> None:
    bench.submit(Hold, B)
    bench.hear(sip.OfferArrived(B, ""))
    first, theirs, again = bench.take()
    assert first == offered("sendonly", 2)
    assert isinstance(theirs, sip.AnswerOffer)
    assert again == sip.SendOffer(B, theirs.sdp)  # what was sent last, not what it replaced
    for _ in range(2):
        bench.hear(sip.OfferAnswered(B, 200, says("recvonly")))
    assert bench.take() == [HELD, bench.event(Held, B, 2, direction="recvonly")]


def test_hold_after_an_invite_for_our_offer_was_cancelled(bench: Bench) -> None:
    bench.hear(sip.OfferArrived(B, ""), sip.OfferAnswered(B, 487, ""))
    bench.take()
    bench.submit(Hold, B)
    assert bench.take() == [offered("sendonly", 2)]


def _version(sdp: str) -> int:
    return int(sdp.partition("o=")[2].split()[2])


def test_not_before_the_far_end_has_answered_our_first_offer() -> None:
    bench = Bench()
    bench.answer()
    bench.hear(sip.OfferArrived(A, ""))
    with pytest.raises(CommandRefused, match="has not answered our last offer"):
        bench.submit(Hold, A)
    bench.hear(sip.OfferAnswered(A, 200, OFFER))
    bench.submit(Hold, A)


@pytest.mark.parametrize("code", [408, 481])
def test_a_far_end_that_lost_the_dialog_ends_the_leg(bench: Bench, code: int) -> None:
    bench.submit(Hold, B)
    bench.hear(sip.LegEnded(B, "far", "dialog_lost", code))
    bench.media_says(media.Closed(B, COUNTERS))
    assert bench.take()[1:] == [
        media.Close(B),
        bench.event(Ended, B, 2, cause=Cause.DIALOG_LOST, who=Who.FAR, counters=COUNTERS),
    ]


def test_a_branch_that_was_let_go_is_told(bench: Bench) -> None:
    bench.hear(sip.ForkReleased(B))
    assert bench.take() == [bench.event(Forked, B, 2)]
