"""What a call came to, as a failing test shows it."""

from __future__ import annotations

from collections.abc import Iterator

from callwright.rehearsal.outcome import Outcome, Posted
from callwright.scenarios.story import story as lines_of


def story(outcome: Outcome) -> str:
    """The whole of it, a line for each thing that happened; times are seconds since the call was made."""
    return "\n".join([head(outcome), *_told(outcome)])


def head(outcome: Outcome) -> str:
    call = outcome.call
    why = "" if call.reason is None else f" ({call.reason.value})"
    when = "after" if outcome.over else "at"
    return f"{call.source} to {call.destination}: {call.status.value}{why} {when} {outcome.seconds:g} s"


def webhook(posted: Posted) -> str:
    """A callback in short: its event, and the status of what it is about, ``callUpdated ended``."""
    return f"{posted.event} {posted.payload.get('status', '')}".strip()


def _told(outcome: Outcome) -> Iterator[str]:
    for line in lines_of(outcome):
        yield f"{line.at:9.2f}  {line.text}"
    for one in outcome.deliveries:
        if one.state != "delivered":
            yield f"           {one.event} was not delivered to {one.url}: {one.fault or 'its time was over'}"
    for note in outcome.notes:
        yield f"           {note}"
