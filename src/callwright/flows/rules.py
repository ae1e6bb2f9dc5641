"""What the values of a step must be, one step at a time. What is wrong is told as `Invalid` or `Missing`."""

from __future__ import annotations

from typing import get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from callwright.errors import Invalid, Missing
from callwright.flows.labels import check_labels
from callwright.flows.model import (
    KEYS,
    MAX_NAME,
    OPERATORS,
    FetchCallFlowOptions,
    Options,
    PlayOptions,
    RecordOptions,
    SayOptions,
    SendKeysOptions,
    Step,
    TagOptions,
    TransferOptions,
)

MAX_SENT_KEYS = 256
_SHOWN = 80  # characters of what was sent, in a message


def check_step(step: Step, place: str) -> None:
    check_bounds(step, place)
    check_bounds(step.options, f"{place}.options")
    if step.end_key is not None and step.end_key.upper() not in KEYS:
        raise Invalid(f"endKey must be one key: 0-9, *, # or A-D; it was {_shown(step.end_key)}.", parameter=f"{place}.endKey")
    if step.on_keypress_var is not None and not 0 < len(step.on_keypress_var.strip()) <= MAX_NAME:
        raise Invalid(
            f"onKeypressVar must have 1 to {MAX_NAME} characters; it had {len(step.on_keypress_var)}.",
            parameter=f"{place}.onKeypressVar",
        )
    for number, condition in enumerate(step.conditions):
        if condition.operator not in OPERATORS:
            raise Invalid(
                f"{_shown(condition.operator)} is not an operator. Known: {' '.join(sorted(OPERATORS))}.",
                parameter=f"{place}.conditions[{number}].operator",
            )
    _check_options(step.options, f"{place}.options")


def check_bounds(values: msgspec.Struct, place: str) -> None:
    """Hold numbers to the bounds that stand with their fields."""
    for name, wire, least, most, unit in _bounds(type(values)):
        value = getattr(values, name)
        if value is None or (least <= value and (most is None or value <= most)):
            continue
        wanted = f"at least {least} {unit}" if most is None else f"{least} to {most} {unit}"
        raise Invalid(f"{wire} must be {wanted}; it was {str(value)[:40]}.", parameter=f"{place}.{wire}".lstrip("."))


def _bounds(kind: type[msgspec.Struct]) -> list[tuple[str, str, float, float | None, str]]:
    found = _BOUNDS.get(kind)
    if found is None:
        found = _BOUNDS[kind] = []
        for field in msgspec.structs.fields(kind):
            meta = next((one for one in get_args(field.type) if isinstance(one, Meta)), None)
            schema = (meta.extra_json_schema if meta else None) or {}
            if meta is not None and "minimum" in schema:
                unit = (meta.extra or {}).get("unit", "")
                found.append((field.name, field.encode_name, schema["minimum"], schema.get("maximum"), unit))
    return found


_BOUNDS: dict[type[msgspec.Struct], list[tuple[str, str, float, float | None, str]]] = {}


def _check_options(options: Options, place: str) -> None:
    match options:
        case TransferOptions(destination=destination):
            if not destination.strip():
                raise Missing("A transfer needs a destination.", parameter=f"{place}.destination")
        case SayOptions(payload=payload):
            if not payload.strip():
                raise Missing("say needs a text.", parameter=f"{place}.payload")
        case PlayOptions(urls=urls):
            if not urls:
                raise Missing("A play step needs media.", parameter=f"{place}.media")
            for url in urls:
                if not url.startswith("file:"):
                    check_url(url, f"{place}.media")
        case FetchCallFlowOptions(url=url):
            _check_url_of_flow(url, f"{place}.url")
        case RecordOptions(finish_on_key=keys, on_finish=on_finish):
            if keys is not None and keys.lower() not in ("any", "none") and not set(keys.upper()) <= KEYS:
                raise Invalid(
                    f"finishOnKey must be any, none, or keys out of 0-9, *, # and A-D; it was {_shown(keys)}.",
                    parameter=f"{place}.finishOnKey",
                )
            if on_finish is not None:
                _check_url_of_flow(on_finish, f"{place}.onFinish")
        case TagOptions():
            check_labels(options, place)
        case SendKeysOptions(keys=keys):
            _check_keys(keys, f"{place}.keys")


def _check_keys(keys: str, place: str) -> None:
    if not set(keys.upper()) <= KEYS | set("W, "):
        raise Invalid("keys may hold 0-9, *, #, A-D, and w or a comma for a pause.", parameter=place)
    if not set(keys.upper()) & KEYS:
        raise Missing("sendKeys needs at least one key.", parameter=place)
    if len(keys) > MAX_SENT_KEYS:
        raise Invalid(f"keys may hold {MAX_SENT_KEYS} characters; it held {len(keys)}.", parameter=place)


def check_url(url: str, place: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # brackets that hold no IPv6 address
        usable = False
    if not usable:
        raise Invalid(f"{_shown(url)} is not a URL: http:// or https:// and a host.", parameter=place)


def _check_url_of_flow(url: str, place: str) -> None:
    if not is_relative(url):
        check_url(url, place)


def is_relative(url: str) -> bool:
    """A path, as one of the vendor's guides gives it (contract §4.5); it is resolved where the flow came from."""
    return url.startswith(("/", "?", "./", "../")) and not url.startswith("//") and not any(char.isspace() for char in url)


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])
