"""What happened in a rehearsed call, line by line: what was heard and pressed among the lines of its journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from callwright.calls import journal
from callwright.calls.sentences import sentence
from callwright.rehearsal.outcome import Outcome, Spoken

# What a reader of a test has no use for: bookkeeping, and what is told elsewhere.
UNTOLD = (
    journal.CallMade,
    journal.LegIntends,
    journal.LegAddressed,
    journal.LegLast,
    journal.RecordingMade,
    journal.SessionRefreshed,
    journal.Ignored,
)


class Line(NamedTuple):
    """`at` is in seconds since the call was made."""

    at: float
    text: str


_ENDS: dict[str | None, str] = {
    "digit": "until a key was pressed",
    "stopped": "until it was stopped",
    "failed": "until it failed",
}


def story(outcome: Outcome) -> list[Line]:
    """In the order in which it happened."""
    lines = [*_journal(outcome), *(Line(one.at, _heard(one)) for one in outcome.spoken)]
    return sorted(lines, key=lambda line: line.at)  # what is heard comes after the step that says it


def _heard(one: Spoken) -> str:
    what = f'"{" ".join(one.text.split())}"' if one.text else f"the sound {one.url}"
    if one.seconds is None:
        return f"leg {one.leg} begins to hear {what}"
    end = "" if one.outcome == "done" else f", {_ENDS.get(one.outcome, one.outcome)}"
    return f"leg {one.leg} hears {what} ({one.seconds:g} s{end})"


def _journal(outcome: Outcome) -> Iterator[Line]:
    names = _names(outcome)
    for told in outcome.journal:
        if not isinstance(told.entry, UNTOLD):
            yield Line(outcome.since(told.at_us), sentence(told.entry, names))


def _names(outcome: Outcome) -> dict[UUID, str]:
    names = {leg.id: f"leg {leg.n}" for leg in outcome.legs}
    recordings = [told.entry.recording for told in outcome.journal if isinstance(told.entry, journal.RecordingMade)]
    names |= {recording: f"recording {n}" for n, recording in enumerate(recordings, 1)}
    if outcome.call.flow_id is not None:
        names[outcome.call.flow_id] = "the flow"
    return names
