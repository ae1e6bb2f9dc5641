"""Object storage as recordings need it: a few calls that block, for threads."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from callwright.errors import CallwrightError


class ObjectFault(CallwrightError):
    """Object storage did not do what it was asked."""


class NoObject(ObjectFault):
    """There is no such object."""


class Objects(Protocol):
    """Objects by name. Every call blocks; any may raise `ObjectFault`."""

    def put(self, name: str, path: Path) -> None: ...

    def size(self, name: str) -> int:
        """Raises `NoObject`."""
        ...

    def read(self, name: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer at the end."""
        ...

    def delete(self, name: str) -> None:
        """Also of an object that is not there."""
        ...
