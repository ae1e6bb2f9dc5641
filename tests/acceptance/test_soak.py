"""Calls go on over a lossy network while children of the server die: every call ends once, nothing grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.soak.audit import Audit
from support.soak.plan import LONG, SHORT
from support.soak.run import Run


@pytest.mark.parametrize("plan", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "half an hour"])
async def test_every_call_ends_once_whatever_dies(plan, tmp_path: Path) -> None:
    run = Run(plan, tmp_path, say=print)
    await run.play()
    audit = Audit(run)
    print(audit.report())
    assert audit.faults == []
