"""The page of the interface names what there is beside its operations, whose table is made of the program."""

from __future__ import annotations

import re
from pathlib import Path

from callwright.metrics import Metrics
from callwright.native.described.failures import FAILURES
from callwright.webhooks.backlog import Backlog

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_metric():
    metrics = Metrics("0")
    metrics.watch_media((), list)
    metrics.watch_callbacks(lambda: Backlog(0.0, 0, 0))
    exposed = re.findall(rb"^# TYPE (callwright_\w+)", metrics.exposition(), re.MULTILINE)
    own = {name.decode() for name in exposed if b"_process_" not in name and not name.endswith(b"_created")}
    assert {name for name in re.findall(r"`(callwright_\w+)`", PAGE) if not name.endswith("_")} == own


def test_every_status_of_a_failure():
    told = {int(status) for status in re.findall(r"^\| ([45]\d\d) \| [\d, ]+ \|", PAGE, re.MULTILINE)}
    assert told == {405, *FAILURES}
