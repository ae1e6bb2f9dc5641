"""Call flows as values, and the check a flow passes before it is stored (contract §2.3).

A flow is kept as it was sent; `compile_flow` makes the typed form that runs. What is wrong is told as `Invalid` or
`Missing` with the place as its parameter: ``steps[2].options.destination``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from callwright.errors import Invalid, Missing

KEYS = frozenset("0123456789*#ABCD")
OPERATORS = frozenset({"==", "eq", "!=", "neq", ">", "<", ">=", "<=", "contains"})


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The options of a step; each action has a kind of its own."""


class TransferOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """`ring_timeout` in seconds is ours; the others are the contract's."""

    destination: str
    record: Literal["in", "out", "both"] | None = None
    mask: bool = False
    if_machine: Literal["continue", "delay", "hangup"] | None = None
    machine_timeout: int | None = None
    ring_timeout: int | None = None


class SayOptions(Options, frozen=True, kw_only=True, rename="camel"):
    payload: str
    language: str | None = None
    voice: str | None = None
    repeat: int = 1
    if_machine: Literal["continue", "delay", "hangup"] | None = None
    machine_timeout: int | None = None


class PlayOptions(Options, frozen=True, kw_only=True, rename="camel"):
    media: str | tuple[str, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.media,) if isinstance(self.media, str) else self.media


class PauseOptions(Options, frozen=True, kw_only=True, rename="camel"):
    length: float


class RecordOptions(Options, frozen=True, kw_only=True, rename="camel"):
    max_length: int | None = None
    timeout: int | None = None
    finish_on_key: str | None = None
    beep: bool | None = None
    transcribe: bool = False
    transcribe_language: str | None = None
    on_finish: str | None = None


class FetchCallFlowOptions(Options, frozen=True, kw_only=True, rename="camel"):
    url: str


class SendKeysOptions(Options, frozen=True, kw_only=True, rename="camel"):
    keys: str
    duration: int | None = None
    interval: int | None = None


class HangupOptions(Options, frozen=True, kw_only=True, rename="camel"):
    pass


OPTIONS: dict[str, type[Options]] = {
    "transfer": TransferOptions,
    "say": SayOptions,
    "play": PlayOptions,
    "pause": PauseOptions,
    "record": RecordOptions,
    "fetchCallFlow": FetchCallFlowOptions,
    "sendKeys": SendKeysOptions,
    "hangup": HangupOptions,
}
_NANOSECONDS = 1_000_000_000
# Keys may stand in `options` too (contract §2.3.1).
KEYS_IN_OPTIONS = ("endKey", "maxNumKeys")


class Condition(msgspec.Struct, frozen=True):
    variable: str
    operator: str
    value: str


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    action: str
    options: Options
    conditions: tuple[Condition, ...] = ()
    on_keypress_goto: str | None = None
    on_keypress_var: str | None = None
    end_key: str | None = None
    max_num_keys: int | None = None

    @property
    def hears_keys(self) -> bool:
        """Whether keys mean anything while it runs."""
        return bool(self.on_keypress_goto or self.on_keypress_var or self.end_key or self.max_num_keys)


class Flow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A flow ready to run; `max_duration` in seconds."""

    steps: tuple[Step, ...]
    title: str | None = None
    record: bool = False
    default: bool = False
    max_duration: int | None = None


class _Head(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    title: str | None = None
    record: bool = False
    default: bool = False
    max_duration: int | None = None


class _StepHead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str = ""
    conditions: tuple[Condition, ...] = ()
    on_keypress_goto: str | None = None
    on_keypress_var: str | None = None
    end_key: str | None = None
    max_num_keys: int | None = None


def compile_flow(body: dict[str, Any]) -> Flow:
    """Check a flow and return it typed. Keys are expected under their own names; unknown ones are passed over."""
    steps = body.get("steps")
    if steps is None:
        raise Missing("A call flow needs steps.", parameter="steps")
    if not isinstance(steps, list) or not steps:
        raise Invalid("steps must be an array of at least one step.", parameter="steps")
    head = _convert(body, _Head, "")
    if all(isinstance(step, dict) for step in steps):
        steps = with_step_ids(body)["steps"]
    compiled = tuple(_step(step, f"steps[{index}]") for index, step in enumerate(steps))
    _check_references(compiled)
    if head.max_duration is not None and head.max_duration < 1:
        raise Invalid("maxDuration is in seconds and at least 1.", parameter="maxDuration")
    return Flow(steps=compiled, title=head.title, record=head.record, default=head.default, max_duration=head.max_duration)


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
    """Make numbers and booleans that came as text what they are, so that they are echoed so, and forget those that are 0.

    What cannot be converted stays: the check of the flow says what is wrong with it.
    """
    for name, value in list(values.items()):
        kind = kinds.get(name)
        if kind is str:
            values[name] = value if (text := as_text(value)) is None else text
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
            for kind in (bool, int, float, str):
                if field.type is kind or kind in get_args(field.type):
                    found[field.encode_name] = kind
    return found


def seconds_of(value: int | None) -> float | None:
    """The limits of a record step: seconds, but from 1,000,000,000 on nanoseconds (contract §2.3.2); 0 is no limit."""
    if not value:
        return None
    return float(value) if value < _NANOSECONDS else value / _NANOSECONDS


def stop_keys_of(finish_on_key: str | None) -> str:
    """The keys that end a recording: ``any``, ``none`` or the keys themselves."""
    named = (finish_on_key or "none").lower()
    return "".join(sorted(KEYS)) if named == "any" else "" if named == "none" else named.upper()


def as_text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


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
    options = raw.get("options") or {}
    if not isinstance(options, dict):
        raise Invalid(f"{place}.options must be an object.", parameter=f"{place}.options")
    keys = {key: options[key] for key in KEYS_IN_OPTIONS if key in options}
    head = _convert({**keys, **raw}, _StepHead, place)
    step = Step(
        id=head.id,
        action=action,
        options=_convert(options, OPTIONS[action], f"{place}.options"),
        conditions=head.conditions,
        on_keypress_goto=head.on_keypress_goto,
        on_keypress_var=head.on_keypress_var,
        end_key=head.end_key,
        max_num_keys=head.max_num_keys,
    )
    for number, condition in enumerate(step.conditions):
        if condition.operator not in OPERATORS:
            raise Invalid(
                f"{condition.operator!r} is not an operator. Known: {' '.join(sorted(OPERATORS))}.",
                parameter=f"{place}.conditions[{number}].operator",
            )
    _check_options(step.options, f"{place}.options")
    return step


def _check_options(options: Options, place: str) -> None:
    if isinstance(options, TransferOptions):
        _within(options.ring_timeout, 5, 300, "seconds", f"{place}.ringTimeout")
        _within(options.machine_timeout, 400, 10_000, "milliseconds", f"{place}.machineTimeout")
        if not options.destination.strip():
            raise Missing("A transfer needs a destination.", parameter=f"{place}.destination")
    elif isinstance(options, SayOptions):
        _within(options.repeat, 1, 10, "times", f"{place}.repeat")
        _within(options.machine_timeout, 400, 10_000, "milliseconds", f"{place}.machineTimeout")
    elif isinstance(options, PlayOptions):
        if not options.urls:
            raise Missing("A play step needs media.", parameter=f"{place}.media")
        for url in options.urls:
            if not url.startswith("file:"):
                _check_url(url, f"{place}.media")
    elif isinstance(options, PauseOptions):
        _within(options.length, 0, 86_400, "seconds", f"{place}.length")
    elif isinstance(options, FetchCallFlowOptions):
        _check_url(options.url, f"{place}.url")
    elif isinstance(options, SendKeysOptions) and not set(options.keys.upper()) <= set("0123456789*#ABCDW, "):
        raise Invalid("keys may hold 0-9, *, #, A-D, and w or a comma for a pause.", parameter=f"{place}.keys")


def _check_url(url: str, place: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # brackets that hold no IPv6 address
        usable = False
    if not usable:
        raise Invalid(f"{url[:80]!r} is not a URL: http:// or https:// and a host.", parameter=place)


def _within(value: float | None, least: int, most: int, unit: str, place: str) -> None:
    if value is not None and not least <= value <= most:
        raise Invalid(
            f"{place.rpartition('.')[2]} must be {least} to {most} {unit}; it was {str(value)[:40]}.", parameter=place
        )


def _check_references(steps: tuple[Step, ...]) -> None:
    seen: set[str] = set()
    for index, step in enumerate(steps):
        if step.id in seen:
            raise Invalid(f"Two steps have the id {step.id!r}.", parameter=f"steps[{index}].id")
        seen.add(step.id)
    for index, step in enumerate(steps):
        if step.on_keypress_goto is not None and step.on_keypress_goto not in seen:
            raise Invalid(f"There is no step {step.on_keypress_goto!r}.", parameter=f"steps[{index}].onKeypressGoto")


def _convert(raw: dict[str, Any], kind: type[Any], place: str) -> Any:
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`")
        if "missing required field" in message:
            name = message.rpartition("`")[0].rpartition("`")[2]
            where = f"{place}{path}.{name}".strip(".")
            raise Missing(f"{where} is missing.", parameter=where) from None
        where = f"{place}{path}".strip(".")
        raise Invalid(f"{where}: {message[0].lower()}{message[1:]}.", parameter=where) from None
