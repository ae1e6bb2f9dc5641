"""Files named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from callwright.errors import CallwrightError


class Unreadable(CallwrightError):
    """A file cannot be read."""


def read_bytes(name: str) -> bytes:
    """Read a file, or standard input for ``-``."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror}.") from error
