"""The settings a scenario runs with: those at hand, and in the place of some its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from callwright.errors import SettingsError
from callwright.scenarios.document import Scenario
from callwright.settings import Settings, load
from callwright.settings.reading import nearest
from callwright.settings.schema import fields, known_keys, sections

# As the loader has it: what is handed to it by key comes from a command line.
_FAULT = re.compile(r"(?P<key>[\w.\[\]]+)(?: = (?P<seen>.*))? \(command line\): (?P<sentence>.*)\.", re.DOTALL)


def settings_of(scenario: Scenario, base: Settings | None = None) -> Settings:
    """`base`, or the defaults, with what the scenario sets. Raises `SettingsError`."""
    base = base or Settings()
    if not scenario.settings:
        return base
    keys = _flat(scenario.settings)
    own = _loaded(msgspec.json.encode(keys))
    changed: dict[str, Any] = {}
    for key in keys:
        section, _, name = key.partition(".")
        field = fields(Settings)[section].name
        there = changed.get(field, getattr(base, field))
        ours = getattr(own, field)
        if name:
            attribute = fields(type(there))[name].name
            ours = msgspec.structs.replace(there, **{attribute: getattr(ours, attribute)})
        changed[field] = ours
    return msgspec.structs.replace(base, **changed)


def faults(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and sentence of whatever is wrong with the settings of a scenario."""
    readable: dict[str, Any] = {}
    for name, values in settings.items():
        if name not in sections():
            yield name, f"it is no section of the settings; {nearest(name, sections())}"
        elif name not in known_keys() and not isinstance(values, Mapping):
            yield name, f"it is a section; write {{key: value}}, such as {_first_key(name)}, below it"
        else:
            readable[name] = values
    try:
        _loaded(msgspec.json.encode(_flat(readable)))
    except SettingsError as error:
        for line in str(error).splitlines():
            found = _FAULT.fullmatch(line)
            if found is None:
                yield "", line.rstrip(".")
            else:
                seen = f", and not {found['seen']}" if found["seen"] else ""
                yield found["key"], f"{found['sentence']}{seen}"


def _first_key(section: str) -> str:
    return next(key for key in known_keys() if key.startswith(f"{section}.")).removeprefix(f"{section}.")


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """By key as settings are known; what is no section stays as it is, for the loader to say so."""
    flat: dict[str, Any] = {}
    for section, values in settings.items():
        if section in known_keys() or not isinstance(values, Mapping):
            flat[section] = values
        else:
            flat |= {f"{section}.{name}": value for name, value in values.items()}
    return flat


@lru_cache(maxsize=64)
def _loaded(flags: bytes) -> Settings:
    """The defaults with these; nothing of this machine."""
    return load(msgspec.json.decode(flags), {}, None, Path(os.devnull)).settings
