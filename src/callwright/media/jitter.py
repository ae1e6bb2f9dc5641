"""The jitter buffer: packets in as they come, 20 ms of sound out at every tick.

Packets lie in order of their timestamps, whatever their length. The delay is steered by the *slack* of packets, the
time between a packet's coming and its being needed. A packet that comes too late makes the delay grow by as much, so
that it and its followers are heard, up to `MAX_DELAY`; when even the slowest packet of two seconds came early, the delay
shrinks by as much, a frame at a time: frames without sound are left out at once, others half a second apart.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from callwright.media.g711 import FRAME, SAMPLE_RATE, Law

START_DELAY: Final = 2 * FRAME  # 40 ms, and up to 60 by the phase of the tick
MAX_DELAY: Final = 10 * FRAME  # 200 ms
_GENEROUS: Final = 400  # slack of the slowest packet, 50 ms, above which the delay may shrink
_WINDOW: Final = 2 * SAMPLE_RATE
_AHEAD: Final = MAX_DELAY + 5 * FRAME  # further ahead lies no jitter but a clock that was set
_PAUSE: Final = SAMPLE_RATE  # after a second without packets the delay is chosen anew
_LOST_CLOCK: Final = SAMPLE_RATE // 10  # 100 ms of nothing but late packets: a clock that was set back
_PATIENCE: Final = SAMPLE_RATE // 2  # how long a quiet frame is waited for before any frame is left out
_QUIET: Final = 2  # in 1/128 of full scale
CATCH_UP: Final = 5  # ticks a process makes up for after a stall; when it missed more, all of them are skipped
_STALL: Final = (CATCH_UP + 1) * FRAME  # since the last tick: the first that is not made up for
_FADES: Final = 3  # frames that stand in for lost ones, each 6 dB below the last


class JitterBuffer:
    """Times are media time. `late` counts packets that came when their sound was no longer wanted."""

    def __init__(self, law: Law) -> None:
        self.late = 0
        self._law = law
        self._segments: deque[tuple[int, bytes]] = deque()
        self._next: int | None = None
        self._last_timestamp = 0
        self._extended = 0
        self._heard_at = 0
        self._late_since: int | None = None
        self._took_at = 0
        self._stalled_at: int | None = None
        self._excess = 0  # frames to be left out
        self._shrunk_at = 0
        self._window_end = 0
        self._slowest = self._fastest = START_DELAY
        self._fastest_before = START_DELAY
        self._last_frame = law.silent_frame
        self._fades_left = 0

    @property
    def delay(self) -> int:
        """Samples that the fastest packets of late have waited."""
        return max(self._fastest, self._fastest_before)

    def restart(self) -> None:
        """Forget the source: the next packet begins another."""
        self._segments.clear()
        self._next = None
        self._fades_left = 0

    def put(self, timestamp: int, payload: bytes, now: int) -> None:
        step = (timestamp - self._last_timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        position = self._extended + step
        if self._next is None or now - self._heard_at > _PAUSE:
            self._begin(position, timestamp, now)
        assert self._next is not None
        self._heard_at = now
        if self._took_at and now - self._took_at >= _STALL:
            self._skip_missed(now)
            self._stalled_at = now
        slack = position - self._next
        if slack < 0 and not self._make_room(len(payload), slack, now):
            if not self._is_clock_lost(now):
                self.late += 1
                return
            self._begin(position, timestamp, now)
        elif slack > _AHEAD:
            self._begin(position, timestamp, now)
        self._late_since = None
        slack = position - self._next
        if now >= self._window_end:
            self._turn_window(now, slack)
        elif slack < self._slowest:
            self._slowest = slack
        elif slack > self._fastest:
            self._fastest = slack
        if step > 0:
            self._extended, self._last_timestamp = position, timestamp
        self._insert(position, payload)

    def take(self, now: int) -> bytes | None:
        """The next 20 ms; None where there is nothing to hear and nothing that a loss has to be covered with."""
        at = self._next
        if at is None:
            return None
        if self._took_at and now - self._took_at > FRAME:
            at = self._skip_missed(now)
        self._took_at = now
        self._next = at + FRAME
        frame = self._cut(at)
        if self._excess and self._may_skip(frame, now):
            self._excess -= 1
            self._shrunk_at = now
            self._move(FRAME)
            frame = self._cut(at + FRAME)
        if frame is not None:
            self._last_frame = frame
            self._fades_left = _FADES
            return frame
        if self._fades_left:
            self._fades_left -= 1
            self._last_frame = self._last_frame.translate(self._law.faded)
            return self._last_frame
        return None

    def _begin(self, position: int, timestamp: int, now: int) -> None:
        self._segments.clear()
        self._next = position - START_DELAY
        self._took_at = 0
        self._extended, self._last_timestamp = position, timestamp
        self._window_end = now + _WINDOW
        self._slowest = self._fastest = self._fastest_before = START_DELAY
        self._late_since = None
        self._excess = 0

    def _skip_missed(self, now: int) -> int:
        """Leave out what nobody asked for: to play it later would delay all that follows."""
        assert self._next is not None
        missed = max((now - self._took_at) // FRAME - 1, 0) * FRAME
        self._took_at += missed
        self._next += missed
        return self._next

    def _make_room(self, length: int, slack: int, now: int) -> bool:
        """Grow the delay for a late packet; False when it cannot be used."""
        if self._stalled_at is not None:
            if now - self._stalled_at < _STALL:
                return slack + length > 0  # it was not late, but not read
            self._stalled_at = None
        grow = -(slack // FRAME) * FRAME
        if self.delay + grow > MAX_DELAY:
            return slack + length > 0  # the rest of a long packet is still wanted
        self._excess = 0  # it was counted before the network became slower
        self._move(-grow)
        return True

    def _is_clock_lost(self, now: int) -> bool:
        if self._late_since is None:
            self._late_since = now
        return now - self._late_since >= _LOST_CLOCK

    def _move(self, samples: int) -> None:
        assert self._next is not None
        self._next += samples
        self._slowest -= samples
        self._fastest -= samples
        self._fastest_before -= samples

    def _turn_window(self, now: int, slack: int) -> None:
        self._excess = max(-(-(self._slowest - _GENEROUS) // FRAME), 0)
        self._shrunk_at = now
        self._window_end = now + _WINDOW
        self._fastest_before = self._fastest
        self._slowest = self._fastest = slack

    def _may_skip(self, frame: bytes | None, now: int) -> bool:
        if frame is None or max(frame.translate(self._law.loudness)) <= _QUIET:
            return True
        return now - self._shrunk_at >= _PATIENCE

    def _insert(self, position: int, payload: bytes) -> None:
        segments = self._segments
        if not segments or position > segments[-1][0]:
            segments.append((position, payload))
            return
        index = len(segments)
        while index and segments[index - 1][0] > position:
            index -= 1
        if not index or segments[index - 1][0] != position:
            segments.insert(index, (position, payload))

    def _cut(self, at: int) -> bytes | None:
        segments = self._segments
        if not segments:
            return None
        position, payload = segments[0]
        if position == at and len(payload) == FRAME:
            segments.popleft()
            return payload
        if position >= at + FRAME:
            return None
        return self._assemble(at)

    def _assemble(self, at: int) -> bytes | None:
        """Cut a frame out of packets of other lengths, or such as do not lie on the frame's bounds."""
        segments = self._segments
        frame = bytearray(self._law.silent_frame)
        covered = False
        end = at + FRAME
        while segments and segments[0][0] < end:
            position, payload = segments.popleft()
            start, stop = max(position, at), min(position + len(payload), end)
            if start < stop:
                frame[start - at : stop - at] = payload[start - position : stop - position]
                covered = True
            if position + len(payload) > end:
                segments.appendleft((end, payload[end - position :]))
                break
        return bytes(frame) if covered else None
