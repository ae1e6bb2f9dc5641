"""YAML as a tree of texts, each with its place.

A scalar is the text that was written: what it means says whoever knows what is wanted there. So none of YAML's guesses
(``012`` is ten, ``no`` is false, ``12:30`` is 750) can bite. JSON is YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from callwright.errors import CallwrightError

MAX_BYTES = 2_000_000
MAX_DEPTH = 64
# What aliases stand for counts as often as they do, so that a few lines cannot become a billion.
MAX_NODES = 200_000

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
# A character beyond the first 65,536 as JSON escapes it, in two halves, which YAML does not know.
_HALVES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_NULL = ("", "~", "null", "Null", "NULL")


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class NotYaml(CallwrightError):
    """A document cannot be read; `place` is where."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


class Scalar(NamedTuple):
    """`plain` is one without quotes; only such a one can mean a number, true, or nothing."""

    place: Place
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULL


class Sequence(NamedTuple):
    place: Place
    items: list[Node]


class Table(NamedTuple):
    place: Place
    entries: dict[str, Node]
    keys: dict[str, Place]


Node = Scalar | Sequence | Table


def parse(text: str) -> Iterator[Node]:
    """The documents of a text, in order. Raises `NotYaml` when it comes to what is none."""
    composer = _Composer()
    try:
        for event in yaml.parse(_HALVES.sub(_joined, text), Loader=_LOADER):
            document = composer.take(event)
            if document is not None:
                yield document
    except yaml.reader.ReaderError as error:
        place = place_after(text[: max(text.find(chr(error.character)), 0)])
        raise NotYaml(f"a control character (number {error.character}) cannot be part of it", place) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
        raise NotYaml(_explained(error, text, place), place) from None


def place_after(text: str) -> Place:
    """Where goes on what begins with a text."""
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))


def plain_value(node: Node) -> Any:
    """What a tree means as JSON: numbers as JSON writes them, true, false and null; everything else is text.

    >>> [plain_value(node) for node in parse("{a: 012, b: 12, c: no, d: true, e: +31201, f: '1'}")]
    [{'a': '012', 'b': 12, 'c': 'no', 'd': True, 'e': '+31201', 'f': '1'}]
    """
    match node:
        case Table(entries=entries):
            return {key: plain_value(value) for key, value in entries.items()}
        case Sequence(items=items):
            return [plain_value(item) for item in items]
        case Scalar(text=text, plain=plain):
            if not plain:
                return text
            if node.is_null:
                return None
            if text in ("true", "false"):
                return text == "true"
            number = _NUMBER.fullmatch(text)
            if number is None or len(text) > 40:
                return text
            return int(text) if text.lstrip("-").isdigit() else float(text)


def _joined(halves: re.Match[str]) -> str:
    character = (chr(int(halves[2], 16)) + chr(int(halves[3], 16))).encode("utf-16", "surrogatepass").decode("utf-16")
    return halves[1] + character


class _Open:
    """A sequence or table whose end is still to come; `key` waits for its value."""

    def __init__(self, node: Sequence | Table, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Scalar | None = None
        self.size = 1


class _Composer:
    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._size = 0

    def take(self, event: Any) -> Node | None:
        """A document, once it is whole."""
        mark = event.start_mark
        place = Place(mark.line + 1, mark.column + 1)
        match event:
            case yaml.DocumentStartEvent():
                self._anchors.clear()
                self._size = 0
            case yaml.ScalarEvent():
                self._no_tag(event, place)
                return self._put(Scalar(place, event.value, event.implicit[0]), 1, event.anchor)
            case yaml.SequenceStartEvent():
                self._begin(Sequence(place, []), event, place)
            case yaml.MappingStartEvent():
                self._begin(Table(place, {}, {}), event, place)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                ended = self._open.pop()
                return self._put(ended.node, ended.size, ended.anchor)
            case yaml.AliasEvent(anchor=anchor):
                if anchor not in self._anchors:
                    told = f"*{anchor} stands for something that is named &{anchor} before it, and there is none"
                    raise NotYaml(f'{told}; for the text write "*{anchor}", in quotes', place)
                node, size = self._anchors[anchor]
                return self._put(node, size, None)
        return None

    def _begin(self, node: Sequence | Table, event: Any, place: Place) -> None:
        self._no_tag(event, place)
        if len(self._open) >= MAX_DEPTH:
            raise NotYaml(_TOO_DEEP, place)
        self._anchors.pop(event.anchor, None)  # it cannot be part of itself
        self._open.append(_Open(node, event.anchor))

    def _no_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None and event.tag != "!":
            raise NotYaml(f"{event.tag[:40]} is a tag, which has no meaning here; leave it out", place)

    def _put(self, node: Node, size: int, anchor: str | None) -> Node | None:
        self._size += size
        if self._size > MAX_NODES:
            raise NotYaml(f"with what its aliases stand for it has more than {MAX_NODES} parts", node.place)
        if anchor is not None:
            self._anchors[anchor] = node, size
        if not self._open:
            return node
        top = self._open[-1]
        top.size += size
        if isinstance(top.node, Sequence):
            top.node.items.append(node)
        elif top.key is None:
            top.key = self._key(node, top.node)
        else:
            top.node.entries[top.key.text] = node
            top.node.keys[top.key.text] = top.key.place
            top.key = None
        return None

    def _key(self, node: Node, table: Table) -> Scalar:
        if not isinstance(node, Scalar):
            raise NotYaml("a key must be a text", node.place)
        if node.text in table.entries:
            line = table.keys[node.text].line
            raise NotYaml(f"{node.text[:40]} is there twice, first in line {line}; leave one of them out", node.place)
        return node


def _explained(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    """What the parser says, with what to do about the usual mistakes."""
    problem = str(error.problem)
    line = text.split("\n")[place.line - 1] if place.line <= text.count("\n") + 1 else ""
    char = line[place.column - 1 : place.column]
    if "\t" in line[: len(line) - len(line.lstrip())] or char == "\t":
        return "a tab cannot indent a line in YAML; use blanks"
    if "mapping values are not allowed" in problem:
        return "there is a colon too many: put a text with a colon in quotes"
    if "cannot start any token" in problem:
        return f"a text that begins with {char} must be in quotes"
    if "alias" in str(error.context) or "anchor" in str(error.context):
        return 'a text that begins with * or & must be in quotes, such as "*1"'
    if "unexpected end of stream" in problem:
        return "a quote is opened and never closed"
    if "version" in problem or "incompatible" in problem:
        return "it asks for a version of YAML that is not known; leave out %YAML"
    if "maximum nesting depth" in problem:
        return _TOO_DEEP
    context = f" {error.context}" if error.context else ""
    return f"it is not YAML: {problem}{context}"
