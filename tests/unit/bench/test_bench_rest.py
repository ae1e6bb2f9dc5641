"""The benchmark of the interface runs, and the two it compares send the same bytes: it stops when they do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.peers import require_peer

BENCH = Path(__file__).parents[3] / "bench"


@pytest.mark.long
def test_it_runs() -> None:
    require_peer("wrk", apt="wrk")
    arguments = [sys.executable, str(BENCH / "rest.py"), "--calls", "30", "--seconds", "1", "--rounds", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    assert [line.split(":")[0] for line in done.stdout.splitlines()[-7:]] == [
        *("list, ours", "list, by hand", "list, ours / by hand"),
        *("one, ours", "one, by hand", "one, ours / by hand", "default limits"),
    ]
