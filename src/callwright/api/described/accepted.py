"""The forms a body may have beside the plain one, because client libraries send them (contract §1.3, §3.3, §5.1).

What no schema can say, the chapter says: keys match whatever their case, and those that are not known are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callwright.openapi.shapes import Named, Shape

UNSET = Named(
    "Unset",
    {
        "enum": [None, "", {}, []],
        "description": "What stands for a value that is not there: libraries send what their users did not set.",
        "examples": [None],
    },
)
ZERO = Named(
    "Zero",
    {
        "enum": [None, "", 0],
        "description": "What stands for a number that is not there; Java's library sends 0 for all that its user did not set.",
        "examples": [0],
    },
)
WRITTEN_NUMBER = Named(
    "WrittenNumber",
    {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
        "description": "A number as text. It is returned as a number.",
        "examples": ["3"],
    },
)
WRITTEN_BOOLEAN = Named(
    "WrittenBoolean",
    {
        "enum": ["true", "false", "True", "False", "TRUE", "FALSE", "1", "0"],
        "description": "A boolean as text. It is returned as a boolean.",
        "examples": ["false"],
    },
)
SPELLED = Named(
    "Spelled",
    {
        "type": ["number", "boolean"],
        "description": "A number or a boolean in the place of a text. It is returned as a text.",
        "examples": [31205550100],
    },
)
DOUBLY_ENCODED = Named(
    "DoublyEncoded",
    {
        "type": "string",
        "contentMediaType": "application/json",
        "pattern": r"^\s*[\{\[]",
        "description": "The same as text that holds JSON; Ruby's library encodes twice.",
        "examples": ['{"steps": [{"action": "hangup"}]}'],
    },
)
ACTION = "action"
_NUMBERS = {"integer", "number"}


def accepted(schema: Any) -> Any:
    """A schema of what is sent, with every value in all the forms that are taken; the action of a step has one alone."""
    if isinstance(schema, Mapping) and isinstance(schema.get("properties"), Mapping):
        required = schema.get("required", ())
        keys = {
            key: accepted(shape) if key == ACTION else in_all_forms(accepted(shape), wanted=key in required)
            for key, shape in schema["properties"].items()
        }
        return {**_inner(schema, leave=("properties",)), "properties": keys}
    return _inner(schema)


def _inner(schema: Any, *, leave: tuple[str, ...] = ()) -> Any:
    if isinstance(schema, Mapping):
        return {key: value if key in leave else accepted(value) for key, value in schema.items()}
    return [accepted(one) for one in schema] if isinstance(schema, list) else schema


def in_all_forms(shape: Shape, *, wanted: bool = False) -> Shape:
    """A value that may come in other forms too; one that is `wanted` may not be left unset."""
    kinds = _kinds(shape)
    others: list[Shape] = []
    if kinds & _NUMBERS:
        others.append(WRITTEN_NUMBER)
    elif "boolean" in kinds:
        others.append(WRITTEN_BOOLEAN)
    elif kinds == {"string"} and "enum" not in shape:
        others.append(SPELLED)
    if kinds & {"object", "array"}:
        others.append(DOUBLY_ENCODED)
    if not wanted:
        others.append(ZERO if kinds & _NUMBERS else UNSET)
    if not others:
        return shape
    about: Shape = {word: shape[word] for word in ("description", "examples", "default") if word in shape}
    plain = _without_null({word: value for word, value in shape.items() if word not in about})
    return {"anyOf": [shape if isinstance(shape, Named) else plain, *others], **about}


def _without_null(plain: Shape) -> Shape:
    """Null is one of the forms of what is not set already."""
    of = [one for one in plain.get("anyOf", ()) if one != {"type": "null"}]
    if not of:
        return plain
    rest = {word: value for word, value in plain.items() if word != "anyOf"}
    return {**rest, **of[0]} if len(of) == 1 else {**rest, "anyOf": of}


def _kinds(shape: Shape) -> set[str]:
    """The types that a schema names, null apart. A reference is one to an object."""
    if "$ref" in shape or isinstance(shape, Named):
        return {"object"}
    named = shape.get("type", [])
    found = {named} if isinstance(named, str) else set(named)
    for one in shape.get("anyOf", ()):
        found |= _kinds(one)
    return found - {"null"}
