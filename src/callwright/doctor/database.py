"""The database as a file: whether it opens, is whole, and is of this program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import Any

from callwright.clock import SECOND_US
from callwright.doctor.findings import Finding, Findings, fault, note, ok, size, some, span, warning
from callwright.doctor.scene import Scene
from callwright.errors import DataFolderError
from callwright.store.schema import INDEX, TRIGGER, Part
from callwright.store.survey import Survey

_DAY_S = 86_400
_RECENT = 10_000
# Every page of a larger file is read with --deep alone.
LARGE = 1_000_000_000
_RESTORE = "Stop the server, keep a copy of the folder, and restore the last backup: callwright restore FILE --replace."


def integrity(scene: Scene, survey: Survey) -> Findings:
    held = scene.folder.database.stat().st_size
    if held > LARGE and not scene.deep:
        yield note("database.integrity", f"{size(held)} were not read through", "That takes a while: callwright doctor --deep")
        return
    faults = survey.faults(deep=scene.deep)
    if faults:
        yield fault("database.integrity", some(faults), _RESTORE)
    else:
        yield ok("database.integrity", "whole, indexes too" if scene.deep else "whole; --deep compares the indexes too")


def history(scene: Scene, survey: Survey) -> Findings:
    pending, foreign = survey.history()
    if foreign:
        yield fault(
            "database.migrations",
            f"migration {some(foreign)}",
            "Install the version that made it; an older program does not open it.",
        )
    elif pending:
        names = some([f"{migration.number:04}" for migration in pending])
        yield note(
            "database.migrations",
            f"{names} will be applied at the next start; rows are not looked at before",
            "Make a backup before it.",
        )
    else:
        yield ok("database.migrations", "all known and applied")


def schema(scene: Scene, survey: Survey) -> Findings:
    """Without an index a list cannot be had; without a trigger counters go wrong; another's trigger does what it likes."""
    told = survey.differences()
    if broken := [part for part in (*told.missing, *told.altered) if part.kind in (INDEX, TRIGGER)]:
        yield fault(
            "database.schema",
            f"missing or altered: {some([str(part) for part in broken])}",
            "Stop the server, and run callwright doctor --fix, which makes them again and counts anew.",
        )
    if tables := [part for part in (*told.missing, *told.altered) if part not in broken]:
        yield fault("database.schema", f"missing or altered: {some([str(part) for part in tables])}", _RESTORE)
    for parts, tell in ((told.foreign, fault), (told.strange, warning)):
        if parts:
            yield tell(
                "database.schema",
                f"not of this program: {some([str(part) for part in parts])}",
                f"Ask whoever made it. To drop it, stop the server, then: sqlite3 callwright.db {quote(_dropping(parts[0]))}",
            )
    if not any(told):
        yield ok("database.schema", "tables, indexes and triggers are those of this program")


def _dropping(part: Part) -> str:
    name = part.name.replace('"', '""')
    return f'DROP {part.kind.upper()} "{name}"'


def growth(scene: Scene, survey: Survey) -> Findings:
    """When the disk will be full if calls go on as the newest ones did."""
    ((newest,),) = survey.read("doctor.newest_pos")
    total = int(newest or 0)
    rows: list[Any] = survey.read("doctor.pace", (total - _RECENT,))
    ((count, first_us, last_us),) = rows
    if not count or last_us - first_us < _DAY_S * SECOND_US:
        yield ok("disk.growth", f"{count} calls; a rate is told after a day of them")
        return
    held = scene.folder.database.stat().st_size
    per_day = held / total * count / ((last_us - first_us) / SECOND_US / _DAY_S)
    left_s = scene.machine.disk(scene.there).free / per_day * _DAY_S
    seen = f"the database has {size(held)} and grows by {size(per_day)} a day"
    if left_s < 14 * _DAY_S:
        yield warning("disk.growth", f"{seen}: the disk is full in {span(left_s)}", "Move the data folder to a larger disk.")
    else:
        yield ok("disk.growth", seen)


@contextmanager
def opened(scene: Scene) -> Iterator[Survey | Finding]:
    """The database for reading, or the finding that it cannot be."""
    try:
        survey = Survey.of(scene.folder.database)
    except DataFolderError as error:
        yield unreadable(error)
        return
    try:
        yield survey
    finally:
        survey.close()


def unreadable(error: DataFolderError) -> Finding:
    return fault("database.integrity", f"it cannot be read: {error}", f"See to its owner, mode and disk. {_RESTORE}")
