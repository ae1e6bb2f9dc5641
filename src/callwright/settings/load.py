"""Where settings come from, and which source wins.

    command line  >  environment CALLWRIGHT_SECTION__KEY  >  --config file  >  <data>/callwright.toml  >  default

A higher source replaces a value as a whole, lists and tables too. Every name in every source must be known, whether
its value is used or not; all faults are reported together.
"""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from callwright.errors import SettingsError
from callwright.settings.checks import conflicts
from callwright.settings.reading import Reading, nearest
from callwright.settings.schema import bare, known_keys, sections
from callwright.settings.sections import Settings

PREFIX = "CALLWRIGHT_"
FILE_NAME = "callwright.toml"
DEFAULT = "default"
# tomllib's own error and that of text that is not UTF-8 are ValueErrors; so is what numbers of too many digits raise.
_NOT_TOML = (ValueError, RecursionError)


class Loaded(msgspec.Struct, frozen=True):
    """The settings in force and, by key (``http.port``, ``trunks``), where each was set."""

    settings: Settings
    origins: dict[str, str]


class _Written(msgspec.Struct, frozen=True):
    value: Any
    origin: str


_Layer = dict[str, _Written]


def load(flags: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None, data: Path) -> Loaded:
    """Put the settings together or raise `SettingsError` with one line for each fault.

    `flags` holds command-line values by key; None means that the flag was not given, text is read as in the
    environment. `config_path` must exist when it is given; the file in the data folder need not.
    """
    faults: list[str] = []
    written: _Layer = {}
    written |= _from_file(data / FILE_NAME, faults, optional=True)
    if config_path is not None:
        written |= _from_file(config_path, faults)
    written |= _from_environment(environ, faults)
    written |= _from_flags(flags, faults)

    raw: dict[str, Any] = {}
    for key, found in written.items():
        section, _, name = key.partition(".")
        if name:
            raw.setdefault(section, {})[name] = found.value
        else:
            raw[section] = found.value
    origins = {key: written[key].origin if key in written else DEFAULT for key in known_keys()}
    reading = Reading(origins, faults)
    settings = reading.value("", raw, Settings)
    if not faults:
        for key, seen, problem in conflicts(settings):
            reading.fault(key, problem, seen=seen)
    if faults:
        raise SettingsError("\n".join(faults))
    return Loaded(settings, origins)


def _from_file(path: Path, faults: list[str], *, optional: bool = False) -> _Layer:
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        faults.append(f"{path}: cannot be read: {error.strerror}.")
        return {}
    except _NOT_TOML as error:
        faults.append(f"{path}: is not TOML: {error}.")
        return {}
    known = known_keys()
    layer: _Layer = {}
    for section, body in content.items():
        if section in known:
            layer[section] = _Written(body, str(path))
        elif section not in sections():
            faults.append(f"{section} ({path}): is not a section of the settings; {nearest(section, sections())}.")
        elif not isinstance(body, dict):
            faults.append(f"{section} ({path}): must be a table: write [{section}] and its keys below.")
        else:
            for name, value in body.items():
                if (key := f"{section}.{name}") in known:
                    layer[key] = _Written(value, str(path))
                else:
                    faults.append(f"{key} ({path}): is not a setting; {_nearest_key(key)}.")
    return layer


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> _Layer:
    names = {PREFIX + key.upper().replace(".", "__"): key for key in known_keys()}
    # Container platforms add variables of their own (CALLWRIGHT_SERVICE_HOST), so a name without "__" is let pass
    # unless it is a setting with the underscore typed once.
    mistyped = {name.replace("__", "_"): name for name in names}
    layer: _Layer = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        if name in names:
            layer |= _from_text(names[name], text, f"environment {name}", faults)
        elif name in mistyped:
            faults.append(f"{name} (environment): is not a setting; two underscores part section and key: {mistyped[name]}.")
        elif "__" in name:
            faults.append(f"{name} (environment): is not a setting; {nearest(name, names)}.")
    return layer


def _from_flags(flags: Mapping[str, object], faults: list[str]) -> _Layer:
    layer: _Layer = {}
    for key, value in flags.items():
        if key not in known_keys():
            faults.append(f"{key} (command line): is not a setting; {_nearest_key(key)}.")
        elif isinstance(value, str):
            layer |= _from_text(key, value, "command line", faults)
        elif value is not None:
            layer[key] = _Written(value, "command line")
    return layer


def _nearest_key(key: str) -> str:
    """Name the nearest key of the section when there is one, else the nearest of all."""
    section = [known for known in known_keys() if known.partition(".")[0] == key.partition(".")[0]]
    return nearest(key, section or known_keys())


def _from_text(key: str, text: str, origin: str, faults: list[str]) -> _Layer:
    try:
        return {key: _Written(_read_text(text.strip(), bare(known_keys()[key])), origin)}
    except _NOT_TOML as error:
        faults.append(f"{key} ({origin}): must be written as a value of TOML: {error}.")
        return {}


def _read_text(text: str, kind: Any) -> Any:
    """Read a value from a shell: numbers and lists need no quotes or brackets, tables are written as in TOML."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict or (origin is tuple and text.startswith("[")):
        return tomllib.loads(f"value = {text}")["value"]
    if origin is tuple:
        return [_read_text(one.strip(), bare(arguments[0])) for one in text.split(",")] if text else []
    if kind in (int, float, bool):
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError:
            return text  # the fault is told later, like one in a file
    return text
