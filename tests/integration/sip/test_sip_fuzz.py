"""Signalling under thousands of spoilt messages: nothing breaks, no leg stays, and a call is a call afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.long)])
def test_spoilt_messages(count: int) -> None:
    arguments = [sys.executable, "-m", "support.sip_fuzz", str(count), "1", str(Path(__file__).with_name("torture"))]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=1_200, cwd=TESTS, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    seen = json.loads(done.stdout)
    assert {name: seen[name] for name in ("legs left", "broken", "calls after")} == {
        "legs left": 0,
        "broken": [],
        "calls after": 1,
    }
    assert all(
        seen["said"][kind] > 0
        for kind in ("LegArrived", "AnswerSent", "LegProgress", "LegAnswered", "OfferArrived", "InfoArrived")
    )
