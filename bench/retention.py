"""How long commits of calls wait while old calls are deleted, against the same load without that.

    scripts/bench retention [--old 20000] [--rate 200] [--seconds 6] [--rounds 4] [--folder DIR]

A file has `--old` calls that ended 40 days ago, each with its leg, journal, events, and a callback with an attempt for each
event. Then so many lifecycles a second, as in `writes`, are committed by callers that wait for each commit. Rounds with
and without a retention of 30 days that deletes without a pause between its runs take turns. It prints p50 and p99 of the
waits, the ratio of the two, and how many calls were deleted a second.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import apsw
import uvloop
from machine import machine_line
from writes import CLOCK, drive, lifecycle, percentiles_ms

from callwright.retention.retention import Retention
from callwright.retention.rules import DAY_US, Rules
from callwright.store import Store, queries

AGE_US = 40 * DAY_US
RULES = Rules(30)
CALLERS = 64
DELIVERIES = """
    INSERT INTO deliveries (world_id, id, event_id, call_id, sequence, kind, scope, url, endpoint, body, state, attempts,
        tries, created_us, since_us, settled_us, delivered_us, last_status)
    SELECT world_id, randomblob(16), id, call_id, seq, kind, 'account', 'https://example.com/hook', 'https://example.com/hook',
        randomblob(800), 'delivered', 1, 1, at_us, at_us, at_us, at_us, 200 FROM events
"""
ATTEMPTS = """
    INSERT INTO attempts (world_id, delivery_id, n, at_us, headers, status, answer_headers, answer, whole, total_us)
    SELECT world_id, id, 1, created_us, '[]', 200, '[]', x'', 1, 1000 FROM deliveries
"""


class Round(NamedTuple):
    waits_s: list[float]
    deleted: int
    seconds: float


def make(path: Path, old: int) -> None:
    """Write calls at full speed, then make them old."""
    store = Store.open(path, CLOCK, synchronous="normal")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(drive(store, old, CALLERS, []))
    store.close()
    connection = apsw.Connection(str(path))
    counts = queries.load()
    with connection:
        connection.execute("UPDATE calls SET created_us = created_us - ?1, ended_us = ended_us - ?1", (AGE_US,))
        connection.execute("UPDATE events SET at_us = at_us - ?", (AGE_US,))
        connection.execute(DELIVERIES)
        connection.execute(ATTEMPTS)
        connection.execute("UPDATE fanned_out SET pos = (SELECT MAX(pos) FROM events)")
        connection.execute(counts["blocks.forget_calls"])
        connection.execute(counts["blocks.count_all_calls"])
    connection.close()


async def load(store: Store, rate: float, seconds: float) -> list[float]:
    """Begin lifecycles at random moments, so many a second, and note how long each commit was waited for."""
    waits_s: list[float] = []

    async def call() -> None:
        for change in lifecycle():
            began = time.perf_counter()
            await store.commit(change)
            waits_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.05)

    chance = random.Random(1)
    end = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as calls:
        while time.perf_counter() < end:
            calls.create_task(call())
            await asyncio.sleep(chance.expovariate(rate))
    return waits_s


async def one_round(store: Store, rate: float, seconds: float, *, deleting: bool) -> Round:
    deleted = 0

    def count(calls: int) -> None:
        nonlocal deleted
        deleted += calls

    async def delete() -> None:
        retention = Retention(store, CLOCK, RULES, counted=count)
        while True:
            await retention.erase_old()
            await asyncio.sleep(0.01)

    work = asyncio.create_task(delete()) if deleting else None
    began = time.perf_counter()
    try:
        return Round(await load(store, rate, seconds), deleted, time.perf_counter() - began)._replace(deleted=deleted)
    finally:
        if work is not None:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


async def rounds(store: Store, rate: float, seconds: float, count: int) -> None:
    ratios = []
    p99: dict[bool, float] = {}
    for number, deleting in itertools.product(range(count), (False, True)):
        done = await one_round(store, rate, seconds, deleting=deleting)
        p99[deleting] = sorted(done.waits_s)[int(0.99 * len(done.waits_s))]
        what = f"with: {done.deleted / done.seconds:,.0f} calls deleted a second" if deleting else "without"
        print(f"round {number + 1}, {len(done.waits_s)} commits, {percentiles_ms(done.waits_s)}, {what}")
        if deleting:
            ratios.append(p99[True] / p99[False])
    each = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"p99 with / without: median {statistics.median(ratios):.2f} ({each})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=int, default=20_000, help="old calls in the file; more than all rounds delete")
    parser.add_argument("--rate", type=float, default=200, help="lifecycles a second, four commits each")
    parser.add_argument("--seconds", type=float, default=6, help="that a round takes")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the file is made; the system's folder for temporary files")
    chosen = parser.parse_args()
    print(__doc__)
    print(machine_line())
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        path = Path(name) / "calls.db"
        make(path, chosen.old)
        print(f"{chosen.old} old calls, {path.stat().st_size / 1e6:.0f} MB")
        store = Store.open(path, CLOCK)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(rounds(store, chosen.rate, chosen.seconds, chosen.rounds))
        finally:
            store.close()


if __name__ == "__main__":
    main()
