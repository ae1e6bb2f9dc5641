"""Recordings, and what is listened for, on the SIP engine between fake children."""

from __future__ import annotations

from uuid import UUID

import pytest

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.recordings import LOST
from callwright.telephony import (
    Beep,
    Cause,
    CommandRefused,
    Digit,
    Ended,
    HangUp,
    Listen,
    PauseRecording,
    PlayMore,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    Refused,
    ResumeRecording,
    Ring,
    StartRecording,
    StopRecording,
    Tracks,
    Unlisten,
    Voice,
    Who,
)
from support.fake_children import COUNTERS, A, Bench

R, S = UUID(int=0x51), UUID(int=0x52)
PATH = "/var/lib/recording"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.answer(A)
    return bench


def record(bench: Bench, recording: UUID = R, **fields: object) -> None:
    """Start a recording, and forget how."""
    bench.submit(StartRecording, recording=recording, path=PATH, **fields)
    bench.media_says(media.RecordBegan(A, recording))
    bench.take()


def test_a_recording_from_start_to_end(bench: Bench) -> None:
    bench.submit(
        StartRecording,
        recording=R,
        path=PATH,
        tracks=Tracks.BOTH,
        max_ms=9000,
        silence_ms=3000,
        stop_keys="#",
        key=bytes(32),
    )
    bench.media_says(media.RecordBegan(A, R))
    for kind in (PauseRecording, ResumeRecording, StopRecording):
        bench.submit(kind, recording=R)
    bench.media_says(media.RecordEnded(A, R, "stopped", 1234))
    assert bench.take() == [
        media.Record(A, R, PATH, "both", 9000, 3000, "#", bytes(32)),
        bench.event(RecordingStarted, A, 3, recording=R),
        media.PauseRecord(A, R, True),
        media.PauseRecord(A, R, False),
        media.StopRecord(A, R),
        bench.event(RecordingFinished, A, 4, recording=R, outcome=RecordOutcome.STOPPED, duration_ms=1234),
    ]
    for kind in (PauseRecording, ResumeRecording, StopRecording):
        bench.submit(kind, recording=R)
    bench.media_says(media.RecordEnded(A, R, "stopped", 1234))
    assert bench.take() == []
    assert bench.clock.pending == 0


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("silence", RecordOutcome.SILENCE),
        ("max_length", RecordOutcome.MAX_LENGTH),
        ("key", RecordOutcome.KEY),
        ("failed", RecordOutcome.FAILED),
        ("an outcome of a later version", RecordOutcome.FAILED),
    ],
)
def test_how_a_recording_ends(bench: Bench, outcome: str, told: RecordOutcome) -> None:
    record(bench)
    bench.media_says(media.RecordEnded(A, R, outcome, 20, "the disk is full"))
    assert bench.take() == [
        bench.event(RecordingFinished, A, 4, recording=R, outcome=told, duration_ms=20, detail="the disk is full")
    ]


def test_a_key_in_info_ends_a_recording_that_listens_for_it(bench: Bench) -> None:
    record(bench, R, stop_keys="*#")
    record(bench, S)
    bench.hear(sip.InfoArrived(A, "application/dtmf", "1"), sip.InfoArrived(A, "application/dtmf", "#"))
    bench.media_says(media.RecordEnded(A, R, "stopped", 5000))
    assert bench.take() == [
        bench.event(Digit, A, 5, digit="1", duration_ms=0, means="info"),
        bench.event(Digit, A, 6, digit="#", duration_ms=0, means="info"),
        media.StopRecord(A, R),
        bench.event(RecordingFinished, A, 7, recording=R, outcome=RecordOutcome.KEY, duration_ms=5000),
    ]


def test_a_recording_that_does_not_start(bench: Bench) -> None:
    bench.submit(StartRecording, recording=R, path=PATH)
    bench.take()
    bench.clock.advance(6)
    bench.media_says(media.RecordBegan(A, R), media.RecordEnded(A, R, "stopped", 0))
    detail = "media-1 did not start it within 6 s"
    assert bench.take() == [
        media.StopRecord(A, R),
        bench.event(RecordingFinished, A, 3, recording=R, outcome=RecordOutcome.FAILED, detail=detail),
    ]


def test_a_recording_that_does_not_end(bench: Bench) -> None:
    record(bench)
    bench.submit(StopRecording, recording=R)
    bench.take()
    bench.clock.advance(6)
    detail = "media-1 did not end it within 6 s"
    assert bench.take() == [bench.event(RecordingFinished, A, 4, recording=R, outcome=RecordOutcome.FAILED, detail=detail)]


def test_a_recording_ends_with_its_leg_and_before_its_last_event(bench: Bench) -> None:
    record(bench)
    bench.hear(sip.LegEnded(A, "far"))
    bench.clock.advance(0.5)
    bench.media_says(media.RecordEnded(A, R, "stopped", 7000), media.Closed(A, COUNTERS))
    assert bench.take() == [
        media.Close(A),
        bench.event(RecordingFinished, A, 4, ago=0.5, recording=R, outcome=RecordOutcome.STOPPED, duration_ms=7000),
        bench.event(Ended, A, 5, ago=0.5, cause=Cause.HANGUP, who=Who.FAR, counters=COUNTERS),
    ]
    assert bench.clock.pending == 0


def test_a_recording_that_ends_while_its_leg_is_being_ended(bench: Bench) -> None:
    record(bench)
    bench.submit(HangUp)
    bench.media_says(media.RecordEnded(A, R, "stopped", 7000), media.Closed(A, COUNTERS))
    bench.hear(sip.LegEnded(A, "us"))
    assert bench.take() == [
        sip.EndLeg(A),
        media.Close(A),
        bench.event(RecordingFinished, A, 4, recording=R, outcome=RecordOutcome.STOPPED, duration_ms=7000),
        bench.event(Ended, A, 5, cause=Cause.HANGUP, who=Who.US, counters=COUNTERS),
    ]


def test_a_media_process_that_closes_and_says_nothing_of_a_recording(bench: Bench) -> None:
    record(bench, R)
    record(bench, S)
    bench.hear(sip.LegEnded(A, "far"))
    bench.media_says(media.RecordEnded(A, R, "stopped", 7000))
    bench.clock.advance(6)
    finished, failed, ended = bench.take()[1:]
    assert (finished.recording, failed.recording) == (R, S)  # type: ignore[attr-defined]
    detail = f"{LOST} (media-1 did not end it within 6 s)"
    assert failed == bench.event(RecordingFinished, A, 6, ago=6, recording=S, outcome=RecordOutcome.LOST, detail=detail)
    assert isinstance(ended, Ended)


@pytest.mark.parametrize("ending", [False, True])
def test_a_recording_fails_with_its_media_process(bench: Bench, ending: bool) -> None:
    record(bench)
    if ending:
        bench.hear(sip.LegEnded(A, "far"))
    bench.engine.media_down(0, "killed by signal 9")
    events = [event for event in bench.take() if isinstance(event, RecordingFinished | Ended)]
    failed = bench.event(
        RecordingFinished, A, 4, recording=R, outcome=RecordOutcome.LOST, detail=f"{LOST} (media-1: killed by signal 9)"
    )
    assert (events[0], type(events[1]), len(events)) == (failed, Ended, 2)
    assert bench.clock.pending == 0


def test_what_waited_for_early_media_is_given_up_with_the_leg() -> None:
    bench = Bench()
    bench.arrive(A)
    bench.submit(Ring, early_media=True)
    bench.submit(StartRecording, recording=R, path=PATH)
    with pytest.raises(CommandRefused, match="is running"):
        bench.submit(StartRecording, recording=R, path=PATH)
    bench.submit(HangUp)
    bench.hear(sip.LegFailed(A, 603, "Decline"))
    detail = "the leg ended before the recording began"
    finished, refused = bench.take()[-2:]
    assert finished == bench.event(RecordingFinished, A, 2, recording=R, outcome=RecordOutcome.LOST, detail=detail)
    assert isinstance(refused, Refused)


def test_a_leg_has_so_many_recordings(bench: Bench) -> None:
    for number in range(8):
        record(bench, UUID(int=0x60 + number))
    with pytest.raises(CommandRefused, match="at most 8"):
        bench.submit(StartRecording, recording=R, path=PATH)


def test_voice_and_beeps(bench: Bench) -> None:
    bench.media_says(media.VoiceChanged(A, True, 60), media.BeepHeard(A))
    bench.submit(Listen)
    bench.submit(Listen)
    bench.clock.advance(3)
    bench.media_says(media.VoiceChanged(A, True, 60), media.VoiceChanged(A, False, 500), media.BeepHeard(A))
    bench.submit(Unlisten)
    bench.media_says(media.VoiceChanged(A, True, 60), media.BeepHeard(A))
    assert bench.take() == [
        media.Listen(A, True),
        bench.event(Voice, A, 3, ago=0.06, speaking=True),
        bench.event(Voice, A, 4, ago=0.5, speaking=False),
        bench.event(Beep, A, 5),
        media.Listen(A, False),
    ]


def test_more_files_for_a_prompt_that_is_over(bench: Bench) -> None:
    bench.submit(PlayMore, play=17, files=("b.wav",))
    assert bench.take() == []
