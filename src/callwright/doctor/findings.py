"""What a check has to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

import msgspec


class Level(Enum):
    """`NOTE`: worth knowing, nothing to do. `WARNING`: calls work, until something comes. `FAULT`: something does not work."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


_RANK = {level: rank for rank, level in enumerate(Level)}


class Finding(msgspec.Struct, frozen=True):
    """`check` names what was looked at, as ``disk.space``; a warning and a fault have a remedy."""

    check: str
    level: Level
    seen: str
    remedy: str = ""


Findings = Iterator[Finding]


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Level.OK, seen)


def note(check: str, seen: str, remedy: str = "") -> Finding:
    return Finding(check, Level.NOTE, seen, remedy)


def warning(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, seen, remedy)


def fault(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Level.FAULT, seen, remedy)


def settings_faults(error: Exception) -> list[Finding]:
    """Each line of a `SettingsError` as a finding."""
    remedy = "Correct it: the server does not start so."
    return [fault("settings", line, remedy) for line in str(error).splitlines()]


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), key=_RANK.__getitem__, default=Level.OK)


def exit_status(findings: Iterable[Finding], *, strict: bool) -> int:
    """1 for a fault and, if strict, for a warning; else 0."""
    return int(_RANK[worst(findings)] >= _RANK[Level.WARNING if strict else Level.FAULT])


def size(count: float) -> str:
    """Write a number of bytes.

    >>> size(1_300_000_000)
    '1.3 GB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(seconds: float) -> str:
    """Write a time span in its largest unit.

    >>> span(7200)
    '2 hours'
    """
    for length, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def some(items: list[str], most: int = 3) -> str:
    """Name the first few and count the rest."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")
