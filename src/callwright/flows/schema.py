"""From a flow as it was sent to one that runs (contract §2.3).

A flow is kept as it was sent; `compile_flow` makes the typed form of it. What is wrong is told as `Invalid` or `Missing`,
with the step's id and the place as its parameter: ``steps[2].options.destination``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec

from callwright.calls.labels import LONGEST_NAME
from callwright.errors import Invalid, Missing, Problem
from callwright.flows.model import (
    KEYS,
    KEYS_IN_OPTIONS,
    MAX_STEPS,
    OPERATORS,
    OPTIONS,
    Condition,
    FetchCallFlowOptions,
    Flow,
    FlowHead,
    HangupOptions,
    Options,
    PauseOptions,
    PlayOptions,
    RecordOptions,
    SayOptions,
    SendKeysOptions,
    Step,
    StepHead,
    TagOptions,
    TransferOptions,
)
from callwright.flows.rules import check_bounds, check_step

_SOME_NAME = "[...]"
_EXACT = 1 << 53  # from here on a float is no longer one whole number

__all__ = [
    "KEYS",
    "KEYS_IN_OPTIONS",
    "OPERATORS",
    "OPTIONS",
    "Condition",
    "FetchCallFlowOptions",
    "Flow",
    "HangupOptions",
    "Options",
    "PauseOptions",
    "PlayOptions",
    "RecordOptions",
    "SayOptions",
    "SendKeysOptions",
    "Step",
    "TagOptions",
    "TransferOptions",
    "as_text",
    "compile_flow",
    "examine",
    "kinds_of",
    "settle",
    "settle_condition",
    "with_step_ids",
]


def compile_flow(body: dict[str, Any]) -> Flow:
    """Check a flow and return it typed. Keys are expected under their own names; unknown ones are passed over."""
    flow, problems = examine(body)
    if flow is None:
        raise problems[0]
    return flow


def examine(body: dict[str, Any]) -> tuple[Flow | None, list[Problem]]:
    """A flow typed, or all that is wrong with it as far as can be told."""
    steps = body.get("steps")
    if steps is None:
        return None, [Missing("A call flow needs steps.", parameter="steps")]
    if not isinstance(steps, list) or not steps:
        return None, [Invalid("steps must be an array of at least one step.", parameter="steps")]
    if len(steps) > MAX_STEPS:
        return None, [Invalid(f"A call flow may have {MAX_STEPS} steps; it has {len(steps)}.", parameter="steps")]
    problems: list[Problem] = []
    head = _trying(problems, _head, body)
    if all(isinstance(step, dict) for step in steps):
        steps = with_step_ids(body)["steps"]
    compiled = [_trying(problems, _step, step, f"steps[{index}]") for index, step in enumerate(steps)]
    problems += _wrong_references(steps, compiled)
    if head is None or problems:
        return None, problems
    fields = {field: getattr(head, field) for field in FlowHead.__struct_fields__}
    return Flow(steps=tuple(step for step in compiled if step is not None), **fields), []


def _trying(problems: list[Problem], make: Any, raw: Any, *place: str) -> Any:
    """Make something, or note why it cannot be made; of a step with its id."""
    try:
        return make(raw, *place)
    except Problem as problem:
        step_id = raw.get("id") if isinstance(raw, dict) and place else None
        if isinstance(step_id, str):
            problem.args = (f"Step {step_id[:40]!r}: {problem.message}",)
        problems.append(problem)
        return None


def _head(body: dict[str, Any]) -> FlowHead:
    head: FlowHead = _convert(body, FlowHead, "")
    check_bounds(head, "")
    return head


def with_step_ids(body: dict[str, Any]) -> dict[str, Any]:
    """Give every step an id, as the answers show them; those the client chose stay."""
    steps = [dict(step) for step in body["steps"]]
    taken = {step["id"] for step in steps if isinstance(step.get("id"), str)}
    for index, step in enumerate(steps):
        if step.get("id") in (None, ""):
            step["id"] = _free_id(index, taken)
            taken.add(step["id"])
    return {**body, "steps": steps}


def settle(values: dict[str, Any], kinds: Mapping[str, type], *, keep_zero: str = "") -> None:
    """Make numbers and booleans that came as text what they are, and the other way round, so that they are echoed so, and
    forget numbers that are 0.

    What cannot be converted stays: the check of the flow says what is wrong with it.
    """
    for name, value in list(values.items()):
        kind = kinds.get(name)
        if kind is str:
            values[name] = _spelled(value) if isinstance(value, bool) else value if (text := as_text(value)) is None else text
            continue
        if isinstance(value, str) and kind is not None:
            value = values[name] = _converted(value, kind)
        if value == 0 and not isinstance(value, bool) and name != keep_zero:
            del values[name]


def kinds_of(*structs: type[msgspec.Struct]) -> dict[str, type]:
    """Which fields hold text, booleans or numbers, by wire name; unions with None count as what else they hold."""
    found: dict[str, type] = {}
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            held = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
            for kind in (bool, int, float, str):
                if held is kind or kind in get_args(held):
                    found[field.encode_name] = kind
    return found


def as_text(value: Any) -> str | None:
    """A text, or a whole number as one; None for anything else, also for a broken number, which might be dialled."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def settle_condition(values: dict[str, Any]) -> dict[str, Any]:
    """A condition with its numbers and booleans as texts; null is what was not set."""
    return {
        name: _spelled(value) if name in Condition.__struct_fields__ and isinstance(value, bool | int | float) else value
        for name, value in values.items()
        if value is not None
    }


def _spelled(value: bool | float) -> str:
    """A number or a boolean as JSON has it; 1.0 is the number 1."""
    return json.dumps(value) if (text := as_text(value)) is None else text


def _converted(text: str, kind: type) -> Any:
    for wanted in (int, float) if kind is float else (kind,):
        try:
            value: Any = msgspec.convert(text, wanted, strict=False)
        except msgspec.ValidationError:
            continue
        return value if kind is not float or math.isfinite(value) else text  # JSON has no word for the others
    return text


def _free_id(index: int, taken: set[str]) -> str:
    name = f"step-{index + 1}"
    while name in taken:
        name += "-"
    return name


def _step(raw: Any, place: str) -> Step:
    if not isinstance(raw, dict):
        raise Invalid(f"{place} must be an object.", parameter=place)
    action = raw.get("action")
    if action is None:
        raise Missing(f"{place} needs an action.", parameter=f"{place}.action")
    if not isinstance(action, str) or action not in OPTIONS:
        raise Invalid(f"{str(action)[:40]!r} is not an action. Known: {', '.join(OPTIONS)}.", parameter=f"{place}.action")
    options = {} if raw.get("options") in (None, "", []) else raw["options"]
    if not isinstance(options, dict):
        raise Invalid(f"{place}.options must be an object.", parameter=f"{place}.options")
    keys = {key: options[key] for key in KEYS_IN_OPTIONS if key in options}
    head: StepHead = _convert({**keys, **raw}, StepHead, place)
    fields = {field: getattr(head, field) for field in StepHead.__struct_fields__}
    step = Step(action=action, options=_convert(options, OPTIONS[action], f"{place}.options"), **fields)
    check_step(step, place)
    return step


def _wrong_references(steps: list[Any], compiled: list[Step | None]) -> list[Problem]:
    """Ids that are there twice, and jumps to none."""
    wrong: list[Problem] = []
    ids = [step.get("id") if isinstance(step, dict) else None for step in steps]
    first = {step_id: index for index, step_id in reversed(list(enumerate(ids))) if isinstance(step_id, str)}
    for index, step in enumerate(compiled):
        if step is None:
            continue
        if first.get(step.id, index) != index:  # beside what is no step, others may still have none
            wrong.append(Invalid(f"Two steps have the id {step.id[:40]!r}.", parameter=f"steps[{index}].id"))
        target = step.on_keypress_goto
        if target is not None and target not in first:
            wrong.append(
                Invalid(
                    f"Step {step.id[:40]!r}: there is no step {target[:40]!r} to go to.",
                    parameter=f"steps[{index}].onKeypressGoto",
                )
            )
    return wrong


def _convert(raw: dict[str, Any], kind: type[Any], place: str) -> Any:
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = _with_name(path.rstrip("`"), raw)
        if "missing required field" in message:
            name = message.rpartition("`")[0].rpartition("`")[2]
            where = f"{place}{path}.{name}".strip(".")
            raise Missing(f"{where} is missing.", parameter=where) from None
        where = f"{place}{path}".strip(".")
        raise Invalid(f"{where}: {_in_words(message, kind, path)}.", parameter=where) from None


def _with_name(path: str, raw: dict[str, Any]) -> str:
    """A path with the name that msgspec leaves out: of texts by name the first that is none is what it means."""
    if not path.endswith(_SOME_NAME):
        return path
    path = path.removesuffix(_SOME_NAME)
    texts: dict[str, Any] = raw[path.removeprefix(".")]
    name = next(name for name, text in texts.items() if not isinstance(text, str | None))
    return f"{path}.{name[:LONGEST_NAME]}"


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "object": "an object"}


def _words_of(hint: Any) -> list[str]:
    """The words of the literals in a type."""
    return [hint] if isinstance(hint, str) else [word for inner in get_args(hint) for word in _words_of(inner)]


def _in_words(message: str, kind: type[Any], path: str) -> str:
    """What was wanted and what came, in the words of JSON."""
    found = re.fullmatch(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`", message)
    if found is not None:
        wanted, came = _KINDS.get(found[1], found[1]), _KINDS.get(found[2], found[2])
        return f"it must be {wanted}, and not {'one with a fraction' if found[2] == 'float' else came}"
    if "enum value" in message:
        name = path.lstrip(".")
        hint = next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == name), None)
        return f"{message.rpartition(' ')[2]} is none of {', '.join(_words_of(hint))}"
    return f"{message[0].lower()}{message[1:]}"
