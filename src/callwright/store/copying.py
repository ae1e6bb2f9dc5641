"""A database copied while others write to it, into a part of another file.

The pages are read in one transaction, so they are of one moment, and nobody who writes waits for it. Until it is done the log
of writes cannot be emptied: it grows by what is written meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from callwright.errors import DataFolderError
from callwright.store.batch import described
from callwright.store.survey import Survey
from callwright.store.writer import BUSY_MS

PAGES_AT_ONCE = 4_096
_VFS = "callwright-part"


class _Part(apsw.VFSFile):
    """What begins at a byte of a file, as if it were a file; of `size` bytes, or to its end."""

    def __init__(self, name: Any, flags: list[int]) -> None:
        is_part = isinstance(name, apsw.URIFilename)
        self._offset = name.uri_int("offset", 0) if is_part else 0
        self._size = name.uri_int("size", -1) if is_part else -1
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return super().xRead(amount, offset + self._offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset + self._offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize + self._offset)

    def xFileSize(self) -> int:  # noqa: N802
        return max(0, super().xFileSize() - self._offset) if self._size < 0 else self._size


class _Parts(apsw.VFS):
    def __init__(self) -> None:
        super().__init__(_VFS, "")

    def xOpen(self, name: Any, flags: list[int]) -> _Part:  # noqa: N802
        return _Part(name, flags)


_parts = _Parts()  # it is there for as long as somebody holds it


def copy_database(path: Path, into: Path, offset: int) -> int:
    """Write a database into a file that is there, from a byte on to its end; the bytes it has.

    Raises `DataFolderError` when it cannot be read or written.
    """
    try:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise DataFolderError(f"The database {path} cannot be read: {described(error)}") from error
    try:
        source.set_busy_timeout(BUSY_MS)
        source.execute("PRAGMA query_only = 1")
        target = apsw.Connection(_part_of(into, offset), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI, vfs=_VFS)
        try:
            # The file is worth nothing before it is whole, and is synced by whoever wants it.
            target.execute("PRAGMA synchronous = off; PRAGMA journal_mode = off")
            source.execute("BEGIN")
            source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchall()  # the moment is that of the first read
            with target.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_AT_ONCE)
                size = backup.page_count * int(source.pragma("page_size") or 0)
            source.execute("ROLLBACK")
        finally:
            target.close()
    except apsw.Error as error:
        raise DataFolderError(f"The database {path} cannot be copied to {into}: {described(error)}") from error
    finally:
        source.close()
    return size


def survey_part(path: Path, offset: int, size: int) -> Survey:
    """A database within a file that nobody changes, looked at. Raises `DataFolderError`."""
    try:
        connection = apsw.Connection(
            _part_of(path, offset, f"&size={size}&immutable=1&mode=ro"),
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs=_VFS,
        )
    except apsw.Error as error:
        raise DataFolderError(f"{path} cannot be read: {described(error)}") from error
    return Survey(connection, path, None)


def _part_of(path: Path, offset: int, more: str = "") -> str:
    return f"file:{quote(str(path.absolute()))}?offset={offset}{more}"
