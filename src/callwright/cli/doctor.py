"""``callwright doctor``: ask the server what only it knows, examine the rest, and tell what was found."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from callwright.cli import show
from callwright.cli.control import NoServer, Refused, reach
from callwright.cli.place import Place
from callwright.clock import SystemClock
from callwright.doctor import Finding, Level, Machine, Scene, examine, exit_status, fix, settings_faults, worst
from callwright.errors import DataFolderError, SettingsError
from callwright.native import ServerState
from callwright.settings import Loaded, Settings, load, rows

# A server that does not answer within this is not well.
PATIENCE_S = 3.0
HIDDEN = "***"
NO_FOLDER = Path(os.devnull)


def run(place: Place, *, deep: bool, strict: bool, json: bool, fixing: bool = False) -> int:
    """Print the findings, of the folder as it is after `fixing`; the exit status. Raises `DataFolderError` for no fix."""
    findings: list[Finding] = []
    if fixing:
        findings.append(fix(place.folder, SystemClock()))
    server, in_force = _ask(place, findings)
    settings = _settings(place, in_force, findings)
    scene = Scene(folder=place.folder, settings=settings, machine=Machine(), clock=SystemClock(), server=server, deep=deep)
    findings += examine(scene)
    if json:
        show.as_json({"status": worst(findings).value, "findings": [msgspec.to_builtins(finding) for finding in findings]})
    else:
        lines = [(finding.level.value, finding.check, finding.seen, finding.remedy) for finding in findings]
        show.table(("", "Check", "Seen", "What to do"), lines, empty="")
        show.aside(_summary(findings))
    return exit_status(findings, strict=strict)


def _ask(place: Place, findings: list[Finding]) -> tuple[ServerState | None, list[dict[str, Any]]]:
    """What a running server says, and the settings it runs with."""
    try:
        with reach(place, server_only=True, answer_s=PATIENCE_S) as control:
            state = msgspec.convert(control.get("/api/state"), ServerState)
            return state, control.get("/api/settings")["data"]
    except NoServer:
        return None, []  # `files.left_behind` tells a server that is silent from none
    except (Refused, msgspec.ValidationError) as error:
        remedy = "Use the callwright of the same version as the server's."
        findings.append(Finding("server.version", Level.FAULT, f"the server does not tell its state: {error}", remedy))
    except DataFolderError as error:
        findings.append(Finding("server.socket", Level.FAULT, str(error), "Run doctor as the user the server runs as."))
    return None, []


def _settings(place: Place, in_force: list[dict[str, Any]], findings: list[Finding]) -> Settings:
    """Those a running server has, else those a server started here would have."""
    told = _told(in_force)
    try:
        loaded = place.settings()
    except SettingsError as error:
        findings += settings_faults(error)
        return _put_together(lambda: load(told, {}, None, NO_FOLDER), Settings(), findings)
    findings.append(Finding("settings", Level.OK, "all can be used"))
    here = {row.key: row.value for row in rows(loaded)}
    if other := [row["key"] for row in in_force if here.get(row["key"]) != row["value"]]:
        seen = f"the server runs with another value of: {', '.join(other)}"
        remedy = "A flag or its environment set it, or the file has changed since; the next start decides anew."
        findings.append(Finding("settings.in_force", Level.NOTE, seen, remedy))
    return _put_together(lambda: place.settings(told), loaded.settings, findings)


def _told(in_force: list[dict[str, Any]]) -> dict[str, object]:
    """Values by key, lists of tables put together of their entries. Secrets are left out; those of entries are ``***``."""
    told: dict[str, object] = {}
    lists: dict[str, dict[str, dict[str, object]]] = {}
    for row in in_force:
        key, value = row["key"], row["value"]
        name, bracket, rest = key.partition("[")
        if bracket:
            position, _, field = rest.partition("].")
            entry = lists.setdefault(name, {}).setdefault(position, {})
            entry[field] = HIDDEN if value == HIDDEN else _value(value)
        elif value != HIDDEN:
            told[key] = _value(value)
    return told | {name: [*entries.values()] for name, entries in lists.items()}


def _value(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


def _put_together(load_them: Callable[[], Loaded], instead: Settings, findings: list[Finding]) -> Settings:
    """What a server told may be of another version, or lack a secret on which the rest depends."""
    try:
        return load_them().settings
    except SettingsError as error:
        seen = f"what the server runs with cannot be put together here: {'; '.join(str(error).splitlines())}"
        remedy = "What follows is seen with the settings of this place; run doctor with the server's --config and version."
        findings.append(Finding("settings.in_force", Level.WARNING, seen, remedy))
        return instead


def _summary(findings: list[Finding]) -> str:
    counted = {level: sum(finding.level is level for finding in findings) for level in Level}
    faults, warnings = counted[Level.FAULT], counted[Level.WARNING]
    return f"{faults} faults, {warnings} warnings, {counted[Level.NOTE]} notes; {counted[Level.OK]} checks found nothing."
