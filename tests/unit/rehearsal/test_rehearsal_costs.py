"""What a rehearsal must not spend: turns of the loop while nothing happens, migrations, files."""

from __future__ import annotations

import selectors
import tempfile
from pathlib import Path
from typing import Any

import pytest

from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.store import Store, store

NUMBER, CALLER = "31205550100", "31600000001"


def called(steps: list[dict[str, Any]]) -> float:
    """The seconds of a call."""

    async def story(rehearsal: Rehearsal) -> float:
        await rehearsal.own(NUMBER, {"steps": steps})
        party = Party(acts=(Act(at=2.0, says="hello"),))
        outcome = await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, party))
        assert not rehearsal.folder.exists()
        return outcome.seconds

    return rehearse(story)


def test_a_long_call_does_not_wake_up_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    select = selectors.DefaultSelector.select

    def counted(*arguments: Any) -> Any:
        nonlocal turns
        turns += 1
        return select(*arguments)

    monkeypatch.setattr(selectors.DefaultSelector, "select", counted)
    pause = [{"action": "pause", "options": {"length": 10}}]
    called(pause)
    short, turns = turns, 0
    assert called([{"action": "pause", "options": {"length": 7200}}]) == 7200.0
    assert turns == short


def test_the_database_is_migrated_once_and_shared_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with_one = Store.in_memory()
    monkeypatch.setattr(store, "migrate", None)
    one, other = Store.in_memory(), Store.in_memory()
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    assert one.select(tables, ()) == with_one.select(tables, ())
    assert len(one.select(tables, ())) > 10
    one.select("CREATE TABLE only_here (n)", ())
    assert ("only_here",) not in other.select(tables, ())
    for each in (with_one, one, other):
        each.close()


def test_a_recording_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert called([{"action": "record", "options": {"timeout": 2}}]) > 2
    assert list(tmp_path.iterdir()) == []
