"""Prompts of a replay: each is over when it was on record, or when it has been heard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from callwright import telephony
from callwright.replay.legs import Leg, State
from callwright.replay.prompting import Prompting
from callwright.replay.timeline import Timeline
from callwright.telephony import PlayOutcome


class Plays:
    """`emit` tells an event of a leg."""

    def __init__(self, timeline: Timeline, prompting: Prompting, emit: Callable[..., None]) -> None:
        self._timeline = timeline
        self._prompting = prompting
        self._emit: Callable[..., None] = emit

    def play(self, leg: Leg, command: telephony.Play) -> None:
        self.stop(leg)
        leg.play = (command.id, command.stop_on_digit)
        self._timeline.after(0, partial(self._emit, leg, telephony.PlayStarted, play=command.id))
        self._prompting.begins(command)
        self._await_end(leg)

    def goes_on(self, leg: Leg, command: telephony.PlayMore) -> None:
        if leg.play is not None and leg.play[0] == command.play:
            self._prompting.goes_on(command)
            self._await_end(leg)

    def over(self, leg: Leg, outcome: PlayOutcome, detail: str = "") -> None:
        play = self._taken(leg)
        if play is not None and not leg.hung_up:
            self._emit(leg, telephony.PlayFinished, play=play, outcome=outcome, detail=detail)

    def stop(self, leg: Leg) -> None:
        """As asked, which is told a moment later."""
        play = self._taken(leg)
        if play is not None:
            stopped = partial(self._emit, leg, telephony.PlayFinished, play=play, outcome=PlayOutcome.STOPPED)
            self._timeline.after(0, lambda: None if leg.state is State.OVER or leg.hung_up else stopped())

    def _await_end(self, leg: Leg) -> None:
        self._forget_end(leg)
        end = self._prompting.end
        if end is not None:
            outcome = PlayOutcome.FAILED if end.fault else PlayOutcome.DONE
            left_us = max(0.0, end.at_us - self._timeline.now_us)
            leg.play_over = self._timeline.after(left_us, partial(self.over, leg, outcome, end.fault), end.line)

    def _taken(self, leg: Leg) -> int | None:
        """The command whose sound a leg heard until now, if any."""
        self._forget_end(leg)
        play, leg.play = leg.play, None
        return None if play is None else play[0]

    def _forget_end(self, leg: Leg) -> None:
        if leg.play_over is not None:
            self._timeline.take_out(leg.play_over)
            leg.play_over = None
