"""All recordings of a media process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from callwright.log import Log
from callwright.media.disk import Began, Disk, Done
from callwright.media.g711 import FRAME, SAMPLE_RATE
from callwright.media.recorder import Recorder
from callwright.media.stream import Stream
from callwright.media.wire import Closed, MediaMessage, PauseRecord, Record, RecordBegan, RecordEnded, StopRecord
from callwright.telephony import RecordOutcome

_WRITES_EVERY: Final = 5  # ticks
_PATIENCE: Final = 5 * SAMPLE_RATE  # with a file that is to be closed
_PER_MS: Final = SAMPLE_RATE // 1000

_log = Log("media")


class Studio:
    """`report` takes what the core is to know: one `RecordEnded` for each `Record`, before the `Closed` of its stream."""

    def __init__(self, disk: Disk, report: Callable[[MediaMessage], None], fail: Callable[[Stream], None]) -> None:
        self._disk = disk
        self._report = report
        self._fail = fail
        self._running: dict[UUID, tuple[Stream, Recorder]] = {}
        self._closing: dict[UUID, tuple[Recorder, int]] = {}
        self._last_words: dict[UUID, Closed] = {}

    def __len__(self) -> int:
        return len(self._running) + len(self._closing)

    def record(self, stream: Stream, message: Record, now: int) -> None:
        if message.recording in self._running or message.recording in self._closing:
            return
        tap = stream.tapped()
        try:
            recorder = Recorder(message, self._disk, tap.law, now)
        except ValueError as error:
            self._report(RecordEnded(stream.id, message.recording, RecordOutcome.FAILED.value, 0, str(error)))
            return
        self._running[message.recording] = (stream, recorder)
        tap.recorders.append(recorder)
        if recorder.silence is not None:
            tap.watch_voice(1)

    def pause(self, message: PauseRecord, now: int) -> None:
        running = self._running.get(message.recording)
        if running is not None:
            running[1].pause(message.paused, now)

    def stop(self, message: StopRecord, now: int) -> None:
        running = self._running.get(message.recording)
        if running is not None:
            self._stop(running[1], now)

    def tick(self, now: int) -> None:
        if now // FRAME % _WRITES_EVERY == 0:
            self._disk.go_on()
        for stream, recorder in list(self._running.values()):
            try:
                recorder.tick(stream.tapped().quiet_since, now)
            except Exception:
                recorder.fail("an error of ours; the log has it")
                self._fail(stream)
            if recorder.outcome is not None and recorder.key_is_up:
                self._release(stream, recorder, now)
        for recorder, deadline in list(self._closing.values()):
            if now >= deadline:
                recorder.fail("the disk of the recordings does not take the end of the sound")
                self._end(recorder, recorder.tape.written // _PER_MS)

    def collect(self) -> None:
        """Tell what the disk says."""
        for tape, told in self._disk.collect():
            recorder = self._find(tape.recording)
            if recorder is None or recorder.tape is not tape:
                continue
            if isinstance(told, Began):
                self._report(RecordBegan(tape.stream, tape.recording))
            elif isinstance(told, Done):
                self._end(recorder, told.duration_ms)
            else:
                recorder.outcome, recorder.detail = RecordOutcome.FAILED, told.detail
                self._end(recorder, told.duration_ms)

    def leave(self, stream: Stream, closed: Closed, now: int) -> None:
        """Close the recordings of a stream that is closed itself; its last word follows theirs."""
        recorders = list(stream.tap.recorders) if stream.tap is not None else []
        for recorder in recorders:
            self._stop(recorder, now)
            self._release(stream, recorder, now)
        if any(recorder.tape.stream == stream.id for recorder, _ in self._closing.values()):
            self._last_words[stream.id] = closed
        else:
            self._report(closed)

    def close(self, within_s: float, now: int) -> None:
        """Close all files, as far as there is time."""
        for _, recorder in self._running.values():
            self._stop(recorder, now)
        self._disk.close(within_s)

    def _find(self, recording: UUID) -> Recorder | None:
        if recording in self._running:
            return self._running[recording][1]
        return self._closing[recording][0] if recording in self._closing else None

    def _stop(self, recorder: Recorder, now: int) -> None:
        recorder.end(RecordOutcome.STOPPED, now)
        recorder.key_up()

    def _release(self, stream: Stream, recorder: Recorder, now: int) -> None:
        """It is over; the disk has the last word, unless it was given up."""
        if self._running.pop(recorder.tape.recording, None) is None:
            return
        self._untap(stream, recorder)
        self._closing[recorder.tape.recording] = (recorder, now + _PATIENCE)
        if recorder.tape.dropped:
            self._end(recorder, recorder.tape.written // _PER_MS)

    def _untap(self, stream: Stream, recorder: Recorder) -> None:
        tap = stream.tapped()
        tap.recorders.remove(recorder)
        if recorder.silence is not None:
            tap.watch_voice(-1)

    def _end(self, recorder: Recorder, duration_ms: int) -> None:
        tape = recorder.tape
        running = self._running.pop(tape.recording, None)
        if running is not None:
            self._untap(running[0], recorder)
        self._closing.pop(tape.recording, None)
        outcome = recorder.outcome or RecordOutcome.FAILED
        if outcome is RecordOutcome.FAILED:
            _log.warning("recording_failed", stream=tape.stream, recording=tape.recording, detail=recorder.detail)
        self._report(RecordEnded(tape.stream, tape.recording, outcome.value, duration_ms, recorder.detail))
        if tape.stream in self._last_words and not any(one.tape.stream == tape.stream for one, _ in self._closing.values()):
            self._report(self._last_words.pop(tape.stream))
