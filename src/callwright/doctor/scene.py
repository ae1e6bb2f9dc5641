"""What is examined."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from callwright.clock import Clock
from callwright.datafolder import DataFolder
from callwright.doctor.machine import Machine
from callwright.native import ServerState
from callwright.settings import Settings


class Holder(NamedTuple):
    """Of the folder's lock. Without `seen` it is only known to be of the lock's user, and may be any process of that one."""

    name: str
    pid: int
    seen: bool


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`server` is there when one runs on the folder and answers; `settings` are then those it runs with, as far as is known."""

    folder: DataFolder
    settings: Settings
    machine: Machine
    clock: Clock
    server: ServerState | None = None
    deep: bool = False

    @property
    def there(self) -> Path:
        """The folder, or what is there of the way to it."""
        path = self.folder.root.absolute()
        while not path.exists():
            path = path.parent
        return path

    @property
    def server_pid(self) -> int | None:
        """The server's process as it is seen from here; None when it cannot be, as out of its container."""
        if self.server is None or self.machine.has_open(self.server.pid, self.folder.lock_file) is False:
            return None
        return self.server.pid

    @property
    def holder(self) -> Holder | None:
        """Who holds the folder's lock. A dead holder's words stay in the file and mean nothing."""
        try:
            words = self.folder.lock_file.read_text(errors="replace").splitlines()
        except OSError:
            return None
        if len(words) != 2 or not words[1].isdecimal():
            return None
        has_open = self.machine.has_open(int(words[1]), self.folder.lock_file)
        return None if has_open is False else Holder(words[0], int(words[1]), seen=has_open is True)
