"""Real disks that are full or read-only, and files that are locked, for a server in a process of its own.

A small file system needs a mount namespace, which not every container allows; then a limit on the size of files stands
in for it.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from support.server import Server


@cache
def may_mount() -> bool:
    probe = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && mount --bind / /mnt"]
    try:
        return subprocess.run(probe, capture_output=True).returncode == 0
    except OSError:
        return False


needs_mounts = pytest.mark.skipif("not __import__('support.disk_faults').disk_faults.may_mount()", reason="no mount namespaces")


def in_small_folder(folder: Path, size: str) -> Sequence[str]:
    """A command that runs the next one with a file system of this size at `folder`, seen by nobody else."""
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size={size} none "$0" && exec "$@"', str(folder)]


def in_read_only_folder(folder: Path) -> Sequence[str]:
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', str(folder)]


def in_full_folder(folder: Path) -> Sequence[str]:
    """A file system with a copy of what is in `folder`, and with room for what a server needs to run and for no commit."""
    steps = (
        'cp -a "$0" "$0.kept"',
        'mount -t tmpfs -o size=4m none "$0"',
        'cp -a "$0.kept/." "$0"',
        '{ dd if=/dev/zero of="$0/filler" bs=4k status=none 2> "$0.full" || true; }',
        'truncate -s -36K "$0/filler"',
        'exec "$@"',
    )
    return ["unshare", "-m", "sh", "-c", " && ".join(steps), str(folder)]


def filler(server: Server) -> Path:
    """The file that takes what room there is, in a file system only the server sees."""
    return Path(f"/proc/{server.process.pid}/root{server.folder}/data/filler")


class Fault(Protocol):
    """`words` are in what the server says of it."""

    words: str

    def within(self, data: Path) -> Sequence[str]: ...

    def begin(self, server: Server) -> None: ...

    def end(self) -> None: ...


class FullDisk:
    words = "The disk is full: free some space."

    def within(self, data: Path) -> Sequence[str]:
        return in_small_folder(data, "16m")

    def begin(self, server: Server) -> None:
        self._server = server
        with filler(server).open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def end(self) -> None:
        filler(self._server).unlink()


class LimitedFiles:
    """No file may grow past the size that the log of writes has now."""

    words = "The disk fails or has become read-only"

    def within(self, data: Path) -> Sequence[str]:
        return ()

    def begin(self, server: Server) -> None:
        self._pid = server.process.pid
        size = (server.folder / "data" / "callwright.db-wal").stat().st_size
        self._limits = resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def end(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._limits)


class LockedFile:
    """Another program, this one, holds the write lock."""

    words = "Another program holds a lock on it"

    def within(self, data: Path) -> Sequence[str]:
        return ()

    def begin(self, server: Server) -> None:
        self._other = sqlite3.connect(server.folder / "data" / "callwright.db", isolation_level=None, timeout=60)
        self._other.execute("BEGIN EXCLUSIVE")

    def end(self) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


def filled_disk() -> Fault:
    return FullDisk() if may_mount() and os.geteuid() == 0 else LimitedFiles()
