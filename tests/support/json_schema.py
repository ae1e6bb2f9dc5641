"""As much of JSON Schema (2020-12) as the published ones use, to hold examples against them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

_KNOWN = {
    *("$schema", "$defs", "$ref", "title", "description", "default", "discriminator"),
    *("type", "enum", "anyOf", "properties", "required", "items", "prefixItems", "format"),
    *("minimum", "maximum", "minItems", "maxItems", "maxLength", "pattern"),
    *("additionalProperties", "propertyNames", "maxProperties"),
}
_FORMATS: dict[str, Callable[[str], object]] = {"uuid": UUID, "date-time": datetime.fromisoformat}
_TYPES: dict[str, Any] = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, place: str = "$") -> list[str]:
    """Where a value is not as the schema says; empty when all is well."""
    root = root or schema
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    found = _plain(value, schema, place)
    if "$ref" in schema:
        found += faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
    if "anyOf" in schema:
        tried = [faults(value, one, root, place) for one in _meant(value, schema)]
        found += [] if [] in tried else min(tried, key=len)
    if isinstance(value, dict):
        found += [f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                found += faults(value[name], inner, root, f"{place}.{name}")
        found += _of_any_name(value, schema, root, place)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += faults(item, schema["items"], root, f"{place}[{index}]")
    return found


def _of_any_name(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], place: str) -> list[str]:
    found = [f"{place} has too many"] * (len(value) > schema.get("maxProperties", len(value)))
    for name, inner in value.items():
        found += faults(name, schema.get("propertyNames", {}), root, f"{place}.{name}")
        if name not in schema.get("properties", {}) and isinstance(schema.get("additionalProperties"), dict):
            found += faults(inner, schema["additionalProperties"], root, f"{place}.{name}")
    return found


def _meant(value: Any, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives, or the one that is named by the discriminator (OpenAPI's word, which editors know)."""
    named = schema.get("discriminator", {})
    chosen = named.get("mapping", {}).get(value.get(named.get("propertyName")) if isinstance(value, dict) else None)
    return schema["anyOf"] if chosen is None else [{"$ref": chosen}]


def _plain(value: Any, schema: dict[str, Any], place: str) -> list[str]:
    found = []
    if "type" in schema and not _is(value, schema["type"]):
        found.append(f"{place} is no {schema['type']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} is none of {schema['enum']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        found += [f"{place} is too small"] * (value < schema.get("minimum", value))
        found += [f"{place} is too large"] * (value > schema.get("maximum", value))
    if isinstance(value, str):
        found += [f"{place} is too long"] * (len(value) > schema.get("maxLength", len(value)))
        found += [f"{place} does not match"] * ("pattern" in schema and re.search(schema["pattern"], value) is None)
        found += [f"{place} has the wrong format"] * ("format" in schema and not _has_format(value, schema["format"]))
    if isinstance(value, list):
        found += [f"{place} is too short"] * (len(value) < schema.get("minItems", 0))
        found += [f"{place} is too long"] * (len(value) > schema.get("maxItems", len(value)))
    return found


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return not isinstance(value, bool) and (whole or (kind == "number" and isinstance(value, float)))
    return isinstance(value, _TYPES[kind])


def _has_format(value: str, name: str) -> bool:
    try:
        _FORMATS[name](value)
    except ValueError:
        return False
    return True
