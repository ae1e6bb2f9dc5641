"""Rounds of a kill test of the record: writers work in a process that is killed, then the same file is judged and used on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from callwright.clock import SystemClock
from callwright.store import Store
from callwright.switch import recovery
from support.record_kill.judging import faults, read
from support.record_kill.notes import Known
from support.record_kill.writing import NODE

TESTS = Path(__file__).parents[2]
SYNCHRONOUS = ("full", "normal")
YOUNG = 0.1  # the share of writers that die before they have said anything
YOUNG_S = 0.6


class Plan(NamedTuple):
    """How often writers die, after how many lines of theirs at most, and how many write at once."""

    rounds: int
    lines: int
    writers: int = 48
    seed: int = 6


SHORT = Plan(rounds=3, lines=2_500)
LONG = Plan(rounds=50, lines=12_000)


class Run:
    """`faults` has a sentence for each thing that was not as it must be, with its round."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.plan = plan
        self.database = folder / "callwright.db"
        self.faults: list[str] = []
        self.killed: Counter[str] = Counter()
        self.commits = 0
        self.under_way = 0
        self.arrived = 0
        self.deleted = 0
        self.calls = 0
        self.settled = 0
        self.seconds = 0.0
        self._say = say
        self._known = Known()
        self._chance = Random(plan.seed)

    def play(self) -> None:
        began = time.monotonic()
        for number in range(1, self.plan.rounds + 1):
            wrong = self._round(number, SYNCHRONOUS[number % len(SYNCHRONOUS)])
            self.faults += [f"round {number}: {fault}" for fault in wrong]
            if wrong:
                break  # what comes after would only tell of the same
        self.seconds = time.monotonic() - began

    def _round(self, number: int, synchronous: str) -> list[str]:
        young = number > 1 and self._chance.random() < YOUNG
        before = self._known.commits
        self._known.hear(self._kill(number, synchronous, 0 if young else self._chance.randint(1, self.plan.lines)))
        commits = self._known.commits - before
        self.killed["before their first word" if young else synchronous] += 1
        self.commits += commits
        self.under_way += len(self._known.under_way)
        expected = self._known.expected()
        deletions = [frozenset(intent.ids) for intent in self._known.under_way.values() if intent.deletes]
        with closing(Store.open(self.database, SystemClock())) as store:
            found = read(self.database)
            wrong = faults(self.database, store, expected, deletions, self._chance)
            reached = self._known.reached({call: one.state for call, one in found.items()})
            self.arrived += reached
            settled = asyncio.run(recovery.settle(store, SystemClock(), NODE, lambda dialogs: None))
        self.settled += settled
        self.deleted += sum(call not in found for call in expected)
        found = read(self.database)
        self.calls = len(found)
        self._say(
            f"round {number:>3}, {synchronous:<6} {commits:>6} commits, {reached:>2} of {len(self._known.under_way):>2} more; "
            f"{len(found):>5} calls, {settled:>2} settled: {f'{len(wrong)} faults' if wrong else 'good'}"
        )
        self._known.settle({call: one.state for call, one in found.items()})
        return wrong

    def _kill(self, number: int, synchronous: str, lines: int) -> list[bytes]:
        """Let writers work until they have said so many lines, kill them, and return all they said."""
        arguments = [str(self.database), synchronous, str(self.plan.seed * 1000 + number), str(self.plan.writers)]
        command = [sys.executable, "-m", "support.record_kill.writing", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS) as writers:
            assert writers.stdout is not None
            said = []
            if lines:
                for line in writers.stdout:
                    said.append(line)
                    if len(said) == lines:
                        break
            else:
                time.sleep(self._chance.uniform(0, YOUNG_S))
            writers.kill()
            said += writers.stdout.readlines()
        if writers.returncode != -signal.SIGKILL:
            raise AssertionError(f"the writers ended by themselves, with {writers.returncode}")
        if said and not said[-1].endswith(b"\n"):
            said.pop()
        return said


def report(run: Run) -> str:
    plan = run.plan
    deaths = ", ".join(f"{name} {count}" for name, count in run.killed.most_common())
    return "\n".join(
        (
            f"deaths      {run.killed.total()}, of {plan.writers} writers each, seed {plan.seed}: {deaths}",
            f"commits     {run.commits} acknowledged; {run.under_way} were under way, of which {run.arrived} are on record",
            f"calls       {run.calls} on record at the end, {run.settled} settled after a death, {run.deleted} deleted",
            f"time        {run.seconds:.0f} s",
            f"verdict     {f'{len(run.faults)} faults' if run.faults else GOOD}",
            *(f"  {fault[:1500]}" for fault in run.faults[:20]),
        )
    )


GOOD = "all that was acknowledged is on record, nothing is half, every counter and page is true"
