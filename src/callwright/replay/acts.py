"""What came from outside by itself in a recorded call: each waits for its time, and for its step, to be done again."""

from __future__ import annotations

from collections.abc import Callable

from callwright.calls import journal
from callwright.replay.legs import Leg
from callwright.replay.plan import Plan
from callwright.replay.record import Line
from callwright.replay.timeline import NEAR_US, Item, Timeline


class Acts:
    """`act` does one of them."""

    def __init__(self, timeline: Timeline, plan: Plan, act: Callable[[Line], None]) -> None:
        self._timeline = timeline
        self._plan = plan
        self._act = act
        self._waiting: dict[int, Item] = {}

    def begin(self) -> None:
        """Have them all wait."""
        step: int | None = None
        acts = {line.index for line in self._plan.acts}
        for line in self._plan.lines:
            if isinstance(line.entry, journal.StepStarted):
                step = line.index
            if line.index in acts:
                self._put(line, step)
        if self._plan.silent is not None:
            self._put(self._plan.silent, step)

    def skip(self, begin: int, end: int) -> None:
        """The replay went past these lines. Keys of a step that is not there any more are pressed by nobody."""
        for place in range(begin, end):
            item = self._waiting.get(place)
            if item is not None and isinstance(self._plan.lines[place].entry, journal.DigitPressed | journal.VoiceHeard):
                self._timeline.take_out(item)
                del self._waiting[place]

    def has_near(self, kind: type[journal.Entry], leg: Leg) -> bool:
        """Whether one of a kind is about to come to a leg."""
        now = self._timeline.now_us
        for place, item in self._waiting.items():
            entry = self._plan.lines[place].entry
            near = abs(item.due_us - now) <= NEAR_US
            if isinstance(entry, kind) and near and self._plan.leg(getattr(entry, "leg", None)) == leg.plan.made.n:
                return True
        return False

    def leaves_soon(self, leg: Leg) -> bool:
        """Whether a leg's far end is about to go."""
        last = leg.plan.last
        item = None if last is None else self._waiting.get(last.index)
        return item is not None and item.due_us - self._timeline.now_us <= NEAR_US

    def _put(self, line: Line, step: int | None) -> None:
        def act() -> None:
            self._waiting.pop(line.index, None)
            self._act(line)

        self._waiting[line.index] = self._timeline.put(line.at_us, act, line.index, step)
