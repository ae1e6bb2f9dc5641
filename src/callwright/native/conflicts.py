"""What is told of filters that contradict each other, in the words of the query."""

from __future__ import annotations

from callwright.calls.contradictions import contradiction
from callwright.calls.filters import CallFilter
from callwright.calls.model import CallStatus
from callwright.calls.tables import OUTCOMES
from callwright.errors import BadQuery
from callwright.native.asking import MOMENT, Ask

A_DAY_LATER = "2026-05-05T10:00:00Z"
# So many reasons are named, of which all may be asked for.
MOST_NAMED = 3


def check_conflicts(ask: Ask, wanted: CallFilter) -> None:
    """Raise `BadQuery` for a filter that no call can match."""
    found = contradiction(wanted)
    if found is None:
        return
    ends = "endedTo" if "created" in found.between or ask.query("endedFrom") is None else "endedFrom"
    said = _asked(wanted, ends)
    first, *between, last = (said[field] for field in found.between)
    right = _right(wanted, ends)
    raise BadQuery(
        f"{', '.join((first, *between))} and {last} can not {'all' if between else 'both'} be: {found.why}.",
        parameter=first.partition("=")[0],
        example="&".join(right[field] for field in reversed(found.between)),
    )


def _asked(wanted: CallFilter, ends: str) -> dict[str, str]:
    """What was asked for in each field that may contradict another."""
    reasons = sorted(reason.value for reason in wanted.reasons)
    return {
        "statuses": f"status={','.join(status.value for status in CallStatus if status in wanted.statuses)}",
        "direction": f"direction={wanted.direction.value}" if wanted.direction is not None else "",
        "reasons": f"reason={','.join(reasons[:MOST_NAMED])}{',…' if len(reasons) > MOST_NAMED else ''}",
        "duration": f"durationFrom={wanted.duration[0]}" if wanted.duration is not None else "",
        "created": "createdFrom",
        "ended": ends,
    }


def _right(wanted: CallFilter, ends: str) -> dict[str, str]:
    """What goes together in each of them, as near to what was asked for as can be."""
    outcome = min(
        (one for one in OUTCOMES if one.status is CallStatus.ENDED and (one.reason in wanted.reasons or not wanted.reasons)),
        key=lambda one: (one.direction is not wanted.direction, one.reason.value),
    )
    return {
        "statuses": f"status={outcome.status.value}",
        "direction": f"direction={outcome.direction.value}",
        "reasons": f"reason={outcome.reason.value}",
        "duration": "durationFrom=10",
        "created": f"createdFrom={MOMENT}",
        "ended": f"endedTo={A_DAY_LATER}" if ends == "endedTo" else f"endedFrom={MOMENT}",
    }
