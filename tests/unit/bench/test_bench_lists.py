"""The benchmark of lists runs, on a history as the real schema has it, and stops when its two ways do not agree."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from callwright.calls import lists, rows
from callwright.calls.model import Call
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.store import Store, queries
from support.peers import require_peer

BENCH = Path(__file__).parents[3] / "bench"
TINY = ("--repeats", "2", "--rounds", "1", "--turns", "1", "--lifecycles", "40")
ROWS = 5_000


@pytest.fixture(autouse=True)
def _bench_is_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "lists.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done


def aims(told: str) -> list[str]:
    """What was aimed at, without what was found."""
    return [line.split(":")[0] for line in told.splitlines() if line.endswith((": met", ": NOT MET"))]


def cells(told: str) -> Iterator[list[str]]:
    for line in told.splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_it_asks_for_every_list_and_says_which_aims_are_met(tmp_path: Path) -> None:
    done = run(*TINY, "--rows", str(ROWS), "--parts", "pages,writes", "--keep", str(tmp_path / "kept"))
    assert done.stderr == ""
    assert aims(done.stdout) == [
        *("last page / page 1, p50", "those pages, p99", "pages by chance, p99", "any total, p50"),
        *("counters, share of throughput", "FULL / NORMAL with 256 waiting"),
    ]
    totals = {row[0]: row[1] for row in cells(done.stdout)}
    assert totals["all"] == "5,000"
    assert totals["created in 30 days"] == "401"
    again = run(*TINY, "--rows", "4000", "--parts", "pages", "--keep", str(tmp_path / "kept"), code=1)
    assert again.stderr.splitlines()[-1].endswith("has 5000 calls, not 4000; name another folder, or --rows")


@pytest.mark.long
def test_it_asks_a_whole_server() -> None:
    require_peer("wrk", apt="wrk")
    done = run(*TINY, "--rows", str(ROWS), "--parts", "http,export", "--seconds", "1")
    assert done.stderr == ""
    assert aims(done.stdout)[0] == "last page / page 1, requests/s"


def test_a_part_that_is_not_there_is_answered_with_those_there_are() -> None:
    assert run("--parts", "pages,speed", code=2).stderr.splitlines()[-1] == (
        "lists.py: error: argument --parts: there is no 'speed'; choose from pages, http, export, writes"
    )


@pytest.mark.parametrize("option", ["--rows", "--repeats", "--lifecycles"])
def test_of_nothing_no_aim_is_met(option: str) -> None:
    assert run(option, "0", code=2).stderr.endswith(f"argument {option}: it must be at least 1; it is 0\n")


def test_one_that_is_ended_leaves_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "lists.py"), "--rows", "2000", "--repeats", "1000000", "--parts", "pages"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as bench:
        assert bench.stdout is not None
        assert any(line.startswith("history: ") for line in bench.stdout)
        assert list(tmp_path.glob("callwright-bench-*/data/callwright.db"))
        bench.terminate()
        bench.communicate(timeout=300)
    assert bench.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_the_history_is_one_that_the_rooms_can_read(folder: DataFolder) -> None:
    from lists import prepare

    history, _ = prepare(folder, ROWS, seed=3)
    with closing(Store.open(folder.database, SystemClock())) as store:
        calls: list[Call] = []
        while page := lists.list_calls(store, history.world_id, limit=1000, offset=len(calls)).calls:
            calls += page
        assert len(calls) == ROWS
        assert [call.created_us for call in calls[:-1:100]] == sorted(
            (call.created_us for call in calls[:-1:100]), reverse=True
        )
        assert {call.live for call in calls} == {True, False}
        for call in calls:
            assert (call.ended_us is None) == call.live
            assert (call.reason is None) == call.live
            known = [time for time in (call.created_us, call.answered_us, call.ended_us) if time is not None]
            assert known == sorted(known)
        legs = [rows.legs_of(store, history.world_id, call.id) for call in calls[::50]]
        assert {len(of_call) for of_call in legs} == {2, 3}
        assert [of_call[0].direction for of_call in legs] == [call.direction for call in calls[::50]]
        assert len({leg.id for of_call in legs for leg in of_call}) == sum(map(len, legs))


def test_the_history_has_the_schema_and_the_counters_of_one_that_was_written_call_by_call(folder: DataFolder) -> None:
    from lists import prepare

    prepare(folder, 1_000, seed=3)
    with closing(apsw.Connection(str(folder.database))) as connection:
        schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
        with closing(Store.open(folder.database.with_name("empty.db"), SystemClock())):
            fresh = apsw.Connection(str(folder.database.with_name("empty.db")))
            assert list(connection.execute(schema)) == list(fresh.execute(schema))
            fresh.close()
        counted = "SELECT * FROM call_blocks ORDER BY 1, 2, 3, 4"
        before = list(connection.execute(counted))
        assert {row[0] for row in before} == {row[0] for row in connection.execute("SELECT id FROM worlds")}
        # Written anew, each row by the triggers.
        connection.execute("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM calls; DELETE FROM calls; DELETE FROM uncounted")
        connection.execute("DELETE FROM call_blocks; INSERT INTO calls SELECT * FROM kept")
        connection.execute(queries.load()["blocks.count"])
        assert list(connection.execute(counted)) == before
        assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]


@pytest.mark.parametrize("broken", ["rows", "count"])
def test_it_stops_when_the_slow_way_finds_something_else(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    import list_pages
    from lists import prepare

    history, _ = prepare(folder, 500, seed=3)
    name, wrong = {"rows": ("page", lambda slow, offset: []), "count": ("count", lambda slow: -1)}[broken]
    monkeypatch.setattr(list_pages.Slow, name, wrong)
    with closing(Store.open(folder.database, SystemClock())) as store, pytest.raises(SystemExit, match="all"):
        list_pages.measure(store, history, 1, 1)


def test_places_are_those_of_the_list() -> None:
    from list_pages import offset_of

    assert [offset_of(place, 100_000) for place in ("page 1", "page 1,000", "middle", "last")] == [0, 19_980, 49_980, 99_980]
    assert [offset_of(place, 21) for place in ("page 1", "page 1,000", "middle", "last")] == [0, 20, 0, 20]
    assert {offset_of("any", 41, Random(seed)) for seed in range(20)} == {0, 20, 40}
    assert offset_of("last", 0) == 0


def test_writers_with_and_without_make_the_same_rows(tmp_path: Path) -> None:
    """What is left out is what counts, and no call."""
    import list_writes
    from writes import drive

    def written(drops: tuple[str, ...]) -> dict[str, Any]:
        path = tmp_path / f"{len(drops)}.db"
        Store.open(path, SystemClock()).close()
        with closing(apsw.Connection(str(path))) as connection:
            for drop in drops:
                connection.execute(drop)
        with closing(Store.open(path, SystemClock())) as store:
            asyncio.run(drive(store, 10, 4, [], list_writes._calls_of_many()))
        with closing(apsw.Connection(str(path))) as connection:
            tables = ("calls", "legs", "journal", "events", "call_blocks", "uncounted")
            return {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}

    with_, without = written(()), written(list_writes.DROP_COUNTING)
    assert with_.pop("call_blocks") > 0
    assert without.pop("call_blocks") == 0
    assert with_ == without
    assert with_["calls"] == 10
    assert with_["uncounted"] == 0
