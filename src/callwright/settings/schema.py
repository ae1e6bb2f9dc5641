"""What is known about each setting, read off the annotations of the sections; and how values are written."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect
from msgspec.structs import FieldInfo

from callwright.settings.sections import Settings


def fields(kind: Any) -> dict[str, FieldInfo]:
    """The fields of a struct by the name they are written with; none for any other type."""
    kind = bare(kind)
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


@cache
def known_keys() -> dict[str, Any]:
    """Every key that is set as a whole and so has one origin, in the order of the reference file, with its type."""
    keys: dict[str, Any] = {}
    for name, section in fields(Settings).items():
        if below := fields(section.type):
            keys |= {f"{name}.{key}": field.type for key, field in below.items()}
        else:
            keys[name] = section.type
    return keys


@cache
def sections() -> tuple[str, ...]:
    return tuple(fields(Settings))


def bare(kind: Any) -> Any:
    """The type without its description and without None."""
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif typing.get_origin(kind) in (typing.Union, types.UnionType):
            (kind,) = (one for one in typing.get_args(kind) if one is not types.NoneType)
        else:
            return kind


def description(kind: Any) -> str:
    return str(_json_schema(kind).get("description", ""))


def example(kind: Any) -> Any:
    """A value to show where the default says nothing, or None."""
    return next(iter(_json_schema(kind).get("examples", ())), None)


def rules(kind: Any) -> dict[str, Any]:
    info = inspect.type_info(kind)
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def is_secret(kind: Any) -> bool:
    return bool(rules(kind).get("secret"))


def allowed(kind: Any) -> str:
    """Say in words what a value may be.

    >>> allowed(int), allowed(tuple[float, ...])
    ('a whole number', 'a list, each a number')
    """
    return _allowed(inspect.type_info(kind))


def toml(value: Any) -> str:
    """Write a value the way a settings file has it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    if isinstance(value, msgspec.Struct):
        named = {name: getattr(value, field.name) for name, field in fields(type(value)).items()}
        return toml({name: one for name, one in named.items() if one is not None})
    return repr(value) if isinstance(value, float) else msgspec.json.encode(value, enc_hook=str).decode()


def toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key)


def _json_schema(kind: Any) -> dict[str, Any]:
    info = inspect.type_info(kind)
    return (info.extra_json_schema or {}) if isinstance(info, inspect.Metadata) else {}


def _allowed(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata():
            return str((info.extra or {}).get("allowed", _allowed(info.type)))
        case inspect.UnionType():
            return " or ".join(_allowed(one) for one in info.types if not isinstance(one, inspect.NoneType))
        case inspect.IntType():
            return "a whole number" + _range(info)
        case inspect.FloatType():
            return "a number" + _range(info)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(toml(one) for one in info.values)
        case inspect.VarTupleType():
            return f"a list, each {_allowed(info.item_type)}"
        case inspect.TupleType():
            return f"a list of {len(info.item_types)}, each {_allowed(info.item_types[0])}"
        case inspect.DictType():
            return "a table"
        case inspect.StructType():
            return "a table of keys and values"
        case _:
            return "text in quotes"


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    if info.gt is not None:
        return f" above {info.gt:g} and up to {info.le:g}" if info.le is not None else f" above {info.gt:g}"
    if info.ge is not None and info.le is not None:
        return f" from {info.ge} to {info.le}"
    return "" if info.ge is None else f" of at least {info.ge}"
