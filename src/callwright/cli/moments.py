"""Times as people write them on a command line, and as they read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

from callwright.clock import from_rfc3339

_SPAN = re.compile(r"([0-9]{1,6})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def ago(text: str, option: str, now: datetime | None = None) -> str:
    """RFC 3339 as it is, or so long ago: ``90s``, ``10m``, ``2h``, ``3d``.

    >>> ago("2h", "--since", datetime(2026, 5, 4, 10, tzinfo=UTC))
    '2026-05-04T08:00:00Z'
    """
    span = seconds_of(text)
    try:
        if span is not None:
            at = (now or datetime.now(UTC)) - timedelta(seconds=span)
        else:
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=from_rfc3339(text))
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r}: write 90s, 10m, 2h or 3d, or a time such as 2026-05-04T10:00:00Z", param_hint=option
        ) from None


def seconds_of(text: str) -> int | None:
    """
    >>> seconds_of("2h"), seconds_of("soon")
    (7200, None)
    """
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]


def overlap_of(text: str) -> int:
    """Seconds that what is replaced stays good: a span, or 0.

    >>> overlap_of("3d"), overlap_of("0")
    (259200, 0)
    """
    seconds = 0 if text == "0" else seconds_of(text)
    if seconds is None:
        raise typer.BadParameter(f"{text!r}: write 90s, 10m, 2h or 3d, or 0", param_hint="--overlap")
    return seconds


def is_past(text: str, now: datetime | None = None) -> bool:
    """
    >>> is_past("2026-05-04T10:00:00.5Z", datetime(2026, 5, 4, 10, tzinfo=UTC))
    False
    """
    return datetime.fromisoformat(text) <= (now or datetime.now(UTC))


def short(text: str | None) -> str:
    """A time of the native interface to the second.

    >>> short("2026-05-04T10:00:00.123456Z")
    '2026-05-04 10:00:00'
    """
    return "" if text is None else text[:19].replace("T", " ")
