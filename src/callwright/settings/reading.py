"""From what was written to settings, with every fault told by its key, its source, what was seen and what is allowed."""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from callwright.settings import schema

MOST_SHOWN = 80


class Reading:
    """Turns plain values into structs and adds what is wrong with them to `faults`."""

    def __init__(self, origins: Mapping[str, str], faults: list[str]) -> None:
        self._origins = origins
        self._faults = faults

    def value(self, path: str, raw: Any, kind: Any) -> Any:
        """Convert `raw`; what comes back is only of use when there were no faults."""
        bare = schema.bare(kind)
        if schema.fields(bare) and isinstance(raw, dict):
            return self._struct(path, raw, bare)
        origin, arguments = typing.get_origin(bare), typing.get_args(bare)
        if origin is dict and isinstance(raw, dict):
            before = len(self._faults)
            entries = {
                self.value(f"{path}.{key}", key, arguments[0]): self.value(f"{path}.{key}", one, arguments[1])
                for key, one in raw.items()
            }
            return self._checked(path, raw, entries, kind) if len(self._faults) == before else entries
        if origin is tuple and isinstance(raw, list | tuple):
            kinds = [arguments[0]] * len(raw) if arguments[-1] is Ellipsis else arguments
            if len(kinds) == len(raw):
                before = len(self._faults)
                items = tuple(self.value(f"{path}[{n}]", one, kinds[n]) for n, one in enumerate(raw))
                return self._checked(path, raw, items, kind) if len(self._faults) == before else items
        return self._plain(path, raw, kind)

    def fault(self, path: str, problem: str, **seen: Any) -> None:
        """Note a fault, with the value unless it may be or hold a secret: pass it as `seen`."""
        shown = f" = {_shown(seen['seen'])}" if "seen" in seen else ""
        self._faults.append(f"{path}{shown} ({self._origin(path)}): {problem}.")

    def _origin(self, path: str) -> str:
        section, *names = re.split(r"[.\[]", path, maxsplit=2)
        return self._origins.get(section) or self._origins[f"{section}.{names[0]}"]

    def _struct(self, path: str, raw: dict[str, Any], kind: Any) -> Any:
        known = schema.fields(kind)
        values: dict[str, Any] = {}
        for name, one in raw.items():
            below = f"{path}.{name}" if path else name
            if name in known:
                values[known[name].name] = self.value(below, one, known[name].type)
            else:
                self.fault(below, f"is not a setting; {nearest(name, known)}")
        missing = [name for name, field in known.items() if field.required and name not in raw]
        if missing:
            self.fault(path, f"must have {' and '.join(missing)}")
            return None
        return kind(**values)

    def _plain(self, path: str, raw: Any, kind: Any) -> Any:
        seen = {} if schema.is_secret(kind) else {"seen": raw}
        try:
            value = msgspec.convert(raw, kind)
        except msgspec.ValidationError:
            value = None
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            self.fault(path, f"must be {schema.allowed(kind)}", **seen)
            return raw
        return self._checked(path, raw, value, kind)

    def _checked(self, path: str, raw: Any, value: Any, kind: Any) -> Any:
        check = schema.rules(kind).get("check")
        if check is not None and (problem := check(value)):
            self.fault(path, problem, **({} if schema.is_secret(kind) else {"seen": raw}))
        return value


def nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"the nearest is {close[0]}"
    return f"there are {', '.join(names)}" if len(names) <= 16 else "`callwright settings` lists all"


def _shown(raw: Any) -> str:
    # Whole tables are not shown: one may hold a trunk's password.
    if isinstance(raw, dict):
        return "{…}"
    if isinstance(raw, list | tuple) and any(isinstance(one, dict) for one in raw):
        return "[{…}]"
    text = schema.toml(raw)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
