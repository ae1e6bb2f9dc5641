"""Blind transfers by REFER: those far ends ask of us, and those we ask of them."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.errors import Conflict, Invalid
from callwright.flows.schema import compile_flow
from callwright.reasons import Reason
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.switch.placing import MOST_LEGS
from callwright.telephony import Cause, ReferOutcome, Target
from callwright.trunks.routes import NoRoute
from support.scripted import RINGBACK, B, C, Stage, pause, tell, transfer


async def refers(stage: Stage, leg: UUID, to: str = C) -> UUID:
    """The far end of a leg asks for another in its place; returns the leg of that one."""
    stage.script.say(telephony.ReferArrived, leg, target=to)
    await stage.tick()
    return stage.placed()[-1]


def progress(stage: Stage, leg: UUID) -> list[int]:
    return [told.code for told in stage.script.of(telephony.ReferProgress, leg)]


# theirs


@pytest.mark.parametrize("which", ["caller", "callee"])
def test_another_takes_the_place_of_who_asked_for_it(which: str) -> None:
    """L4: from the caller and from the callee; the two who stay talk on."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        referrer, stays = (a, b) if which == "caller" else (b, a)
        c = await refers(stage, referrer)
        assert stage.script.to(referrer)[-1] == "AcceptRefer"
        stage.script.say(telephony.Ringing, c)
        await stage.answer(c)
        assert progress(stage, referrer) == [180, 200]
        assert stage.script.to(referrer)[-1] == "HangUp"
        assert next(bridge.other for bridge in stage.script.of(telephony.Bridge, c)) in (a, b)
        reasons = {leg.id: leg.reason for leg in stage.legs()}
        assert reasons == {referrer: Reason.REFERRED, stays: None, c: None}
        stage.script.ended(referrer, who=telephony.Who.US)
        await stage.tick()
        stage.script.ended(stays)
        await stage.tick()
        status, legs = stage.sound()
        assert status == "ended"
        assert [leg[1] for leg in legs] == ["hangup", "hangup", "hangup"]

    tell(story)


def test_nobody_is_called_for_a_transfer_that_the_engine_has_refused_meanwhile() -> None:
    async def story(stage: Stage) -> None:
        stage.script.refuses = lambda command: isinstance(command, telephony.AcceptRefer)
        _, b = await stage.talking([transfer(), pause(60)])
        c = await refers(stage, b)
        await stage.tick()
        assert stage.script.to(c) == ["Originate", "HangUp"]
        assert stage.outcome()[1][:2] == [("incoming", "ongoing", ""), ("outgoing", "ongoing", "")]
        (ended,) = [entry for entry in stage.entries() if isinstance(entry, journal.ReferEnded)]
        assert (ended.leg, ended.outcome) == (b, "failed")

    tell(story)


def test_a_transfer_that_fails_leaves_the_conversation_as_it_was() -> None:
    async def story(stage: Stage) -> None:
        _, b = await stage.talking([transfer(), pause(60)])
        c = await refers(stage, b)
        stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        assert progress(stage, b) == [486]
        assert "Unbridge" not in stage.script.to(b)
        assert stage.outcome()[1] == [("incoming", "ongoing", ""), ("outgoing", "ongoing", ""), ("outgoing", "busy", "busy")]
        (ended,) = [entry for entry in stage.entries() if isinstance(entry, journal.ReferEnded)]
        assert (ended.leg, ended.outcome, ended.sip_code) == (b, "failed", 486)
        stage.sound()

    tell(story)


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "is busy"])
def test_a_referrer_who_hangs_up_at_once_does_not_drop_the_caller(answers: bool) -> None:
    """L5: the caller hears ringing, and then the other, or the rest of the flow."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        c = await refers(stage, b)
        stage.script.ended(b)
        await stage.tick()
        assert stage.script.of(telephony.Play, a)[-1].files == (RINGBACK,)
        assert stage.outcome()[0] == "ongoing"
        if answers:
            await stage.answer(c)
            assert stage.script.to(a)[-1] == "Stop"
            assert [bridge.other for bridge in stage.script.of(telephony.Bridge, c)] == [a]
            assert progress(stage, b) == []
            stage.script.ended(c)
        else:
            stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        steps = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)]
        assert steps == ["step-1", "step-2"]
        await stage.after(61)
        assert stage.sound()[1][0] == ("incoming", "hangup", "flow_ended")

    tell(story, ringback=RINGBACK)


def test_a_caller_who_refers_and_leaves_does_not_drop_the_callee() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        c = await refers(stage, a)
        stage.script.ended(a)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.refused(c, Cause.NO_ANSWER, 480)
        await stage.tick()
        assert stage.script.to(b)[-1] == "HangUp"
        assert stage.sound()[1][:2] == [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")]

    tell(story)


def test_a_partner_who_leaves_meanwhile_ends_the_new_call() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        c = await refers(stage, a)
        stage.script.ended(b)
        await stage.tick()
        assert stage.script.to(c) == ["Originate", "HangUp"]
        assert progress(stage, a)[-1] >= 300
        assert stage.outcome()[1][0] == ("incoming", "ongoing", "")

    tell(story)


def test_a_partner_whom_another_flow_drops_ends_the_new_call() -> None:
    async def story(stage: Stage) -> None:
        a, _ = await stage.talking()
        c = await refers(stage, a)
        body = {"steps": [pause(60)]}
        await stage.switch.replace_flow(stage.world.id, stage.calls()[-1].id, compile_flow(body), body)
        assert stage.script.to(c) == ["Originate", "HangUp"]
        assert progress(stage, a)[-1] >= 300
        assert stage.outcome()[1][0] == ("incoming", "ongoing", "")
        stage.sound()

    tell(story)


def test_a_referral_without_a_partner_or_a_way_is_refused() -> None:
    async def story(stage: Stage) -> None:
        def route(to: str) -> Target:
            if to == "sip:x@elsewhere.example":
                raise NoRoute(Reason.NOT_ALLOWED, "not that host")
            return Target(to, "far")

        stage.route = route
        a = await stage.arrive([pause(2), transfer(), pause(60)])
        await stage.answer(a)
        stage.script.say(telephony.ReferArrived, a, target=C)
        await stage.after(3)
        (b,) = stage.placed()
        await stage.answer(b)
        stage.script.say(telephony.ReferArrived, b, target="sip:x@elsewhere.example")
        stage.script.say(telephony.ReferArrived, b, target=C)
        stage.script.say(telephony.ReferArrived, b, target=C)
        await stage.tick()
        assert [reject.code for reject in stage.script.of(telephony.RejectRefer, a)] == [603]
        assert [reject.code for reject in stage.script.of(telephony.RejectRefer, b)] == [403, 491]
        assert len(stage.placed()) == 2
        stage.sound()

    tell(story)


def test_a_flow_that_transfers_without_end_makes_no_leg_too_many() -> None:
    async def story(rehearsal: Rehearsal) -> Outcome:
        steps = [transfer() for _ in range(MOST_LEGS + 10)]
        await rehearsal.own("31205550100", {"steps": [*steps, {"id": "end", "action": "hangup"}]})
        rehearsal.network.expect(B, Party(answer_after=0.1, outcome="busy"))
        return await rehearsal.over(await rehearsal.dial("31205550100", "31600000001", Party()))

    outcome = rehearse(story)
    assert len(outcome.legs) == MOST_LEGS
    ends = [line.entry.outcome for line in outcome.journal if isinstance(line.entry, journal.StepEnded)]
    assert ends == ["busy"] * (MOST_LEGS - 1) + ["limit"] * 11
    assert outcome.legs[0].reason is Reason.FLOW_ENDED


def test_far_ends_that_replace_each_other_for_ever_are_stopped() -> None:
    async def story(rehearsal: Rehearsal) -> Outcome:
        await rehearsal.own("31205550100", {"steps": [transfer()], "maxDuration": 600})
        rehearsal.network.expect(B, Party(answer_after=0.1, acts=(Act(at=0.1, transfers_to=B),)))
        return await rehearsal.over(await rehearsal.dial("31205550100", "31600000001", Party()))

    outcome = rehearse(story)
    assert len(outcome.legs) == MOST_LEGS
    refusals = [line.entry for line in outcome.journal if isinstance(line.entry, journal.ReferReceived) and line.entry.refused]
    assert [(one.leg, one.sip_code, one.refused) for one in refusals] == [
        (outcome.legs[-1].id, 503, "the call has had 250 legs, as many as one may have")
    ]
    assert outcome.legs[0].reason is Reason.MAX_DURATION


# ours


def test_a_far_end_that_takes_our_transfer_is_hung_up() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        call = stage.calls()[-1]
        asking = asyncio.ensure_future(stage.switch.refer_leg(stage.world.id, call.id, b, C))
        await stage.tick()
        (asked,) = stage.script.of(telephony.Refer, b)
        assert asked.target == f"sip:{C}@simulator"
        with pytest.raises(Conflict):
            await stage.switch.refer_leg(stage.world.id, call.id, b, C)
        stage.script.say(telephony.Referred, b, outcome=ReferOutcome.DONE, sip_code=200)
        referral = await asking
        assert referral is not None
        assert (referral.outcome, referral.sip_code) == (ReferOutcome.DONE, 200)
        assert stage.script.to(b)[-1] == "HangUp"
        assert stage.sound()[1][1] == ("outgoing", "hangup", "referred")
        assert stage.script.to(a)[-1] == "HangUp"  # its flow has no further step

    tell(story)


def test_a_far_end_is_referred_to_a_user_with_escapes() -> None:
    async def story(stage: Stage) -> None:
        a, _ = await stage.talking()
        stage.route = lambda to: Target("a@b;c? d", "pbx.test", 5080)
        asking = asyncio.ensure_future(stage.switch.refer_leg(stage.world.id, stage.calls()[-1].id, a, "anybody"))
        await stage.tick()
        (asked,) = stage.script.of(telephony.Refer, a)
        assert asked.target == "sip:a%40b%3Bc%3F%20d@pbx.test:5080"
        stage.script.say(telephony.Referred, a, outcome=ReferOutcome.REFUSED)
        await asking

    tell(story)


def test_a_far_end_that_will_not_stays() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(60)])
        await stage.answer(a)
        call = stage.calls()[-1]
        asking = asyncio.ensure_future(stage.switch.refer_leg(stage.world.id, call.id, a, B))
        await stage.tick()
        stage.script.say(telephony.Referred, a, outcome=ReferOutcome.REFUSED, sip_code=405)
        referral = await asking
        assert referral is not None
        assert referral.outcome is ReferOutcome.REFUSED
        assert stage.outcome()[0] == "ongoing"
        pending = asyncio.ensure_future(stage.switch.refer_leg(stage.world.id, call.id, a, B))
        await stage.after(31)
        assert await pending is None
        stage.script.ended(a)
        await stage.tick()
        outcomes = [entry.outcome for entry in stage.entries() if isinstance(entry, journal.ReferEnded)]
        assert outcomes == ["refused", "unknown"]
        stage.sound()

    tell(story)


def test_a_far_end_is_not_sent_where_we_would_not_go() -> None:
    async def story(stage: Stage) -> None:
        def no_way(to: str) -> Target:
            raise NoRoute(Reason.NOT_ALLOWED, "emergency numbers are not called")

        a = await stage.arrive([pause(60)])
        await stage.answer(a)
        stage.route = no_way
        with pytest.raises(Invalid, match="emergency"):
            await stage.switch.refer_leg(stage.world.id, stage.calls()[-1].id, a, "112")

    tell(story)
