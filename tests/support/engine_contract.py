"""The rules of the engine port (`callwright.telephony`), checked on any engine through a driver.

A test module makes a subclass of `EngineContract` with a fixture ``driver``; each engine brings a far side of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright.telephony import (
    Answer,
    Answered,
    Bridge,
    Bridged,
    Cause,
    Command,
    CommandRefused,
    Digit,
    Ended,
    Engine,
    Event,
    HangUp,
    Held,
    Hold,
    Incoming,
    Listen,
    Originate,
    PauseRecording,
    Play,
    PlayFinished,
    PlayMore,
    PlayOutcome,
    PlayStarted,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    Refused,
    Reject,
    Resume,
    ResumeRecording,
    Ring,
    Ringing,
    SendDigits,
    StartRecording,
    Stop,
    StopRecording,
    Target,
    Tracks,
    Unbridge,
    Unbridged,
    Unlisten,
    Voice,
    Who,
)

E = TypeVar("E", bound=Event)

CALL, OTHER_CALL = uuid4(), uuid4()


class Driver(Protocol):
    """An engine and the far side of its legs. Times are those of the engine's clock; nothing here blocks for long."""

    engine: Engine

    def attach(self, sink: Callable[[Event], None]) -> None: ...

    def arrive(self, leg: UUID) -> None:
        """Somebody calls in; the leg has this id."""
        ...

    def target(self, outcome: str) -> Target:
        """Where somebody rings and then ``answers``, is ``busy`` or ``rings`` for ever."""
        ...

    def far_hangs_up(self, leg: UUID) -> None:
        """The far end of a leg gives up or hangs up; nothing when there is no such leg any more."""
        ...

    def far_presses(self, leg: UUID, digit: str) -> None: ...

    def far_speaks(self, leg: UUID, speaking: bool) -> None:
        """The far end of an answered leg begins, or ceases, to speak."""
        ...

    def far_beeps(self, leg: UUID) -> None: ...

    def sound(self) -> str:
        """A WAV file of one second; recordings are made beside it."""
        ...

    def settle(self, seconds: float = 60.0) -> None:
        """Let so much time pass."""
        ...

    def left(self) -> list[str]:
        """What the engine and its children still hold: legs, streams, calls, timers."""
        ...


class Story:
    """What is done to an engine and what it says."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.events: list[Event] = []
        self.accepted: dict[UUID, list[UUID]] = {}
        self._ids = count(1)
        driver.attach(self.events.append)

    def do(self, kind: Callable[..., Command], leg: UUID, *, call: UUID = CALL, **fields: Any) -> int:
        number = next(self._ids)
        self.driver.engine.submit(kind(id=number, call=call, leg=leg, **fields))
        return number

    def record(self, leg: UUID, **fields: Any) -> UUID:
        recording = uuid4()
        path = fields.pop("path", str(Path(self.driver.sound()).parent / f"{recording}.wav"))
        self.do(StartRecording, leg, recording=recording, path=path, **fields)
        self.accepted.setdefault(leg, []).append(recording)
        return recording

    def originate(self, leg: UUID, outcome: str = "answers") -> int:
        return self.do(Originate, leg, caller="31612345678", target=self.driver.target(outcome))

    def incoming(self) -> UUID:
        leg = uuid4()
        self.driver.arrive(leg)
        return leg

    def answered(self) -> UUID:
        leg = self.incoming()
        self.do(Answer, leg)
        self.driver.settle()
        return leg

    def reached(self) -> UUID:
        leg = uuid4()
        self.originate(leg)
        self.driver.settle()
        return leg

    def of(self, leg: UUID) -> list[Event]:
        return [event for event in self.events if event.leg == leg]

    def seen(self, kind: type[E], leg: UUID | None = None) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and leg in (None, event.leg)]

    def told(self, leg: UUID) -> list[type[Event]]:
        return [type(event) for event in self.of(leg)]

    def last(self, leg: UUID) -> Any:
        """The leg's last event, after checking everything that is true of any leg that is over."""
        events = self.of(leg)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        timed = [event for event in events if not isinstance(event, Voice)]
        for times in ([event.at_us for event in timed], [event.mono_ns for event in timed]):
            assert times == sorted(times)
        ends = [event for event in events if isinstance(event, Refused | Ended)]
        assert ends == events[-1:], f"the leg was told {self.told(leg)}"
        was_answered = any(isinstance(event, Answered) for event in events)
        end = ends[0]
        assert was_answered == (isinstance(end, Ended) and not end.late_answer)
        started = {event.play for event in events if isinstance(event, PlayStarted)}
        finished = [event.play for event in events if isinstance(event, PlayFinished)]
        assert started <= set(finished)
        assert len(finished) == len(set(finished))
        recorded = [event.recording for event in events if isinstance(event, RecordingFinished)]
        assert {event.recording for event in events if isinstance(event, RecordingStarted)} <= set(recorded)
        assert sorted(recorded) == sorted(self.accepted.get(leg, []))
        self.check_conversations(events)
        return end

    def check_conversations(self, events: list[Event]) -> None:
        """A leg that is told it hears somebody is not told so again before it is told that it does not."""
        bridged = False
        for event in events:
            if isinstance(event, Bridged):
                assert not bridged
            bridged = isinstance(event, Bridged) or (bridged and not isinstance(event, Unbridged))


class EngineContract:
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

    # sound

    def test_a_prompt_plays_to_its_end(self, story: Story) -> None:
        leg = story.answered()
        play = story.do(Play, leg, files=(story.driver.sound(),))
        story.driver.settle(3)
        started, finished = story.of(leg)[2:]
        assert (type(started), type(finished)) == (PlayStarted, PlayFinished)
        assert (started.play, finished.play, finished.outcome) == (play, play, PlayOutcome.DONE)

    def test_a_prompt_is_stopped(self, story: Story) -> None:
        leg = story.answered()
        play = story.do(Play, leg, files=(story.driver.sound(),), repeat=0)
        story.driver.settle(10)
        story.do(Stop, leg)
        story.driver.settle()
        [finished] = [event for event in story.of(leg) if isinstance(event, PlayFinished)]
        assert (finished.play, finished.outcome) == (play, PlayOutcome.STOPPED)

    def test_a_key_is_told_and_stops_a_prompt_that_listens(self, story: Story) -> None:
        leg = story.answered()
        story.do(Play, leg, files=(story.driver.sound(),), repeat=0, stop_on_digit=True)
        story.driver.settle(1)
        story.driver.far_presses(leg, "5")
        story.driver.settle(1)
        assert [event.digit for event in story.of(leg) if isinstance(event, Digit)] == ["5"]
        [finished] = [event for event in story.of(leg) if isinstance(event, PlayFinished)]
        assert finished.outcome is PlayOutcome.DIGIT

    def test_a_prompt_that_is_not_there_fails(self, story: Story) -> None:
        leg = story.answered()
        story.do(Play, leg, files=(story.driver.sound() + ".missing",))
        story.driver.settle(10)
        [finished] = [event for event in story.of(leg) if isinstance(event, PlayFinished)]
        assert finished.outcome is PlayOutcome.FAILED
        assert finished.detail

    def test_a_prompt_whose_files_come_one_by_one(self, story: Story) -> None:
        leg, file = story.answered(), story.driver.sound()
        play = story.do(Play, leg, files=(file,), repeat=2, more=True)
        story.driver.settle(0.5)
        story.do(PlayMore, leg, play=play, files=(file,), more=True)
        story.driver.settle(5)
        assert story.seen(PlayFinished) == []
        story.do(PlayMore, leg, play=play)
        story.driver.settle(1.5)
        assert story.seen(PlayFinished) == []
        story.driver.settle(2)
        [finished] = story.seen(PlayFinished)
        assert (finished.play, finished.outcome) == (play, PlayOutcome.DONE)
        story.do(PlayMore, leg, play=play, files=(file,))
        story.driver.settle()
        assert story.told(leg) == [Incoming, Answered, PlayStarted, PlayFinished]

    def test_a_prompt_that_waits_for_a_file_is_stopped(self, story: Story) -> None:
        leg = story.answered()
        story.do(Play, leg, files=(story.driver.sound(),), more=True)
        story.driver.settle(10)
        story.do(Stop, leg)
        story.driver.settle()
        assert [event.outcome for event in story.seen(PlayFinished)] == [PlayOutcome.STOPPED]

    def test_music_is_played_to_a_leg_on_hold(self, story: Story) -> None:
        leg = story.reached()
        story.do(Hold, leg)
        story.driver.settle(1)
        play = story.do(Play, leg, files=(story.driver.sound(),))
        story.driver.settle(3)
        assert [(event.play, event.outcome) for event in story.seen(PlayFinished, leg)] == [(play, PlayOutcome.DONE)]

    # recordings

    def test_a_recording_is_stopped(self, story: Story) -> None:
        leg = story.answered()
        recording = story.record(leg, tracks=Tracks.BOTH)
        story.driver.settle(1)
        story.do(PauseRecording, leg, recording=recording)
        story.driver.settle(1)
        story.do(ResumeRecording, leg, recording=recording)
        story.driver.settle(1)
        assert story.told(leg) == [Incoming, Answered, RecordingStarted]
        for _ in range(2):
            story.do(StopRecording, leg, recording=recording)
        story.driver.settle()
        [finished] = story.seen(RecordingFinished)
        assert (finished.recording, finished.outcome) == (recording, RecordOutcome.STOPPED)
        assert finished.duration_ms == pytest.approx(3000, abs=1000)
        for kind in (PauseRecording, ResumeRecording, StopRecording):
            story.do(kind, leg, recording=recording)
        story.driver.settle()
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)

    @pytest.mark.parametrize(
        ("limits", "outcome", "seconds"),
        [
            ({"max_ms": 4000}, RecordOutcome.MAX_LENGTH, 4),
            ({"silence_ms": 3000}, RecordOutcome.SILENCE, 3),
            ({"max_ms": 60_000, "silence_ms": 3000, "stop_keys": "#*"}, RecordOutcome.SILENCE, 3),
        ],
    )
    def test_a_recording_ends_by_itself(
        self, story: Story, limits: dict[str, Any], outcome: RecordOutcome, seconds: float
    ) -> None:
        leg = story.answered()
        recording = story.record(leg, **limits)
        story.driver.settle()
        [finished] = story.seen(RecordingFinished)
        assert (finished.recording, finished.outcome) == (recording, outcome)
        assert finished.duration_ms == pytest.approx(seconds * 1000, abs=1000)

    def test_who_speaks_is_not_silent(self, story: Story) -> None:
        leg = story.answered()
        story.record(leg, silence_ms=3000)
        story.driver.settle(2)
        story.driver.far_speaks(leg, True)
        story.driver.settle(8)
        assert story.seen(RecordingFinished) == []
        story.driver.far_speaks(leg, False)
        story.driver.settle(2)
        assert story.seen(RecordingFinished) == []
        story.driver.settle(3)
        assert [event.outcome for event in story.seen(RecordingFinished)] == [RecordOutcome.SILENCE]

    def test_a_key_ends_the_recording_that_listens_for_it(self, story: Story) -> None:
        leg = story.answered()
        deaf, recording = story.record(leg), story.record(leg, stop_keys="#*")
        story.driver.settle(1)
        for key in "1#":
            story.driver.far_presses(leg, key)
            story.driver.settle(1)
        assert [event.digit for event in story.seen(Digit)] == ["1", "#"]
        assert [(event.recording, event.outcome) for event in story.seen(RecordingFinished)] == [(recording, RecordOutcome.KEY)]
        story.driver.far_hangs_up(leg)
        story.driver.settle()
        assert story.seen(RecordingFinished)[1].recording == deaf
        story.last(leg)

    @pytest.mark.parametrize("far", [True, False])
    def test_a_recording_ends_with_its_leg(self, story: Story, far: bool) -> None:
        leg = story.reached()
        recording = story.record(leg)
        story.driver.settle(2)
        if far:
            story.driver.far_hangs_up(leg)
        else:
            story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)
        [finished] = story.seen(RecordingFinished)
        assert (finished.recording, finished.outcome) == (recording, RecordOutcome.STOPPED)
        assert finished.duration_ms == pytest.approx(2000, abs=1000)

    def test_a_recording_that_cannot_be_written_fails(self, story: Story) -> None:
        leg = story.answered()
        story.record(leg, path=story.driver.sound() + "/beneath/a/file.wav")
        story.driver.settle(10)
        [finished] = story.seen(RecordingFinished)
        assert finished.outcome is RecordOutcome.FAILED
        assert finished.detail

    @pytest.mark.parametrize(
        "wrong", [{"path": "here.wav"}, {"max_ms": 0}, {"silence_ms": -1}, {"stop_keys": "x"}, {"key": b"short"}]
    )
    def test_a_recording_that_makes_no_sense_is_refused(self, story: Story, wrong: dict[str, Any]) -> None:
        leg = story.answered()
        with pytest.raises(CommandRefused):
            story.record(leg, **wrong)

    def test_a_recording_is_started_once(self, story: Story) -> None:
        leg = story.answered()
        recording = story.record(leg)
        path = str(Path(story.driver.sound()).parent / "again.wav")
        with pytest.raises(CommandRefused):
            story.do(StartRecording, leg, recording=recording, path=path)

    # what is listened for

    def test_voice_and_beeps_are_told_to_whom_listens(self, story: Story) -> None:
        leg = story.reached()
        said: list[Any] = []
        for kind in (None, Listen, Listen, Unlisten):
            if kind is not None:
                story.do(kind, leg)
            story.driver.settle(1)
            story.driver.far_speaks(leg, True)
            story.driver.settle(1)
            story.driver.far_speaks(leg, False)
            story.driver.far_beeps(leg)
            story.driver.settle(1)
            said.append([event.speaking if isinstance(event, Voice) else "beep" for event in story.of(leg)[2:]])
        once = [True, False, "beep"]
        assert said == [[], once, once * 2, once * 2]
        story.do(HangUp, leg)
        story.driver.settle()
        story.last(leg)

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

    # whatever happens

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        act = data.draw(st.sampled_from(["far hangs up", "far presses", "far speaks", "record", *ACTS]), "act")
        if act == "far hangs up":
            story.driver.far_hangs_up(leg)
        elif act == "far presses":
            story.driver.far_presses(leg, "1")
        elif act == "far speaks":
            story.driver.far_speaks(leg, data.draw(st.booleans(), "speaking?"))
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
}
