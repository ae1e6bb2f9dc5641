"""The machine a benchmark ran on, and what its processes cost, as the kernel counts it."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections import Counter
from pathlib import Path


def machine_line() -> str:
    """The line every benchmark prints first: when and on what it ran, and how busy that was before."""
    return (
        f"machine: {time.strftime('%Y-%m-%d')}, {_processor()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.2f}"
    )


def clean_up_when_ended() -> None:
    """Leave no folder and no server behind at a SIGTERM, as at the end."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used in its life, all its threads, own and in the kernel.

    The scheduler's count is in nanoseconds, but only of threads that still live; the ticks of `stat` have all.
    """
    ticks = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        exact = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, IndexError):
        exact = 0.0
    return max(exact, ticks / os.sysconf("SC_CLK_TCK"))


def niceness(pid: int) -> int:
    """What a process has: media processes ask for -5, and go without where the system grants none."""
    return os.getpriority(os.PRIO_PROCESS, pid)


def niceness_line(server: int) -> str:
    """The line a benchmark with sound or calls prints of its server: the same machine carries more where -5 is granted."""
    media = {name: pid for name, pid in children(server).items() if name.startswith("media")}
    return "niceness: " + ", ".join(f"{name} {niceness(pid)}" for name, pid in media.items())


def children(pid: int) -> dict[str, int]:
    """The child processes of a server by name: `signalling`, `media-1`, `media-2` …; of others, by their program."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    pids = sorted({int(child) for thread in threads for child in (thread / "children").read_text().split()})
    seen: Counter[str] = Counter()
    named: dict[str, int] = {}
    for child in pids:
        room = _room(child)
        seen[room] += 1
        named[f"{room}-{seen[room]}" if room == "media" or seen[room] > 1 else room] = child
    return named


def _room(pid: int) -> str:
    """The room whose process this is, from ``python -m callwright.<room>.process``."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    module = next((word for word in words if word.startswith("callwright.")), "")
    room = module.split(".")[1] if module else Path(words[0]).name
    return {"sip": "signalling"}.get(room, room)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    print(machine_line())
