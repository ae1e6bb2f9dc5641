"""Recordings of legs, between call control and the media processes.

Every accepted `StartRecording` has one `RecordingFinished`, before the leg's last event: media says it of each when a stream
is closed, and where it cannot the engine says that it failed.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from callwright.clock import Clock
from callwright.media import wire as media
from callwright.sip.leg import GONE, Leg, Recording
from callwright.sip.telling import Emit, name_of, send
from callwright.telephony import (
    Command,
    CommandRefused,
    PauseRecording,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    ResumeRecording,
    StartRecording,
    StopRecording,
    recording_fault,
)

RECORD_S = 6.0  # a media process gives a disk five
MAX_RECORDINGS = 8
LOST = "the sound process was lost before the recording was closed; what was heard until then may be in it"
NOT_BEGUN = "the leg ended before the recording began"
_OUTCOMES = {outcome.value: outcome for outcome in RecordOutcome}


class Recordings:
    """Carries out commands about recordings and turns media's reports of them into events."""

    def __init__(self, clock: Clock, emit: Emit) -> None:
        self._clock = clock
        self._emit = emit

    def check(self, leg: Leg, command: StartRecording) -> None:
        """Raise `CommandRefused` for a recording that cannot be made."""
        fault = recording_fault(command)
        running = [*leg.recordings, *_waiting(leg)]
        if command.recording in running:
            fault = f"recording {command.recording} is running"
        elif len(running) >= MAX_RECORDINGS:
            fault = f"at most {MAX_RECORDINGS} recordings of a leg may run at once"
        if fault:
            raise CommandRefused(f"StartRecording: {fault}")

    def start(self, leg: Leg, command: StartRecording) -> None:
        timer = self._clock.call_later(RECORD_S, partial(self._overdue, leg, command.recording, "start"))
        leg.recordings[command.recording] = Recording(command.stop_keys, timer)
        send(
            leg,
            media.Record(
                leg.id,
                command.recording,
                command.path,
                command.tracks.value,
                command.max_ms,
                command.silence_ms,
                command.stop_keys,
                command.key,
            ),
        )

    def pause(self, leg: Leg, command: PauseRecording | ResumeRecording) -> None:
        if command.recording in leg.recordings:
            send(leg, media.PauseRecord(leg.id, command.recording, isinstance(command, PauseRecording)))

    def stop(self, leg: Leg, command: StopRecording) -> None:
        recording = leg.recordings.get(command.recording)
        if recording is not None:
            self._stop(leg, command.recording, recording)

    def pressed(self, leg: Leg, key: str) -> None:
        """A key came in an INFO, of which media knows nothing: it ends the recordings that one of their keys ends."""
        for recording_id, recording in leg.recordings.items():
            if key in recording.stop_keys and not recording.by_key:
                recording.by_key = True
                self._stop(leg, recording_id, recording)

    def began(self, leg: Leg, message: media.RecordBegan) -> None:
        recording = leg.recordings.get(message.recording)
        if recording is not None and leg.phase not in GONE:
            recording.timer.cancel()
            self._emit(leg, RecordingStarted, recording=message.recording)

    def ended(self, leg: Leg, message: media.RecordEnded) -> None:
        recording = leg.recordings.pop(message.recording, None)
        if recording is None:
            return
        recording.timer.cancel()
        outcome = _OUTCOMES.get(message.outcome, RecordOutcome.FAILED)
        if recording.by_key and outcome is RecordOutcome.STOPPED:
            outcome = RecordOutcome.KEY
        self._emit(
            leg,
            RecordingFinished,
            recording=message.recording,
            outcome=outcome,
            duration_ms=message.duration_ms,
            detail=message.detail,
        )

    def leave(self, leg: Leg) -> None:
        """The stream of a leg is being closed, and with it its recordings: the leg waits for that, they need not."""
        for recording in leg.recordings.values():
            recording.timer.cancel()

    def finish(self, leg: Leg) -> None:
        """A leg ends: what it never began will not be."""
        for recording in _waiting(leg):
            self._fail(leg, recording, NOT_BEGUN, RecordOutcome.LOST)

    def lost(self, leg: Leg, why: str) -> None:
        """Whatever wrote the recordings of a leg is gone, or does not answer."""
        while leg.recordings:
            recording, running = leg.recordings.popitem()
            running.timer.cancel()
            self._fail(leg, recording, f"{LOST} ({why})", RecordOutcome.LOST)

    def _stop(self, leg: Leg, recording_id: UUID, recording: Recording) -> None:
        send(leg, media.StopRecord(leg.id, recording_id))
        recording.timer.cancel()
        recording.timer = self._clock.call_later(RECORD_S, partial(self._overdue, leg, recording_id, "end"))

    def _overdue(self, leg: Leg, recording: UUID, verb: str) -> None:
        if leg.recordings.pop(recording, None) is not None:
            if verb == "start":
                send(leg, media.StopRecord(leg.id, recording))
            self._fail(leg, recording, f"{name_of(leg)} did not {verb} it within {RECORD_S:g} s")

    def _fail(self, leg: Leg, recording: UUID, why: str, outcome: RecordOutcome = RecordOutcome.FAILED) -> None:
        self._emit(leg, RecordingFinished, recording=recording, outcome=outcome, detail=why)


def _waiting(leg: Leg) -> list[UUID]:
    held: list[Command] = leg.held
    return [command.recording for command in held if isinstance(command, StartRecording)]
