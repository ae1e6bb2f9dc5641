"""A machine that tells what a test wants; the rest is as on a healthy one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from callwright.doctor.machine import Bound, Disk, Machine
from callwright.speech.settings import VoiceSettings

HEALTHY = {
    "proc/self/mountinfo": "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "proc/sys/net/core/rmem_max": "4194304\n",
    "proc/sys/vm/overcommit_memory": "0\n",
    "proc/meminfo": "MemTotal:        8000000 kB\n",
}


class StillMachine(Machine):
    """`files` are those under /proc and /sys, over the healthy ones; `answers` the methods' results by their names."""

    def __init__(self, files: dict[str, str] | None = None, **answers: Any) -> None:
        super().__init__()
        self._files = HEALTHY | (files or {})
        self._answers: dict[str, Any] = {
            "disk": Disk(50_000_000_000, 100_000_000_000, 900_000, 1_000_000),
            "synchronised": True,
            "open_files_limit": 524_288,
            "open_sockets": set[int](),
            "sockets": list[Bound](),
            "has_open": False,
            "process_state": None,
            "voice_fault": None,
        } | answers

    def text(self, path: str) -> str | None:
        return self._files.get(path)

    def disk(self, path: Path) -> Disk:
        return self._answers["disk"]

    def synchronised(self) -> bool | None:
        return self._answers["synchronised"]

    def open_files_limit(self, pid: int | None) -> int:
        return self._answers["open_files_limit"]

    def open_sockets(self, pid: int) -> set[int]:
        return self._answers["open_sockets"]

    def sockets(self, kind: str) -> list[Bound]:
        return self._answers["sockets"]

    def has_open(self, pid: int, path: Path) -> bool | None:
        return self._answers["has_open"]

    def voice_fault(self, settings: VoiceSettings) -> str | None:
        return self._answers["voice_fault"]

    def process_state(self, pid: int) -> str | None:
        return self._answers["process_state"]

    def resolve(self, host: str) -> list[str]:
        if "nowhere" in host:
            raise OSError(-2, "Name or service not known")
        return ["192.0.2.7"]
