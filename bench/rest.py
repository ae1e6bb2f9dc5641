"""`GET /calls` (10 rows a page) and `GET /calls/{id}` under wrk, against an application written by hand for these two.

    scripts/bench rest [--calls 10000] [--seconds 3] [--rounds 5] [--connections 32]

Both answer from one database file, filled by the real writer, and send the same bytes, which is checked first:

ours     `callwright serve` with its default settings, a key made by it, its children idle beside it
by hand  bench/rest_by_hand.py: the same counters, rows and key check in plain functions, on plain uvicorn

They take turns under the load; a ratio is of two turns that follow each other. Single calls are asked for over 1,000 ids.
How long the list is makes no difference to either; `lists` shows pages further on.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from machine import cpu_seconds, machine_line
from start import free_port
from writes import lifecycle

from callwright.accounts.worlds import LIVE, Accounts
from callwright.calls import lists
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.store import Store

BENCH = Path(__file__).parent
IDS = 1_000
AIMS = {"list": 0.75, "one": 0.6}


class Side(NamedTuple):
    name: str
    pid: int
    port: int


class Turn(NamedTuple):
    """What one side did under the load for a while, and the processor time each needed for a request."""

    rate: float
    p99_ms: float
    own_ms: float
    wrk_ms: float


async def fill(folder: DataFolder, calls: int) -> tuple[str, list[str]]:
    """Put calls on record; return a key and the ids of the newest."""
    clock = SystemClock()
    store = Store.open(folder.database, clock)
    try:
        accounts = Accounts(store, clock)
        await accounts.prepare()
        made = await accounts.make_key(LIVE, "bench")
        world_id = made.key.world_id

        async def caller(count: int) -> None:
            for _ in range(count):
                for change in lifecycle(world_id):
                    await store.commit(change)

        await asyncio.gather(*(caller(len(range(one, calls, 64))) for one in range(64)))
        newest = lists.list_calls(store, world_id, limit=IDS, offset=0).calls
        return made.secret, [str(call.id) for call in newest]
    finally:
        store.close()


@contextmanager
def running(arguments: list[Any], name: str, port: int) -> Iterator[Side]:
    """Run a server until it is not needed any more."""
    server = subprocess.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while server.poll() is None and time.monotonic() < deadline:
            try:
                get(port, "/calls", "")
            except OSError:
                time.sleep(0.05)
            else:
                break
        else:
            raise SystemExit(f"{name} does not answer; run it yourself to see why: {' '.join(map(str, arguments))}")
        yield Side(name, server.pid, port)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def get(port: int, path: str, key: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Authorization": f"AccessKey {key}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() != "date"}
    return answer.status, headers, body


def load(side: Side, script: Path, seconds: int, connections: int) -> Turn:
    """Put a side under wrk."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{side.port}"]
    cpu, children = cpu_seconds(side.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu, after = cpu_seconds(side.pid) - cpu, resource.getrusage(resource.RUSAGE_CHILDREN)
    generator = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{side.name} failed under the load:\n{said}")
    requests = int(re.findall(r"(\d+) requests in", said)[0])
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    ((p99, unit),) = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)
    p99_ms = float(p99) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    return Turn(rate, p99_ms, 1000 * cpu / requests, 1000 * generator / requests)


def lua(folder: Path, name: str, key: str, paths: list[str]) -> Path:
    """A script for wrk that asks for these paths in turn."""
    script = folder / f"{name}.lua"
    listed = ", ".join(json.dumps(path) for path in paths)
    script.write_text(
        f'local paths, turn = {{{listed}}}, 0\nwrk.headers["Authorization"] = "AccessKey {key}"\n'
        'function request()\n  turn = turn % #paths + 1\n  return wrk.format("GET", paths[turn])\nend\n'
    )
    return script


def compare(what: str, sides: tuple[Side, Side], script: Path, chosen: argparse.Namespace) -> None:
    turns: dict[str, list[Turn]] = {side.name: [] for side in sides}
    for _ in range(chosen.rounds):
        for side in sides:
            turns[side.name].append(load(side, script, chosen.seconds, chosen.connections))
    for name, seen in turns.items():
        rate, p99, own, wrk = map(statistics.median, zip(*seen, strict=True))
        print(f"{what}, {name}: {rate:,.0f} requests/s, p99 {p99:.1f} ms; CPU-ms a request: {own:.3f}, wrk {wrk:.3f}")
    ours, by_hand = (turns[side.name] for side in sides)
    ratios = sorted(one.rate / other.rate for one, other in zip(ours, by_hand, strict=True))
    processor = statistics.median(other.own_ms / one.own_ms for one, other in zip(ours, by_hand, strict=True))
    print(
        f"{what}, ours / by hand: median {statistics.median(ratios):.2f}, aim {AIMS[what]} "
        f"({', '.join(f'{ratio:.2f}' for ratio in ratios)}); by processor time {processor:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000, help="how many are on record")
    parser.add_argument("--seconds", type=int, default=3, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    chosen = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("rest: wrk is not installed; try: apt-get install wrk")
    print(__doc__)
    print(machine_line())
    with tempfile.TemporaryDirectory() as name:
        folder = DataFolder(Path(name) / "data")
        folder.prepare()
        key, ids = asyncio.run(fill(folder, chosen.calls))
        print(f"{chosen.calls} calls on record; {chosen.connections} connections; turns of {chosen.seconds} s")
        command = Path(sys.executable).with_name("callwright")
        serve = [command, "--data", folder.root, "serve", "--sip-port", "0", "--http-port"]
        port, other_port = free_port(), free_port()
        by_hand = [sys.executable, BENCH / "rest_by_hand.py", folder.database, other_port]
        with (
            running([*serve, port], "ours", port) as ours,
            running(by_hand, "by hand", other_port) as other,
        ):
            paths = {"list": ["/calls"], "one": [f"/calls/{id_}" for id_ in ids]}
            for path in ("/calls", "/calls?page=2&limit=3", paths["one"][0]):
                answers = [get(side.port, path, key) for side in (ours, other)]
                if answers[0] != answers[1] or answers[0][0] != 200:
                    raise SystemExit(f"the two do not answer alike to {path}: {answers}")
            time.sleep(1)
            for what, asked in paths.items():
                compare(what, (ours, other), lua(Path(name), what, key, asked), chosen)
    print("default limits: these are the figures they give; the interface has no limit of requests a second")


if __name__ == "__main__":
    main()
