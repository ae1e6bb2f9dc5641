"""The reference page names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from callwright.metrics import Metrics
from callwright.native.routes import ENTRIES, Who
from callwright.webhooks.backlog import Backlog

PAGE = (Path(__file__).parents[3] / "docs" / "native-api.md").read_text(encoding="utf-8")
WHO = {Who.ANYONE: "anyone", Who.WORLD: "world", Who.OPERATOR: "socket"}


def test_every_path_with_who_may_ask():
    listed = re.findall(r"^\| (\w+) \| `/api(/\S+)` \| (\w+) \|", PAGE, re.MULTILINE)
    assert listed == [(entry.method, entry.path, WHO[entry.who]) for entry in _by_page(listed)]
    assert len(listed) == len(ENTRIES)


def test_every_metric():
    metrics = Metrics("0")
    metrics.watch_media((), list)
    metrics.watch_callbacks(lambda: Backlog(0.0, 0, 0))
    exposed = re.findall(rb"^# TYPE (callwright_\w+)", metrics.exposition(), re.MULTILINE)
    own = {name.decode() for name in exposed if b"_process_" not in name and not name.endswith(b"_created")}
    assert {name for name in re.findall(r"`(callwright_\w+)`", PAGE) if not name.endswith("_")} == own


def _by_page(listed):
    order = [row[:2] for row in listed]
    return sorted(ENTRIES, key=lambda entry: order.index((entry.method, entry.path)))
