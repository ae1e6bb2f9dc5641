"""What came from outside in a recorded call, as a replay is to have it again.

Times are those of the record, in microseconds. A `span` is from what caused something to it: a leg's answer from its making,
the engine's last word from our hang-up. What far ends did by themselves is the list `acts`, by line.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from callwright.calls import journal
from callwright.calls.model import Call, Direction, Leg
from callwright.reasons import Reason
from callwright.replay.record import Line


class LegPlan(msgspec.Struct, kw_only=True):
    """A leg: when it rang, was answered and was over, by the engine. Spans in microseconds, None for what did not happen.

    `intended` says that it was to be answered, by us; `last` is the line of the engine's last word; `by_us` says that the
    record had ended the leg before.
    """

    made: Leg
    rings: int | None = None
    rings_line: int | None = None
    early_media: bool = False
    intended: bool = False
    answered: int | None = None
    answered_line: int | None = None
    sip_call_id: str = ""
    no_route: tuple[Reason, str] | None = None
    last: Line | None = None
    by_us: bool = False
    released: int = 5_000
    late_answer: bool = False


class PromptPlan(msgspec.Struct, kw_only=True):
    """What a step had A hear: `length` when it was heard to its end, at the line `line`; else it lasts longer than `least`.

    `step` is the step as its flow has it; `fault` says why it could not be heard, after so long. `fetched` are sounds.
    """

    step: dict[str, Any] = {}
    began_us: int = 0
    line: int | None = None
    length: int | None = None
    least: int = 0
    fault: str = ""
    fetched: list[journal.MediaFetched] = []
    fetching: int = 0
    fetched_line: int | None = None


class RecordingPlan(msgspec.Struct, kw_only=True):
    """The spans from its making to its first sound and to its end, None for what did not happen.

    `with_leg` says that it ended as its leg did, by the far end; `untold` that the engine never said how it ended.
    """

    leg: int = 0
    untold: bool = False
    with_leg: bool = False

    began: int | None = None
    began_line: int | None = None
    ended: int | None = None
    ended_line: int | None = None
    end: journal.RecordingMoved | None = None


class AnswerPlan(msgspec.Struct, kw_only=True):
    """The answer of a web service, so long after it was asked; `asked` is the URL as its flow has it, without query."""

    line: int
    asked: str | None
    span: int
    entry: journal.FlowAnswered


class Plan(msgspec.Struct, kw_only=True):
    """All of it. `ring_timeout` and `max_duration` are settings of the time, in seconds, where the record shows that they ended
    something; `over` says that the record goes to the last word on every leg, `missing` has sentences on what it lacks.
    """

    lines: list[Line]
    call: Call
    flow: dict[str, Any] | None
    flow_id: UUID | None
    fault: tuple[Reason, str] | None = None
    legs: dict[int, LegPlan] = {}
    prompts: dict[int, PromptPlan] = {}
    recordings: list[RecordingPlan] = []
    answers: list[AnswerPlan] = []
    referred: dict[int, list[tuple[int | None, journal.ReferEnded]]] = {}
    acts: list[Line] = []
    silent: Line | None = None
    late: list[tuple[int, int]] = []  # when something was due, and by how much it came later
    over: bool = True
    ring_timeout: float | None = None
    max_duration: float | None = None
    missing: list[str] = []

    @property
    def incoming(self) -> bool:
        return self.legs[1].made.direction is Direction.INCOMING

    def leg(self, leg_id: UUID | None) -> int:
        return next((n for n, leg in self.legs.items() if leg.made.id == leg_id), 0)
