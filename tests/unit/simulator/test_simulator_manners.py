"""In which order the simulator tells of things that happen together: as the engine over SIP does."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest

from callwright import telephony
from callwright.rehearsal.prompts import Prompts, RehearsedFiles
from callwright.simulator.engine import ROUND_TRIP_S, SimulatedEngine
from callwright.simulator.settings import CalleeScript, SimulatorSettings
from callwright.telephony import Event, Target
from support.fake_children import ManualClock

CALLEES = {"answers": CalleeScript(answer_after=0.5), "rings": CalleeScript(outcome="no_answer")}


class Talk:
    """A, who called, and B, who answers, talk to each other."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = SimulatedEngine(self.clock, SimulatorSettings(callees=CALLEES), RehearsedFiles(Prompts()))
        self.events: list[Event] = []
        self.engine.attach(self.events.append)
        self.call, self.a, self.b = uuid4(), uuid4(), uuid4()
        self._ids = itertools.count(1)
        self.engine.call_in(self.a, "31600000001", "31205550123")
        self.do(telephony.Answer, self.a)
        self.call_b("answers", self.b)
        self.do(telephony.Bridge, self.b, other=self.a)
        self.clock.advance(1.0)
        self.events.clear()

    def do(self, kind: Any, leg: UUID, **fields: Any) -> None:
        self.engine.submit(kind(id=next(self._ids), call=self.call, leg=leg, **fields))

    def call_b(self, user: str, leg: UUID) -> None:
        self.do(telephony.Originate, leg, caller="31600000001", target=Target(user, "simulator"))
        self.clock.advance(1.0)

    def told(self) -> list[tuple[str, str]]:
        self.clock.advance(0.1)
        names = {self.a: "a", self.b: "b"}
        return [(type(event).__name__, names.get(event.leg, "c")) for event in self.events]


def test_nobody_is_alone_who_is_hung_up_together_with_the_other() -> None:
    talk = Talk()
    talk.do(telephony.HangUp, talk.a)
    talk.do(telephony.HangUp, talk.b)
    assert talk.told() == [("Ended", "a"), ("Ended", "b")]
    assert [event.seq for event in talk.events] == [2 + 1, 3 + 1]  # after incoming and answered; ringing, answered and bridged


def test_who_is_left_alone_is_told_before_the_recording_of_who_left_is_over() -> None:
    talk = Talk()
    talk.do(telephony.StartRecording, talk.b, recording=uuid4(), path="/nowhere.wav")
    talk.clock.advance(0.1)
    talk.events.clear()
    talk.engine.far_hangs_up(talk.b)
    assert talk.told() == [("Unbridged", "a"), ("RecordingFinished", "b"), ("Ended", "b")]


def test_a_recording_has_begun_after_a_bridge_that_was_made_with_it() -> None:
    talk = Talk()
    talk.do(telephony.Unbridge, talk.a)
    talk.do(telephony.StartRecording, talk.b, recording=uuid4(), path="/nowhere.wav")
    talk.do(telephony.Bridge, talk.a, other=talk.b)
    assert talk.told() == [("Unbridged", "a"), ("Unbridged", "b"), ("Bridged", "a"), ("RecordingStarted", "b")]


def test_a_recording_that_ends_at_once_has_begun_before() -> None:
    talk = Talk()
    talk.do(telephony.StartRecording, talk.b, recording=uuid4(), path="/nowhere.wav")
    talk.engine.far_hangs_up(talk.b)
    assert talk.told() == [("Unbridged", "a"), ("RecordingStarted", "b"), ("RecordingFinished", "b"), ("Ended", "b")]


def test_a_hold_is_told_once_the_far_end_has_agreed() -> None:
    talk = Talk()
    talk.do(telephony.Unbridge, talk.a)
    talk.do(telephony.Hold, talk.a)
    assert talk.told() == [("Unbridged", "a"), ("Unbridged", "b"), ("Held", "a")]
    talk.events.clear()
    talk.do(telephony.Resume, talk.a)
    talk.do(telephony.Bridge, talk.a, other=talk.b)
    assert talk.told() == [("Bridged", "a"), ("Held", "a")]


def test_a_call_that_is_cancelled_is_over_later_than_one_that_is_refused() -> None:
    talk = Talk()
    third, arrived = uuid4(), uuid4()
    talk.call_b("rings", third)
    talk.engine.call_in(arrived, "31600000002", "31205550123")
    talk.clock.advance(0.1)
    talk.events.clear()
    talk.do(telephony.HangUp, third)
    talk.do(telephony.Reject, arrived, code=480, phrase="Temporarily Unavailable")
    talk.clock.advance(2 * ROUND_TRIP_S)
    assert [(event.leg, event.sip_code) for event in talk.events if isinstance(event, telephony.Refused)] == [
        (arrived, 480),
        (third, 487),
    ]


def test_who_is_hung_up_twice_is_over_once() -> None:
    talk = Talk()
    talk.do(telephony.HangUp, talk.a)
    talk.do(telephony.HangUp, talk.a)
    with pytest.raises(telephony.CommandRefused, match="there is no leg"):
        talk.do(telephony.Hold, talk.a)
    assert talk.told() == [("Unbridged", "b"), ("Ended", "a")]
    with pytest.raises(telephony.CommandRefused, match="there is no leg"):
        talk.do(telephony.HangUp, talk.a)


def test_nothing_is_heard_of_who_is_on_hold() -> None:
    """Its telephone sends nothing (RFC 3264 §8.4): neither voice nor telephone-events."""
    talk = Talk()
    talk.do(telephony.Listen, talk.b)
    talk.engine.far_speaks(talk.b, True)
    assert talk.told() == [("Voice", "b")]
    talk.do(telephony.Hold, talk.b)
    assert talk.told()[1:] == [("Held", "b"), ("Voice", "b")]
    talk.events.clear()
    talk.engine.far_presses(talk.b, "1")
    talk.engine.far_beeps(talk.b)
    assert talk.told() == []
    talk.do(telephony.Resume, talk.b)
    talk.clock.advance(0.1)
    talk.engine.far_presses(talk.b, "2")
    assert talk.told() == [("Held", "b"), ("Voice", "b"), ("Digit", "b")]
    voice = next(event for event in talk.events if isinstance(event, telephony.Voice))
    assert voice.speaking


def test_a_far_end_that_holds_us_is_heard() -> None:
    talk = Talk()
    talk.engine.far_holds(talk.b, "sendonly")
    talk.engine.far_presses(talk.b, "1")
    assert talk.told() == [("Held", "b"), ("Digit", "b")]


@pytest.mark.parametrize(("wanted", "seen"), [("wanted@here", "wanted@here"), ("", "{leg}@simulator")])
def test_a_leg_that_is_placed_has_the_call_id_it_was_given(wanted: str, seen: str) -> None:
    talk = Talk()
    leg = uuid4()
    target = Target("answers", "simulator")
    talk.do(telephony.Originate, leg, caller="31600000001", target=target, sip_call_id=wanted)
    talk.clock.advance(1.0)
    (answered,) = [event for event in talk.events if isinstance(event, telephony.Answered)]
    assert answered.sip_call_id == seen.format(leg=leg)
