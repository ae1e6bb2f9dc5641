"""Legs that are placed: whether they can be, what is told of their ringing, and how they fail.

The letter and digit in a test's docstring name the row of the lifecycle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.reasons import Reason
from callwright.switch.placing import MOST_LEGS
from callwright.telephony import Cause, Event, PlayOutcome, Target, Who
from callwright.trunks.routes import NoRoute
from support.platform import write_wav
from support.scripted import RINGBACK, URL, B, C, Stage, late_ring_timer, pause, play, tell, transfer

# the dialler: N5 to N8


def no_way(destination: str, reason: Reason = Reason.NO_ROUTE) -> Target:
    raise NoRoute(reason, "not that way")


@pytest.mark.parametrize("reason", [Reason.NO_ROUTE, Reason.NOT_ALLOWED, Reason.LIMIT], ids=lambda reason: reason.value)
def test_a_queued_call_without_a_route_fails_without_an_invite(reason: Reason) -> None:
    """N6"""

    async def story(stage: Stage) -> None:
        stage.route = lambda to: no_way(to, reason)
        await stage.place(B, [pause(1)])
        await stage.tick()
        assert stage.sound() == ("failed", [("outgoing", "failed", reason.value)])
        assert stage.script.commands == []
        assert [kind for kind, _, _ in stage.told()] == ["callCreated", "callUpdated"]

    tell(story)


@pytest.mark.parametrize(
    ("reason", "settings"),
    [("no_route", {}), ("not_allowed", {}), ("limit", {"new_legs_per_second": 1})],
    ids=["no route", "host not allowed", "too many legs"],
)
def test_a_transfer_that_cannot_be_placed_is_followed_by_the_next_step(reason: str, settings: dict[str, Any]) -> None:
    """N8, B4"""

    async def story(stage: Stage) -> None:
        if reason != "limit":
            stage.route = lambda to: no_way(to, Reason(reason)) if to == B else Target(to, "far")
        else:
            await stage.place(C, [pause(1)])
            await stage.tick()
            stage.script.commands.clear()
        a = await stage.arrive([transfer(B), pause(3)])
        assert stage.outcome()[1][1] == ("outgoing", "failed", reason)
        assert stage.script.to(a) == ["Answer"]
        assert stage.placed() == []

    tell(story, **settings)


def test_an_originate_the_engine_refuses_fails_the_leg() -> None:
    """N7, P5: the refusal is no event of the engine, and the leg ends all the same."""

    async def story(stage: Stage) -> None:
        stage.script.refuses = lambda command: isinstance(command, telephony.Originate)
        a = await stage.arrive([transfer()])
        status, legs = stage.sound()
        assert status == "failed"
        assert [leg[1] for leg in legs] == ["failed", "failed"]
        assert stage.script.to(a) == ["Reject"]
        stage.script.refused(a, Cause.REJECTED, 503)
        await stage.tick()
        assert stage.switch.live_calls == 0

    tell(story)


def test_a_long_list_of_dead_transfers_is_walked_to_its_end() -> None:
    """N8, B4: as many steps as a flow of 32 kB holds."""

    async def story(stage: Stage) -> None:
        stage.route = no_way
        await stage.arrive([transfer(f"sip:{n}@x") for n in range(400)])
        status, legs = stage.outcome()
        assert (status, len(legs)) == ("failed", MOST_LEGS)
        assert {leg[2] for leg in legs[1:]} == {"no_route"}
        assert legs[0][2] == "limit"

    tell(story)


# outgoing: P1 to P8


def test_a_second_180_is_not_told() -> None:
    """P1"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.told()[-1] == ("callUpdated", "starting", ["ringing", "ringing"])
        events = len(stage.told())
        stage.script.say(telephony.Ringing, b)
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.script.to(a) == ["Ring"]
        stage.sound()

    tell(story)


@pytest.mark.parametrize(
    ("first", "then", "commands"),
    [
        (telephony.Ringing, telephony.EarlyMedia, [("Ring", False), ("Ring", True), ("Bridge", None)]),
        (telephony.EarlyMedia, telephony.Ringing, [("Ring", True), ("Bridge", None)]),
    ],
    ids=["180 then 183", "183 then 180"],
)
def test_early_media_reaches_a_caller_who_is_not_answered(
    first: type[Event], then: type[Event], commands: list[tuple[str, bool | None]]
) -> None:
    """P1 with transfer.early_media"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        for kind in (first, then):
            stage.script.say(kind, b)
            await stage.tick()
        assert [(type(c).__name__, getattr(c, "early_media", None)) for c in stage.script.commands if c.leg == a] == commands
        await stage.answer(b)
        await stage.answer(a)
        assert stage.script.to(a).count("Bridge") == 1
        stage.sound()

    tell(story, early_media=True)


def test_ring_back_stops_when_early_media_comes() -> None:
    """P1: an answered caller hears either ring-back or the callee's early media, never both."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Play"]
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Play", "Stop", "Bridge"]

    tell(story, early_media=True, ringback=RINGBACK)


def test_a_180_after_early_media_starts_no_ring_back() -> None:
    """P1: 183 then 180, with a caller who is answered and hears the callee already."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.EarlyMedia, b)
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Bridge"]

    tell(story, early_media=True, ringback=RINGBACK)


def test_a_bridge_refused_before_the_answer_is_made_after_it() -> None:
    """P1, P2: a caller whose INVITE had no offer cannot have early media; once answered, both must hear each other."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refuses = lambda command: isinstance(command, telephony.Bridge)
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        stage.script.refuses = lambda command: False
        await stage.answer(b)
        await stage.answer(a)
        assert stage.script.to(a) == ["Ring", "Answer", "Bridge"]

    tell(story, early_media=True)


def test_the_end_of_ring_back_is_not_the_end_of_a_prompt(tmp_path: Path) -> None:
    """B4: the prompt after a failed transfer plays to its own end."""

    async def story(stage: Stage) -> None:
        stage.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 1)
        a = await stage.arrive([pause(1), transfer(), play()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.tick()
        ringback, prompt = stage.script.of(telephony.Play, a)
        assert (ringback.files, ringback.repeat) == ((RINGBACK,), 0)
        assert stage.script.to(a) == ["Answer", "Play", "Stop", "Play", "PlayMore"]
        stage.script.say(telephony.PlayFinished, a, play=ringback.id, outcome=PlayOutcome.FAILED)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.PlayFinished, a, play=prompt.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended"), ("outgoing", "busy", "busy")])

    tell(story, ringback=RINGBACK)


@pytest.mark.parametrize(
    ("cause", "sip_code", "leg", "code"),
    [
        (Cause.BUSY, 486, ("busy", "busy"), 486),  # P3
        (Cause.BUSY, 600, ("busy", "busy"), 486),
        (Cause.NO_ANSWER, 408, ("no_answer", "no_answer"), 480),  # P4
        (Cause.NO_ANSWER, 480, ("no_answer", "no_answer"), 480),
        (Cause.CANCELLED, 487, ("no_answer", "no_answer"), 480),
        (Cause.REDIRECTED, 302, ("failed", "redirect_refused"), 503),  # P5
        (Cause.AUTH_FAILED, 407, ("failed", "auth_failed"), 503),
        (Cause.REJECTED, 404, ("failed", "rejected"), 503),
        (Cause.NO_RESPONSE, None, ("failed", "no_response"), 503),
        (Cause.UNREACHABLE, None, ("failed", "unreachable"), 503),
        (Cause.MEDIA_CAPACITY, None, ("failed", "media_capacity"), 503),  # N8
        (Cause.NO_COMMON_CODEC, 200, ("failed", "no_common_codec"), 503),
        (Cause.BAD_SDP, 200, ("failed", "bad_offer"), 503),
    ],
)
@pytest.mark.parametrize("ringing", [False, True], ids=["starting", "ringing"])
def test_a_callee_who_fails_decides_what_the_caller_hears(
    cause: Cause, sip_code: int | None, leg: tuple[str, str], code: int, ringing: bool
) -> None:
    """P3 to P5 with A6: 486 gives 486, a timeout 480, all else 503; the Reason header goes along."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        if ringing:
            stage.script.say(telephony.Ringing, b)
        stage.script.refused(b, cause, sip_code, reason="Q.850;cause=17")
        await stage.tick()
        status, legs = stage.sound()
        assert (status, legs) == (leg[0], [("incoming", *leg), ("outgoing", *leg)])
        (reject,) = stage.script.of(telephony.Reject, a)
        assert (reject.code, reject.reason) == (code, "Q.850;cause=17")
        assert stage.legs()[1].sip_code == sip_code

    tell(story)


def test_a_late_answer_is_released_and_leaves_no_trace_on_the_record() -> None:
    """P7: the engine took the answer that crossed our CANCEL and let it go."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(ringTimeout=5), pause(100)])
        (b,) = stage.placed()
        await stage.after(5)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        events = len(stage.told())
        stage.script.ended(b, Cause.CANCELLED, Who.US, late_answer=True)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.legs()[1].answered_us is None
        assert journal.LateAnswerReleased(leg=b) in stage.entries()
        assert stage.outcome()[1][1] == ("outgoing", "no_answer", "ring_timeout")
        assert stage.script.to(a) == ["Answer"]
        stage.sound()

    tell(story)


def test_an_answer_behind_the_callers_cancel_is_journalled_as_released() -> None:
    """B5, P7: A's CANCEL is first in the mailbox, B's 200 second."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refused(a, Cause.CANCELLED, 487)
        stage.script.say(telephony.Answered, b)
        await stage.tick()
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert stage.sound() == (
            "no_answer",
            [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
        )
        assert stage.legs()[1].answered_us is None
        assert stage.switch.live_calls == 0
        assert journal.LateAnswerReleased(leg=b) in stage.entries()

    tell(story)


def test_an_answer_before_the_callers_bye_is_a_call_that_ended() -> None:
    """B5, P2, B1: B's 200 is first in the mailbox, the BYE of an answered A second."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1.5)
        (b,) = stage.placed()
        stage.script.say(telephony.Answered, b)
        stage.script.ended(a)
        await stage.tick()
        assert stage.script.to(b)[-1] == "HangUp"
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")],
        )
        assert stage.legs()[1].answered_us is not None

    tell(story)


def test_the_reason_of_a_cancel_goes_to_the_callee() -> None:
    """A4, P6: RFC 3326"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refused(a, Cause.CANCELLED, 487, reason="SIP;cause=200")
        await stage.tick()
        assert [command.reason for command in stage.script.of(telephony.HangUp, b)] == ["SIP;cause=200"]

    tell(story)


def test_the_longest_duration_is_over_while_the_callee_rings() -> None:
    """P6, C5"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1.5)
        (b,) = stage.placed()
        await stage.after(5)
        assert (stage.script.to(a)[-1], stage.script.to(b)) == ("HangUp", ["Originate", "HangUp"])
        stage.script.refused(b, Cause.CANCELLED, 487)
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "max_duration"), ("outgoing", "hangup", "max_duration")],
        )

    tell(story, max_duration=5.0)


def test_what_an_old_transfer_still_says_does_not_touch_the_next() -> None:
    """P4, P7: B's last word comes while C rings."""

    async def story(stage: Stage) -> None:
        await stage.arrive([transfer(B, ringTimeout=5), transfer(C)])
        await stage.after(6)
        b, c = stage.placed()
        stage.script.say(telephony.Ringing, b)
        stage.script.refused(b, Cause.CANCELLED, 487, reason="SIP;cause=200")
        await stage.tick()
        assert stage.outcome()[1][1:] == [("outgoing", "no_answer", "ring_timeout"), ("outgoing", "starting", "")]
        assert stage.script.to(c) == ["Originate"]
        assert stage.legs()[1].sip_code == 487
        stage.sound()

    tell(story)


def test_the_ring_timer_of_one_transfer_does_not_end_the_next() -> None:
    """P4: the timer was in the mailbox behind the refusal of its own leg."""

    async def story(stage: Stage) -> None:
        await late_ring_timer([transfer(B, ringTimeout=5), transfer(C, ringTimeout=60)])(stage)
        assert stage.outcome()[1][1:] == [("outgoing", "busy", "busy"), ("outgoing", "starting", "")]

    tell(story)


def test_the_ring_timer_of_a_transfer_does_not_end_a_caller_who_is_being_answered() -> None:
    """P4, A1: the same timer, with a pause after the transfer."""

    async def story(stage: Stage) -> None:
        a, _ = await late_ring_timer([transfer(B, ringTimeout=5), pause(100)])(stage)
        assert stage.outcome()[1] == [("incoming", "ringing", ""), ("outgoing", "busy", "busy")]
        assert stage.script.to(a) == ["Ring", "Answer"]

    tell(story)
