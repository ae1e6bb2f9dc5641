"""The rules of the engine port about prompts, keys, recordings and what is listened for; part of `engine_contract`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callwright.telephony import (
    Answered,
    CommandRefused,
    Digit,
    HangUp,
    Hold,
    Incoming,
    Listen,
    PauseRecording,
    Play,
    PlayFinished,
    PlayMore,
    PlayOutcome,
    PlayStarted,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    ResumeRecording,
    StartRecording,
    Stop,
    StopRecording,
    Tracks,
    Unlisten,
    Voice,
)
from support.engine_story import Story


class SoundContract:
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
