"""Something to be said about a flow, for people."""

from __future__ import annotations

import msgspec

from callwright.errors import Invalid, Missing, Problem
from callwright.flows.model import Flow

_SHOWN = 40  # characters of a step's id


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`step` is an id, empty for the flow itself; `parameter` is a place such as ``steps[2].options.url``.

    An error keeps the flow from being saved; `missing` is one about something that is not there.
    """

    sentence: str
    parameter: str
    step: str = ""
    error: bool = False
    missing: bool = False

    def problem(self, place: str = "") -> Problem:
        """As an error of the interfaces; `place` is where in the body the flow was sent."""
        return (Missing if self.missing else Invalid)(self.sentence, parameter=f"{place}.{self.parameter}".lstrip("."))


def about(flow: Flow, index: int, name: str, sentence: str, *, error: bool = False, missing: bool = False) -> Finding:
    """A finding about a step; `name` is the part of it that is meant, empty for the whole step."""
    step_id = flow.steps[index].id
    return Finding(
        sentence=f"Step {step_id[:_SHOWN]!r}: {sentence}",
        parameter=f"steps[{index}].{name}".rstrip("."),
        step=step_id,
        error=error,
        missing=missing,
    )
