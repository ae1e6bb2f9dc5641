"""A database looked at from outside: for who seeks faults in it, whether a server has it open or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import apsw

from callwright.errors import DataFolderError, StoreUnavailable
from callwright.store.change import Row
from callwright.store.migrate import Migration, migrations
from callwright.store.schema import Differences, differences
from callwright.store.store import Store

LIBRARY = apsw.sqlite_lib_version()
MOST_FAULTS = 20


class History(NamedTuple):
    """Migrations the program has and the database lacks, and what the database has that the program cannot know."""

    pending: list[Migration]
    foreign: list[str]


class Survey(Store):
    """Reads like any store; nothing is migrated or repaired, and every write is refused.

    Every method raises `DataFolderError` when the file cannot be read.
    """

    def __init__(self, connection: apsw.Connection, path: Path, still: tuple[int, int] | None) -> None:
        """`still` is what the file was like when it was taken for one that does not change."""
        super().__init__(_Refusing(), connection)
        self._connection = connection
        self._path = path
        self._still = still

    @classmethod
    def of(cls, path: Path) -> Self:
        """Open a file that is there.

        Where there is no write-ahead log nobody has the database open, and it is read as a file that does not change;
        otherwise SQLite would leave an empty log behind.
        """
        try:
            still = None if _log_of(path).exists() else _likeness(path)
            quiet = "" if still is None else "&immutable=1"
            connection = apsw.Connection(
                f"file:{quote(str(path.absolute()))}?mode=ro{quiet}", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
            connection.set_busy_timeout(5_000)
            connection.execute("SELECT COUNT(*) FROM sqlite_schema")
        except apsw.Error as error:
            raise _unreadable(error) from error
        return cls(connection, path, still)

    @property
    def overtaken(self) -> bool:
        """Whether somebody has opened a file that was taken for one that does not change: what was read may be wrong."""
        return self._still is not None and (_log_of(self._path).exists() or _likeness(self._path) != self._still)

    def read(self, query: str, params: Row = ()) -> list[Row]:
        try:
            return super().read(query, params)
        except apsw.Error as error:
            raise _unreadable(error) from error

    def faults(self, *, deep: bool) -> list[str]:
        """What SQLite itself finds wrong; `deep` compares every index with its table too."""
        check = "integrity_check" if deep else "quick_check"
        try:
            found: list[Any] = list(self._connection.execute(f"PRAGMA {check}({MOST_FAULTS})"))
        except apsw.Error as error:
            raise _unreadable(error) from error
        return [line for (text,) in found for line in text.splitlines() if line != "ok"]

    def history(self) -> History:
        applied: dict[int, tuple[str, str]] = {}
        rows: list[Any] = self.read("doctor.applied")
        for number, name, checksum in rows:
            applied[number] = (name, checksum)
        known = {migration.number: migration for migration in migrations()}
        foreign = []
        for number, (name, checksum) in applied.items():
            if (ours := known.get(number)) is None:
                foreign.append(f"{number:04} ({name}) is of a newer program")
            elif ours.checksum != checksum:
                foreign.append(f"{number:04} ({name}) has another text")
        return History([migration for number, migration in known.items() if number not in applied], foreign)

    def differences(self) -> Differences:
        """What sets the tables, indexes and triggers apart from those that the migrations it was brought through make."""
        pending = self.history().pending
        return differences(self.read("doctor.schema"), [one for one in migrations() if one not in pending])


class _Refusing:
    def put(self, job: object) -> None:
        raise StoreUnavailable("the database is only looked at")

    def close(self) -> None:
        pass


def _log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def _likeness(path: Path) -> tuple[int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None  # opening it tells why
    return told.st_mtime_ns, told.st_size


def _unreadable(error: apsw.Error) -> DataFolderError:
    return DataFolderError(f"{type(error).__name__}: {error}")
