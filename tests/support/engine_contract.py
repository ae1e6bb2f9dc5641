"""The rules of the engine port (`callwright.telephony`), checked on any engine through a driver.

A test module makes a subclass of `EngineContract` with a fixture ``driver``; each engine brings a far side of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright.telephony import (
    AcceptRefer,
    Answer,
    Answered,
    Bridge,
    Cause,
    Command,
    CommandRefused,
    Ended,
    HangUp,
    Hold,
    Incoming,
    Listen,
    Originate,
    PauseRecording,
    Play,
    ReferOutcome,
    ReferProgress,
    Refused,
    Reject,
    RejectRefer,
    Resume,
    Ring,
    Ringing,
    SendDigits,
    Stop,
    StopRecording,
    Unbridge,
    Who,
)
from support.engine_contract_parties import PartiesContract
from support.engine_contract_sound import SoundContract
from support.engine_story import CALL, OTHER_CALL, Driver, Story


class EngineContract(SoundContract, PartiesContract):
    @pytest.fixture
    def story(self, driver: Driver) -> Story:
        return Story(driver)

    # legs

    def test_a_caller_is_answered_and_hangs_up(self, story: Story) -> None:
        leg = story.incoming()
        story.do(Ring, leg)
        story.do(Answer, leg)
        story.driver.settle()
        assert story.told(leg) == [Incoming, Answered]
        story.driver.far_hangs_up(leg)
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause, end.who) == (Ended, Cause.HANGUP, Who.FAR)

    def test_we_hang_up_on_a_caller(self, story: Story) -> None:
        leg = story.answered()
        story.do(HangUp, leg)
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause, end.who) == (Ended, Cause.HANGUP, Who.US)

    def test_a_caller_gives_up(self, story: Story) -> None:
        leg = story.incoming()
        story.do(Ring, leg)
        story.driver.far_hangs_up(leg)
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause, end.sip_code) == (Refused, Cause.CANCELLED, 487)

    @pytest.mark.parametrize(
        ("kind", "fields", "code"), [(Reject, {"code": 486, "phrase": "Busy Here"}, 486), (HangUp, {}, 603)]
    )
    def test_a_caller_is_turned_away(self, story: Story, kind: type[Command], fields: dict[str, Any], code: int) -> None:
        leg = story.incoming()
        story.do(kind, leg, **fields)
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause, end.sip_code) == (Refused, Cause.REJECTED, code)

    def test_a_callee_answers(self, story: Story) -> None:
        leg = story.reached()
        assert story.told(leg) == [Ringing, Answered]
        story.do(HangUp, leg)
        story.driver.settle()
        assert story.last(leg).who is Who.US

    def test_a_callee_is_busy(self, story: Story) -> None:
        leg = uuid4()
        story.originate(leg, "busy")
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause, end.sip_code) == (Refused, Cause.BUSY, 486)

    @pytest.mark.parametrize("seconds", [0.0, 10.0])
    def test_we_give_up_on_a_callee(self, story: Story, seconds: float) -> None:
        leg = uuid4()
        story.originate(leg, "rings")
        story.driver.settle(seconds)
        story.do(HangUp, leg)
        story.driver.settle()
        end = story.last(leg)
        assert (type(end), end.cause) == (Refused, Cause.CANCELLED)

    # commands

    def test_a_command_seen_before_changes_nothing(self, story: Story) -> None:
        leg, target = uuid4(), story.driver.target("rings")
        for _ in range(2):
            story.driver.engine.submit(Originate(id=100, call=CALL, leg=leg, caller="1", target=target))
        story.driver.settle(10)
        story.driver.engine.submit(HangUp(id=99, call=CALL, leg=leg))
        story.driver.settle(10)
        assert story.told(leg) == [Ringing]

    def test_commands_for_no_leg_of_the_call_are_refused(self, story: Story) -> None:
        leg = story.answered()
        for other in (uuid4(), leg):
            with pytest.raises(CommandRefused):
                story.do(HangUp, other, call=OTHER_CALL)
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)
        with pytest.raises(CommandRefused):
            story.do(HangUp, leg)

    def test_only_a_waiting_caller_can_be_answered_or_turned_away(self, story: Story) -> None:
        for leg in (story.answered(), story.reached()):
            before = story.told(leg)
            for kind, fields in ((Answer, {}), (Ring, {}), (Reject, {"code": 486, "phrase": "Busy Here"})):
                with pytest.raises(CommandRefused):
                    story.do(kind, leg, **fields)
            assert story.told(leg) == before

    def test_a_leg_is_placed_once(self, story: Story) -> None:
        leg = story.reached()
        with pytest.raises(CommandRefused):
            story.originate(leg)

    # whatever happens

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_every_leg_has_exactly_one_last_event(self, fresh: Callable[[], Driver], data: st.DataObject) -> None:
        story = Story(fresh())
        legs: list[UUID] = []
        for _ in range(data.draw(st.integers(1, 14), "steps")):
            self._step(story, legs, data)
            story.driver.settle(data.draw(st.sampled_from([0.0, 0.0, 0.001, 0.3, 2.0]), "pause"))
        for leg in legs:
            try:
                story.do(HangUp, leg)
            except CommandRefused:
                assert isinstance(story.last(leg), Refused | Ended)
        story.driver.settle()
        for leg in legs:
            story.last(leg)
        assert story.driver.left() == []

    def _step(self, story: Story, legs: list[UUID], data: st.DataObject) -> None:
        if not legs or data.draw(st.integers(0, 4), "new leg?") == 0:
            if data.draw(st.booleans(), "incoming?"):
                legs.append(story.incoming())
                # The call of an incoming leg is told by its first command.
                story.do(Ring, legs[-1])
            else:
                legs.append(uuid4())
                story.originate(legs[-1], data.draw(st.sampled_from(["answers", "busy", "rings"]), "outcome"))
            return
        leg = data.draw(st.sampled_from(legs), "leg")
        act = data.draw(st.sampled_from([*FAR_ACTS, "refer", "record", *ACTS]), "act")
        if act == "far hangs up":
            story.driver.far_hangs_up(leg)
        elif act == "far presses":
            story.driver.far_presses(leg, "1")
        elif act == "far speaks":
            story.driver.far_speaks(leg, data.draw(st.booleans(), "speaking?"))
        elif act == "far asks":
            story.driver.far_asks_for_transfer(leg, "31698765432")
        elif act == "refer":
            with suppress(CommandRefused):
                story.refer(leg, data.draw(st.sampled_from([ReferOutcome.DONE, ReferOutcome.UNKNOWN]), "outcome"))
        elif act == "record":
            limits = data.draw(st.sampled_from([{}, {"max_ms": 300}, {"silence_ms": 200}, {"stop_keys": "1"}]), "limits")
            with suppress(CommandRefused):
                story.record(leg, **limits)
        else:
            kind, fields = ACTS[act]
            fields = dict(fields)
            if kind is StopRecording or kind is PauseRecording:
                fields["recording"] = story.accepted.get(leg, [uuid4()])[-1]
            elif kind is Play:
                fields["files"] = (story.driver.sound(),)
            elif kind is Bridge:
                fields["other"] = data.draw(st.sampled_from(legs), "other")
            with suppress(CommandRefused):
                story.do(kind, leg, **fields)


FAR_ACTS = ("far hangs up", "far presses", "far speaks", "far asks")
ACTS: dict[str, tuple[type[Command], dict[str, Any]]] = {
    "ring": (Ring, {}),
    "early": (Ring, {"early_media": True}),
    "answer": (Answer, {}),
    "reject": (Reject, {"code": 486, "phrase": "Busy Here"}),
    "hang up": (HangUp, {}),
    "play": (Play, {"repeat": 0, "stop_on_digit": True}),
    "pause recording": (PauseRecording, {}),
    "stop recording": (StopRecording, {}),
    "listen": (Listen, {}),
    "stop": (Stop, {}),
    "digits": (SendDigits, {"digits": "12"}),
    "bridge": (Bridge, {}),
    "unbridge": (Unbridge, {}),
    "hold": (Hold, {}),
    "resume": (Resume, {}),
    "take transfer": (AcceptRefer, {}),
    "refuse transfer": (RejectRefer, {"code": 603, "phrase": "Decline"}),
    "tell of transfer": (ReferProgress, {"code": 200, "phrase": "OK"}),
}
