"""SIGKILL between any two commits, of the calls and of the recovery after it: see `support.kill_points`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SOME, ALL = 10, 1


@pytest.mark.parametrize("step", [SOME, pytest.param(ALL, marks=pytest.mark.long)], ids=["every tenth commit", "every commit"])
def test_no_death_between_two_commits_leaves_anything_wrong(step: int, tmp_path: Path) -> None:
    """Records keep the invariants, the journal makes the rows, each event is there and told, each call is settled once."""
    arguments = [sys.executable, "-m", "support.kill_points", str(tmp_path), "1", str(step)]
    run = subprocess.run(
        arguments, cwd=TESTS, capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": str(TESTS)}
    )
    assert (run.returncode, run.stderr) == (0, "")
    shown = json.loads(run.stdout)
    assert shown["wrong"] == {}
    assert shown["commits"] > 60
