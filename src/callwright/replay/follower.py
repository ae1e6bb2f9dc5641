"""How far a replay has come along the record: each line that it writes is looked for there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from callwright.calls import journal
from callwright.calls.journal import AnyEntry
from callwright.replay.record import Compared, Line, Reader
from callwright.replay.timeline import Timeline

# A line of the replay is one of so many that follow on record; further off would be a chance.
AHEAD = 80


class Follower:
    """`step` is the recorded line of the step at hand, None when the record does not have it; `same` says whether it is to
    do the very same; `body` is the step. `astray` says that the last line was not the one that followed on record.
    """

    def __init__(self, lines: Sequence[Line], reader: Reader, timeline: Timeline, skipped: Callable[[int, int], None]) -> None:
        """`reader` reads the replay; `skipped` is told of lines that are not to come any more."""
        recorded = Reader()
        self._lines = lines
        self._known: list[Compared | None] = [recorded.read(line.entry) for line in lines]
        self._timeline = timeline
        self._skipped = skipped
        self.reader = reader
        self.step: int | None = None
        self.same = False
        self.body: dict[str, Any] = {}
        self.astray = False
        self.call_id: UUID | None = None
        self._pass_over()

    def told(self, at_us: int, entry: AnyEntry) -> None:
        """The replay has written a line."""
        compared = self.reader.read(entry)
        if isinstance(entry, journal.CallMade):
            self.call_id = entry.call.id
        if compared is None:
            return
        found = self._find(compared)
        if isinstance(entry, journal.StepStarted):
            self.step, self.body = found, self.reader.body(entry.step)
            self.same = found is not None and self._known[found] == compared
        self.astray = found != self._timeline.reached
        if found is None:
            return
        before, self._timeline.reached = self._timeline.reached, found + 1
        self._pass_over()
        if found > before:
            self._skipped(before, found)
        self._timeline.come_to(self._timeline.reached, at_us - self._lines[found].at_us)

    def _find(self, compared: Compared) -> int | None:
        begin = self._timeline.reached
        for place in range(begin, min(begin + AHEAD, len(self._lines))):
            known = self._known[place]
            if known is not None and known.name == compared.name:
                return place
        return None

    def _pass_over(self) -> None:
        place = self._timeline.reached
        while place < len(self._known) and self._known[place] is None:
            place += 1
        self._timeline.reached = place
