"""Making a backup: the database of one moment, and beside it what a server needs to go on from there."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from callwright.audiofile import PEAKS_SUFFIX
from callwright.backup.archive import BLOCK, DATABASE, FORMAT, SETTINGS, About, Archive, begins_like_a_backup
from callwright.clock import SECOND_US, Clock, rfc3339
from callwright.datafolder import DataFolder
from callwright.errors import CallwrightError, DataFolderError
from callwright.store.copying import copy_database, survey_part

# What disks of a network say that lock nothing; there two backups with one name at once are the operator's to avoid.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})

_STANDARD_OUTPUT = Path("-")  # as other commands understand it


class BackupFailed(CallwrightError):
    """A backup was not made."""


class Made(NamedTuple):
    """Bytes of the backup and of the database in it, and how many files it has."""

    size: int
    database: int
    files: int


def make(folder: DataFolder, target: Path, clock: Clock, *, program: str, overwrite: bool, recordings: bool) -> Made:
    """Write a backup of a data folder, whether a server works on it or not; `target` is there when it is whole, not before.

    With `overwrite` it may take the place of another backup, and of nothing else.
    Raises `BackupFailed`, and `DataFolderError` for a folder that cannot be read.
    """
    about = About(FORMAT, program, rfc3339(clock.now_us()))
    now_s = clock.now_us() // SECOND_US
    try:
        _refuse(folder, target, overwrite=overwrite)
        with _partial(target) as (path, file):
            database = copy_database(folder.database, path, BLOCK)
            _examine(path, database)
            archive = Archive(file, about, target.parent)
            try:
                archive.add_written(DATABASE, database, now_s)
                for name, there in _files(folder, recordings=recordings):
                    _add(archive, name, there)
                archive.finish()
            finally:
                archive.close()
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
            _refuse_what_is_there(target, overwrite=overwrite)
            path.rename(target)
        _sync(target)
    except OSError as error:
        raise BackupFailed(f"{target} cannot be written: {error.strerror}. Nothing was written.") from error
    return Made(size, database, archive.files)


def _refuse(folder: DataFolder, target: Path, *, overwrite: bool) -> None:
    if not folder.database.exists():
        raise DataFolderError(f"{folder.root} holds no Callwright data. Name another folder with --data")
    owner = folder.database.stat().st_uid
    if owner != os.geteuid():
        # The files beside a database belong to whoever opens it first, and the server could not write to them.
        raise DataFolderError(f"{folder.database} belongs to uid {owner}. Run this command as that user: sudo -u '#{owner}' …")
    for kept in (folder.secrets, folder.sounds, folder.recordings):
        if kept.resolve() in target.resolve().parents:
            raise BackupFailed(f"{target} lies in {kept}, which is backed up itself. Name a file outside of it.")
    if target == _STANDARD_OUTPUT:
        raise BackupFailed("A backup cannot be written to standard output, as it is read again before it is done. Name a file.")
    if target.is_dir():
        raise BackupFailed(f"{target} is a folder. Name a file in it.")
    if not target.parent.is_dir():
        raise BackupFailed(f"{target.parent} is no folder. Make it first, or name another.")
    if _is_of_the_server(folder, target):
        raise BackupFailed(f"{target} is a name that the server uses itself. Name a file outside of {folder.root}.")
    _refuse_what_is_there(target, overwrite=overwrite)


def _is_of_the_server(folder: DataFolder, target: Path) -> bool:
    """Whether the name is that of something in the data folder, be it there now or not."""
    root, place = folder.root.resolve(), target.parent.resolve() / target.name
    if root not in place.parents:
        return False
    first = place.relative_to(root).parts[0]
    database = folder.database.name
    others = {SETTINGS, folder.lock_file.name, folder.run.name, folder.unfinished.name, folder.media_cache.parent.name}
    return first == database or first in others or first.startswith(f"{database}-")


def _refuse_what_is_there(target: Path, *, overwrite: bool) -> None:
    """A backup that is told to may take the place of another one. What is anything else is not for this command to remove."""
    try:
        kind = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(kind):
        raise BackupFailed(f"{target} is a link. Name the file itself, or another.")
    if not stat.S_ISREG(kind):
        raise BackupFailed(f"{target} is no regular file. Name another.")
    if not overwrite:
        raise BackupFailed(f"{target} is there already. Name another file, or say --overwrite.")
    if not begins_like_a_backup(target):
        raise BackupFailed(f"{target} is no backup, so it is not written over. Name another file, or remove it yourself.")


@contextmanager
def _partial(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file beside the target, for its owner alone. What a run that was killed left of it is written over."""
    path = target.with_name(f".{target.name}.partial")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(target) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        if not _has_name(descriptor, path):  # it was that other's, which is done
            raise _busy(target)
        try:
            os.fchmod(descriptor, 0o600)
            file.truncate(0)
            yield path, file
        except BaseException:
            with suppress(FileNotFoundError):
                path.unlink()
            raise


def _busy(target: Path) -> BackupFailed:
    return BackupFailed(f"Another backup is being written to {target}. Wait for it, or name another file.")


def _has_name(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _examine(path: Path, size: int) -> None:
    """See that the copy is a database that this program can work with."""
    survey = survey_part(path, BLOCK, size)
    try:
        if faults := survey.faults(deep=False):
            raise _damaged(faults[0])
        history = survey.history()
        if history.foreign:
            raise BackupFailed(
                f"The database is not this program's: migration {history.foreign[0]}. Use the callwright of the same version."
            )
        told = survey.differences()
        if told.foreign or told.altered:
            raise BackupFailed(
                f"The database has what Callwright did not make: the {[*told.foreign, *told.altered][0]}. A backup with it "
                "would not be restored. callwright doctor tells what to do."
            )
        if not history.pending and survey.read("blocks.any_uncounted") != [(0,)]:
            raise BackupFailed("The database has calls that are not counted. Look at it with: callwright doctor")
    except DataFolderError as error:
        raise _damaged(error) from error
    finally:
        survey.close()


def _damaged(why: object) -> BackupFailed:
    return BackupFailed(f"The database is damaged: {why}. Look at it with: callwright doctor --deep")


def _files(folder: DataFolder, *, recordings: bool) -> Iterator[tuple[str, Path]]:
    """Name in the backup and place of each file besides the database."""
    settings = folder.root / SETTINGS
    if settings.is_file():
        yield SETTINGS, settings
    for root in (folder.secrets, folder.sounds, *((folder.recordings,) if recordings else ())):
        for where, folders, names in os.walk(root, onerror=_missed):
            folders.sort()
            for name in sorted(names):
                there = Path(where, name)
                if not name.endswith(PEAKS_SUFFIX) and there.is_file():  # waveforms are drawn anew
                    yield there.relative_to(folder.root).as_posix(), there


def _missed(error: OSError) -> None:
    """A folder that is not there holds nothing."""
    if not isinstance(error, FileNotFoundError):
        _unreadable(error)


def _add(archive: Archive, name: str, there: Path) -> None:
    try:
        file = there.open("rb")
    except FileNotFoundError:
        return  # a recording that was deleted meanwhile
    except OSError as error:
        _unreadable(error)
    with file:
        told = os.fstat(file.fileno())
        archive.add(name, file, told.st_size, int(told.st_mtime))


def _unreadable(error: OSError) -> NoReturn:
    """What cannot be read would be missing in the backup."""
    raise BackupFailed(f"{error.filename} cannot be read: {error.strerror}. Nothing was written.") from error


def _sync(target: Path) -> None:
    """Make the name of a file last."""
    try:
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # some disks of a network sync no folders
            raise BackupFailed(f"{target} is written, but a power failure may take it away: {error.strerror}.") from error
