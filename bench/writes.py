"""Call lifecycles a second through the real writer, against a bare loop that writes the same rows.

    scripts/bench writes [--lifecycles 3000] [--callers 64] [--rounds 5] [--folder DIR]

A lifecycle is an inbound call that a flow answers and hangs up: its four commits, with calls, legs, dialogs, journal and
events, as the switch makes them. `--callers` of them go on at a time, each waiting for its commit before it goes on.
Every round has both, in turn, each in a file of its own on the same disk with the same settings (WAL, synchronous full):

real   `CallRecord` makes the changes, `Store.commit` writes them, on uvloop as in the server
bare   one thread, one connection: the statements and parameters of such a run, noted beforehand, in groups of the sizes
       the real writer had in this round; no savepoints, no checkpoints, nobody waits
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import apsw
import uvloop
from machine import machine_line

from callwright import ids
from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import CalledNumber
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.store import Change, Store
from callwright.telephony import RtpCounters

NODE = "one"
CLOCK = SystemClock()
WORLD = ids.uuid7(CLOCK.now_us())
NUMBER = CalledNumber(ids.uuid7(CLOCK.now_us()), "31205550123", ids.uuid7(CLOCK.now_us()), CLOCK.now_us(), CLOCK.now_us())
FLOW: dict[str, Any] = {
    "title": "Answer and hang up",
    "record": False,
    "steps": [
        {"id": "step-1", "action": "pause", "options": {"length": 1}},
        {"id": "step-2", "action": "hangup"},
    ],
}
DIALOG = bytes(range(256)) + bytes(64)  # as many bytes as signalling keeps of a dialog

PRAGMAS = ("journal_mode = WAL", "synchronous = full", "foreign_keys = 0", "wal_autocheckpoint = 0", "cache_size = -16384")

Statement = tuple[str, Any]


def lifecycle(world_id: UUID = WORLD, called: CalledNumber = NUMBER, source: str = "31205550177") -> Iterator[Change]:
    """The changes of one call, as `CallActor` makes them."""
    at_us = CLOCK.now_us()
    call_id, leg_id = ids.uuid7(at_us), ids.uuid7(at_us)
    record = CallRecord.incoming(
        call_id=call_id,
        leg_id=leg_id,
        world_id=world_id,
        source=source,
        destination=called.number,
        called=called,
        sip_call_id=f"{call_id}@192.0.2.7",
        dialog=DIALOG,
        at_us=at_us,
        node=NODE,
    )
    made = record.take()
    at_us = CLOCK.now_us()
    record.note(journal.FlowStarted(flow_id=called.flow_id, flow=FLOW), at_us)
    record.note(journal.StepStarted(step="step-1", action="pause"), at_us)
    record.intend_answer(leg_id, at_us)
    yield made + record.take()
    at_us = CLOCK.now_us()
    record.learn(leg_id, at_us, dialog=DIALOG + b"to")
    record.answered(leg_id, at_us)
    yield record.take()
    at_us = CLOCK.now_us()
    record.note(journal.StepEnded(step="step-1", outcome="paused"), at_us)
    record.note(journal.StepStarted(step="step-2", action="hangup"), at_us)
    record.end_leg(leg_id, Reason.FLOW_ENDED, at_us)
    yield record.take()
    at_us = CLOCK.now_us()
    record.released(leg_id)
    counters = RtpCounters(sent=50, received=50, jitter_ms=0.4, mos=4.38)
    record.note(journal.LegLast(leg=leg_id, cause="hangup", sip_code=200, counters=counters), at_us)
    yield record.take()


class Round(NamedTuple):
    """One side's turn. `groups` are the rows of each commit, `cpu_s` the processor time of each thread by name."""

    seconds: float
    groups: list[int]
    commits_s: list[float]
    waits_s: list[float]
    cpu_s: dict[str, float]


async def drive(
    store: Store, lifecycles: int, callers: int, waits_s: list[float], make: Callable[[], Iterator[Change]] = lifecycle
) -> None:
    """Have so many callers run lifecycles, and note how long each waited for each commit."""

    async def caller(calls: int) -> None:
        for _ in range(calls):
            for change in make():
                began = time.perf_counter()
                await store.commit(change)
                waits_s.append(time.perf_counter() - began)

    await asyncio.gather(*(caller(len(range(one, lifecycles, callers))) for one in range(callers)))


def run_real(
    path: Path,
    lifecycles: int,
    callers: int,
    *,
    synchronous: str = "full",
    make: Callable[[], Iterator[Change]] = lifecycle,
) -> Round:
    """Drive lifecycles through the store."""
    groups, commits_s, waits_s, cpu_s, seconds = [0], list[float](), list[float](), dict[str, float](), 0.0

    async def timed() -> None:
        nonlocal seconds
        before = thread_seconds()
        began = time.perf_counter()
        await drive(store, lifecycles, callers, waits_s, make)
        seconds = time.perf_counter() - began
        cpu_s.update({name: used - before[name] for name, used in thread_seconds().items()})

    def count_rows(connection: apsw.Connection) -> None:
        connection.set_commit_hook(lambda: groups.append(connection.total_changes()) is not None)

    with each_connection(count_rows):
        store = Store.open(path, CLOCK, synchronous=synchronous, on_commit=commits_s.append)
    try:
        del groups[:-1]  # those of the migrations
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(timed())
    finally:
        store.close()
    sizes = [after - before for before, after in itertools.pairwise(groups)]
    return Round(seconds, sizes, commits_s, waits_s, cpu_s)


def note_statements(path: Path, lifecycles: int, callers: int) -> list[Statement]:
    """The statements of so many lifecycles, in the order the real writer has them."""
    statements: list[Statement] = []

    def note(cursor: apsw.Cursor, sql: str, params: Any) -> bool:
        if sql.startswith(("INSERT", "UPDATE")):
            statements.append((sql, params))
        return True

    with each_connection(lambda connection: connection.set_exec_trace(note)):
        store = Store.open(path, CLOCK)
    statements.clear()
    try:
        asyncio.run(drive(store, lifecycles, callers, []))
    finally:
        store.close()
    return statements


def run_bare(path: Path, statements: list[Statement], groups: list[int]) -> Round:
    """Write noted statements in groups of so many rows."""
    Store.open(path, CLOCK).close()  # makes the tables
    connection = apsw.Connection(str(path), statementcachesize=200)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    commits_s = []
    left = iter(statements)
    began, cpu = time.perf_counter(), time.thread_time()
    for rows in groups:
        due = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for sql, params in itertools.islice(left, rows):
            connection.execute(sql, params)
        connection.execute("COMMIT")
        commits_s.append(time.perf_counter() - due)
    done = Round(time.perf_counter() - began, groups, commits_s, [], {"the one thread": time.thread_time() - cpu})
    connection.close()
    assert next(left, None) is None, "the real writer had other rows"
    return done


@contextmanager
def each_connection(prepare: Callable[[apsw.Connection], None]) -> Iterator[None]:
    """Prepare every connection to a database that is made meanwhile."""
    apsw.connection_hooks.append(prepare)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(prepare)


def thread_seconds() -> dict[str, float]:
    """Processor time of every thread of this process, as the scheduler counts it."""
    found = {}
    for thread in threading.enumerate():
        schedstat = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
        found["event loop" if thread is threading.main_thread() else thread.name] = int(schedstat.split()[0]) / 1e9
    return found


def percentiles_ms(seconds: list[float]) -> str:
    in_order = sorted(seconds)
    p50, p99 = (1000 * in_order[int(len(in_order) * share)] for share in (0.5, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def told(name: str, done: Round, lifecycles: int) -> str:
    rows = sum(done.groups)
    cpu = ", ".join(f"{thread} {1000 * used / lifecycles:.3f}" for thread, used in done.cpu_s.items() if used > 0.001)
    waits = f"; a caller waits {percentiles_ms(done.waits_s)}" if done.waits_s else ""
    return (
        f"{name}: {lifecycles / done.seconds:,.0f} lifecycles/s, {rows / done.seconds:,.0f} rows/s, "
        f"{len(done.groups) / done.seconds:,.0f} commits/s of {rows / len(done.groups):.0f} rows; "
        f"commit {percentiles_ms(done.commits_s)}{waits}; CPU-ms a lifecycle: {cpu}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lifecycles", type=int, default=3000, help="in each round of each side")
    parser.add_argument("--callers", type=int, default=64, help="that wait for commits at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are made; the system's folder for temporary files")
    chosen = parser.parse_args()
    print(__doc__)
    print(machine_line())
    ratios, processor = [], []
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        statements = note_statements(folder / "noted.db", chosen.lifecycles, chosen.callers)
        share = len(statements) / chosen.lifecycles
        print(f"{chosen.lifecycles} lifecycles a round, {chosen.callers} callers, {share:g} statements in each lifecycle")
        for number in range(chosen.rounds):
            real = run_real(folder / f"real-{number}.db", chosen.lifecycles, chosen.callers)
            bare = run_bare(folder / f"bare-{number}.db", statements, real.groups)
            print(told("real", real, chosen.lifecycles))
            print(told("bare", bare, chosen.lifecycles))
            ratios.append(bare.seconds / real.seconds)
            processor.append(sum(bare.cpu_s.values()) / sum(real.cpu_s.values()))
    each = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"real / bare: lifecycles a second, median {statistics.median(ratios):.2f}, aim 0.5 ({each})")
    print(f"bare / real: processor time, median {statistics.median(processor):.2f}")
    print("default limits: none stands before the writer; `sip.new_legs_per_second` lets 250 calls a second come to it")


if __name__ == "__main__":
    main()
