"""From a tree of texts to the structs of a scenario: each text is read as what is wanted in its place.

Whatever does not fit is noted, with what was seen and what is right, and reading goes on. What is left without it can still be
judged, as long as nobody misses there what is only unreadable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from callwright.scenarios.tree import Node, Place, Scalar, Sequence, Table, plain_value
from callwright.settings.reading import nearest
from callwright.trunks.routes import address

S = TypeVar("S", bound=msgspec.Struct)

MOST_SHOWN = 60
# What other writers of YAML take for true and false.
_OTHER_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


class _Misfit:
    """Stands for what could not be read; the fault is noted."""


MISFIT: Any = _Misfit()


class Fitting:
    """`note` is told place, key and sentence of each fault; `places` has where each key of what was read stands.

    `torn` has the keys that do not fit, or may be meant by one that is not known, and what they are part of.
    """

    def __init__(self, note: Callable[[Place, str, str], None]) -> None:
        self._note = note
        self.places: dict[str, Place] = {}
        self.torn: set[str] = set()

    def struct(self, node: Node, kind: type[S], key: str = "") -> S | None:
        """What could be read: what did not fit has its default, and where it has none, no value of its type.

        None where the whole is no table.
        """
        value = self._value(node, _type_of(kind), key)
        return None if value is MISFIT else value

    def _misfit(self, node: Node, key: str, sentence: str) -> Any:
        self._note(node.place, key, sentence)
        self.torn.add(key)
        return MISFIT

    def _value(self, node: Node, kind: inspect.Type, key: str) -> Any:
        self.places.setdefault(key, node.place)
        match kind:
            case inspect.Metadata():
                return self._described(node, kind, key)
            case inspect.UnionType():
                return self._one_of(node, kind, key)
            case inspect.StructType():
                return self._struct(node, kind, key)
            case inspect.DictType():
                return self._dict(node, kind, key)
            case inspect.ListType() | inspect.VarTupleType():
                return self._list(node, kind, key)
            case inspect.AnyType():
                self._note_places(node, key)
                return plain_value(node)
            case _:
                return self._scalar(node, kind, key)

    def _note_places(self, node: Node, key: str) -> None:
        """Of a flow, whose own faults are told by places such as ``steps[0]``, counted from 0."""
        self.places.setdefault(key, node.place)
        if isinstance(node, Table):
            for name, below in node.entries.items():
                self.places[f"{key}.{name}"] = node.keys[name]
                self._note_places(below, f"{key}.{name}")
        elif isinstance(node, Sequence):
            for n, below in enumerate(node.items):
                self._note_places(below, f"{key}[{n}]")

    def _described(self, node: Node, kind: inspect.Metadata, key: str) -> Any:
        """A type with words of ours: its `words` are all there are, `allowed` says what a text may be, `check` why not.

        What is `stripped` is without white space around it, such as the line end of a folded text (``>``).
        """
        extra = kind.extra or {}
        if extra.get("stripped") and isinstance(node, Scalar):
            node = node._replace(text=node.text.strip())
        if extra.get("address"):
            return self._address(node, kind.type, key)
        words = extra.get("words")
        if words is not None:
            found = self._value(node, kind.type, key)
            if found is MISFIT or found is None or found in words:
                return found
            return self._misfit(node, key, f"{_shown(found)} is not known; {nearest(found, words)}")
        if "allowed" in extra and isinstance(kind.type, inspect.StrType) and isinstance(node, Scalar):
            pattern = kind.type.pattern
            if pattern is not None and re.search(pattern, node.text) is None:
                return self._misfit(node, key, f"it must be {extra['allowed']}, and not {_seen(node)}{_hint(node)}")
            if "check" in extra and (why := extra["check"](node.text)) is not None:
                return self._misfit(node, key, why)
        return self._value(node, kind.type, key)

    def _address(self, node: Node, kind: inspect.Type, key: str) -> Any:
        found = self._value(node, kind, key)
        if found is MISFIT:
            return found
        known = address(found)
        if known is None:
            told = f"{_shown(found)} is neither a telephone number of 3 to 15 digits nor a URI such as sip:user@host"
            return self._misfit(node, key, told)
        return known

    def _one_of(self, node: Node, kind: inspect.UnionType, key: str) -> Any:
        kinds = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        if len(kinds) < len(kind.types) and isinstance(node, Scalar) and node.is_null:
            if node.text:
                return None
            return self._misfit(node, key, f"nothing is written there; leave the key out{_hint(node)}")
        fitting = [one for one in kinds if _takes(one, node)]
        return self._value(node, (fitting or kinds)[0], key)

    def _struct(self, node: Node, kind: inspect.StructType, key: str) -> Any:
        if not isinstance(node, Table):
            return self._misfit(node, key, f"it must be keys with values, and not {_seen(node)}")
        known = {field.encode_name: field for field in kind.fields}
        values: dict[str, Any] = {}
        for name, below in node.entries.items():
            if name in known:
                self.places[_path(key, name)] = node.keys[name]
                values[known[name].name] = self._value(below, known[name].type, _path(key, name))
            else:
                self._note(node.keys[name], _path(key, name), f"there is no such key; {nearest(name, known)}")
                self.torn |= {key, *(_path(key, other) for other in known if other not in node.entries)}
        for name, field in known.items():
            if field.required and name not in node.entries:
                values[field.name] = self._misfit(node, _path(key, name), "it is missing")
        return kind.cls(**self._without_misfits(kind, values, key))

    def _without_misfits(self, kind: inspect.StructType, values: dict[str, Any], key: str) -> dict[str, Any]:
        if any(value is MISFIT for value in values.values()):
            self.torn.add(key)
        required = {field.name for field in kind.fields if field.required}
        return {name: value for name, value in values.items() if value is not MISFIT or name in required}

    def _dict(self, node: Node, kind: inspect.DictType, key: str) -> Any:
        if not isinstance(node, Table):
            return self._misfit(node, key, f"it must be keys with values, and not {_seen(node)}")
        found = {}
        for name, below in node.entries.items():
            self.places[f"{key}.{name}"] = node.keys[name]
            found[name] = self._value(below, kind.value_type, f"{key}.{name}")
        return {name: value for name, value in found.items() if value is not MISFIT}

    def _list(self, node: Node, kind: inspect.ListType | inspect.VarTupleType, key: str) -> Any:
        if not isinstance(node, Sequence):
            return self._misfit(node, key, f"it must be a list, and not {_seen(node)}; put a dash before each entry")
        found = [self._value(below, kind.item_type, f"{key}[{n}]") for n, below in enumerate(node.items, 1)]
        if any(one is MISFIT for one in found):  # without it the others would be counted wrongly
            return MISFIT
        return tuple(found) if isinstance(kind, inspect.VarTupleType) else found

    def _scalar(self, node: Node, kind: inspect.Type, key: str) -> Any:
        wanted = _in_words(kind)
        if not isinstance(node, Scalar):
            return self._misfit(node, key, f"it must be {wanted}, and not {_seen(node)}")
        if node.plain and not node.text:
            return self._misfit(node, key, f"nothing is written there, where {wanted} belongs{_hint(node)}")
        value = _read(node, kind)
        if value is MISFIT:
            other = _OTHER_TRUTHS.get(node.text.casefold()) if isinstance(kind, inspect.BoolType) else None
            told = f"; write {other}" if other else _hint(node)
            return self._misfit(node, key, f"it must be {wanted}, and not {_seen(node)}{told}")
        return value


@cache
def _type_of(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _path(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _takes(kind: inspect.Type, node: Node) -> bool:
    """Whether a node has the shape of a type, and where it is a scalar, can be read as it."""
    match kind:
        case inspect.Metadata():
            return _takes(kind.type, node)
        case inspect.StructType() | inspect.DictType():
            return isinstance(node, Table)
        case inspect.ListType() | inspect.VarTupleType():
            return isinstance(node, Sequence)
        case inspect.AnyType():
            return True
        case _:
            return isinstance(node, Scalar)


def _read(node: Scalar, kind: inspect.Type) -> Any:
    text = node.text
    match kind:
        case inspect.StrType():
            fits = (kind.min_length or 0) <= len(text) <= (kind.max_length or len(text))
            return text if fits and (kind.pattern is None or re.search(kind.pattern, text)) else MISFIT
        case inspect.BoolType():
            return {"true": True, "false": False}.get(text, MISFIT)
        case inspect.LiteralType():
            return text if text in kind.values else MISFIT
        case inspect.IntType():
            whole = re.fullmatch(r"[-+]?[0-9]{1,15}", text) is not None
            return int(text) if whole and _within(int(text), kind) else MISFIT
        case inspect.FloatType():
            if _NUMBER.fullmatch(text) is None:
                return MISFIT
            return float(text) if math.isfinite(float(text)) and _within(float(text), kind) else MISFIT
        case _:
            raise TypeError(f"scenarios have no values of the type {kind}")


def _within(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    return (kind.ge is None or value >= kind.ge) and (kind.le is None or value <= kind.le)


def _in_words(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType(max_length=int(longest)):
            return f"a text of 1 to {longest} characters" if kind.min_length else f"a text of at most {longest} characters"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return f"one of {', '.join(str(word) for word in kind.values if word)}"
        case inspect.IntType() | inspect.FloatType():
            number = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            both = kind.ge is not None and kind.le is not None
            return f"{number} from {kind.ge:g} to {kind.le:g}" if both else number
        case _:
            return "a text"


def _seen(node: Node) -> str:
    match node:
        case Table():
            return "keys with values"
        case Sequence():
            return "a list"
        case Scalar(text="", plain=True):
            return "nothing"
        case Scalar(text=text):
            return _shown(text)


def _hint(node: Node) -> str:
    """Nothing may be a text that begins with what YAML takes for a comment."""
    return (
        '; a # begins a comment: write "#" if that is meant'
        if isinstance(node, Scalar) and node.plain and not node.text
        else ""
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…")
