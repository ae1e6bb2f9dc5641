"""Recordings of a call's legs: of a record step, of a transfer, of the whole call.

Each row is written in the commit of the command that starts it, and closed in that of the event that ends it.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.errors import Conflict
from callwright.flows import effects
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.switch.live import LiveCall
from callwright.telephony import RecordOutcome, Tracks

MS = 1000
# What is not said at once is not said: how long a stopped recording's file may take is the engine's business.
LOST = "The sound process was lost before the recording was closed; what was heard until then may be in it."


# Nobody stops a step's recording here but by forgetting it first; so it stopped because its leg ends.
_WITH_ITS_LEG = frozenset({RecordOutcome.STOPPED, RecordOutcome.LOST})


class _Open(NamedTuple):
    recording: Recording
    transcribe: str | None = None


def recording_moved(ended: Recording, outcome: RecordOutcome) -> journal.RecordingMoved:
    """The end of a recording, for the journal."""
    return journal.RecordingMoved(
        recording=ended.id,
        status=ended.status.value,
        outcome=outcome.value,
        duration_ms=ended.duration_ms,
        detail=ended.detail,
    )


class Recorder:
    """The recordings of a call that are not over. `step` is that of the record step at hand."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._open: dict[UUID, _Open] = {}
        self._ended: dict[UUID, Recording] = {}
        self._of_transfer: list[UUID] = []
        self._of_call: UUID | None = None
        self._call_wanted = False
        self._step: UUID | None = None
        self._wanted: effects.Record | None = None
        self._beep: int | None = None

    def finished(self, recording_id: UUID) -> Recording | None:
        """A recording of this call that is over."""
        return self._ended.get(recording_id)

    # the record step

    def record(self, wanted: effects.Record) -> None:
        """Record what A says, after a beep if one is wanted."""
        beep = self._call.settings.beep
        if wanted.beep and beep:
            self._wanted = wanted
            self._beep = self._call.command(telephony.Play, self._call.a, files=(beep,))
        else:
            self._record(wanted)

    @property
    def beeps(self) -> bool:
        return self._beep is not None

    def beep_refused(self, play: int) -> None:
        if play == self._beep:
            self._beep = None
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                self._record(wanted)

    def beep_over(self, event: telephony.PlayFinished) -> None:
        """A beep that could not be heard is missed by nobody as much as the recording would be."""
        if event.play == self._beep:
            self._beep = None
            wanted, self._wanted = self._wanted, None
            if wanted is not None and event.outcome is not telephony.PlayOutcome.STOPPED:
                self._record(wanted)

    def stop_step(self) -> None:
        """End the recording of the step; nobody waits for it any more."""
        self._wanted = None
        if self._beep is not None:
            self._beep = None
            self._call.command(telephony.Stop, self._call.a)
        if self._step is not None:
            step, self._step = self._step, None
            self._stop(step)

    def _record(self, wanted: effects.Record) -> None:
        self._step = self._start(
            self._call.a,
            RecordingType.IVR,
            Tracks.FROM,
            transcribe=wanted.transcribe,
            max_ms=None if wanted.max_length is None else round(wanted.max_length * MS),
            silence_ms=None if wanted.silence is None else round(wanted.silence * MS),
            stop_keys=wanted.stop_keys,
        )

    # the whole call, and transfers

    def record_call(self) -> None:
        """Record A, both ways, from now or from its answer on; it ends with A."""
        self._call_wanted = True
        self.answered(self._call.a)

    def answered(self, leg_id: UUID) -> None:
        if self._call_wanted and self._of_call is None and leg_id == self._call.a and self._call.talks(leg_id):
            self._of_call = self._start(leg_id, RecordingType.CALL, Tracks.BOTH)

    def record_transfer(self, which: str | None, b: UUID) -> None:
        """Record those who talk: B (``in``), A (``out``), or each of them (contract §2.3.2)."""
        legs = {"in": (b,), "out": (self._call.a,), "both": (b, self._call.a)}.get((which or "").lower(), ())
        self._of_transfer = [self._start(leg_id, RecordingType.TRANSFER, Tracks.FROM) for leg_id in legs]

    def stop_transfer(self) -> None:
        stopped, self._of_transfer = self._of_transfer, []
        for recording_id in stopped:
            self._stop(recording_id)

    # one recording

    def _start(
        self,
        leg_id: UUID,
        kind: RecordingType,
        tracks: Tracks,
        *,
        transcribe: str | None = None,
        max_ms: int | None = None,
        silence_ms: int | None = None,
        stop_keys: str = "",
    ) -> UUID:
        call = self._call
        world_id, call_id = call.record.call.world_id, call.record.call.id
        begun = call.around.supplies.recordings.begin(world_id, call_id, leg_id, kind, tracks, self._now())
        made = begun.recording
        self._open[made.id] = _Open(made, transcribe)
        call.record.also(begun.change)
        call.note(
            journal.RecordingMade(
                recording=made.id, leg=leg_id, type=kind.value, tracks=tracks.value, file=made.file, key_id=made.key_id
            )
        )
        call.command(
            telephony.StartRecording,
            leg_id,
            recording=made.id,
            path=str(begun.path),
            tracks=tracks,
            max_ms=max_ms,
            silence_ms=silence_ms,
            stop_keys=stop_keys,
            key=begun.key,
        )
        return made.id

    def _stop(self, recording_id: UUID) -> None:
        if (known := self._open.get(recording_id)) is not None:
            self._call.command(telephony.StopRecording, known.recording.leg_id, recording=recording_id)

    def pause(self, recording_id: UUID, *, paused: bool) -> Recording:
        """Pause a recording, or go on with it; once more is no fault. Raises `Conflict` for one that is over."""
        known = self._open.get(recording_id)
        if known is None:
            raise Conflict("The recording is over.")
        to = RecordingStatus.PAUSED if paused else RecordingStatus.RECORDING
        if known.recording.status is to:
            return known.recording
        kind = telephony.PauseRecording if paused else telephony.ResumeRecording
        self._call.command(kind, known.recording.leg_id, recording=recording_id)
        return self._moved(recording_id, paused=paused)

    # what the engine says

    def began(self, event: telephony.RecordingStarted) -> None:
        known = self._open.get(event.recording)
        if known is not None and known.recording.status is RecordingStatus.INITIALISED:
            self._moved(event.recording, paused=False)

    def ended(self, event: telephony.RecordingFinished) -> None:
        self._end(event.recording, event.outcome, event.duration_ms, event.detail)

    def refused(self, recording_id: UUID, why: str) -> None:
        self._end(recording_id, RecordOutcome.FAILED, 0, why)

    def left(self, leg_id: UUID) -> None:
        """A leg says no more: what was not begun by then, as the command came too late for it, has nothing in it."""
        for recording, _ in tuple(self._open.values()):
            unbegun = recording.leg_id == leg_id and recording.status is RecordingStatus.INITIALISED
            if unbegun and self._call.around.supplies.recordings.leave_empty(recording):
                self._end(recording.id, RecordOutcome.STOPPED, 0, "")

    def lost(self) -> None:
        """The engine says no more."""
        for recording_id in tuple(self._open):
            self._end(recording_id, RecordOutcome.LOST, 0, LOST)

    def _moved(self, recording_id: UUID, *, paused: bool) -> Recording:
        known = self._open[recording_id]
        recordings = self._call.around.supplies.recordings
        recording, change = (recordings.paused if paused else recordings.started)(known.recording, self._now())
        self._open[recording_id] = known._replace(recording=recording)
        self._call.record.also(change)
        self._call.note(journal.RecordingMoved(recording=recording_id, status=recording.status.value))
        return recording

    def _end(self, recording_id: UUID, outcome: RecordOutcome, duration_ms: int, detail: str) -> None:
        known = self._open.pop(recording_id, None)
        if known is None:
            return
        call, recordings = self._call, self._call.around.supplies.recordings
        ended, change = recordings.finished(known.recording, outcome, duration_ms, detail, self._now())
        call.record.also(change)
        call.around.supplies.recorded(ended)
        call.note(recording_moved(ended, outcome))
        if known.transcribe is not None:
            call.note(journal.TranscriptionWanted(recording=ended.id, language=known.transcribe))
            call.record.also(call.around.supplies.transcribe(ended, known.transcribe, self._now()))
        if ended.id in self._of_transfer:
            self._of_transfer.remove(ended.id)
        if self._step == ended.id:
            self._step = None
            self._ended[ended.id] = ended
            if outcome in _WITH_ITS_LEG or not call.leg(ended.leg_id).live:
                call.left_while_recorded(ended.id)
            else:
                call.advance(effects.Recorded(ended.id, outcome.value, detail if outcome is RecordOutcome.FAILED else ""))

    def _now(self) -> int:
        """The time of the entries that tell of a row is that of the row."""
        return self._call.record.in_order(self._call.at_us)
