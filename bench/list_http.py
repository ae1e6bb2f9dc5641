"""Lists and exports through a whole server on a folder with a history: pages under wrk in turn, exports read to their end."""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from machine import cpu_seconds
from rest import Side, Turn, get, load, lua, running
from start import free_port

SIZE = 10
TIMEOUT_S = 600


class Taken(NamedTuple):
    """An export: its rows, seconds, and the server's memory before and at the most, in MB; `status` where it is none."""

    status: int
    rows: int
    seconds: float
    before_mb: float
    most_mb: float
    cpu_s: float


@contextmanager
def serving(data: Path) -> Iterator[Side]:
    port = free_port()
    command = [Path(sys.executable).with_name("callwright"), "--data", data, "serve", "--sip-port", "0", "--http-port", port]
    with running(command, "callwright serve", port) as side:
        time.sleep(1)
        yield side


def under_load(
    side: Side, key: str, paths: dict[str, str], *, rounds: int, seconds: int, connections: int
) -> dict[str, list[Turn]]:
    """Every path under wrk, in turn; no turns where the server does not answer with 200, or not in wrk's two seconds."""
    turns: dict[str, list[Turn]] = {name: [] for name in paths}
    left = {name: path for name, path in paths.items() if get(side.port, path, key)[0] == 200}
    with tempfile.TemporaryDirectory() as folder:
        scripts = {name: lua(Path(folder), str(n), key, [path]) for n, (name, path) in enumerate(left.items())}
        for _ in range(rounds):
            for name in list(left):
                try:
                    turns[name].append(load(side, scripts[name], seconds, connections))
                except SystemExit:
                    turns[name].clear()
                    left.pop(name)
    return turns


def medians(turns: list[Turn]) -> Turn:
    return Turn(*map(statistics.median, zip(*turns, strict=True)))


def export(side: Side, key: str, path: str) -> Taken:
    """Read an export to its end, and look at the server's memory meanwhile."""
    before, cpu = memory_mb(side.pid), cpu_seconds(side.pid)
    most, over = [before], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            most.append(memory_mb(side.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=TIMEOUT_S)
        connection.request("GET", path, headers={"Authorization": f"AccessKey {key}"})
        answer = connection.getresponse()
        rows = 0
        while part := answer.read(1 << 16):
            rows += part.count(b"\n")
        seconds = time.perf_counter() - began
        connection.close()
    finally:
        over.set()
        watcher.join()
    return Taken(answer.status, rows, seconds, before, max(most), cpu_seconds(side.pid) - cpu)


def memory_mb(pid: int) -> float:
    """What a process occupies, without pages of files: the database is mapped by nobody, but libraries are."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024
