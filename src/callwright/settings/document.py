"""The settings as pages: the reference file with every setting, and what is in force with its origin."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import FieldInfo

from callwright.settings import schema
from callwright.settings.load import Loaded
from callwright.settings.sections import Settings

WIDTH = 100
HIDDEN = "***"

_HEAD = """\
All settings of Callwright, each with its default. To change one, take the # off its line and off the head of its \
table, in callwright.toml in the data folder or in a file named with --config.

A flag of the command line wins over the environment (CALLWRIGHT_HTTP__PORT=8081 for port under [http]; lists parted \
by commas; tables, as in CALLWRIGHT_TRUNKS, written as here), which wins over the --config file, which wins over \
callwright.toml. `callwright settings` shows what is in force and why. Times are in seconds."""


class Row(msgspec.Struct, frozen=True):
    """One line of `callwright settings`. The value is as a file would have it; secrets are ``***``."""

    key: str
    value: str
    origin: str


def document() -> str:
    """Write the reference file: every setting with its text and its default, commented out."""
    lines = [*_comment(_HEAD)]
    for name, section in schema.fields(Settings).items():
        lines.append("")
        if fields := schema.fields(section.type):
            lines += [*_comment(_purpose(section.type)), f"[{name}]"]
            tables = {key: field for key, field in fields.items() if _is_table(field.type)}
            lists = {key: kind for key, field in fields.items() if (kind := _listed(field.type)) is not None}
            for key, field in fields.items():
                if key not in tables and key not in lists:
                    lines += ["", *_plain(key, field)]
            for key, field in tables.items():
                of_key, of_value = typing.get_args(schema.bare(field.type))
                head = f"{name}.{key}.{schema.toml_key(schema.example(of_key))}"
                lines += ["", *_comment(schema.description(field.type)), f"#[{head}]", *_example_of(of_value, head)]
            for key, kind in lists.items():
                lines += [
                    "",
                    *_comment(schema.description(fields[key].type)),
                    f"#[[{name}.{key}]]",
                    *_example_of(kind, f"{name}.{key}"),
                ]
        else:
            kind = typing.get_args(schema.bare(section.type))[0]
            lines += [*_comment(schema.description(section.type)), f"#[[{name}]]", *_example_of(kind, name)]
    return "\n".join(lines) + "\n"


def rows(loaded: Loaded) -> list[Row]:
    """List what is in force. Entries of a list of tables have a row for each key, all with the list's origin."""
    return [
        Row(key, value, loaded.origins[origin_key])
        for origin_key in schema.known_keys()
        for key, value in _values(origin_key, loaded.settings)
    ]


def _values(key: str, settings: Settings) -> Iterator[tuple[str, str]]:
    value: Any = settings
    kind: Any = Settings
    for name in key.split("."):
        field = schema.fields(kind)[name]
        value, kind = getattr(value, field.name), field.type
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for position, entry in enumerate(value):
            for name, field in schema.fields(type(entry)).items():
                yield f"{key}[{position}].{name}", _written(getattr(entry, field.name), field.type)
    else:
        yield key, _written(value, kind)


def _written(value: Any, kind: Any) -> str:
    return HIDDEN if value and schema.is_secret(kind) else schema.toml(value)


def _plain(key: str, field: FieldInfo) -> Iterator[str]:
    yield from _comment(schema.description(field.type))
    if (example := schema.example(field.type)) is not None:
        yield from _comment(f"For example: {key} = {schema.toml(example)}")
    yield f"#{key} = {schema.toml(_default(field))}"


def _example_of(kind: Any, head: str) -> Iterator[str]:
    """Lines of a table `head` there is none of by default: they show an example where there is one, lists of tables last."""
    lists = {key: below for key, field in schema.fields(kind).items() if (below := _listed(field.type)) is not None}
    for key, field in schema.fields(kind).items():
        if key not in lists:
            example = schema.example(field.type)
            yield from ["", *_comment(schema.description(field.type))]
            yield f"#{key} = {schema.toml(field.default if example is None else example)}"
    for key, below in lists.items():
        yield from ["", *_comment(schema.description(schema.fields(kind)[key].type)), f"#[[{head}.{key}]]"]
        yield from _example_of(below, f"{head}.{key}")


def _default(field: FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _is_table(kind: Any) -> bool:
    """Whether it is a table of tables; one of plain values is written on one line."""
    bare = schema.bare(kind)
    return typing.get_origin(bare) is dict and bool(schema.fields(typing.get_args(bare)[1]))


def _listed(kind: Any) -> Any:
    """The kind of the tables of a list of tables, or None."""
    bare = schema.bare(kind)
    return typing.get_args(bare)[0] if typing.get_origin(bare) is tuple and schema.fields(typing.get_args(bare)[0]) else None


def _purpose(kind: Any) -> str:
    return (kind.__doc__ or "").strip()


def _comment(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield "#"
        yield from textwrap.wrap(
            paragraph, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
        )
