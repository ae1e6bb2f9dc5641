"""What the outbox holds of a call's recordings and transcriptions, and in which order."""

from __future__ import annotations

from typing import Any

from callwright import telephony
from callwright.calls import rows
from callwright.dialect import callbacks
from callwright.telephony import RecordOutcome
from support.scripted import Stage, pause, tell, transfer


def told(stage: Stage) -> list[tuple[str, str]]:
    """Everything that is told of the last call, in the order of the outbox: the event, and the status in it."""
    call = stage.calls()[-1]
    found = []
    for event in rows.events_after(stage.store, 0, 1_000):
        if event.call_id == call.id:
            content: Any = callbacks.payload(event, "EUR")
            status = content.status
            found.append((event.kind, status if isinstance(status, str) else status.value))
    return found


def record(**options: Any) -> dict[str, Any]:
    return {"id": "record", "action": "record", "options": {"beep": False, **options}}


def test_a_recording_is_told_from_its_beginning_to_its_end() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([record(transcribe=True, transcribeLanguage="nl-NL")])
        await stage.answer(a)
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(telephony.RecordingStarted, a, recording=asked.recording)
        await stage.tick()
        await stage.switch.pause_recording(stage.world.id, asked.recording)
        await stage.switch.resume_recording(stage.world.id, asked.recording)
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.KEY, duration_ms=4_200
        )
        await stage.tick()
        assert told(stage) == [
            ("callCreated", "starting"),
            ("callUpdated", "ongoing"),
            ("recordingCreated", "initialised"),
            ("recordingUpdated", "recording"),
            ("recordingUpdated", "recording"),  # it pauses
            ("recordingUpdated", "recording"),
            ("callUpdated", "ended"),
            ("recordingUpdated", "done"),
            ("transcriptionCreated", "created"),
        ]
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])

    tell(story)


def test_what_is_written_with_a_recording_is_committed_with_it() -> None:
    """While the disk is full nothing is told; then the whole is, at once and in order."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([record(), pause(100)])
        await stage.answer(a)
        (asked,) = stage.script.of(telephony.StartRecording, a)
        before = told(stage)
        stage.disk.full = True
        stage.script.say(telephony.RecordingStarted, a, recording=asked.recording)
        stage.script.say(telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.KEY, duration_ms=900)
        await stage.after(2)
        assert told(stage) == before
        stage.disk.comes_back()
        await stage.after(2)
        assert told(stage)[len(before) :] == [("recordingUpdated", "recording"), ("recordingUpdated", "done")]

    tell(story)


def test_each_recording_of_a_transfer_is_told_of() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(record="both")])
        assert told(stage)[-3:] == [
            ("callUpdated", "ongoing"),
            ("recordingCreated", "initialised"),
            ("recordingCreated", "initialised"),
        ]
        first, second = [asked.recording for asked in stage.script.of(telephony.StartRecording)]
        stage.script.say(telephony.RecordingFinished, b, recording=first, outcome=RecordOutcome.STOPPED, duration_ms=900)
        stage.script.ended(b)
        await stage.tick()
        stage.script.say(telephony.RecordingFinished, a, recording=second, outcome=RecordOutcome.STOPPED, duration_ms=900)
        await stage.tick()
        assert told(stage)[-3:] == [("recordingUpdated", "done"), ("callUpdated", "ended"), ("recordingUpdated", "done")]
        assert stage.sound()[0] == "ended"

    tell(story)


def test_a_recording_that_is_refused_or_lost_is_told_as_failed() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([record()])
        await stage.answer(a)
        (asked,) = stage.script.of(telephony.StartRecording)
        stage.script.say(telephony.RecordingStarted, a, recording=asked.recording)
        stage.script.ended(a)
        await stage.tick()
        assert told(stage)[-3:] == [
            ("recordingUpdated", "recording"),
            ("callUpdated", "ended"),
            ("recordingUpdated", "failed"),
        ]
        stage.script.refuses = lambda command: isinstance(command, telephony.StartRecording)
        a = await stage.arrive()
        await stage.answer(a)
        assert told(stage)[-3:] == [
            ("recordingCreated", "initialised"),
            ("callUpdated", "ended"),
            ("recordingUpdated", "failed"),
        ]

    tell(story)


def test_a_call_that_is_not_recorded_writes_nothing_more() -> None:
    async def story(stage: Stage) -> None:
        await stage.talking()
        assert {kind for kind, _ in told(stage)} == {"callCreated", "callUpdated"}

    tell(story)
