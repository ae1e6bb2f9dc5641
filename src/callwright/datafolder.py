"""The data folder: everything a server keeps, and the lock that makes one process its master.

    callwright.toml     settings of this folder (`callwright.settings`)
    callwright.db       calls, legs, flows, numbers, keys, events
    recordings/         YYYY/MM/DD/
    cache/media/        sound files fetched from customers
    cache/speech/       sound made of texts
    secrets/            signing keys
    run/control.sock    the command line speaks to the server here
    lock                held by the process that works on the folder; names it
    .unfinished/        a backup that is being put into the folder (`callwright.backup`)

Folders this module makes are open to their owner alone; `secrets` and `run` are made so again at every start.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from callwright.errors import DataFolderError

# sockaddr_un holds 108 bytes with the closing zero (unix(7)).
_LONGEST_SOCKET_PATH = 107
_CONTROL = "control.sock"


class FolderInUse(DataFolderError):
    """Another process works on the data folder. `name` and `pid` are its own words; pid is None if it has not said."""

    def __init__(self, root: Path, name: str, pid: int | None) -> None:
        who = f"{name} (pid {pid})" if pid is not None else "another process"
        super().__init__(f"{root} is in use by {who}; stop it, or choose another folder with --data")
        self.name = name
        self.pid = pid


class Lock:
    """Mastery of a data folder, until `release` or the end of the process, whatever that was."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class DataFolder:
    """Names of what is in the folder; nothing is touched before `prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "callwright.db"
        self.recordings = root / "recordings"
        self.sounds = root / "sounds"
        self.media_cache = root / "cache" / "media"
        self.speech_cache = root / "cache" / "speech"
        self.secrets = root / "secrets"
        self.run = root / "run"
        self.control_socket = self.run / _CONTROL
        self.lock_file = root / "lock"
        self.unfinished = root / ".unfinished"

    def prepare(self) -> None:
        """Make what is missing and see that it can be written; raise `DataFolderError`."""
        if self.unfinished.exists():
            raise DataFolderError(
                f"A restore into {self.root} was cut short, so the folder is not whole. "
                "Run callwright restore again with --replace"
            )
        for folder in (self.root, self.recordings, self.sounds, self.media_cache, self.speech_cache, self.secrets, self.run):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except FileExistsError:
                raise DataFolderError(f"{folder} is not a folder; remove it, or choose another folder with --data") from None
            except NotADirectoryError:
                raise DataFolderError(f"{folder} cannot be made, because a part of its path is not a folder") from None
            except OSError as error:
                raise DataFolderError(f"{folder} cannot be made: {error.strerror}; {_ask_for(folder)}") from error
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
                raise DataFolderError(f"{folder} cannot be written; {_ask_for(folder)}")
        for folder in (self.secrets, self.run):
            if folder.stat().st_mode & 0o077:
                try:
                    folder.chmod(0o700)
                except OSError as error:
                    raise DataFolderError(
                        f"{folder} is open to other users and cannot be closed: {error.strerror}; {_ask_for(folder)}"
                    ) from error

    def lock(self, name: str) -> Lock:
        """Become the folder's master under a name such as ``callwright serve``; raise `FolderInUse`.

        The kernel lets go of the lock when its holder ends, so what a dead process left in the file means nothing.
        """
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"{self.lock_file} cannot be opened: {error.strerror}; {_ask_for(self.root)}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = os.pread(descriptor, 200, 0).decode(errors="replace").splitlines()
            os.close(descriptor)
            told = len(words) == 2 and words[1].isdecimal()
            raise FolderInUse(self.root, words[0] if told else "", int(words[1]) if told else None) from None
        except OSError as error:
            os.close(descriptor)
            raise DataFolderError(
                f"{self.lock_file} cannot be locked: {error.strerror}; put the data folder on a local disk"
            ) from error
        with suppress(OSError):  # the name is a courtesy, and a full disk has no room for it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{name}\n{os.getpid()}\n".encode(), 0)
        return Lock(descriptor)

    def bind_control(self) -> socket.socket:
        """Make the control socket, for the holder of the lock: readable by the owner alone, bound, not yet listening."""
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                self.control_socket.unlink()
            with self.control_address() as address:
                bound.bind(address)
            self.control_socket.chmod(0o600)
        except OSError as error:
            bound.close()
            raise DataFolderError(f"{self.control_socket} cannot be made: {error.strerror}; {_ask_for(self.run)}") from error
        bound.setblocking(False)
        return bound

    @contextmanager
    def control_address(self) -> Iterator[str]:
        """Give a path of the control socket that fits into an address, good inside the ``with`` block.

        A folder may lie deeper than an address is long. Then the way leads through a descriptor of ``run``: that needs
        no change of the working folder, which all threads share, and no second place for the socket.
        """
        path = os.fspath(self.control_socket.absolute())
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            yield path
            return
        descriptor = os.open(self.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/{_CONTROL}"
        finally:
            os.close(descriptor)


def _ask_for(folder: Path) -> str:
    """What to do about a folder that cannot be written, or is not there."""
    there = next((one for one in (folder, *folder.absolute().parents) if os.path.exists(one)), Path("/"))
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return "its file system is mounted read-only: mount it for writing, or choose another folder with --data"
    return f"make it writable for this user (uid {os.geteuid()}), or choose another folder with --data"
