"""Writers of the record at full speed are killed by SIGKILL at random: nothing acknowledged is missing, counters are exact.

`scripts/kill-test record` is the same as a command; see docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from support.record_kill.run import LONG, SHORT, Run, report

SEED = "KILL_TEST_SEED"


@pytest.mark.parametrize("plan", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "fifty rounds"])
async def test_the_record_keeps_what_was_acknowledged(plan, tmp_path: Path) -> None:
    run = Run(plan._replace(seed=int(os.environ.get(SEED, plan.seed))), tmp_path, say=print)
    print(f"again with the same calls and deaths: scripts/kill-test record --seed {run.plan.seed}; kept in {tmp_path}")
    await asyncio.to_thread(run.play)
    print(report(run))
    assert run.faults == []
    assert run.commits > run.plan.rounds
    assert run.killed.total() == run.plan.rounds
