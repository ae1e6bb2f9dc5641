"""The file of an exported scenario."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from callwright.errors import CallwrightError
from callwright.scenarios import reading
from callwright.scenarios.document import Scenario

STDOUT = Path("-")


class NotExportable(CallwrightError):
    """No scenario can be made of a call."""


def document_of(scenario: Scenario) -> str:
    """The scenario in YAML; what has its usual value is left out."""
    return yaml.safe_dump(without_defaults(scenario), sort_keys=False, allow_unicode=True, width=100)


def write(path: Path, scenario: Scenario) -> None:
    """Write it to a file that is not there yet, or is the call's own of before, or to `STDOUT`. Raises `NotExportable`."""
    document = document_of(scenario)
    reading.read(document.encode(), str(path), path.parent)
    if path == STDOUT:
        sys.stdout.write(document)
        return
    own = f"name: {scenario.name}\n".encode()
    try:
        if path.is_file() and path.read_bytes()[: len(own)] != own:
            raise NotExportable(f"{path} is there, and is no scenario of this call. Take it away, or name another file.")
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise NotExportable(f"{path} cannot be written: {error.strerror}.") from error


def without_defaults(part: msgspec.Struct) -> dict[str, Any]:
    """A part of a scenario or of the settings as plain values; what has its usual value is left out."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(part):
        value = getattr(part, field.name)
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value != default or field.required:
            found[field.encode_name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return without_defaults(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value
