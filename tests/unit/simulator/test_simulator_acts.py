"""What parties do by their scripts: at times, and when a flow asks; and scripts that can not be."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from callwright import telephony
from callwright.errors import SettingsError
from callwright.settings import load
from callwright.simulator.engine import NO_RESPONSE_S, SimulatedEngine, route
from callwright.simulator.files import Tape
from callwright.simulator.settings import Act, CalleeScript, SimulatorSettings
from callwright.telephony import Cause, Event
from support.fake_children import ManualClock

NUMBER = "31612345678"


class Sounds:
    """Every file lasts as long as its name says; recordings are nowhere."""

    def seconds(self, file: str) -> float:
        return float(file)

    def record(self, path: str, channels: int, key: bytes) -> Tape:
        return self

    def say(self, at: float, samples: bytes) -> None:
        pass

    def end(self, seconds: float) -> None:
        pass


class Called:
    """A callee that has answered, a second after it was called, and what is told of it: time since its answer, and what."""

    def __init__(self, script: CalleeScript, speed: float = 1.0) -> None:
        self.clock = ManualClock()
        self.engine = SimulatedEngine(self.clock, SimulatorSettings(callees={NUMBER: script}, speed=speed), Sounds())
        self.engine.attach(self._hear)
        self.told: list[tuple[float, str]] = []
        self._speed = speed
        self._call, self.leg, self._id = uuid4(), uuid4(), 0
        self._began_ns = self.clock.mono_ns()
        self.do(telephony.Originate, caller="31600000001", target=route(NUMBER))
        self.clock.advance(1 / speed)
        self.do(telephony.Listen)
        self.told.clear()

    def do(self, kind: Callable[..., telephony.Command], **fields: object) -> None:
        self._id += 1
        self.engine.submit(kind(id=self._id, call=self._call, leg=self.leg, **fields))

    def play(self, seconds: float, *, listens: bool = False, repeat: int = 1) -> None:
        self.do(telephony.Play, files=(str(seconds),), stop_on_digit=listens, repeat=repeat)

    def record(self) -> UUID:
        recording = uuid4()
        self.do(telephony.StartRecording, recording=recording, path="/nowhere")
        return recording

    def after(self, seconds: float) -> list[tuple[float, str]]:
        self.clock.advance(seconds / self._speed)
        told, self.told = self.told, []
        return told

    def _hear(self, event: Event) -> None:
        what = type(event).__name__
        match event:
            case telephony.Digit(digit=digit):
                what = digit
            case telephony.Voice(speaking=speaking):
                what = "speaks" if speaking else "is silent"
            case telephony.Held(direction=direction):
                what = direction
            case telephony.ReferArrived(target=target):
                what = f"to {target}"
            case telephony.PlayFinished(outcome=outcome):
                what = outcome.value
            case telephony.PlayStarted() | telephony.RecordingStarted() | telephony.RecordingFinished():
                return
        self.told.append((round((event.mono_ns - self._began_ns) / 1e9 * self._speed - 1, 3), what))


@pytest.mark.parametrize(
    ("script", "told"),
    [
        # each thing it can do
        (CalleeScript(acts=(Act(at=2, press="12"),)), [(2, "1"), (2.3, "2")]),
        (CalleeScript(acts=(Act(at=2, press="12"),), digit_gap=1), [(2, "1"), (3, "2")]),
        (CalleeScript(acts=(Act(at=1, says="Yes, please."),)), [(1, "speaks"), (1.8, "is silent")]),
        (CalleeScript(acts=(Act(at=1, says="Yes, please.", speaks_for=3),)), [(1, "speaks"), (4, "is silent")]),
        (CalleeScript(acts=(Act(speaks_for=3), Act(at=3.5, beeps=True))), [(0, "speaks"), (3, "is silent"), (3.5, "Beep")]),
        (CalleeScript(acts=(Act(at=1, holds=True), Act(at=4, resumes=True))), [(1, "sendonly"), (4, "sendrecv")]),
        (CalleeScript(acts=(Act(at=3, transfers_to="31698765432"),)), [(3, "to 31698765432")]),
        (CalleeScript(acts=(Act(at=3, hangs_up=True),)), [(3, "Ended")]),
        # one thing into the other: it is silent once both are said
        (CalleeScript(acts=(Act(at=1, speaks_for=3), Act(at=2, speaks_for=4))), [(1, "speaks"), (6, "is silent")]),
        (CalleeScript(acts=(Act(at=1, speaks_for=5), Act(at=2, speaks_for=1))), [(1, "speaks"), (6, "is silent")]),
        # with what has a short form
        (CalleeScript(digits="1", hangup_after=2, acts=(Act(at=1, press="5"),)), [(0.5, "1"), (1, "5"), (2, "Ended")]),
        # what comes after its end
        (CalleeScript(hangup_after=2, acts=(Act(at=1.9, press="123"), Act(at=3, says="too late"))), [(1.9, "1"), (2, "Ended")]),
    ],
)
@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_acts_are_done_at_their_times(script: CalleeScript, told: list[tuple[float, str]], speed: float) -> None:
    assert Called(script, speed).after(60) == told


def asked(*acts: Act) -> Called:
    return Called(CalleeScript(acts=acts))


def keys(*pressed: str) -> list[Act]:
    return [Act(when_asked=True, press=one) for one in pressed]


def test_keys_are_pressed_before_the_end_of_a_prompt_that_listens_for_them() -> None:
    callee = asked(*keys("12", "3"))
    callee.play(4, listens=True)
    assert callee.after(5) == [(3.9, "1"), (3.9, "digit"), (4.2, "2")]
    callee.play(2, listens=True)
    assert callee.after(60) == [(6.9, "3"), (6.9, "digit")]


def test_a_prompt_that_listens_is_heard_in_whole_however_it_comes() -> None:
    callee = asked(*keys("1"))
    callee.do(telephony.Play, files=("1",), stop_on_digit=True, more=True)
    play = callee._id
    assert callee.after(3) == []
    callee.do(telephony.PlayMore, play=play, files=("2",), more=True)
    assert callee.after(0.5) == []
    callee.do(telephony.PlayMore, play=play, files=())
    assert callee.after(60) == [(4.9, "1"), (4.9, "digit")]


def test_one_that_is_repeated_is_heard_to_the_end_and_an_endless_one_once() -> None:
    callee = asked(*keys("1", "2"))
    callee.play(2, listens=True, repeat=3)
    assert callee.after(10) == [(5.9, "1"), (5.9, "digit")]
    callee.play(2, listens=True, repeat=0)
    assert callee.after(10) == [(11.9, "2"), (11.9, "digit")]


def test_after_a_prompt_that_does_not_listen_silence_is_awaited() -> None:
    callee = asked(*keys("1"), Act(when_asked=True, says="Yes, please."))
    callee.play(2)
    callee.after(2.2)
    callee.play(2, listens=True)  # it was not the last one yet
    assert callee.after(2.4) == [(4.1, "1"), (4.1, "digit")]
    callee.play(1)
    assert callee.after(60) == [(5.6, "done"), (6.1, "speaks"), (6.9, "is silent")]


def test_one_act_is_done_for_a_prompt_and_a_recording_gets_what_is_said() -> None:
    callee = asked(*keys("1"), Act(when_asked=True, says="Yes, please."), Act(when_asked=True, at=1, hangs_up=True))
    callee.play(1)
    callee.after(1.1)
    callee.record()
    assert callee.after(3) == [(1.5, "speaks"), (2.3, "is silent")]
    callee.play(1)
    assert callee.after(1.6) == [(5.1, "done"), (5.6, "1")]
    callee.play(1)
    assert callee.after(60) == [(6.7, "done"), (8.2, "Ended")]


def test_who_hears_nothing_does_something_after_a_while() -> None:
    assert asked(*keys("1", "2")).after(60) == [(6, "1"), (12, "2")]


def test_who_never_answers_is_given_up() -> None:
    callee = Called(CalleeScript())
    callee.engine.expect("1", CalleeScript(outcome="no_response"))
    leg = uuid4()
    told: list[Event] = []
    callee.engine.attach(told.append)
    callee.engine.submit(telephony.Originate(id=9, call=uuid4(), leg=leg, caller="31600000001", target=route("1")))
    callee.clock.advance(60)
    (refused,) = told
    assert isinstance(refused, telephony.Refused)
    assert (refused.cause, refused.sip_code) == (Cause.NO_RESPONSE, None)
    assert (refused.mono_ns - callee._began_ns) / 1e9 == pytest.approx(1 + NO_RESPONSE_S)


def test_who_dialled_is_told_of_a_refusal() -> None:
    callee = Called(CalleeScript())
    refusals: list[tuple[int, str]] = []
    for code in (404, None):
        leg = uuid4()
        callee.engine.call_in(leg, "1", "2", turned_away=lambda code, phrase: refusals.append((code, phrase)))
        if code is not None:
            callee.engine.submit(telephony.Reject(id=1, call=leg, leg=leg, code=code, phrase="Not Found"))
        else:
            callee.engine.submit(telephony.HangUp(id=1, call=leg, leg=leg))
    assert refusals == [(404, "Not Found")]


@pytest.mark.parametrize(
    ("acts", "fault"),
    [
        ('{ at = 1, press = "1", hangs_up = true }', "must do one thing each; this one has press and hangs_up (act 1)"),
        ("{ at = 1, beeps = true, speaks_for = 2 }", "must do one thing each; this one has speaks_for and beeps (act 1)"),
        ('{ press = "1" }, { at = 1 }', "must do something: one of press, says, beeps, holds"),
        (
            '{ presses = "1" }',
            "acts[0].presses",
        ),
        ('{ press = "x" }', 'acts[0].press = "x"'),
        ('{ at = -1, press = "1" }', "must be a number from 0 to 86400"),
    ],
)
def test_a_script_that_can_not_be_is_refused_with_what_is_wrong(acts: str, fault: str, tmp_path) -> None:
    with pytest.raises(SettingsError) as refused:
        load({}, {"CALLWRIGHT_SIMULATOR__CALLEES": f"{{ 31612345678 = {{ acts = [{acts}] }} }}"}, None, tmp_path)
    assert fault in str(refused.value)
    assert "simulator.callees.31612345678.acts" in str(refused.value)


def test_who_never_answers_does_nothing(tmp_path) -> None:
    text = '{ 31612345678 = { outcome = "busy", acts = [{ press = "1" }] } }'
    with pytest.raises(SettingsError, match=r"31612345678 never answers \(outcome = .busy.\)"):
        load({}, {"CALLWRIGHT_SIMULATOR__CALLEES": text}, None, tmp_path)


def test_who_answers_refuses_with_no_code(tmp_path) -> None:
    text = "{ 31612345678 = { sip_code = 404 } }"
    with pytest.raises(SettingsError, match=r"31612345678 has sip_code = 404, and does not refuse .*; set outcome = \"fail\""):
        load({}, {"CALLWRIGHT_SIMULATOR__CALLEES": text}, None, tmp_path)
