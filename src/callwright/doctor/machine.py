"""The machine as the checks see it: what the kernel tells under /proc and /sys, and a few questions to it.

`None` means that it could not be learnt here, as in a container that hides it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from callwright.speech.settings import VoiceSettings

_LOADING_S = 30.0
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class Disk(NamedTuple):
    """Bytes and inodes; `inodes` is 0 where the file system has no fixed number of them."""

    free: int
    total: int
    free_inodes: int
    inodes: int


class Bound(NamedTuple):
    """A socket that has a port; `address` is as in /proc/net, hexadecimal."""

    address: str
    port: int
    inode: int

    def stands_in(self, address: str) -> bool:
        """Whether the port cannot be bound on an IPv4 address while this socket has it."""
        own = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
        return set(self.address) == {"0"} or own in (self.address, "00000000")


class Machine:
    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def text(self, path: str) -> str | None:
        """The content of a file of the kernel's."""
        try:
            return (self._root / path).read_text(errors="replace")
        except OSError:
            return None

    def numbers(self, path: str) -> list[int]:
        return [int(word) for word in (self.text(path) or "").split() if word.lstrip("-").isdecimal()]

    def number(self, path: str) -> int | None:
        return next(iter(self.numbers(path)), None)

    # disk

    def disk(self, path: Path) -> Disk:
        there = os.statvfs(path)
        return Disk(there.f_bavail * there.f_frsize, there.f_blocks * there.f_frsize, there.f_favail, there.f_files)

    def file_system(self, path: Path) -> str | None:
        """The type of the file system a path is on: that of the mount point with the longest name."""
        found: tuple[int, str | None] = (-1, None)
        for line in (self.text("proc/self/mountinfo") or "").splitlines():
            before, _, after = line.partition(" - ")
            fields, kind = before.split(), after.partition(" ")[0]
            point = Path(fields[4].encode().decode("unicode_escape"))
            if path.is_relative_to(point) and len(point.parts) >= found[0]:
                found = len(point.parts), kind
        return found[1]

    # voices

    def voice_fault(self, settings: VoiceSettings) -> str | None:
        """Why an engine cannot be loaded, from a process that tries; None when it can."""
        arguments = [sys.executable, "-P", "-m", "callwright.speech.voices.check", msgspec.json.encode(settings).decode()]
        try:
            tried = subprocess.run(  # noqa: S603
                arguments, capture_output=True, text=True, timeout=_LOADING_S, stdin=subprocess.DEVNULL, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"a process that loads it did not come to an end ({type(error).__name__})"
        if tried.returncode == 0:
            return None
        words = (tried.stdout or tried.stderr).strip().splitlines()
        return words[-1][:300] if words else f"a process that loads it ended with status {tried.returncode}"

    # processes

    def process_state(self, pid: int) -> str | None:
        """The letter of proc(5), such as ``S``; None when there is no such process."""
        text = self.text(f"proc/{pid}/stat")
        return None if text is None else text.rpartition(")")[2].split()[0]

    def open_sockets(self, pid: int) -> set[int]:
        """The inodes of a process's sockets; empty when they may not be seen."""
        found = set()
        with suppress(OSError):
            for entry in (self._root / f"proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    kind, _, rest = os.readlink(entry).partition(":[")
                    if kind == "socket":
                        found.add(int(rest.rstrip("]")))
        return found

    def has_open(self, pid: int, path: Path) -> bool | None:
        """Whether a process has a file open; None where that may not be seen of a process of the file's owner.

        Another user's process has not opened what its owner alone may open: it came to the number of one that died.
        """
        process = self._root / f"proc/{pid}"
        try:
            entries = list((process / "fd").iterdir())
        except PermissionError:
            with suppress(OSError):
                return None if process.stat().st_uid == path.stat().st_uid else False
            return False
        except OSError:
            return False
        for entry in entries:
            with suppress(OSError):
                if entry.samefile(path):
                    return True
        return False

    def open_files_limit(self, pid: int | None) -> int:
        """How many descriptors a process may raise its limit to; ours, where there is no process to ask."""
        for line in (self.text(f"proc/{pid}/limits") or "").splitlines() if pid is not None else ():
            if line.startswith("Max open files"):
                hard = line.split()[4]
                return int(hard) if hard.isdecimal() else 1 << 30
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return 1 << 30 if hard_limit == resource.RLIM_INFINITY else hard_limit

    # network

    def sockets(self, kind: str) -> list[Bound]:
        """Bound sockets, of ``udp`` or listening ones of ``tcp``."""
        found = []
        for table in (kind, f"{kind}6"):
            for line in (self.text(f"proc/net/{table}") or "").splitlines()[1:]:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                if kind == "udp" or fields[3] == "0A":
                    found.append(Bound(address, int(port, 16), int(fields[9])))
        return found

    def resolve(self, host: str) -> list[str]:
        """The IPv4 addresses of a host; raises `OSError` when there are none."""
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)})

    # the rest

    def cores(self, pid: int | None = None) -> float:
        """Processors a process, or this one, may use; a quota of its control group counts."""
        try:
            allowed = float(len(os.sched_getaffinity(pid or 0)))
        except OSError:
            allowed = float(len(os.sched_getaffinity(0)))
        quota = self.numbers(f"{self._group(pid)}/cpu.max")
        return min(allowed, quota[0] / quota[1]) if len(quota) == 2 else allowed

    def memory(self, pid: int | None = None) -> int | None:
        """Bytes of memory there may be used: the machine's, or the limit of the control group of a process, or of this one."""
        lines = (self.text("proc/meminfo") or "").splitlines()
        has = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)
        limit = self.number(f"{self._group(pid)}/memory.max")
        return has if limit is None else limit if has is None else min(has, limit)

    def killed_for_memory(self, pid: int | None = None) -> int:
        """How often the kernel ended a process of the control group for want of memory."""
        lines = (self.text(f"{self._group(pid)}/memory.events") or "").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def synchronised(self) -> bool | None:
        """Whether the kernel takes its clock to be synchronised with an outer one."""
        adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
        if adjtimex is None:
            return None
        state: int = adjtimex(ctypes.create_string_buffer(512))  # all zero: only asked, nothing set
        return None if state < 0 else state != _TIME_ERROR

    def _group(self, pid: int | None) -> str:
        """Where the files of a process's control group are, or of ours (version 2 alone)."""
        for line in (self.text(f"proc/{pid or 'self'}/cgroup") or "").splitlines():
            if line.startswith("0::"):
                return f"sys/fs/cgroup{line[3:].rstrip('/')}"
        return "sys/fs/cgroup"
