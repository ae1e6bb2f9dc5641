"""``callwright doctor --fix``: what is kept beside the rows is made anew from them, and indexes and triggers
that are missing. The rows are left as they are.
"""

from __future__ import annotations

import asyncio

from callwright.clock import Clock
from callwright.datafolder import DataFolder, FolderInUse
from callwright.doctor.findings import Finding, ok
from callwright.errors import DataFolderError
from callwright.store import Store, Transaction
from callwright.store.blocks import count_anew
from callwright.store.schema import Part, mend
from callwright.store.survey import Survey


def fix(folder: DataFolder, clock: Clock) -> Finding:
    """Make missing indexes and triggers again, count all calls and lists anew, and label the calls.

    Raises `DataFolderError` where that cannot be done now.
    """
    if not folder.database.exists():
        raise DataFolderError(f"{folder.root} holds no database, so there is nothing to fix.")
    try:
        lock = folder.lock("callwright doctor --fix")
    except FolderInUse as error:
        raise DataFolderError(
            f"{error.name or 'Another process'} (pid {error.pid or 'unknown'}) works on {folder.root}, and no call could be "
            "written while all are counted. Stop it, run callwright doctor --fix, and start it again."
        ) from error
    with lock:
        _refuse_other_schema(folder)
        store = Store.open(folder.database, clock, rebuilds=True)
        try:
            made = asyncio.run(store.transact(_make_anew))
        finally:
            store.close()
    again = f"; made again: {', '.join(str(part) for part in made)}" if made else ""
    return ok("fix", f"the counters of all lists, tags and metadata were made anew from the rows{again}")


def _make_anew(transaction: Transaction) -> list[Part]:
    made = mend(transaction)
    count_anew(transaction)
    return made


def _refuse_other_schema(folder: DataFolder) -> None:
    survey = Survey.of(folder.database)
    try:
        pending, foreign = survey.history()
    finally:
        survey.close()
    if foreign:
        raise DataFolderError(
            f"The database is not this program's (migration {', '.join(foreign)}): nothing was fixed. Run the "
            "callwright doctor --fix of the version that made it."
        )
    if pending:
        names = ", ".join(f"{migration.number:04}" for migration in pending)
        raise DataFolderError(
            f"The database is of an older version, and nothing was fixed: migration {names} is pending. Make a backup and "
            "start the server, which applies it; after that callwright doctor tells whether anything is left to fix."
        )
