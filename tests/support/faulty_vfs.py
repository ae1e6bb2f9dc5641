"""A disk that fails when a test says so, under a real database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

# What SQLite itself says of these.
_SAID: dict[type[apsw.Error], str] = {
    apsw.FullError: "database or disk is full",
    apsw.IOError: "disk I/O error",
    apsw.ReadOnlyError: "attempt to write a readonly database",
}


class FaultyDisk(apsw.VFS):
    """SQLite's way to the file system. With a `fault` every write raises it; reads go on."""

    def __init__(self) -> None:
        super().__init__("faulty", "unix", makedefault=True)
        self.fault: type[apsw.Error] | None = None
        self.refused = 0

    def xOpen(self, name: Any, flags: list[int]) -> FaultyFile:  # noqa: N802
        return FaultyFile(self, name, flags)

    def check(self) -> None:
        if self.fault is not None:
            self.refused += 1
            raise self.fault(_SAID.get(self.fault, "something else"))


class FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.check()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.check()
        super().xSync(flags)


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """The disk of every database that is opened inside."""
    disk = FaultyDisk()
    try:
        yield disk
    finally:
        disk.fault = None
        disk.unregister()
