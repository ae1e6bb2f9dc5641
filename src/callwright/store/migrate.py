"""Forward-only migrations: ``NNNN_name.sqlite.sql``, each applied once and remembered with its checksum."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

import apsw

from callwright.errors import DataFolderError

HISTORY = "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"
# What a migration does to the list of tables: makes one, drops one, gives one another name.
_TABLES = re.compile(r"^CREATE TABLE (\w+)|^DROP TABLE (\w+);|^ALTER TABLE (\w+) RENAME TO (\w+);", re.MULTILINE)


class Migration(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(dialect: str = "sqlite") -> list[Migration]:
    found = []
    for file in files("callwright.store").joinpath("migrations").iterdir():
        if file.name.endswith(f".{dialect}.sql"):
            number, _, name = file.name.removesuffix(f".{dialect}.sql").partition("_")
            found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return sorted(found)


def migrate(connection: apsw.Connection) -> list[Migration]:
    """Bring a database up to date and return what was applied.

    A database of a newer program or of another one, and one whose history or tables differ from ours, is refused with
    `DataFolderError`.
    """
    known = migrations()
    connection.execute("BEGIN EXCLUSIVE")
    try:
        _refuse_foreign(connection)
        connection.execute(HISTORY)
        applied = {row[0]: row for row in connection.execute("SELECT number, name, checksum FROM migrations")}
        for number, name, checksum in applied.values():
            ours = next((migration for migration in known if migration.number == number), None)
            if ours is None:
                raise DataFolderError(
                    f"The database has migration {number:04} ({name}), which this program does not know: "
                    "it was used by a newer Callwright. Install that version or restore a backup made before."
                )
            if ours.checksum != checksum:
                raise DataFolderError(
                    f"Migration {number:04} ({name}) was applied with another text than this program's. "
                    "The database belongs to another build; use that one."
                )
        todo = [migration for migration in known if migration.number not in applied]
        for migration in todo:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, ?)", (migration.number, migration.name, migration.checksum)
            )
        _refuse_incomplete(connection, known)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
    return todo


def _tables(connection: apsw.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _refuse_foreign(connection: apsw.Connection) -> None:
    tables = {name for name in _tables(connection) if not name.startswith("sqlite_")}
    if tables and "migrations" not in tables:
        raise DataFolderError(
            f"The database has the tables {', '.join(sorted(tables)[:5])} and no list of migrations: it is another program's. "
            "Choose another folder with --data, or move the file away to start anew."
        )


def _refuse_incomplete(connection: apsw.Connection, known: list[Migration]) -> None:
    wanted: set[str] = set()
    for migration in known:
        for made, dropped, before, after in _TABLES.findall(migration.sql):
            wanted = (wanted | {made, after}) - {dropped, before}
    if missing := wanted - {""} - _tables(connection):
        raise DataFolderError(
            f"The database lacks the tables {', '.join(sorted(missing))}: something other than Callwright changed it. "
            "Restore a copy, or move it away to start anew."
        )
