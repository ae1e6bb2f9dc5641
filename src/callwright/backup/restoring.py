"""Making a data folder of a backup again."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from callwright.backup.archive import DATABASE, About, BadBackup, Contents
from callwright.clock import SECOND_US, Clock, rfc3339
from callwright.datafolder import DataFolder
from callwright.errors import CallwrightError, DataFolderError
from callwright.store import Store, Transaction, Write
from callwright.store.copying import leave_room
from callwright.store.survey import Survey

LOG_FILES = (f"{DATABASE}-wal", f"{DATABASE}-shm")
# Where files are put before the folder's own are touched, and the folder for them within it.
STAGE, FILES = ".restoring", "files"


class RestoreRefused(CallwrightError):
    """A backup was not restored."""


class Restored(NamedTuple):
    """`pending` counts callbacks that wait in the backup, None where it is of a version that did not count so; `aside` is
    where what was there before has been put.
    """

    about: About
    size: int
    pending: int | None
    given_up: int
    aside: Path | None


def restore(file: Path, folder: DataFolder, clock: Clock, *, replace: bool, resend: bool) -> Restored:
    """Put what a backup holds into a data folder; it is touched when all has been read, compared and found good.

    With `replace` what stands in the way is moved aside within the folder, and what the backup does not hold stays. Without
    `resend` callbacks that are pending are given up. Raises `BadBackup`, `RestoreRefused`, `DataFolderError`.
    """
    try:
        with file.open("rb") as opened:
            contents = Contents(file, opened)
            with _held(folder):
                return _restore(contents, folder, clock, replace=replace, resend=resend)
    except OSError as error:
        # What is written has no name in its error, as when the disk is full.
        raise RestoreRefused(f"{error.filename or folder.root} cannot be used: {error.strerror}.") from error


@contextmanager
def _held(folder: DataFolder) -> Iterator[None]:
    """Be the folder's master; one that is made for it goes again when nothing comes of it."""
    root = folder.root
    new = [path for path in (root, *root.parents) if not path.exists()]
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = root.stat().st_uid
        if owner != os.geteuid():
            raise RestoreRefused(f"{root} belongs to uid {owner}. Run this command as that user: sudo -u '#{owner}' …")
        with folder.lock("callwright restore"):
            try:
                yield
            except BaseException:
                if new and os.listdir(root) == [folder.lock_file.name]:
                    folder.lock_file.unlink()
                raise
    except BaseException:
        with suppress(OSError):  # what somebody else has put there stays
            for path in new:
                path.rmdir()
        raise


def _restore(contents: Contents, folder: DataFolder, clock: Clock, *, replace: bool, resend: bool) -> Restored:
    in_the_way = _in_the_way(folder.root, contents)
    if in_the_way and not replace:
        raise RestoreRefused(
            f"{folder.root} has {', '.join(path.name for path in in_the_way)} already. "
            "Name a new folder with --data, or say --replace: what is there is moved aside then."
        )
    for name in contents.top:
        if os.path.ismount(folder.root / name):  # it could be moved neither aside nor over
            raise RestoreRefused(
                f"{folder.root / name} is a disk of its own. Restore into a new folder with --data, and copy from there."
            )
    stage = folder.root / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    files = stage / FILES
    try:
        stage.mkdir(mode=0o700)
        files.mkdir(mode=0o700)
        size = contents.extract(files)
        pending = _examine(files / DATABASE, contents.path)
        given_up = 0 if resend else _give_up(files / DATABASE, clock)
        leave_room(files / DATABASE)
        os.sync()  # before it takes the place of what was there
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    aside = _exchange(folder, stage, in_the_way, contents.top, clock)
    return Restored(contents.about, size, pending, given_up, aside)


def _in_the_way(root: Path, contents: Contents) -> list[Path]:
    """What would be written over. A folder that is empty is not."""
    found = [root / name for name in dict.fromkeys((DATABASE, *LOG_FILES, *contents.top))]
    return [path for path in found if path.is_symlink() or (any(path.iterdir()) if path.is_dir() else path.exists())]


def _examine(database: Path, backup: Path) -> int | None:
    """See that the server can work with the database of a backup; how many callbacks are pending there."""
    survey = _survey(database, backup)
    try:
        history = survey.history()
        if history.foreign:
            raise BadBackup(
                f"The database in {backup} is not of this version: migration {history.foreign[0]}. "
                "Restore it with the version that made it, or a newer one."
            )
        told = survey.differences()
        # What else is missing doctor tells and mends; a table that a recovery left does nothing.
        if told.foreign or told.altered:
            raise BadBackup(
                f"The database in the backup has what Callwright did not make: the {[*told.foreign, *told.altered][0]}. "
                "It might do anything to your calls. Restore another backup, or one that is made after callwright doctor "
                "has told what to do about it."
            )
        if faults := survey.faults(deep=False):
            raise _damaged(backup, faults[0])
        return None if history.pending else int(survey.read("backup.pending")[0][0] or 0)
    except DataFolderError as error:
        raise _damaged(backup, error) from error
    finally:
        survey.close()


def _survey(database: Path, backup: Path) -> Survey:
    try:
        return Survey.of(database)
    except DataFolderError as error:
        raise _damaged(backup, error) from error


def _damaged(backup: Path, why: object) -> BadBackup:
    return BadBackup(f"The database in {backup} is damaged: {why}.")


def _give_up(database: Path, clock: Clock) -> int:
    """Have nothing sent of what happened before the backup; it stays on record, and can be sent again by hand."""

    def run(transaction: Transaction) -> int:
        given_up = transaction.write(Write("backup.give_up_pending", (clock.now_us(),)))
        transaction.write(Write("backup.pass_over_outbox", ()))
        return given_up

    store = Store.open(database, clock)
    try:
        return asyncio.run(store.transact(run))
    finally:
        store.close()


def _exchange(folder: DataFolder, stage: Path, in_the_way: list[Path], top: list[str], clock: Clock) -> Path | None:
    """Move what is there aside and the new in, the database last.

    A server that starts in the middle would begin with an empty folder: while the stage has the name `folder.unfinished`,
    none does.
    """
    files = _announced(stage, folder.unfinished)
    aside = None
    if in_the_way:
        now_us = clock.now_us()
        aside = folder.root / f"replaced-{rfc3339(now_us)[:19].replace(':', '')}.{now_us % SECOND_US:06}Z"
        aside.mkdir(mode=0o700)
        for path in in_the_way:
            path.rename(aside / path.name)
    for name in sorted(top, key=lambda name: name == DATABASE):
        place = folder.root / name
        if place.is_dir() and not place.is_symlink():
            place.rmdir()  # an empty one is not in the way
        (files / name).rename(place)
    os.sync()
    shutil.rmtree(folder.unfinished)
    return aside


def _announced(stage: Path, unfinished: Path) -> Path:
    """Give the stage the name that keeps servers away; returns where its files are then.

    After a restore that was killed while it moved the name is there already, and stays until this one is done.
    """
    files = unfinished / FILES
    if unfinished.exists():
        shutil.rmtree(files, ignore_errors=True)
        (stage / FILES).rename(files)
        stage.rmdir()
    else:
        stage.rename(unfinished)
    return files
