"""What the benchmark of the writer measures is what a call writes; and it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callwright import telephony
from callwright.store import Change
from support.scripted import Stage, pause, tell

BENCH = Path(__file__).parents[3] / "bench"


def outline(changes: Iterable[Change]) -> list[list[str]]:
    """The statements of each commit; of a line of the journal, its kind."""
    return [
        [
            msgspec.json.decode(write.params[-1])["kind"] if write.query == "calls.insert_entry" else write.query
            for write in change.writes
        ]
        for change in changes
    ]


def test_the_lifecycle_is_the_one_a_call_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    from writes import lifecycle

    seen: list[Change] = []

    async def story(stage: Stage) -> None:
        await stage.number("31205550123", [pause(1), {"action": "hangup"}])
        commit = stage.store.commit

        async def noted(change: Change) -> None:
            seen.append(change)
            await commit(change)

        stage.store.commit = noted  # type: ignore[method-assign]
        a = await stage.arrive(dialog=b"early", sip_call_id="1@192.0.2.7")
        stage.script.say(telephony.Answered, a, dialog=b"answered")
        await stage.after(2)
        stage.script.ended(a, who=telephony.Who.US)
        await stage.tick()

    tell(story)
    assert outline(lifecycle()) == outline(change for change in seen if change.writes[0].query != "calls.heartbeat")


def test_it_runs() -> None:
    arguments: list[Any] = [sys.executable, BENCH / "writes.py", "--lifecycles", "40", "--callers", "8", "--rounds", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[-5:]] == ["real", "bare", "real / bare", "bare / real", "default limits"]
