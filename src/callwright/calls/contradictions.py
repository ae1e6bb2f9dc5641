"""What can be true of no call, as the tables of the lifecycle have it; an empty list would hide the mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from callwright.calls.filters import CallFilter
from callwright.calls.lists import EVER
from callwright.calls.model import LIVE_CALL, CallStatus, Direction
from callwright.calls.tables import ANSWERED, FIRST, OUTCOMES, Outcome, reached
from callwright.clock import SECOND_US

_STATUSES = {direction: reached(first) for direction, first in FIRST.items()}


class Contradiction(NamedTuple):
    """Fields of a filter that leave no call over together, and why, as the end of a sentence."""

    between: tuple[str, ...]
    why: str


def contradiction(wanted: CallFilter) -> Contradiction | None:
    """The first that there is, of as few fields as make one; None for a filter that a call may match."""
    return next(_contradictions(wanted), None)


def _contradictions(wanted: CallFilter) -> Iterator[Contradiction]:
    statuses = wanted.statuses or frozenset(CallStatus)
    over = statuses - LIVE_CALL
    lasts = wanted.duration is not None and wanted.duration[0] > 0
    if wanted.ended is not None and not over:
        yield Contradiction(("ended", "statuses"), "such calls have not ended")
    if lasts and not statuses & ANSWERED:
        kinds = {"have not ended": statuses - over, "were never answered": over}
        why = " or ".join(kind for kind, there in kinds.items() if there)
        yield Contradiction(("duration", "statuses"), f"such calls {why}")
    if wanted.direction is not None and not statuses & _STATUSES[wanted.direction]:
        yield Contradiction(("direction", "statuses"), "a call that comes in is never so")
    yield from _against_reasons(wanted, over)
    yield from _against_times(wanted, wanted.duration[0] if wanted.duration is not None else 0)


def _against_reasons(wanted: CallFilter, over: frozenset[CallStatus]) -> Iterator[Contradiction]:
    if not wanted.reasons:
        return
    if not over:
        yield Contradiction(("reasons", "statuses"), "such calls have not ended")
    known = [outcome for outcome in OUTCOMES if outcome.reason in wanted.reasons]
    of_direction = [outcome for outcome in known if wanted.direction in (None, outcome.direction)]
    if not of_direction:
        yield Contradiction(("reasons", "direction"), f"calls that end so are {_named(Direction, known)}")
    if not any(outcome.status in over for outcome in known):
        yield Contradiction(("reasons", "statuses"), f"calls that end so are {_named(CallStatus, known)}")
    if not any(outcome.status in over for outcome in of_direction):
        why = f"calls of that direction that end so are {_named(CallStatus, of_direction)}"
        yield Contradiction(("reasons", "statuses", "direction"), why)


def _named(words: type[CallStatus | Direction], outcomes: list[Outcome]) -> str:
    there = {value for outcome in outcomes for value in outcome}
    return ", ".join(word.value for word in words if word in there)


def _against_times(wanted: CallFilter, least_s: int) -> Iterator[Contradiction]:
    (created_us, _), (_, ended_us) = wanted.created or EVER, wanted.ended or EVER
    if ended_us <= created_us:
        yield Contradiction(("ended", "created"), "no call ends before it is made")
    # The last microsecond of the span is the latest end, and durations are rounded up.
    elif (most_s := -((created_us - (ended_us - 1)) // SECOND_US)) < least_s:
        yield Contradiction(
            ("duration", "created", "ended"), f"a call that is made and ends within them lasts {most_s} s at most"
        )
