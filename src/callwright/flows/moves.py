"""From step to step, and from flow to flow."""

from __future__ import annotations

from msgspec.structs import replace

from callwright.flows.conditions import unmet
from callwright.flows.effects import Effect, Enter, Leave, RecordCall, Skip
from callwright.flows.labels import label
from callwright.flows.model import Flow, TagOptions
from callwright.flows.state import Result, State, end_of_flow, finish
from callwright.flows.steps import begin
from callwright.reasons import Reason

MAX_ENTERED = 10_000  # steps of a call, those that were left out included


def enter(state: State, index: int) -> Result:
    """Begin the step at `index` or the first after it whose conditions hold; without one the flow is over."""
    passed: tuple[Effect, ...] = ()
    for number in range(index, len(state.flow.steps)):
        state = replace(state, index=number, entered=state.entered + 1, keys=None, pressed=False, recorded=None)
        if state.entered > MAX_ENTERED:
            return then(passed, finish(state, Reason.FLOW_LOOP, f"more than {MAX_ENTERED} steps were taken"))
        step = state.step
        condition = unmet(step.conditions, state.variables)
        if condition is not None:
            passed = (*passed, Skip(step.id, f"{condition.variable} {condition.operator} {condition.value}"))
        elif isinstance(step.options, TagOptions):  # here, as it takes no time, and a flow may have hundreds in a row
            done = label(step.options, state.variables)
            passed = (*passed, Enter(step.id, step.action), done, Leave(step.id, "tagged", "; ".join(done.left_out)))
        else:
            return then((*passed, Enter(step.id, step.action)), begin(state))
    # A caller who was never answered hears what became of the last transfer.
    unheard = None if state.answered else state.failed
    return then(passed, end_of_flow(state, unheard or Reason.FLOW_ENDED))


def leave(state: State, outcome: str, detail: str = "") -> Result:
    """The step at hand is over; the next one follows."""
    return then((Leave(state.step.id, outcome, detail),), enter(state, state.index + 1))


def jump(state: State, outcome: str, detail: str = "") -> Result:
    """The step at hand is over, and its keys say where to go."""
    target = state.step.on_keypress_goto
    numbers = (number for number, step in enumerate(state.flow.steps) if step.id == target)
    return then((Leave(state.step.id, outcome, detail),), enter(state, next(numbers, state.index + 1)))


def fail(state: State, reason: Reason, detail: str) -> Result:
    """The step at hand could not do its work, and the flow is over with it: for that, or for what was wrong before."""
    return then((Leave(state.step.id, "failed", detail),), finish(state, *(state.ending or (reason, detail))))


def run(state: State, flow: Flow, url: str = "") -> Result:
    """Begin a flow; variables, the verdict and what was counted stay."""
    state, recording = record_call(replace(state, flow=flow, url=url))
    return then(recording, enter(state, 0))


def record_call(state: State) -> Result:
    """Begin to record the call if the flow wants it, once, and once A is there."""
    if not state.flow.record or not state.answered or state.call_recorded:
        return state, ()
    return replace(state, call_recorded=True), (RecordCall(),)


def then(first: tuple[Effect, ...], result: Result) -> Result:
    after, effects = result
    return after, (*first, *effects)
