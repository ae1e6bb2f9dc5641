"""``callwright doctor``: ask the server what only it knows, examine the rest, and tell what was found."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from callwright.cli import show
from callwright.cli.control import NoServer, Refused, reach
from callwright.cli.place import Place
from callwright.clock import SystemClock
from callwright.doctor import Finding, Level, Machine, Scene, examine, exit_status, settings_faults, worst
from callwright.errors import DataFolderError, SettingsError
from callwright.native import ServerState
from callwright.settings import Settings, load, rows

# A server that does not answer within this is not well.
PATIENCE_S = 3.0
HIDDEN = "***"
NO_FOLDER = Path(os.devnull)


def run(place: Place, *, deep: bool, strict: bool, json: bool) -> int:
    """Print the findings; the exit status."""
    findings: list[Finding] = []
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
    told: dict[str, object] = {
        row["key"]: tomllib.loads(f"value = {row['value']}")["value"] for row in in_force if _readable(row["key"], row["value"])
    }
    try:
        loaded = place.settings()
    except SettingsError as error:
        findings += settings_faults(error)
        return load(told, {}, None, NO_FOLDER).settings
    findings.append(Finding("settings", Level.OK, "all can be used"))
    here = {row.key: row.value for row in rows(loaded)}
    if other := [row["key"] for row in in_force if here.get(row["key"]) != row["value"]]:
        seen = f"the server runs with another value of: {', '.join(other)}"
        remedy = "A flag or its environment set it, or the file has changed since; the next start decides anew."
        findings.append(Finding("settings.in_force", Level.NOTE, seen, remedy))
    return place.settings(told).settings


def _readable(key: str, value: str) -> bool:
    """Secrets are not told, and lists of tables not as one value; those are taken from this place."""
    return value != HIDDEN and "[" not in key and key != "trunks"


def _summary(findings: list[Finding]) -> str:
    counted = {level: sum(finding.level is level for finding in findings) for level in Level}
    faults, warnings = counted[Level.FAULT], counted[Level.WARNING]
    return f"{faults} faults, {warnings} warnings, {counted[Level.NOTE]} notes; {counted[Level.OK]} checks found nothing."
