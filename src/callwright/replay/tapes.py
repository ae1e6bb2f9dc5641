"""Recordings of a replay: each begins and ends as the one of its number did on record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from callwright import telephony
from callwright.replay.legs import Leg, Take
from callwright.replay.plan import RecordingPlan
from callwright.replay.timeline import NEAR_US, SOON_US, TICK_US, Timeline
from callwright.telephony import RecordOutcome


class Tapes:
    """`emit` tells an event of a leg; `leaves` says whether a leg's far end is about to go."""

    def __init__(
        self, timeline: Timeline, plans: list[RecordingPlan], emit: Callable[..., None], leaves: Callable[[Leg], bool]
    ) -> None:
        self._timeline = timeline
        self._plans = plans
        self._emit: Callable[..., None] = emit
        self._leaves = leaves
        self._recordings = 0

    def record(self, leg: Leg, command: telephony.StartRecording) -> None:
        number, self._recordings = self._recordings, self._recordings + 1
        known = self._plans[number] if number < len(self._plans) else RecordingPlan(began=SOON_US)
        take = leg.takes[command.recording] = Take(leg, command, known, self._timeline.now_us)
        if known.began is not None:
            self._timeline.after(known.began, partial(self._begins, take), known.began_line)
        by_itself = known.end is not None and not known.untold and (known.with_leg or known.end.outcome != "stopped")
        if by_itself and known.ended is not None and known.end is not None:
            ends = partial(self._by_itself, take, RecordOutcome(known.end.outcome))
            take.end = self._timeline.after(known.ended, ends, known.ended_line)
        elif command.max_ms is not None:
            take.end = self._timeline.after(command.max_ms * 1000, partial(self.over, take, RecordOutcome.MAX_LENGTH))

    def _begins(self, take: Take) -> None:
        if take.command.recording in take.leg.takes:
            self._emit(take.leg, telephony.RecordingStarted, recording=take.command.recording)

    def stop(self, take: Take, outcome: RecordOutcome) -> None:
        """End a recording: when it ended on record, if that is near, else soon."""
        if take.end is not None:
            self._timeline.take_out(take.end)
        wait, line = SOON_US, None
        if take.plan.ended is not None:
            left = take.began_us + take.plan.ended - self._timeline.now_us
            if -1 <= left <= NEAR_US:
                wait, line = max(0, round(left)), take.plan.ended_line
        take.end = self._timeline.after(wait, partial(self.over, take, outcome), line)

    def _by_itself(self, take: Take, outcome: RecordOutcome) -> None:
        """As on record; a recording that ended with its leg does so where that leaves."""
        if not take.plan.with_leg or self._leaves(take.leg):
            self.over(take, outcome)

    def over(self, take: Take, outcome: RecordOutcome) -> None:
        if take.leg.takes.pop(take.command.recording, None) is None:
            return
        if take.end is not None:
            self._timeline.take_out(take.end)
        lasted_us = self._timeline.now_us - take.began_us
        end, duration_ms, detail = take.plan.end, round(lasted_us / 1000), ""
        if end is not None and take.plan.ended is not None and abs(lasted_us - take.plan.ended) <= TICK_US:
            duration_ms, detail = end.duration_ms, end.detail
            outcome = RecordOutcome(end.outcome)
        self._emit(
            take.leg,
            telephony.RecordingFinished,
            recording=take.command.recording,
            outcome=outcome,
            duration_ms=duration_ms,
            detail=detail,
        )
