"""Calls from arrival or dialling to their end, on the SIP engine between fake children."""

from __future__ import annotations

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    Answer,
    Answered,
    Cause,
    CommandRefused,
    EarlyMedia,
    Ended,
    HangUp,
    Held,
    Incoming,
    Originate,
    Play,
    Refreshed,
    Refused,
    Reject,
    Ring,
    Ringing,
    Target,
    Who,
)
from support.fake_children import (
    BROKEN,
    CALL,
    COUNTERS,
    FAR_ANSWER,
    G729_ONLY,
    OFFER,
    OTHER_CALL,
    A,
    B,
    Bench,
    C,
    our_answer,
    our_offer,
)

CONNECT_A = media.Connect(A, "192.0.2.1", 4000, 0, 101)
CONNECT_B = media.Connect(B, "192.0.2.2", 4000, 0, 101)
PLACE_B = sip.PlaceLeg(B, "31698765432", "192.0.2.2", "192.0.2.2", 5060, "31612345678", our_offer(), max_forwards=70, hops=0)
INCOMING = {
    "source": "31612345678",
    "destination": "31201234567",
    "address": "192.0.2.1",
    "trunk": "carrier",
    "hops": 1,
    "max_forwards": 69,
    "sip_call_id": "in@there",
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_incoming_call_from_ring_to_the_caller_s_bye(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Ring)
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.hear(sip.AnswerSent(A))
    bench.hear(sip.LegEnded(A, "far", reason="Q.850;cause=16"))
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [
        bench.event(Incoming, A, 1, **INCOMING),
        sip.SendProgress(A),
        media.Open(A),
        CONNECT_A,
        sip.SendAnswer(A, our_answer()),
        bench.event(Answered, A, 2, sip_call_id="in@there"),
        media.Close(A),
        bench.event(Ended, A, 3, cause=Cause.HANGUP, who=Who.FAR, reason="Q.850;cause=16", counters=COUNTERS),
    ]
    assert (bench.engine.live_legs, bench.clock.pending) == (0, 0)


def test_an_outgoing_call_from_ring_to_our_bye(bench: Bench) -> None:
    bench.originate()
    bench.media_says(media.Opened(B, 20002))
    bench.hear(sip.LegProgress(B, 180, ""), sip.LegProgress(B, 180, ""), sip.LegAnswered(B, FAR_ANSWER, "out@here"))
    bench.submit(HangUp, B, reason="Q.850;cause=16")
    bench.media_says(media.Closed(B, COUNTERS))
    bench.hear(sip.LegEnded(B, "us"))
    assert bench.take() == [
        media.Open(B),
        PLACE_B,
        bench.event(Ringing, B, 1),
        CONNECT_B,
        bench.event(Answered, B, 2, sip_call_id="out@here"),
        sip.EndLeg(B, "Q.850;cause=16"),
        media.Close(B),
        bench.event(Ended, B, 3, cause=Cause.HANGUP, who=Who.US, counters=COUNTERS),
    ]
    assert (bench.engine.live_legs, bench.clock.pending) == (0, 0)


@pytest.mark.parametrize(
    ("sdp", "cause", "detail"),
    [
        (G729_ONLY, Cause.NO_COMMON_CODEC, "m=audio 4000 RTP/AVP 18; PCMU or PCMA at 8 kHz over RTP/AVP is needed"),
        (BROKEN, Cause.BAD_SDP, "'m=audio four RTP/AVP 0 8 101': a port is a number up to 65535"),
        ("not sdp", Cause.BAD_SDP, "'not sdp': a description begins with v=0 (RFC 8866 §5.1)"),
    ],
)
def test_an_offer_that_cannot_be_used_is_announced_and_can_only_be_refused(
    bench: Bench, sdp: str, cause: Cause, detail: str
) -> None:
    bench.arrive(sdp=sdp)
    assert bench.take() == [bench.event(Incoming, A, 1, **INCOMING, blocked=cause, detail=detail)]
    for command, fields in ((Answer, {}), (Ring, {"early_media": True})):
        with pytest.raises(CommandRefused, match="cannot have sound"):
            bench.submit(command, **fields)
    bench.submit(Reject, code=488, phrase="Not Acceptable Here")
    bench.hear(sip.LegFailed(A, 488, "Not Acceptable Here"))
    assert bench.take() == [
        sip.SendReject(A, 488, "Not Acceptable Here"),
        bench.event(Refused, A, 2, cause=Cause.REJECTED, sip_code=488, sip_phrase="Not Acceptable Here", detail=detail),
    ]


def test_an_invite_without_an_offer_gets_ours_in_the_200_and_the_answer_comes_in_the_ack(bench: Bench) -> None:
    bench.arrive(sdp="")
    bench.submit(Ring, early_media=True)
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.hear(sip.AnswerSent(A), sip.OfferAnswered(A, 200, OFFER))
    assert bench.take() == [
        bench.event(Incoming, A, 1, **INCOMING),
        sip.SendProgress(A),
        media.Open(A),
        sip.SendAnswer(A, our_offer(A, 20000)),
        bench.event(Answered, A, 2, sip_call_id="in@there"),
        CONNECT_A,
    ]
    assert bench.clock.pending == 0


@pytest.mark.parametrize(
    ("ack", "cause", "detail"),
    [
        (
            sip.OfferAnswered(A, 200, G729_ONLY),
            Cause.NO_COMMON_CODEC,
            "m=audio 4000 RTP/AVP 18; PCMU or PCMA at 8 kHz over RTP/AVP was offered",
        ),
        (sip.OfferAnswered(A, 200, ""), Cause.BAD_SDP, "'': a description begins with v=0 (RFC 8866 §5.1)"),
        (None, Cause.BAD_SDP, "the ACK brought no answer to our offer (RFC 3261 §13.2.1)"),
    ],
)
def test_an_ack_without_a_usable_answer_ends_the_leg(
    bench: Bench, ack: sip.OfferAnswered | None, cause: Cause, detail: str
) -> None:
    bench.arrive(sdp="")
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.hear(sip.AnswerSent(A))
    bench.take()
    if ack is None:
        bench.clock.advance(35)
    else:
        bench.hear(ack)
    bench.hear(sip.LegEnded(A, "us"))
    assert bench.take() == [
        sip.EndLeg(A, 'SIP;cause=488;text="Not Acceptable Here"'),
        media.Close(A),
        bench.event(Ended, A, 3, cause=cause, who=Who.US, detail=detail),
    ]


def test_early_media_towards_the_caller_is_kept_for_the_answer(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Ring, early_media=True)
    play = bench.submit(Play, files=("ring.wav",), repeat=0)
    bench.submit(Ring, early_media=True)
    bench.media_says(media.Opened(A, 20000))
    bench.submit(Answer)
    bench.hear(sip.AnswerSent(A))
    assert bench.take() == [
        bench.event(Incoming, A, 1, **INCOMING),
        media.Open(A),
        CONNECT_A,
        media.Play(A, play, ("ring.wav",), 0, False),
        sip.SendProgress(A, our_answer()),
        CONNECT_A,
        sip.SendAnswer(A, our_answer()),
        bench.event(Answered, A, 2, sip_call_id="in@there"),
    ]


def test_an_answer_wanted_while_early_media_opens_leaves_out_the_183(bench: Bench) -> None:
    bench.arrive()
    bench.take()
    bench.submit(Ring, early_media=True)
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    assert bench.take() == [media.Open(A), CONNECT_A, sip.SendAnswer(A, our_answer())]


def test_early_media_from_the_callee(bench: Bench) -> None:
    bench.place()
    early = FAR_ANSWER.replace("4000", "4100")
    bench.hear(
        sip.LegProgress(B, 183, early),
        sip.LegProgress(B, 180, ""),
        sip.LegProgress(B, 183, early),
        sip.LegAnswered(B, FAR_ANSWER, "out@here"),
    )
    assert bench.take() == [
        media.Connect(B, "192.0.2.2", 4100, 0, 101),
        bench.event(EarlyMedia, B, 1),
        bench.event(Ringing, B, 2),
        CONNECT_B,
        bench.event(Answered, B, 3, sip_call_id="out@here"),
    ]


def test_an_18x_with_a_description_that_cannot_be_used_only_rings(bench: Bench) -> None:
    bench.place()
    bench.hear(sip.LegProgress(B, 183, BROKEN), sip.LegProgress(B, 183, G729_ONLY))
    assert bench.take() == [bench.event(Ringing, B, 1)]


def test_a_200_without_a_description_repeats_the_one_of_the_183(bench: Bench) -> None:
    bench.place()
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER), sip.LegAnswered(B, "", "out@here"))
    assert bench.take() == [
        CONNECT_B,
        bench.event(EarlyMedia, B, 1),
        CONNECT_B,
        bench.event(Answered, B, 2, sip_call_id="out@here"),
    ]


@pytest.mark.parametrize(
    ("sdp", "cause", "detail"),
    [
        (
            G729_ONLY,
            Cause.NO_COMMON_CODEC,
            "m=audio 4000 RTP/AVP 18; PCMU or PCMA at 8 kHz over RTP/AVP was offered",
        ),
        ("", Cause.BAD_SDP, "'': a description begins with v=0 (RFC 8866 §5.1)"),
    ],
)
def test_an_answer_that_cannot_be_used_is_let_go(bench: Bench, sdp: str, cause: Cause, detail: str) -> None:
    bench.place()
    bench.hear(sip.LegAnswered(B, sdp, "out@here"), sip.LegEnded(B, "us"))
    assert bench.take() == [
        sip.EndLeg(B, 'SIP;cause=488;text="Not Acceptable Here"'),
        media.Close(B),
        bench.event(Refused, B, 1, cause=cause, sip_code=200, detail=detail),
    ]


@pytest.mark.parametrize(
    ("code", "kind", "cause"),
    [
        (486, "", Cause.BUSY),
        (600, "", Cause.BUSY),
        (408, "", Cause.NO_ANSWER),
        (480, "", Cause.NO_ANSWER),
        (487, "", Cause.NO_ANSWER),
        (301, "", Cause.REDIRECTED),
        (302, "", Cause.REDIRECTED),
        (401, "", Cause.AUTH_FAILED),
        (407, "auth", Cause.AUTH_FAILED),
        (403, "", Cause.REJECTED),
        (404, "", Cause.REJECTED),
        (503, "", Cause.REJECTED),
        (603, "", Cause.REJECTED),
        (0, "no_response", Cause.NO_RESPONSE),
        (0, "unreachable", Cause.UNREACHABLE),
    ],
)
def test_how_the_callee_refuses(bench: Bench, code: int, kind: str, cause: Cause) -> None:
    bench.place()
    bench.hear(sip.LegFailed(B, code, "A Phrase", kind, "Q.850;cause=17"))
    assert bench.take() == [
        media.Close(B),
        bench.event(Refused, B, 1, cause=cause, sip_code=code or None, sip_phrase="A Phrase", reason="Q.850;cause=17"),
    ]
    assert (bench.engine.live_legs, bench.clock.pending) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "who", "cause", "far"),
    [
        ("bye", "far", Cause.HANGUP, Who.FAR),
        ("no_ack", "us", Cause.NO_ACK, Who.US),
        ("dialog_lost", "us", Cause.DIALOG_LOST, Who.US),
    ],
)
def test_how_an_answered_leg_ends(bench: Bench, kind: str, who: str, cause: Cause, far: Who) -> None:
    bench.answer()
    bench.hear(sip.LegEnded(A, who, kind))
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [media.Close(A), bench.event(Ended, A, 3, cause=cause, who=far, counters=COUNTERS)]


def test_the_call_s_other_leg_speaks_the_law_that_was_agreed(bench: Bench) -> None:
    bench.arrive(sdp=OFFER.replace("0 8 101", "8 0 101"))
    bench.submit(Ring)
    bench.take()
    bench.originate()
    bench.media_says(media.Opened(B, 20002))
    sent = bench.take()[-1]
    assert isinstance(sent, sip.PlaceLeg)
    assert "m=audio 20002 RTP/AVP 8 0 101" in sent.sdp
    bench.hear(sip.LegAnswered(B, FAR_ANSWER, "out@here"))
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    sent = bench.take()[-1]
    assert sent == sip.SendAnswer(A, our_answer())


# hold and other offers in the dialog


def held(direction: str) -> str:
    return OFFER.replace("1 1 IN", "1 2 IN") + f"a={direction}\r\n"


@pytest.mark.parametrize(
    ("offer", "ours", "send", "receive", "says"),
    [
        (held("sendonly"), "recvonly", False, True, "sendonly"),
        (held("inactive"), "inactive", False, False, "inactive"),
        (held("recvonly"), "sendonly", True, False, "recvonly"),
        (OFFER.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0"), "recvonly", False, True, "sendonly"),
    ],
)
def test_hold_and_resume_by_the_far_end(bench: Bench, offer: str, ours: str, send: bool, receive: bool, says: str) -> None:
    bench.answer()
    address = "0.0.0.0" if "0.0.0.0" in offer else "192.0.2.1"
    bench.hear(sip.OfferArrived(A, offer))
    bench.media_says(media.WentSilent(A))
    bench.hear(sip.OfferArrived(A, offer), sip.OfferArrived(A, OFFER))
    assert bench.take() == [
        media.Connect(A, address, 4000, 0, 101, send, receive),
        sip.AnswerOffer(A, our_answer(A, 20000, ours, 2)),
        bench.event(Held, A, 3, direction=says),
        sip.AnswerOffer(A, our_answer(A, 20000, ours, 2)),
        bench.event(Refreshed, A, 4),
        CONNECT_A,
        sip.AnswerOffer(A, our_answer(A, 20000, "sendrecv", 3)),
        bench.event(Held, A, 5, direction="sendrecv"),
    ]


def test_an_invite_that_arrives_on_hold_is_told_after_the_answer(bench: Bench) -> None:
    bench.arrive(sdp=held("sendonly"))
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.take()
    bench.hear(sip.AnswerSent(A))
    assert bench.take() == [
        bench.event(Answered, A, 2, sip_call_id="in@there"),
        bench.event(Held, A, 3, direction="sendonly"),
    ]


def test_a_refresh_changes_nothing_and_a_moved_far_end_is_followed(bench: Bench) -> None:
    bench.answer()
    bench.hear(sip.OfferArrived(A, OFFER), sip.OfferArrived(A, OFFER.replace("m=audio 4000", "m=audio 4444")))
    assert bench.take() == [
        sip.AnswerOffer(A, our_answer()),
        bench.event(Refreshed, A, 3),
        media.Connect(A, "192.0.2.1", 4444, 0, 101),
        sip.AnswerOffer(A, our_answer()),
        bench.event(Refreshed, A, 4),
    ]


@pytest.mark.parametrize("sdp", [BROKEN, G729_ONLY, OFFER.replace("m=audio 4000", "m=audio 0")])
def test_an_impossible_offer_leaves_the_old_session(bench: Bench, sdp: str) -> None:
    bench.answer()
    bench.hear(sip.OfferArrived(A, sdp), sip.OfferArrived(A, OFFER))
    assert bench.take() == [
        sip.AnswerOffer(A, "", 488, "Not Acceptable Here"),
        sip.AnswerOffer(A, our_answer()),
        bench.event(Refreshed, A, 3),
    ]


def test_a_reinvite_without_an_offer_gets_all_we_have(bench: Bench) -> None:
    bench.answer()
    bench.hear(sip.OfferArrived(A, ""), sip.OfferAnswered(A, 200, held("inactive")), sip.OfferAnswered(A, 200, OFFER))
    assert bench.take() == [
        sip.AnswerOffer(A, our_offer(A, 20000, version=2)),
        media.Connect(A, "192.0.2.1", 4000, 0, 101, send=False, receive=False),
        bench.event(Held, A, 3, direction="inactive"),
    ]


def test_an_unusable_answer_in_the_ack_of_a_reinvite_leaves_the_old_session(bench: Bench) -> None:
    bench.answer()
    bench.hear(sip.OfferArrived(A, ""), sip.OfferAnswered(A, 200, G729_ONLY), sip.LegEnded(A, "far"))
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [
        sip.AnswerOffer(A, our_offer(A, 20000, version=2)),
        media.Close(A),
        bench.event(Ended, A, 3, cause=Cause.HANGUP, who=Who.FAR, counters=COUNTERS),
    ]


# commands


def test_a_repeated_command_changes_nothing(bench: Bench) -> None:
    bench.arrive()
    bench.take()
    command = Answer(id=7, call=CALL, leg=A)
    for _ in range(2):
        bench.engine.submit(command)
    bench.engine.submit(HangUp(id=6, call=CALL, leg=A))
    assert bench.take() == [media.Open(A)]


def test_a_repeated_originate_does_not_dial_again_when_the_leg_is_over(bench: Bench) -> None:
    order = Originate(id=1, call=CALL, leg=B, caller="1", target=Target("2", "192.0.2.2"))
    bench.engine.submit(order)
    bench.media_says(media.Opened(B, 20002))
    bench.hear(sip.LegFailed(B, 486, "Busy Here"))
    bench.take()
    bench.clock.advance(59)
    bench.engine.submit(order)
    assert bench.take() == []


def test_calls_without_legs_are_forgotten_after_a_minute(bench: Bench) -> None:
    bench.place()
    bench.hear(sip.LegFailed(B, 486, "Busy Here"))
    bench.clock.advance(61)
    bench.place(C, call=OTHER_CALL)
    bench.hear(sip.LegFailed(C, 486, "Busy Here"))
    assert list(bench.engine._legs.calls) == [OTHER_CALL]


@pytest.mark.parametrize(
    ("command", "fields", "leg", "call", "why"),
    [
        (HangUp, {}, C, CALL, "is not known or is over"),
        (Answer, {}, B, CALL, "is not answered by the far end"),
        (Ring, {}, B, CALL, "is not answered by the far end"),
        (Reject, {"code": 486, "phrase": "Busy Here"}, B, CALL, "is not answered by the far end"),
        (Play, {"files": ("a.wav",)}, B, CALL, "is not answered by the far end"),
        (HangUp, {}, B, OTHER_CALL, "belongs to call"),
        (Originate, {"caller": "1", "target": Target("2", "192.0.2.2")}, B, CALL, "exists"),
        (Play, {"files": ("a.wav",)}, A, CALL, "is not answered"),
    ],
)
def test_commands_that_make_no_sense_are_refused_at_once(
    bench: Bench, command: type, fields: dict[str, object], leg: object, call: object, why: str
) -> None:
    bench.arrive()
    bench.place()
    with pytest.raises(CommandRefused, match=why):
        bench.submit(command, leg, call=call, **fields)
    assert bench.take() == []


def test_a_leg_is_answered_once(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Answer)
    with pytest.raises(CommandRefused, match="is being prepared"):
        bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    with pytest.raises(CommandRefused, match="is being answered"):
        bench.submit(Reject, code=486, phrase="Busy Here")
