"""What a database is made of: whether it is what the migrations make, and making again what can be made of the rows.

Tables are left as they are, whatever they are like: rows are never made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import apsw

from callwright.errors import DataFolderError
from callwright.store import queries
from callwright.store.batch import Transaction
from callwright.store.change import Row
from callwright.store.migrate import HISTORY, Migration, migrations

TABLE, VIEW, INDEX, TRIGGER = "table", "view", "index", "trigger"
# Tables and indexes that SQLite makes for itself; nobody else may give such a name.
_OF_SQLITE = "sqlite_"


class Part(NamedTuple):
    """A table, index, trigger or view, the table it is of, and the statement that made it."""

    kind: str
    name: str
    table: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Differences(NamedTuple):
    """What is not there, what has another text (as it ought to be), and what no migration makes.

    `foreign` acts on our rows: a trigger or view, or a unique index of a table of ours, which can refuse a row. `strange` are
    other tables, such as a recovery leaves behind, and indexes that an operator made.
    """

    missing: list[Part]
    altered: list[Part]
    foreign: list[Part]
    strange: list[Part]


def differences(found: Iterable[Row], applied: Iterable[Migration]) -> Differences:
    """Compare the rows of ``doctor.schema`` with what those migrations make of an empty file."""
    there = {(part.kind, part.name): part for part in _parts(found)}
    ours = {(part.kind, part.name): part for part in made_by(tuple(applied))}
    tables = {part.name for part in ours.values() if part.kind == TABLE}
    missing = [part for key, part in ours.items() if key not in there]
    altered = [part for key, part in ours.items() if key in there and there[key] != part]
    others = [part for key, part in there.items() if key not in ours]
    acting = [part for part in others if part.kind in (TRIGGER, VIEW) or (part.table in tables and _is_unique(part))]
    return Differences(missing, altered, acting, [part for part in others if part not in acting])


@cache
def made_by(applied: tuple[Migration, ...]) -> tuple[Part, ...]:
    """All that is in a new database, in the order in which it was made."""
    connection = apsw.Connection(":memory:")
    try:
        connection.execute(HISTORY)
        for migration in applied:
            connection.execute(migration.sql)
        return tuple(_parts(connection.execute(queries.load()["doctor.schema"])))
    finally:
        connection.close()


def mend(transaction: Transaction) -> list[Part]:
    """Make indexes and triggers again that are missing or have another text; those that were made.

    Raises `DataFolderError`, and nothing is changed, where the rows do not let it.
    """
    told = differences(transaction.read("doctor.schema"), migrations())
    broken = [part for part in (*told.missing, *told.altered) if part.kind in (INDEX, TRIGGER)]
    for part in broken:
        try:
            if part in told.altered:
                transaction.define(f'DROP {part.kind} "{part.name}"')
            transaction.define(part.text)
        except (apsw.SQLError, apsw.ConstraintError) as error:
            raise DataFolderError(
                f"The {part} cannot be made again, and nothing was changed: {error}. Restore the last backup."
            ) from error
    return broken


def _is_unique(part: Part) -> bool:
    return part.kind == INDEX and part.text.upper().split()[:2] == ["CREATE", "UNIQUE"]


def _parts(rows: Iterable[Row]) -> list[Part]:
    parts = [Part(str(kind), str(name), str(table), str(text or "")) for kind, name, table, text in rows]
    return [part for part in parts if part.kind not in (TABLE, INDEX) or not part.name.startswith(_OF_SQLITE)]
