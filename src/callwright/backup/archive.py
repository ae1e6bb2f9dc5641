"""What a backup is made of: a tar file with the database first, then other files, and a list of all of them last.

The list (`LIST`) has a line of JSON about the backup, then one for each file before it, in their order. A file that was cut
off has none, so it is told from one that is whole before anything is done with it. All is read and written as a stream.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from callwright.errors import CallwrightError

FORMAT = 1
DATABASE = "callwright.db"
SETTINGS = "callwright.toml"
LIST = "files.jsonl"
# Folders that are taken whole; recordings only when they are asked for.
FOLDERS = ("secrets", "sounds", "recordings")
BLOCK = tarfile.BLOCKSIZE
PORTION = 1 << 20

_NAME = re.compile(rf"{re.escape(DATABASE)}|{re.escape(SETTINGS)}|(?:{'|'.join(FOLDERS)})(?:/[^/\0\\]+)+")
_SURROGATE = re.compile("[\ud800-\udfff]")  # stands for bytes that are no UTF-8
_UP = frozenset({".", ".."})


class BadBackup(CallwrightError):
    """A file is not a backup that can be restored."""


class About(msgspec.Struct, frozen=True, rename="camel"):
    """The first line of the list. `made_at` is RFC 3339."""

    format: int
    program: str
    made_at: str


class Entry(msgspec.Struct, frozen=True):
    name: str
    size: int
    sha256: str


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Archive:
    """A backup that is being written to a file that is open for reading too."""

    def __init__(self, file: BinaryIO, about: About, folder: Path) -> None:
        """The list grows in a file without a name in `folder`."""
        self._file = file
        self._list = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the archive
        self._list.write(msgspec.json.encode(about) + b"\n")
        self.files = 0

    def add(self, name: str, source: Readable, size: int, mtime_s: int) -> None:
        """Append a file. Raises `BadBackup` when `source` ends before `size` bytes, and for a name that cannot be restored."""
        if not _is_ours(name):
            raise BadBackup(f"{name!r} cannot be in a backup, because of its name. Rename it, or take it out of the folder.")
        self._file.write(_head(name, size, mtime_s))
        self._note(name, size, _copy(source, self._file, size, name))
        self._pad(size)

    def add_written(self, name: str, size: int, mtime_s: int) -> None:
        """Count in a first file that is there already, behind the room of one block for its head."""
        self._file.seek(0)
        self._file.write(_head(name, size, mtime_s))
        self._note(name, size, _copy(self._file, None, size, name))
        self._file.seek(BLOCK + size)
        self._pad(size)

    def finish(self) -> None:
        size = self._list.tell()
        self._list.seek(0)
        self._file.write(_head(LIST, size, 0))
        _copy(self._list, self._file, size, LIST)
        self._pad(size)
        self._file.write(bytes(2 * BLOCK))

    def close(self) -> None:
        self._list.close()

    def _note(self, name: str, size: int, sha256: str) -> None:
        self._list.write(msgspec.json.encode(Entry(name, size, sha256)) + b"\n")
        self.files += 1

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % BLOCK))


class Contents:
    """A backup that is read. Raises `BadBackup` for whatever is none, or is not whole."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        try:
            self._list_at, self._list_size = self._find_list()
        except tarfile.TarError as error:
            raise BadBackup(f"{path} is no backup, or was cut off: {error}.") from error
        self.about = self._read_about()
        self._see_its_end()
        self.top = self._names_at_the_top()

    def extract(self, into: Path) -> int:
        """Write all files below an empty folder, each compared with the list; the bytes they have."""
        total = 0
        lines = self._lines()
        members = self._members()
        for entry in lines:
            member = next(members, None)
            if member is None or (member.name, member.size) != (entry.name, entry.size) or not member.isreg():
                listed, seen = f"{entry.name[:80]} with {entry.size} bytes", _described(member)
                raise BadBackup(f"{self.path} does not hold what its list says: {listed} is listed, {seen} is there.")
            target = into / entry.name
            for above in reversed(Path(entry.name).parents[:-1]):
                (into / above).mkdir(mode=0o700, exist_ok=True)
            self._file.seek(member.offset_data)
            with open(target, "xb", opener=_private) as file:
                found = _copy(self._file, file, entry.size, entry.name)
            if found != entry.sha256:
                raise BadBackup(f"{self.path} is damaged: {entry.name} is not what was written.")
            total += entry.size
        if next(members, None) is not None:
            raise BadBackup(f"{self.path} holds files that its list does not have.")
        return total

    def _find_list(self) -> tuple[int, int]:
        members = deque(self._members(with_list=True), maxlen=1)
        last = members.pop() if members else None
        if last is None or last.name != LIST or not last.isreg():
            raise tarfile.ReadError("it has no list of files at its end")
        return last.offset_data, last.size

    def _see_its_end(self) -> None:
        """Behind the list there are two blocks of zeros, and whatever zeros other programs add."""
        end = self._list_at + self._list_size
        self._file.seek(end)
        zeros = 0
        while portion := self._file.read(PORTION):
            if portion.strip(b"\0"):
                raise BadBackup(f"{self.path} has something behind its end: it was changed after it was written.")
            zeros += len(portion)
        if (missing := -end % BLOCK + 2 * BLOCK - zeros) > 0:
            raise BadBackup(f"{self.path} was cut off: the last {missing} bytes are missing.")

    def _members(self, *, with_list: bool = False) -> Iterator[tarfile.TarInfo]:
        self._file.seek(0)
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                if with_list or member.name != LIST:
                    yield member

    def _read_about(self) -> About:
        self._file.seek(self._list_at)
        line = self._file.readline(min(self._list_size, PORTION))
        try:
            about = msgspec.json.decode(line, type=About)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BadBackup(f"{self.path} is no backup: its list cannot be read ({error}).") from error
        if about.format > FORMAT:
            raise BadBackup(
                f"{self.path} was made by Callwright {about.program[:40]}, in a form that this version does not know. "
                "Restore it with that version."
            )
        return about

    def _names_at_the_top(self) -> list[str]:
        """What is put into the data folder itself; every name is looked at, so that none can lead out of it."""
        top: dict[str, None] = {}
        for entry in self._lines():
            if not _is_ours(entry.name):
                raise BadBackup(f"{self.path} lists a file that no backup has: {entry.name[:80]!r}.")
            top[entry.name.partition("/")[0]] = None
        if next(iter(top), None) != DATABASE:
            raise BadBackup(f"{self.path} has no database.")
        return list(top)

    def _lines(self) -> Iterator[Entry]:
        at, end = self._list_at, self._list_at + self._list_size
        self._file.seek(at)
        at += len(self._file.readline(PORTION))
        while at < end:
            self._file.seek(at)
            line = self._file.readline(PORTION)
            at += len(line)
            try:
                yield msgspec.json.decode(line, type=Entry)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise BadBackup(f"{self.path} is damaged: its list cannot be read ({error}).") from error


def begins_like_a_backup(path: Path) -> bool:
    """Whether a regular file has the database of a backup at its beginning, however it goes on."""
    with path.open("rb") as file:
        try:
            first = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return False
    return first.name == DATABASE and first.isreg()


def _is_ours(name: str) -> bool:
    """Whether a file of this name is one that backups have, and lies in the data folder wherever that is."""
    return _NAME.fullmatch(name) is not None and not _UP & set(name.split("/")) and not _SURROGATE.search(name)


def _described(member: tarfile.TarInfo | None) -> str:
    if member is None:
        return "nothing"
    name = member.name[:80]
    if member.isreg():
        return f"{name} with {member.size} bytes"
    return f"{name} as a link" if member.issym() or member.islnk() else f"{name}, which is no file,"


def _head(name: str, size: int, mtime_s: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, mtime_s
    return member.tobuf(tarfile.GNU_FORMAT)


def _copy(source: Readable, target: BinaryIO | None, size: int, name: str) -> str:
    """Copy so many bytes, or only read them; their SHA-256 in hexadecimal."""
    sum_ = hashlib.sha256()
    left = size
    while left:
        try:
            portion = source.read(min(left, PORTION))
        except OSError as error:
            raise BadBackup(f"{name} cannot be read: {error.strerror}.") from error
        if not portion:
            raise BadBackup(f"{name} ends {left} bytes before its end: it was changed while it was read, or was cut off.")
        sum_.update(portion)
        if target is not None:
            target.write(portion)
        left -= len(portion)
    return sum_.hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
