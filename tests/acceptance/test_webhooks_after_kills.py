"""Calls while the server is killed by SIGKILL at random and receivers fail at random: every committed event arrives.

In order per call, duplicates with one id. `scripts/kill-test` is the same as a command; see docs/reliability.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.kill_test.plan import LONG, SHORT
from support.kill_test.report import report
from support.kill_test.run import Judgement, Run

SEED = "KILL_TEST_SEED"


@pytest.mark.parametrize("plan", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "five minutes"])
async def test_no_committed_event_is_lost(plan, tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED, plan.seed))
    print(f"again with the same deaths and answers: {SEED}={seed} scripts/test {' '.join(_where(plan))}; kept in {tmp_path}")
    run = Run(plan._replace(seed=seed), tmp_path, say=print)
    await run.play()
    judgement = Judgement(run)
    print(report(judgement))
    assert judgement.faults == []


def _where(plan) -> list[str]:
    return ["tests/acceptance/test_webhooks_after_kills.py", *(["--long"] if plan is LONG else [])]
