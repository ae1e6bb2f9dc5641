"""The rules of the engine port about conversations, hold and transfers; part of `engine_contract`."""

from __future__ import annotations

from uuid import uuid4

import pytest

from callwright.telephony import (
    AcceptRefer,
    Answered,
    Bridge,
    Bridged,
    CommandRefused,
    HangUp,
    Held,
    Hold,
    Incoming,
    Originate,
    Refer,
    ReferArrived,
    ReferOutcome,
    ReferProgress,
    Referred,
    RejectRefer,
    Resume,
    Ringing,
    Unbridge,
    Unbridged,
)
from support.engine_story import OTHER_CALL, Story


class PartiesContract:
    # conversations

    def test_two_legs_are_bridged_and_parted(self, story: Story) -> None:
        one, other = story.answered(), story.reached()
        story.do(Bridge, one, other=other)
        story.driver.settle(1)
        told = [event for event in story.events if isinstance(event, Bridged)]
        assert [(event.leg, event.other) for event in told] == [(one, other)]
        assert told[0].how in ("relay", "mix")
        story.do(Unbridge, one)
        story.driver.settle(1)
        assert [event.leg for event in story.events if isinstance(event, Unbridged)] == [one, other]
        with pytest.raises(CommandRefused):
            story.do(Unbridge, other)
        story.do(Bridge, other, other=one)
        story.driver.settle(1)
        assert [(event.leg, event.other) for event in story.seen(Bridged)] == [(one, other), (other, one)]

    def test_a_third_leg_joins_a_conversation_and_others_leave_it(self, story: Story) -> None:
        one, other, third = story.answered(), story.reached(), story.reached()
        story.do(Bridge, one, other=other)
        story.do(Bridge, third, other=other)
        story.driver.settle(1)
        assert [(event.leg, event.other) for event in story.seen(Bridged)] == [(one, other), (third, other)]
        for leg in (one, other, third):
            with pytest.raises(CommandRefused):
                story.do(Bridge, leg, other=third if leg is not third else one)
        story.do(Unbridge, other)
        story.driver.settle(1)
        assert [event.leg for event in story.seen(Unbridged)] == [other]
        story.do(Bridge, other, other=third)
        story.driver.settle(1)
        story.driver.far_hangs_up(third)
        story.driver.settle(1)
        assert [event.leg for event in story.seen(Unbridged)] == [other]
        story.do(HangUp, one)
        story.driver.settle(1)
        assert [event.leg for event in story.seen(Unbridged)] == [other, other]
        for leg in (one, third):
            story.last(leg)

    def test_the_legs_of_a_conversation_leave_at_once(self, story: Story) -> None:
        legs = [story.answered(), story.reached(), story.reached()]
        story.do(Bridge, legs[0], other=legs[1])
        story.do(Bridge, legs[2], other=legs[0])
        story.driver.settle(1)
        for leg in legs[:2]:
            story.do(Unbridge, leg)
        story.driver.settle(1)
        assert sorted(event.leg for event in story.seen(Unbridged)) == sorted(legs)

    def test_a_leg_is_taken_out_and_let_in_again_at_once(self, story: Story) -> None:
        one, other = story.answered(), story.reached()
        story.do(Bridge, one, other=other)
        story.driver.settle(1)
        for leg in (one, other):
            story.do(Unbridge, leg)
            story.do(Bridge, leg, other=other if leg is one else one)
            story.driver.settle(2)
        assert [(event.leg, event.other) for event in story.seen(Bridged)] == [(one, other), (one, other), (other, one)]
        story.do(Unbridge, one)
        story.driver.settle(2)
        assert {event.leg for event in story.seen(Unbridged)[-2:]} == {one, other}

    def test_a_leg_joins_one_that_is_being_left_alone(self, story: Story) -> None:
        one, other, third = story.answered(), story.reached(), story.reached()
        story.do(Bridge, one, other=other)
        story.driver.settle(1)
        story.do(Unbridge, other)
        story.do(Bridge, third, other=one)
        story.driver.settle(1)
        assert [(event.leg, event.other) for event in story.seen(Bridged)] == [(one, other), (third, one)]
        # On an engine that parts legs at once the one is alone for a moment, and told so.
        assert [event.leg for event in story.seen(Unbridged)] in ([other], [other, one])
        story.do(HangUp, third)
        story.driver.settle(1)
        assert story.seen(Unbridged)[-1].leg == one

    def test_a_leg_is_held_and_resumed(self, story: Story) -> None:
        leg = story.reached()
        with pytest.raises(CommandRefused):
            story.do(Hold, story.incoming())
        for kind in (Hold, Hold, Resume):
            story.do(kind, leg)
            story.driver.settle(1)
        held = [event.direction for event in story.of(leg) if isinstance(event, Held)]
        assert held == ["recvonly", "sendrecv"]
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)

    def test_only_legs_of_one_call_are_bridged(self, story: Story) -> None:
        one = story.answered()
        stranger = uuid4()
        story.do(Originate, stranger, call=OTHER_CALL, caller="1", target=story.driver.target("answers"))
        story.driver.settle()
        for other in (stranger, uuid4()):
            with pytest.raises(CommandRefused):
                story.do(Bridge, one, other=other)

    # transfers

    def test_the_far_end_asks_for_a_transfer(self, story: Story) -> None:
        leg = story.answered()
        story.driver.far_asks_for_transfer(leg, "31698765432")
        story.driver.settle(1)
        [asked] = story.seen(ReferArrived)
        assert (asked.leg, asked.target) == (leg, "31698765432")
        with pytest.raises(CommandRefused):
            story.do(ReferProgress, leg, code=100, phrase="Trying")
        story.do(AcceptRefer, leg)
        for kind, fields in ((AcceptRefer, {}), (RejectRefer, {"code": 603, "phrase": "Decline"})):
            with pytest.raises(CommandRefused):
                story.do(kind, leg, **fields)
        for code in (180, 200):
            story.do(ReferProgress, leg, code=code, phrase="As it is")
        with pytest.raises(CommandRefused):
            story.do(ReferProgress, leg, code=200, phrase="OK")
        story.driver.settle()
        assert story.told(leg) == [Incoming, Answered, ReferArrived]
        story.driver.far_asks_for_transfer(leg, "31698765433")
        story.driver.settle(1)
        story.do(RejectRefer, leg, code=603, phrase="Decline")
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)

    def test_a_transfer_that_nobody_decides_on_is_refused(self, story: Story) -> None:
        leg = story.reached()
        story.driver.far_asks_for_transfer(leg, "31698765432")
        story.driver.settle(5)
        with pytest.raises(CommandRefused):
            story.do(AcceptRefer, leg)
        assert story.told(leg) == [Ringing, Answered, ReferArrived]

    def test_only_an_answered_leg_is_transferred(self, story: Story) -> None:
        leg = story.incoming()
        for kind, fields in ((Refer, {"target": "1"}), (AcceptRefer, {})):
            with pytest.raises(CommandRefused):
                story.do(kind, leg, **fields)

    @pytest.mark.parametrize(
        ("outcome", "code"), [(ReferOutcome.DONE, 200), (ReferOutcome.FAILED, 486), (ReferOutcome.UNKNOWN, None)]
    )
    def test_the_far_end_is_asked_to_transfer(self, story: Story, outcome: ReferOutcome, code: int | None) -> None:
        leg = story.answered()
        story.refer(leg, outcome)
        with pytest.raises(CommandRefused):
            story.do(Refer, leg, target="31698765432")
        story.driver.settle(120)
        assert [(event.outcome, event.sip_code) for event in story.seen(Referred, leg)] == [(outcome, code)]
        story.refer(leg)
        story.driver.settle(1)
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)

    def test_a_leg_that_ends_while_it_is_being_transferred(self, story: Story) -> None:
        leg = story.reached()
        story.refer(leg, ReferOutcome.UNKNOWN)
        story.driver.settle(5)
        story.driver.far_hangs_up(leg)
        story.driver.settle()
        assert [event.outcome for event in story.seen(Referred)] == [ReferOutcome.UNKNOWN]
        story.last(leg)

    @pytest.mark.parametrize("target", ["", "you know who", "http://example.org/", "sip:a@b c", "sip:x\r\ny@z"])
    def test_a_transfer_to_nowhere_is_refused(self, story: Story, target: str) -> None:
        leg = story.answered()
        with pytest.raises(CommandRefused):
            story.do(Refer, leg, target=target)
