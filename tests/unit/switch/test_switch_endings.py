"""How calls end that are up, are deleted or are drained, and what ends nothing.

The letter and digit in a test's docstring name the row of the lifecycle.
"""

from __future__ import annotations

import asyncio

import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.telephony import Cause, Command, Target, Who
from support.scripted import B, C, Stage, pause, tell, transfer

# bridged: B1 to B5, H1, C5


@pytest.mark.parametrize("first", ["a", "b"])
def test_byes_that_cross_end_each_leg_once(first: str) -> None:
    """B3"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        for leg in (a, b) if first == "a" else (b, a):
            stage.script.ended(leg)
        await stage.tick()
        reasons = ("caller_hangup", "peer_gone") if first == "a" else ("flow_ended", "callee_hangup")
        assert stage.sound() == ("ended", [("incoming", "hangup", reasons[0]), ("outgoing", "hangup", reasons[1])])
        assert [entry.leg for entry in stage.entries() if isinstance(entry, journal.LegLast)] == (
            [a, b] if first == "a" else [b, a]
        )
        assert stage.switch.live_calls == 0

    tell(story)


def test_the_reason_header_goes_both_ways() -> None:
    """B1, B2: RFC 3326"""
    for far in (0, 1):

        async def story(stage: Stage, far: int = far) -> None:
            legs = await stage.talking()
            stage.script.ended(legs[far], reason="Q.850;cause=16")
            await stage.tick()
            assert [command.reason for command in stage.script.of(telephony.HangUp, legs[1 - far])] == ["Q.850;cause=16"]

        tell(story)


def test_hold_and_digits_are_journalled_and_not_told() -> None:
    """H1"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        before = (stage.told(), stage.legs(), stage.calls())
        stage.script.say(telephony.Held, b, direction="sendonly")
        stage.script.say(telephony.Digit, a, digit="5", duration_ms=80, means="rfc4733")
        await stage.tick()
        assert (stage.told(), stage.legs(), stage.calls()) == before
        assert stage.entries()[-2:] == [
            journal.Held(leg=b, direction="sendonly"),
            journal.DigitPressed(leg=a, digit="5", duration_ms=80, means="rfc4733"),
        ]

    tell(story)


def test_one_silent_side_ends_nothing_and_two_end_the_call() -> None:
    """C5"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.script.say(telephony.Silent, a)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.Silent, b)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "media_timeout"), ("outgoing", "hangup", "media_timeout")],
        )

    tell(story)


def test_a_side_on_hold_is_not_silent() -> None:
    """C5, H1: A was silent, then its far end put us on hold; B alone is silent now."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.script.say(telephony.Silent, a)
        stage.script.say(telephony.Held, a, direction="sendonly")
        stage.script.say(telephony.Silent, b)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.Held, a, direction="sendrecv")
        stage.script.say(telephony.Silent, a)
        await stage.tick()
        assert stage.sound()[0] == "ended"

    tell(story)


def test_a_refresh_and_a_fork_are_journalled_and_not_told() -> None:
    """H1, P8"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        before = (stage.told(), stage.legs(), stage.calls())
        stage.script.say(telephony.Refreshed, a)
        stage.script.say(telephony.Forked, b)
        await stage.tick()
        assert (stage.told(), stage.legs(), stage.calls()) == before
        assert stage.entries()[-2:] == [journal.SessionRefreshed(leg=a), journal.ForkReleased(leg=b)]

    tell(story)


def test_a_side_that_was_heard_again_is_not_silent() -> None:
    """C5: both ways at the same time. A was silent once, then pressed a key; minutes later B falls silent."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.script.say(telephony.Silent, a)
        await stage.after(30)
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        await stage.after(600)
        stage.script.say(telephony.Silent, b)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"

    tell(story)


@pytest.mark.parametrize("first", [0, 1], ids=["A first", "B first"])
@pytest.mark.parametrize("cause", [Cause.MEDIA_LOST, Cause.SIGNALLING_LOST])
def test_a_lost_process_takes_both_legs_with_its_own_reason(cause: Cause, first: int) -> None:
    """R1, R2: whichever leg is told first"""

    async def story(stage: Stage) -> None:
        legs = await stage.talking()
        stage.script.refuses = lambda command: True
        stage.script.ended(legs[first], cause, Who.US)
        stage.script.ended(legs[1 - first], cause, Who.US)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", cause.value), ("outgoing", "hangup", cause.value)],
        )
        assert stage.switch.live_calls == 0

    tell(story)


@pytest.mark.parametrize(
    ("cause", "a_is", "call"), [(Cause.MEDIA_LOST, "failed", "failed"), (Cause.SIGNALLING_LOST, "hangup", "ended")]
)
def test_a_lost_process_while_the_caller_is_being_answered(cause: Cause, a_is: str, call: str) -> None:
    """R1, R2: a leg in `answering` hangs up when signalling dies, for its 200 may have left."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        stage.script.refused(a, cause)
        await stage.tick()
        assert stage.sound() == (call, [("incoming", a_is, cause.value)])

    tell(story)


def test_deleting_a_ringing_callee_goes_on_with_the_flow() -> None:
    """C4"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(), pause(5)])
        (b,) = stage.placed()
        await stage.switch.hang_up_leg(stage.world.id, b)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        assert stage.script.to(a) == ["Answer"]
        assert stage.outcome() == ("starting", [("incoming", "starting", ""), ("outgoing", "hangup", "api_hangup")])
        await stage.switch.hang_up_leg(stage.world.id, b)
        await stage.answer(a)
        stage.sound()

    tell(story)


def test_deleting_the_caller_takes_the_callee_along() -> None:
    """C4"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        await stage.switch.hang_up_leg(stage.world.id, a)
        assert (stage.script.to(a)[-1], stage.script.to(b)[-1]) == ("HangUp", "HangUp")
        assert stage.sound() == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "peer_gone")])

    tell(story)


# C2, drain, retirement


def test_deleting_a_caller_who_waits_cancels_the_callee() -> None:
    """C4"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(), pause(5)])
        (b,) = stage.placed()
        await stage.switch.hang_up_leg(stage.world.id, a)
        assert ([reject.code for reject in stage.script.of(telephony.Reject, a)], stage.script.to(b)[-1]) == ([603], "HangUp")
        assert stage.sound() == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "caller_gone")])

    tell(story)


@pytest.mark.parametrize("dialled", [False, True], ids=["behind N5 in one mailbox", "after N5"])
def test_deleting_a_queued_call(dialled: bool) -> None:
    """C2: the dialler's message is first in the mailbox, so the INVITE goes out and is cancelled."""

    async def story(stage: Stage) -> None:
        call = await stage.place(B, [pause(5)])
        if dialled:
            await stage.tick()
        await stage.switch.hang_up_call(stage.world.id, call.id)
        await stage.tick()
        assert stage.sound() == ("ended", [("outgoing", "hangup", "api_hangup")])
        placed = [type(command).__name__ for command in stage.script.commands]
        assert placed == ["Originate", "HangUp"]

    tell(story)


def test_deleting_a_call_that_waits_for_its_turn_dials_nothing() -> None:
    """C2: too many calls in this second, and the DELETE comes before the turn."""

    async def story(stage: Stage) -> None:
        await stage.place(C, [pause(5)])
        call = await stage.place(B, [pause(5)])
        await stage.tick()
        assert call.status.value == "queued"
        await stage.switch.hang_up_call(stage.world.id, call.id)
        await stage.after(5)
        assert stage.sound() == ("ended", [("outgoing", "hangup", "api_hangup")])
        assert [command.target.user for command in stage.script.of(telephony.Originate)] == [C]

    tell(story, new_legs_per_second=1)


def test_a_leg_without_a_last_word_does_not_keep_its_call() -> None:
    """C1: the actor retires after `linger`; what the engine says later finds nobody."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        await stage.after(39)
        assert stage.switch.live_calls == 1
        await stage.after(2)
        assert stage.switch.live_calls == 0
        stage.script.ended(a)
        stage.script.say(telephony.Digit, b, digit="1", duration_ms=80, means="rfc4733")
        await stage.tick()
        stage.sound()

    tell(story, linger=40.0)


def test_draining_refuses_and_ends_unanswered_callers_too() -> None:
    """R3"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        await stage.switch.drain(1)
        assert stage.sound() == ("ended", [("incoming", "hangup", "shutdown"), ("outgoing", "hangup", "shutdown")])
        assert (stage.script.to(a), stage.script.to(b)) == (["Reject"], ["Originate", "HangUp"])

    tell(story)


def test_a_call_being_placed_when_the_drain_is_over_is_ended_too() -> None:
    """R3: its first commit was under way when the others were told."""

    async def story(stage: Stage) -> None:
        stage.disk.seconds = 1.0
        placing = asyncio.ensure_future(stage.place(B, [pause(5)]))
        await stage.tick()
        await stage.switch.drain(0)
        await asyncio.wait([placing])
        stage.disk.seconds = 0.0
        await stage.after(5)
        assert [call.status.value for call in stage.calls() if call.live] == []
        if placing.exception() is None:
            assert stage.outcome()[1][0][2] == "shutdown"

    tell(story)


def test_one_call_that_cannot_listen_does_not_stop_the_drain_of_the_others() -> None:
    """R3"""

    async def story(stage: Stage) -> None:
        await stage.place(B, [pause(5)])
        await stage.place(C, [pause(5)])
        await stage.tick()
        deaf, other = stage.switch._by_call.values()
        stage.disk.hangs = True
        b, _ = stage.placed()
        for _ in range(2):  # the first one is taken out and waits for its commit
            for _ in range(1_000):
                stage.script.say(telephony.Digit, b, digit="1", duration_ms=80, means="rfc4733")
            await stage.tick()
        drained = asyncio.ensure_future(stage.switch.drain(0))
        await stage.after(1)
        stage.disk.comes_back()
        await stage.after(5)
        assert (deaf.record.live, other.record.live) == (False, False)
        assert drained.done()
        assert drained.exception() is None

    tell(story)


def test_a_drain_does_not_wait_for_a_database_that_stays_away() -> None:
    """R3: the far ends hear BYE; a successor puts the ends on record (R2)."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")  # a fact, which waits for ever
        await stage.tick()
        drained = asyncio.ensure_future(stage.switch.drain(0))
        await stage.after(5)
        assert "HangUp" not in stage.script.to(a)
        await stage.after(10)
        assert drained.done()
        assert drained.exception() is None
        assert (stage.script.to(a)[-1], stage.script.to(b)[-1]) == ("HangUp", "HangUp")
        assert [leg.status.value for leg in stage.legs()] == ["ongoing", "ongoing"]

    tell(story)


def test_a_call_that_breaks_as_it_arrives_is_whole_on_record() -> None:
    """N2 and what it leads to are one commit; when the second part breaks, the first is not lost with it."""

    async def story(stage: Stage) -> None:
        def breaks(destination: str) -> Target:
            raise ZeroDivisionError

        stage.route = breaks
        a = await stage.arrive([transfer()])
        stage.script.refused(a, Cause.HANGUP)
        await stage.tick()
        status, legs = stage.sound()
        assert (status, legs[0]) == ("failed", ("incoming", "failed", "internal"))

    tell(story)


def test_asking_a_call_that_breaks_is_answered() -> None:
    """C1: whatever happens inside, a DELETE does not wait for ever."""

    async def story(stage: Stage) -> None:
        await stage.talking()
        broken = iter([True])

        def once(command: Command) -> None:
            if next(broken, False):
                raise RuntimeError("the engine has a bug")

        stage.script.before = once
        async with stage.clock.timeout(60):
            await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)

    tell(story)
