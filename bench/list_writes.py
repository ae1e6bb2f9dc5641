"""What counting costs those who write: lifecycles through the real writer, in turn with and without what the lists need."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

import apsw
from list_history import NUMBERS
from writes import CLOCK, Round, lifecycle, run_real

from callwright import ids
from callwright.calls.model import CalledNumber
from callwright.store import Change, Store

# What makes a call's changes known to its counters. Without them nothing is summed at the end of a commit.
COUNTING = ("calls_made", "calls_moved", "calls_deleted")
# The indexes of calls that the list of 10,000 calls did without.
INDEXES = (
    *("calls_by_status", "calls_by_number", "calls_by_number_status", "calls_by_source", "calls_by_destination"),
    *("calls_by_source_end", "calls_by_destination_end", "calls_by_flow", "calls_by_reason"),
)
DROP_COUNTING = tuple(f"DROP TRIGGER {name}" for name in COUNTING)
DROP_INDEXES = tuple(f"DROP INDEX {name}" for name in INDEXES)


class Kind(NamedTuple):
    """How a file is made and written; `drops` are statements that take something out of a fresh schema."""

    name: str
    callers: int = 64
    drops: tuple[str, ...] = ()
    synchronous: str = "full"
    many_numbers: bool = True


class Compared(NamedTuple):
    """Two kinds by their lifecycles a second: `ratio` is the median of those of one round, `cpu` that by processor time."""

    what: str
    first: Kind
    second: Kind
    rates: tuple[float, float]
    ratio: float
    each: list[float]
    cpu: float


COMPARISONS = (
    ("counters", Kind("with counters"), Kind("without", drops=DROP_COUNTING)),
    ("counters, one number", Kind("with", many_numbers=False), Kind("without", drops=DROP_COUNTING, many_numbers=False)),
    ("indexes", Kind("with indexes"), Kind("without", drops=DROP_INDEXES)),
    ("FULL and NORMAL at 256", Kind("full", callers=256), Kind("normal", callers=256, synchronous="normal")),
)


def compare(
    folder: Path, what: str, first: Kind, second: Kind, *, lifecycles: int, rounds: int, say: Callable[[str], None]
) -> Compared:
    """Let both take turns, each in a fresh file; who is first in a round changes."""
    turns: dict[str, list[Round]] = {first.name: [], second.name: []}
    for number in range(-1, rounds):
        for kind in (first, second) if number % 2 else (second, first):
            done = _run(folder / f"{kind.name.replace(' ', '-')}.db", kind, lifecycles if number >= 0 else lifecycles // 4)
            if number >= 0:
                turns[kind.name].append(done)
                say(f"  {what}, {kind.name}: {lifecycles / done.seconds:,.0f} lifecycles/s, {_groups(done)}")
    one, other = turns[first.name], turns[second.name]
    each = sorted(b.seconds / a.seconds for a, b in zip(one, other, strict=True))
    cpu = statistics.median(sum(b.cpu_s.values()) / sum(a.cpu_s.values()) for a, b in zip(one, other, strict=True))
    rates = [lifecycles / statistics.median(done.seconds for done in side) for side in (one, other)]
    return Compared(what, first, second, (rates[0], rates[1]), statistics.median(each), each, cpu)


def _run(path: Path, kind: Kind, lifecycles: int) -> Round:
    Store.open(path, CLOCK).close()  # makes the tables
    connection = apsw.Connection(str(path))
    for drop in kind.drops:
        connection.execute(drop)
    connection.close()
    try:
        make = _calls_of_many() if kind.many_numbers else lifecycle
        return run_real(path, lifecycles, kind.callers, synchronous=kind.synchronous, make=make)
    finally:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


def _calls_of_many(seed: int = 1) -> Callable[[], Iterator[Change]]:
    """Lifecycles of `NUMBERS` numbers, called as often as those of the history are, each by somebody else."""
    chance, at_us = Random(seed), CLOCK.now_us()
    world_id = ids.uuid7(at_us)
    called = [CalledNumber(ids.uuid7(at_us), f"3120555{rank:04d}", UUID(int=rank + 1), at_us, at_us) for rank in range(NUMBERS)]
    weights = [1 / (rank + 1) for rank in range(NUMBERS)]
    order = iter(chance.choices(called, weights, k=1 << 17))
    return lambda: lifecycle(world_id, next(order), f"316{chance.randrange(10**8):08d}")


def _groups(done: Round) -> str:
    return f"{len(done.groups)} commits"
