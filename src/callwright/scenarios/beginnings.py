"""Reads of a file no more than is needed to know that it is too large; ``/dev/zero`` has no end."""

from __future__ import annotations

from pathlib import Path


def beginning(path: Path, most: int) -> bytes:
    """A file of up to `most` bytes, or of a larger one a byte more. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(most + 1)
