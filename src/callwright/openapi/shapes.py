"""JSON Schemas (2020-12) in the words of an interface: a text, a moment, an id, a record of named keys.

A shape is a schema as a dictionary. Those that have a name are `Named`; a document shows each once, and refers to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

Shape = dict[str, Any]

ID = "01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f"
MOMENT = "2026-05-04T10:00:00.000000Z"


class Named(dict[str, Any]):
    """A schema that stands under its name among the components of a document."""

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        super().__init__(schema)
        self.name = name


def text(said: str, example: str, **limits: Any) -> Shape:
    return {"type": "string", "description": said, **limits, "examples": [example]}


def whole(said: str, example: int, least: int | None = 0, most: int | None = None, **more: Any) -> Shape:
    """A whole number, both bounds included."""
    bounds = {"minimum": least, "maximum": most}
    return {
        "type": "integer",
        "description": said,
        **{name: bound for name, bound in bounds.items() if bound is not None},
        **more,
        "examples": [example],
    }


def number(said: str, example: float, **limits: Any) -> Shape:
    return {"type": "number", "description": said, **limits, "examples": [example]}


def truth(said: str, example: bool = False) -> Shape:
    return {"type": "boolean", "description": said, "examples": [example]}


def identity(said: str) -> Shape:
    return {"type": "string", "format": "uuid", "description": said, "examples": [ID]}


def moment(said: str, example: str = MOMENT) -> Shape:
    """A time as RFC 3339 has it."""
    return {"type": "string", "format": "date-time", "description": said, "examples": [example]}


def choice(said: str, values: type[Enum] | Iterable[str], example: str | None = None) -> Shape:
    """One of a few words; `values` may be the very `Enum` that the program works with."""
    words = [str(one.value) if isinstance(one, Enum) else one for one in values]
    return {"type": "string", "enum": words, "description": said, "examples": [example or words[0]]}


def several(of: Shape, said: str, **limits: Any) -> Shape:
    return {"type": "array", "items": of, "description": said, **limits}


def texts_by_name(said: str, example: Mapping[str, str], **limits: Any) -> Shape:
    """An object whose names are the customer's, and whose values are texts."""
    return {
        "type": "object",
        "additionalProperties": {"type": "string", **limits},
        "description": said,
        "examples": [dict(example)],
    }


def texts_by_pattern(said: str, pattern: str, example: Mapping[str, str], **limits: Any) -> Shape:
    """As `texts_by_name`, with no other names than those of a pattern."""
    return {
        "type": "object",
        "patternProperties": {pattern: {"type": "string", **limits}},
        "additionalProperties": False,
        "description": said,
        "examples": [dict(example)],
    }


def by_name(of: Shape, said: str, example: Any) -> Shape:
    return {"type": "object", "additionalProperties": of, "description": said, "examples": [example]}


def anything(said: str, example: Any) -> Shape:
    """An object with keys of its own kind, which are said elsewhere."""
    return {"type": "object", "additionalProperties": True, "description": said, "examples": [example]}


def or_null(of: Shape, example: Any = ...) -> Shape:
    """A value that may be null; `example` is shown in its place where another than that of `of` says more."""
    inner = {name: value for name, value in of.items() if name not in ("description", "examples")}
    if isinstance(of, Named):
        return {"anyOf": [of, {"type": "null"}]} | ({} if example is ... else {"examples": [example]})
    shown = of.get("examples", []) if example is ... else [example]
    return {
        "anyOf": [inner, {"type": "null"}],
        "description": of.get("description", ""),
        **({"examples": shown} if shown else {}),
    }


def said(of: Shape, sentence: str) -> Shape:
    """A shape with a sentence for the place where it stands."""
    return {"allOf": [of], "description": sentence} if isinstance(of, Named) else {**of, "description": sentence}


def record(
    name: str, sentence: str, keys: Mapping[str, Shape], *, optional: Sequence[str] | None = None, wanted: Sequence[str] = ()
) -> Named:
    """An object of named keys. An answer has all but the `optional` ones, a body is `wanted` to have those alone."""
    required = list(wanted) if optional is None and wanted else [key for key in keys if key not in (optional or ())]
    return Named(name, {"type": "object", "description": sentence, "properties": dict(keys), "required": required})


def exactly(name: str, sentence: str, keys: Mapping[str, Shape], *, optional: Sequence[str] = ()) -> Named:
    """A record that will never have other keys: its readers fall over those they do not know."""
    return Named(name, {**record(name, sentence, keys, optional=optional), "additionalProperties": False})


def body(name: str, sentence: str, keys: Mapping[str, Shape], *, wanted: Sequence[str] = ()) -> Named:
    """An object that is sent: only what is `wanted` must be there, and nothing that is not known."""
    schema = {"type": "object", "description": sentence, "properties": dict(keys), "additionalProperties": False}
    return Named(name, schema | ({"required": list(wanted)} if wanted else {}))


def extended(name: str, sentence: str, base: Named, keys: Mapping[str, Shape]) -> Named:
    """A record with all that another has, and more."""
    return Named(
        name,
        {
            "type": "object",
            "description": sentence,
            "properties": {**base["properties"], **keys},
            "required": [*base["required"], *keys],
        },
    )


def page_of(name: str, of: Named) -> Named:
    """A page that is found by counting: ``limit`` and ``offset``."""
    return record(
        name,
        "A page of a list, newest first.",
        {
            "data": several(of, "What is on this page."),
            "total": whole("How many there are in all, exactly.", 1),
            "limit": whole("How many a page has at most.", 100, 1, 1_000),
            "offset": whole("How many come before this page.", 0),
        },
    )


def all_of(name: str, of: Named, sentence: str) -> Named:
    """A list that is told whole."""
    return record(name, sentence, {"data": several(of, "All of them.")})


def published(schema: Mapping[str, Any], name: str, prefix: str) -> Named:
    """A JSON Schema with definitions of its own as named shapes: `name`, and for each definition `prefix` and its name."""
    definitions = schema["$defs"]
    top = {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}
    return Named(name, _named(top, prefix, definitions))


def _named(schema: Any, prefix: str, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, Named):
        return schema
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return Named(prefix + name, _named(definitions[name], prefix, definitions))
        return {
            key: {word: f"#/components/schemas/{prefix}{ref.rpartition('/')[2]}" for word, ref in value.items()}
            if key == "mapping"
            else _named(value, prefix, definitions)
            for key, value in schema.items()
        }
    return [_named(one, prefix, definitions) for one in schema] if isinstance(schema, list) else schema


def example_of(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """A value that is as the schema says, made of the examples in it; `named` has what it refers to."""
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(named[schema["$ref"].rpartition("/")[2]], named)
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            return example_of(schema[word][0], named)
    if "properties" in schema:
        return {name: example_of(shape, named) for name, shape in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example_of(schema["items"], named)] if "items" in schema else []
    if "enum" in schema:
        return schema["enum"][0]
    return {"null": None, "boolean": False, "integer": 0, "number": 0, "string": "…", "object": {}}[schema.get("type", "null")]
