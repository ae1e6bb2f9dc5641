"""Which steps of a flow can be reached.

A step leads to the next one, and to the one its keys lead to. ``hangup`` ends the flow; ``fetchCallFlow`` and a recording
that is told of are followed by another flow. That is all: only keys lead back, so nothing runs in circles by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from callwright.flows.findings import Finding, about
from callwright.flows.model import Flow, RecordOptions, Step


def unreached(flow: Flow) -> Iterator[Finding]:
    """Name every step that no call will come to. Behind a hangup that is a mistake; behind a fetch it is the contract's."""
    reached = _reached(flow)
    for index in range(len(flow.steps)):
        if index in reached:
            continue
        before = flow.steps[max(number for number in reached if number < index)]
        if before.action == "hangup":
            sentence = f"it is never reached: step {before.id[:40]!r} hangs up, and no key leads here."
            yield about(flow, index, "", sentence, error=True)
        else:
            yield about(flow, index, "", f"it is ignored: the flow that step {before.id[:40]!r} fetches takes its place.")


def _reached(flow: Flow) -> set[int]:
    places = {step.id: index for index, step in enumerate(flow.steps)}
    reached: set[int] = set()
    waiting = [0]
    while waiting:
        index = waiting.pop()
        if index in reached or index >= len(flow.steps):
            continue
        reached.add(index)
        step = flow.steps[index]
        if step.conditions or not _is_last(step):
            waiting.append(index + 1)
        if step.hears_keys and step.on_keypress_goto is not None:
            waiting.append(places[step.on_keypress_goto])
    return reached


def _is_last(step: Step) -> bool:
    options = step.options
    return step.action in ("hangup", "fetchCallFlow") or (isinstance(options, RecordOptions) and options.on_finish is not None)
