"""The page of differences: whole in form, and true of the settings it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callwright.settings.schema import known_keys

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "compatibility.md").read_text(encoding="utf-8")
EVIDENCE = (
    "known",
    "contradictory",
    "seen once",
    "unknown",
    "not there",
    "another interface",
    "other interfaces",
    "a web page",
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| Point", "| What |"))
]


def test_there_are_differences_of_every_kind():
    assert re.findall("^## (.*)", PAGE, re.MULTILINE) == [
        *("On the wire", "Statuses and errors", "Flows", "Webhooks", "Downloads", "What is not there", "What is more")
    ]
    assert len(ROWS) > 100


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_difference_is_told_in_a_line_with_its_evidence(row):
    assert len(row) in (3, 4)
    assert all(row)
    assert row[2].startswith(EVIDENCE)
    if len(row) == 4 and row[3] != "–":
        named = re.findall(r"`([a-z_]+\.[a-z_]+)`", row[3])
        assert named
        assert set(named) <= set(known_keys())


def test_every_switch_is_told_on_both_pages():
    switches = [key for key in known_keys() if key.startswith("compatibility.")]
    api = (DOCS / "compatible-api.md").read_text(encoding="utf-8")
    for switch in switches:
        assert f"`{switch}`" in PAGE
        assert f"| `{switch.partition('.')[2]}` |" in api
