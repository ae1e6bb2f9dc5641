"""One recording of a stream: which sound goes into it, from when, and until when."""

from __future__ import annotations

from typing import Final

from callwright.media.disk import Disk, Tape
from callwright.media.g711 import SAMPLE_RATE, Law
from callwright.media.tape import Timeline, Track
from callwright.media.wire import Record
from callwright.telephony import RecordOutcome, Tracks

HELD: Final = 3 * SAMPLE_RATE // 10  # sound waits so long for packets that are late, and for a key that ends it
PORTION: Final = SAMPLE_RATE // 5  # given to the disk at once
MOST_WAITING: Final = 10 * SAMPLE_RATE  # for the disk
_PER_MS: Final = SAMPLE_RATE // 1000


class Recorder:
    """Times are media time. Nothing here waits for the disk.

    It is over when `outcome` is set. `key_is_up` is false while the key that ended it is still down: the key is told before
    the end of the recording, or it would be taken for an answer to what comes next.
    """

    def __init__(self, wanted: Record, disk: Disk, law: Law, now: int) -> None:
        tracks = Tracks(wanted.tracks)
        self.tape: Final = Tape(wanted.recording, wanted.stream, wanted.path, tracks, wanted.key)
        self.silence: Final = None if wanted.silence_ms is None else wanted.silence_ms * _PER_MS
        self.outcome: RecordOutcome | None = None
        self.detail = ""
        self.key_is_up = True
        self._disk = disk
        self._stop_keys = frozenset(wanted.stop_keys.upper())
        self._law = law
        self._begin = self._at = now
        self._end = None if wanted.max_ms is None else now + wanted.max_ms * _PER_MS
        self._heard = None if tracks is Tracks.TO else Track(law, now)
        self._sent = None if tracks is Tracks.FROM else Track(law, now)
        self._heard_timeline = Timeline()
        self._sent_timeline = Timeline()
        self._pauses: list[tuple[int, int]] = []
        self._paused_at: int | None = None
        self._resumed_at = now
        disk.open(self.tape)

    def agree(self, law: Law) -> None:
        """Go on in another law."""
        self._law = law
        for track in (self._heard, self._sent):
            if track is not None:
                track.agree(law)

    def restart(self) -> None:
        """The far end is another source from now on."""
        self._heard_timeline.restart()

    def hear(self, timestamp: int, payload: bytes, now: int) -> None:
        """Take a packet of the far end."""
        at = self._heard_timeline.place(timestamp, now)
        if self._heard is not None and self.outcome is None:
            self._heard.put(at, payload)

    def send(self, timestamp: int, payload: bytes, now: int) -> None:
        """Take a packet that went to the far end."""
        if self._sent is not None and self.outcome is None:
            self._sent.put(self._sent_timeline.place(timestamp, now), payload)

    def pause(self, paused: bool, now: int) -> None:
        if paused and self._paused_at is None:
            self._paused_at = now
        elif not paused and self._paused_at is not None:
            self._pauses.append((self._paused_at, now))
            self._paused_at = None
            self._resumed_at = now

    def key_down(self, key: str, timestamp: int, margin: int, now: int) -> None:
        """End with this key, if it is one of those that do, so many samples before its sound."""
        if key in self._stop_keys and self.outcome is None:
            at = self._heard_timeline.find(timestamp, now) - margin
            self.key_is_up = False
            self.end(RecordOutcome.KEY, max(min(at, now), self._at))

    def tick(self, quiet_since: int, now: int) -> None:
        """Give the disk what is old enough; end what has lasted. `quiet_since`: when the far end was last heard to speak."""
        if self.outcome is not None:
            return
        if self.tape.put - self.tape.written > MOST_WAITING:
            self.fail("the disk of the recordings takes no sound: it is ten seconds behind")
        elif self._end is not None and now >= self._end:
            self.end(RecordOutcome.MAX_LENGTH, self._end)
        elif self._was_silent_too_long(quiet_since, now):
            self.end(RecordOutcome.SILENCE, now)
        elif now - HELD - self._at >= PORTION:
            self._give(now - HELD)

    def end(self, outcome: RecordOutcome, end: int) -> None:
        """Have the file closed with its sound up to `end`."""
        if self.outcome is None:
            self._give(end)
            self.outcome = outcome
            if self.key_is_up:
                self._disk.finish(self.tape)

    def key_up(self) -> None:
        """The key is up that ended it, or not waited for any more."""
        if not self.key_is_up:
            self.key_is_up = True
            self._disk.finish(self.tape)

    def fail(self, detail: str) -> None:
        """Give up, whatever the disk does."""
        self.outcome, self.detail = RecordOutcome.FAILED, detail
        self.tape.dropped = True
        self._disk.finish(self.tape)

    def _was_silent_too_long(self, quiet_since: int, now: int) -> bool:
        if self.silence is None or self._paused_at is not None:
            return False
        return now - max(self._begin, self._resumed_at, quiet_since) >= self.silence

    def _give(self, end: int) -> None:
        if end <= self._at:
            return
        pieces = [None if track is None else track.take(end) for track in (self._heard, self._sent)]
        for begin, until in (*self._pauses, *([(self._paused_at, end)] if self._paused_at is not None else [])):
            first, last = max(begin, self._at) - self._at, min(until, end) - self._at
            if first < last:
                for piece in pieces:
                    if piece is not None:
                        piece[first:last] = bytes([self._law.silence]) * (last - first)
        self._pauses = [pause for pause in self._pauses if pause[1] > end]
        self._at = end
        self._disk.write(self.tape, self._law, pieces[0], pieces[1])
