"""What flows may ask for and calls do not do yet, by name."""

from __future__ import annotations

from callwright.flows.schema import Flow, Step, TransferOptions

_RUNS = frozenset({"transfer", "play", "pause", "hangup"})
_OF_STEP = {
    "conditions": "conditions",
    "on_keypress_goto": "onKeypressGoto",
    "on_keypress_var": "onKeypressVar",
    "end_key": "endKey",
    "max_num_keys": "maxNumKeys",
}
_OF_TRANSFER = {"record": "record", "if_machine": "ifMachine", "machine_timeout": "machineTimeout"}


def of_flow(flow: Flow) -> str | None:
    return "the flow's option record" if flow.record else None


def of_step(step: Step) -> str | None:
    if step.action not in _RUNS:
        return f"step {step.id}: action {step.action}"
    for name, wire in _OF_STEP.items():
        if getattr(step, name):
            return f"step {step.id}: option {wire}"
    if isinstance(step.options, TransferOptions):
        for name, wire in _OF_TRANSFER.items():
            if getattr(step.options, name) is not None:
                return f"step {step.id}: option {wire} of transfer"
    return None
