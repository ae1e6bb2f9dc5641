"""Looking at a server from outside: its processes as the kernel has them, and its log as it grows."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from support.server import Server


class Process(NamedTuple):
    """A process at a moment; memory in MB."""

    pss: float
    rss: float
    descriptors: int
    threads: int


def look_at(pid: int) -> Process | None:
    """None when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return None
    sizes = {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in rollup) if value}
    if "Pss" not in sizes:
        return None
    return Process(sizes["Pss"], sizes["Rss"], descriptors, threads)


class Sample(NamedTuple):
    """`at` is in seconds since the load began."""

    at: float
    processes: dict[str, Process]
    rtp_ports: int
    legs: int


class Log:
    """The server's log, read as it grows. `pids` has the living children by name, `complaints` the lines of a bad kind."""

    def __init__(self, server: Server) -> None:
        self._file = server.log.open("rb")
        self._rest = b""
        self.pids: dict[str, int] = {}
        self.ups: list[tuple[str, float, int]] = []
        self.complaints: list[dict[str, Any]] = []
        self.strays: list[str] = []

    def read(self) -> None:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            if not line.startswith(b"{"):
                self.strays.append(line.decode(errors="replace"))
                continue
            if b'"level":"info"' in line and b'"event":"child_' not in line:
                continue
            told = json.loads(line)
            if told["event"] == "child_up":
                self.pids[told["child"]] = told["pid"]
                self.ups.append((told["child"], told["at"], told["pid"]))
            elif told["level"] in ("warning", "error"):
                self.complaints.append(told)

    def close(self) -> None:
        self._file.close()


def sample(server: Server, log: Log, at: float) -> Sample:
    log.read()
    pids = {"core": server.process.pid, **log.pids}
    seen = {name: look_at(pid) for name, pid in pids.items()}
    return Sample(
        at,
        {name: process for name, process in seen.items() if process is not None},
        len(server.rtp_ports_in_use()),
        int(server.metric("callwright_legs_live")),
    )


def medians(samples: Iterable[Sample], name: str) -> Process:
    """The median of each figure of one process."""
    found = [one.processes[name] for one in samples if name in one.processes]
    return Process(
        statistics.median(one.pss for one in found),
        statistics.median(one.rss for one in found),
        round(statistics.median(one.descriptors for one in found)),
        round(statistics.median(one.threads for one in found)),
    )
