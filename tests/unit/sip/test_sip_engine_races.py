"""What crosses on the wire, what dies and what never comes: every leg has one last event, and no stream is left."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from callwright import ipc
from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    Answer,
    Bridge,
    Cause,
    Ended,
    HangUp,
    Refused,
    Reject,
    Ring,
    Unbridged,
    Who,
)
from support.fake_children import (
    COUNTERS,
    FAR_ANSWER,
    OFFER,
    OTHER_CALL,
    A,
    B,
    Bench,
    C,
    our_answer,
)

D = UUID(int=0xD)
CONNECT_A = media.Connect(A, "192.0.2.1", 4000, 0, 101)
CANCELLED = {"cause": Cause.CANCELLED, "sip_code": 487, "sip_phrase": "Request Terminated"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def _nothing_is_left(bench: Bench) -> Iterator[None]:
    """After each test of a call that ended: no leg, no timer, no call counted."""
    yield
    if bench.engine.live_legs == 0:
        assert bench.clock.pending == 0
        assert [(process.calls, process.legs) for process in bench.engine.media_processes] == [(0, {})]


# HangUp in every state


def test_hang_up_before_anything_was_sent(bench: Bench) -> None:
    bench.originate()
    bench.submit(HangUp, B)
    assert bench.take() == [media.Open(B), media.Close(B)]
    bench.media_says(media.Opened(B, 20002), media.Closed(B, COUNTERS))
    bench.clock.advance(0)
    assert bench.take() == [bench.event(Refused, B, 1, cause=Cause.CANCELLED)]


@pytest.mark.parametrize("rang", [True, False])
def test_hang_up_while_the_far_end_rings(bench: Bench, rang: bool) -> None:
    bench.place()
    if rang:
        bench.hear(sip.LegProgress(B, 180, ""))
        bench.take()
    bench.submit(HangUp, B, reason="SIP;cause=200")
    bench.submit(HangUp, B)
    assert bench.take() == [sip.EndLeg(B, "SIP;cause=200"), media.Close(B)]
    bench.clock.advance(31)
    bench.hear(sip.LegFailed(B, 487, "Request Terminated", "cancelled"))
    assert bench.take() == [bench.event(Refused, B, 1 + rang, **CANCELLED)]


def test_hang_up_during_early_media_waits_for_the_counters(bench: Bench) -> None:
    bench.place()
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.take()
    bench.submit(HangUp, B)
    bench.hear(sip.LegFailed(B, 487, "Request Terminated", "cancelled"))
    assert bench.take() == [sip.EndLeg(B), media.Close(B)]
    bench.media_says(media.Closed(B, COUNTERS))
    assert bench.take() == [bench.event(Refused, B, 2, **CANCELLED, counters=COUNTERS)]


def test_an_answer_that_crosses_our_cancel(bench: Bench) -> None:
    bench.place()
    bench.submit(HangUp, B)
    bench.hear(sip.LegEnded(B, "us", "late_answer"))
    assert bench.take() == [
        sip.EndLeg(B),
        media.Close(B),
        bench.event(Ended, B, 1, cause=Cause.CANCELLED, who=Who.US, late_answer=True),
    ]


def test_an_answer_on_its_way_to_the_core_when_we_hang_up(bench: Bench) -> None:
    bench.place()
    bench.submit(HangUp, B)
    bench.hear(sip.LegAnswered(B, FAR_ANSWER, "out@here"), sip.LegEnded(B, "us"))
    assert bench.take() == [
        sip.EndLeg(B),
        media.Close(B),
        bench.event(Ended, B, 1, cause=Cause.CANCELLED, who=Who.US, late_answer=True),
    ]


def test_the_far_end_s_bye_crosses_ours(bench: Bench) -> None:
    bench.answer()
    bench.submit(HangUp)
    bench.hear(sip.LegEnded(A, "far"), sip.LegEnded(A, "us"))
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(Ended, A, 3, cause=Cause.HANGUP, who=Who.FAR, counters=COUNTERS),
    ]


@pytest.mark.parametrize("opened", [True, False])
def test_hang_up_while_being_answered(bench: Bench, opened: bool) -> None:
    bench.arrive()
    bench.submit(Answer)
    if opened:
        bench.media_says(media.Opened(A, 20000))
    bench.take()
    bench.submit(HangUp)
    bench.media_says(*([] if opened else [media.Opened(A, 20000)]), media.Closed(A, COUNTERS))
    bench.hear(sip.LegFailed(A, 603, "Decline"))
    counters = COUNTERS if opened else None
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(Refused, A, 2, cause=Cause.REJECTED, sip_code=603, sip_phrase="Decline", counters=counters),
    ]


def test_hang_up_when_the_200_has_just_left(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.take()
    bench.submit(HangUp)
    bench.hear(sip.AnswerSent(A), sip.LegEnded(A, "us"))
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(Ended, A, 2, cause=Cause.HANGUP, who=Who.US, late_answer=True, counters=COUNTERS),
    ]


def test_hang_up_of_a_caller_who_waits(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Ring)
    bench.take()
    bench.submit(HangUp)
    bench.hear(sip.LegFailed(A, 603, "Decline"))
    assert bench.take() == [
        sip.EndLeg(A),
        bench.event(Refused, A, 2, cause=Cause.REJECTED, sip_code=603, sip_phrase="Decline"),
    ]


# the caller gives up


def cancel(leg: object = A) -> sip.LegFailed:
    return sip.LegFailed(leg, 0, "Request Terminated", "cancelled", 'SIP;cause=200;text="Call completed elsewhere"')


@pytest.mark.parametrize("stage", ["arrived", "ringing", "opening", "answering", "rejected"])
def test_the_caller_s_cancel_wins_against_whatever_we_were_about_to_do(bench: Bench, stage: str) -> None:
    bench.arrive()
    bench.take()
    sent: list[object] = []
    if stage == "ringing":
        bench.submit(Ring)
        sent = [sip.SendProgress(A)]
    elif stage == "opening":
        bench.submit(Answer)
        sent = [media.Open(A)]
    elif stage == "answering":
        bench.submit(Answer)
        bench.media_says(media.Opened(A, 20000))
        sent = [media.Open(A), CONNECT_A, sip.SendAnswer(A, our_answer())]
    elif stage == "rejected":
        bench.submit(Reject, code=486, phrase="Busy Here")
        sent = [sip.SendReject(A, 486, "Busy Here")]
    assert bench.take() == sent
    bench.hear(cancel())
    bench.media_says(media.Opened(A, 20000), media.Closed(A, COUNTERS))
    last = bench.event(
        Refused,
        A,
        2,
        **CANCELLED,
        reason='SIP;cause=200;text="Call completed elsewhere"',
        counters=COUNTERS if stage == "answering" else None,
    )
    assert bench.take() == [*([media.Close(A)] if stage in ("opening", "answering") else []), last]


# what never comes


def test_a_media_process_that_does_not_open_in_time(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Answer)
    bench.take()
    bench.clock.advance(2)
    assert bench.take() == [sip.SendReject(A, 503, "Service Unavailable"), media.Close(A)]
    bench.media_says(media.Opened(A, 20000), media.Closed(A, COUNTERS))
    bench.hear(sip.LegFailed(A, 503, "Service Unavailable"))
    assert bench.take() == [
        bench.event(
            Refused,
            A,
            2,
            cause=Cause.MEDIA_CAPACITY,
            sip_code=503,
            sip_phrase="Service Unavailable",
            detail="media-1 did not open a stream within 2 s",
        )
    ]


def test_a_media_process_that_cannot_open(bench: Bench) -> None:
    bench.originate()
    bench.media_says(media.OpenFailed(B, "no port pair is free"))
    assert bench.take() == [
        media.Open(B),
        bench.event(Refused, B, 1, cause=Cause.MEDIA_CAPACITY, detail="media-1: no port pair is free"),
    ]


def test_counters_that_do_not_come_hold_the_last_event_up_for_a_second(bench: Bench) -> None:
    bench.answer()
    bench.hear(sip.LegEnded(A, "far"))
    bench.clock.advance(0.999)
    assert bench.take() == [media.Close(A)]
    bench.clock.advance(0.001)
    assert bench.take() == [bench.event(Ended, A, 3, ago=1, cause=Cause.HANGUP, who=Who.FAR)]
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == []


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (HangUp, (Refused, {"cause": Cause.REJECTED, "sip_code": 603})),
        (Reject, (Refused, {"cause": Cause.REJECTED, "sip_code": 480})),
    ],
)
def test_signalling_that_does_not_confirm_a_refusal(bench: Bench, end: type, last: tuple) -> None:
    bench.arrive()
    bench.take()
    bench.submit(end, **({"code": 480, "phrase": "Temporarily Unavailable"} if end is Reject else {}))
    bench.take()
    bench.clock.advance(2)
    kind, fields = last
    assert bench.take() == [bench.event(kind, A, 2, **fields)]


def test_signalling_that_does_not_confirm_a_bye(bench: Bench) -> None:
    bench.answer()
    bench.submit(HangUp)
    bench.media_says(media.Closed(A, COUNTERS))
    bench.take()
    bench.clock.advance(2)
    assert bench.take() == [bench.event(Ended, A, 3, cause=Cause.HANGUP, who=Who.US, counters=COUNTERS)]


def test_signalling_that_does_not_answer(bench: Bench) -> None:
    bench.arrive()
    bench.submit(Answer)
    bench.media_says(media.Opened(A, 20000))
    bench.take()
    bench.clock.advance(2)
    bench.media_says(media.Closed(A, COUNTERS))
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(
            Refused,
            A,
            2,
            cause=Cause.SIGNALLING_LOST,
            detail="signalling did not answer the call within 2 s",
            counters=COUNTERS,
        ),
    ]


def test_signalling_that_tells_nothing_of_an_invite(bench: Bench) -> None:
    bench.place()
    bench.clock.advance(40)
    assert bench.take() == [
        sip.EndLeg(B),
        media.Close(B),
        bench.event(Refused, B, 1, cause=Cause.NO_RESPONSE, detail="signalling told nothing of the INVITE for 40 s"),
    ]


def test_a_callee_may_ring_for_as_long_as_call_control_lets_it(bench: Bench) -> None:
    bench.place()
    bench.hear(sip.LegProgress(B, 180, ""))
    bench.take()
    bench.clock.advance(3600)
    assert bench.take() == []


def test_nothing_but_the_last_event_follows_a_hang_up(bench: Bench) -> None:
    bench.answer()
    bench.submit(HangUp)
    bench.take()
    bench.media_says(media.DigitHeard(A, "5", 100), media.WentSilent(A))
    bench.hear(sip.InfoArrived(A, "application/dtmf", "5"), sip.OfferArrived(A, OFFER), sip.LegProgress(A, 180, ""))
    assert bench.take() == []


def test_messages_about_legs_that_are_over_are_ignored(bench: Bench) -> None:
    bench.hear(sip.LegAnswered(C, FAR_ANSWER, "x"), sip.LegEnded(C, "far"), sip.LegFailed(C, 486, "Busy Here"))
    bench.media_says(media.Opened(C, 20000), media.Closed(C, COUNTERS), media.DigitHeard(C, "1", 100))
    assert bench.take() == []


# deaths


def test_media_dies_under_legs_in_every_state(bench: Bench) -> None:
    bench.answer(A)
    bench.place(B)
    bench.arrive(C)
    bench.submit(Answer, C, call=OTHER_CALL)
    bench.take()
    bench.engine.media_down(0, "killed by signal 9")
    lost = {"cause": Cause.MEDIA_LOST, "detail": "media-1: killed by signal 9"}
    assert bench.take() == [
        sip.EndLeg(A),
        bench.event(Ended, A, 3, who=Who.US, **lost),
        sip.EndLeg(B),
        bench.event(Refused, B, 1, **lost),
        sip.SendReject(C, 503, "Service Unavailable"),
        bench.event(Refused, C, 2, sip_code=503, **lost),
    ]
    assert bench.engine.unhealthy() == "media-1 is down (killed by signal 9)"
    bench.hear(sip.LegEnded(A, "us"), sip.LegFailed(B, 487, "Request Terminated", "cancelled"))
    assert bench.take() == []


def test_media_dies_while_its_counters_are_awaited(bench: Bench) -> None:
    bench.answer(A)
    bench.reach(B)
    bench.hear(sip.LegEnded(A, "far"))
    bench.submit(HangUp, B)
    bench.take()
    bench.engine.media_down(0, "gone")
    assert bench.take() == [bench.event(Ended, A, 3, cause=Cause.HANGUP, who=Who.FAR)]
    bench.hear(sip.LegEnded(B, "us"))
    assert bench.take() == [bench.event(Ended, B, 2, cause=Cause.HANGUP, who=Who.US)]


def test_a_successor_takes_calls_again(bench: Bench) -> None:
    bench.answer(A)
    bench.engine.media_down(0, "gone")
    bench.take()
    bench.originate(B)
    bench.clock.advance(0)
    assert bench.take() == [bench.event(Refused, B, 1, cause=Cause.MEDIA_CAPACITY, detail="media-1 is down (gone)")]
    bench.engine.media_up(0, bench.media[0])
    bench.originate(C)
    assert bench.take() == [media.Open(C)]


def test_signalling_dies_under_legs_in_every_state(bench: Bench) -> None:
    bench.answer(A)
    bench.place(B)
    bench.arrive(C)
    bench.take()
    bench.engine.signalling_down("silent for 1.5 s")
    bench.media_says(media.Closed(A, COUNTERS))
    lost = {"cause": Cause.SIGNALLING_LOST, "detail": "silent for 1.5 s"}
    assert bench.take() == [
        media.Close(A),
        media.Close(B),
        bench.event(Refused, B, 1, **lost),
        bench.event(Refused, C, 2, **lost),
        bench.event(Ended, A, 3, who=Who.US, counters=COUNTERS, **lost),
    ]
    assert bench.engine.unhealthy() == "signalling is down (silent for 1.5 s)"
    bench.originate(B)
    assert bench.take() == []
    bench.clock.advance(0)
    assert bench.take() == [
        bench.event(Refused, B, 1, cause=Cause.SIGNALLING_LOST, detail="signalling is down (silent for 1.5 s)")
    ]


def test_signalling_dies_while_its_word_is_awaited(bench: Bench) -> None:
    bench.answer(A)
    bench.place(B)
    bench.submit(HangUp, A)
    bench.media_says(media.Closed(A, COUNTERS))
    bench.submit(HangUp, B)
    bench.take()
    bench.engine.signalling_down("gone")
    lost = {"cause": Cause.SIGNALLING_LOST, "detail": "gone"}
    assert bench.take() == [
        bench.event(Ended, A, 3, who=Who.US, counters=COUNTERS, **lost),
        bench.event(Refused, B, 1, **lost),
    ]


# where streams live


def test_a_call_lives_in_the_media_process_with_the_fewest_calls() -> None:
    bench = Bench(media_processes=2, max_calls=1)
    bench.originate(A)
    bench.originate(B)
    bench.originate(C, call=OTHER_CALL)
    assert [(p.calls, set(p.legs)) for p in bench.engine.media_processes] == [(1, {A, B}), (1, {C})]
    bench.take()
    bench.arrive(D)
    bench.submit(Answer, D, call=D)
    bench.hear(sip.LegFailed(D, 503, "Service Unavailable"))
    assert bench.take()[1:] == [
        sip.SendReject(D, 503, "Service Unavailable"),
        bench.event(
            Refused,
            D,
            2,
            cause=Cause.MEDIA_CAPACITY,
            sip_code=503,
            sip_phrase="Service Unavailable",
            detail="media-1 carries 1 calls of 1; media-2 carries 1 calls of 1",
        ),
    ]
    bench.submit(HangUp, C, call=OTHER_CALL)
    bench.originate(UUID(int=0xE), call=D)
    assert [p.calls for p in bench.engine.media_processes] == [1, 1]


def test_the_death_of_an_old_media_process_does_not_touch_a_call_that_moved() -> None:
    bench = Bench(media_processes=2)
    bench.answer(A)
    bench.hear(sip.LegEnded(A, "far"))  # its stream is closing in media-1
    bench.originate(C, call=OTHER_CALL)  # media-1 is empty again and takes it
    bench.originate(B)
    assert [set(p.legs) for p in bench.engine.media_processes] == [{A, C}, {B}]
    bench.take()
    bench.engine.media_down(0, "gone")
    bench.media_says(media.Opened(B, 20002), index=1)
    assert {(type(message), message.leg) for message in bench.take()} == {(Ended, A), (Refused, C), (sip.PlaceLeg, B)}
    assert [p.calls for p in bench.engine.media_processes] == [0, 1]
    bench.hear(sip.LegFailed(B, 486, "Busy Here"))
    assert [p.calls for p in bench.engine.media_processes] == [0, 0]


def test_a_process_that_does_not_keep_up_gets_no_new_call(bench: Bench) -> None:
    bench.media[0].backlog = ipc.MAX_BACKLOG
    bench.originate()
    bench.clock.advance(0)
    assert bench.take() == [bench.event(Refused, B, 1, cause=Cause.MEDIA_CAPACITY, detail="media-1 does not keep up")]


def test_health() -> None:
    bench = Bench(media_processes=2)
    engine = bench.engine
    assert engine.unhealthy() is None
    engine.media_down(0, "gone")
    assert engine.unhealthy() is None
    engine.media_down(1, "gone too")
    assert engine.unhealthy() == "media-1 is down (gone); media-2 is down (gone too)"
    bench.signalling.backlog = ipc.MAX_BACKLOG
    assert engine.unhealthy() == "signalling does not keep up"


def test_a_closed_gate_stays_closed_for_a_successor(bench: Bench) -> None:
    bench.engine.admit("draining")
    bench.engine.signalling_down("gone")
    bench.engine.signalling_up(bench.signalling)
    bench.engine.admit()
    bench.engine.signalling_down("gone")
    bench.engine.signalling_up(bench.signalling)
    closed = sip.Admit(open=False, refusal="draining")
    opened = sip.Admit(open=True, refusal="")
    assert bench.take() == [closed, closed, opened, opened]


def test_a_successor_that_comes_before_the_death_was_told(bench: Bench) -> None:
    bench.answer(A)
    bench.engine.media_up(0, bench.media[0])
    bench.answer(B)
    bench.engine.signalling_up(bench.signalling)
    bench.media_says(media.Closed(B, COUNTERS))
    why = "replaced by a successor"
    assert bench.take() == [
        media.Close(B),
        sip.Admit(open=True, refusal=""),
        bench.event(Ended, B, 3, cause=Cause.SIGNALLING_LOST, who=Who.US, detail=why, counters=COUNTERS),
    ]


def test_reports_for_metrics(bench: Bench) -> None:
    zero = UUID(int=0)
    turned = sip.TurnedAway(zero, "stranger", 3, "203.0.113.9", "")
    load, streams = sip.Load(zero, 12, 0.4, 0, 0), media.Load(zero, 7, 1.5, ticks=(40, 8, 0, 0, 2, 0, 0, 0))
    bench.hear(turned, load)
    bench.media_says(streams, streams)
    assert (bench.turned_away, bench.engine.signalling_load) == ([turned], load)
    process = bench.engine.media_processes[0]
    assert (process.load, process.ticks) == (streams, [80, 16, 0, 0, 4, 0, 0, 0])


def test_a_sink_that_fails_costs_no_link(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: object) -> None:
        raise RuntimeError("no room")

    bench.engine.attach(fail)
    bench.arrive()
    assert [record.message for record in caplog.records] == ["message_failed"]


# pairs that lose one side


def bridged() -> Bench:
    bench = Bench()
    bench.answer(A)
    bench.reach(B)
    bench.submit(Bridge, A, other=B)
    bench.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"))
    bench.take()
    return bench


@pytest.mark.parametrize("parted", [True, False])
def test_the_end_of_one_leg_leaves_the_other_alone(parted: bool) -> None:
    bench = bridged()
    bench.submit(HangUp, A)
    if parted:
        bench.media_says(media.Parted(A), media.Parted(B))
    bench.media_says(media.Closed(A, COUNTERS))
    bench.hear(sip.LegEnded(A, "us"))
    bench.media_says(media.Parted(B))
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(Unbridged, B, 2),
        bench.event(Ended, A, 4, cause=Cause.HANGUP, who=Who.US, counters=COUNTERS),
    ]


def test_a_dead_media_process_ends_both_and_tells_of_no_parting() -> None:
    bench = bridged()
    bench.engine.media_down(0, "gone")
    events = [event for event in bench.take() if not isinstance(event, sip.EndLeg)]
    assert {event.leg: type(event) for event in events} == {A: Ended, B: Ended}


def test_media_that_does_not_join_is_lost(bench: Bench) -> None:
    bench.answer(A)
    bench.reach(B)
    bench.submit(Bridge, A, other=B)
    bench.take()
    bench.clock.advance(2)
    bench.media_says(media.Closed(A, COUNTERS), media.Closed(B, COUNTERS))
    lost = {
        "cause": Cause.MEDIA_LOST,
        "who": Who.US,
        "detail": "media-1 did not join two streams within 2 s",
        "counters": COUNTERS,
    }
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        sip.EndLeg(B),
        media.Close(B),
        bench.event(Ended, A, 3, **lost),
        bench.event(Ended, B, 2, **lost),
    ]
