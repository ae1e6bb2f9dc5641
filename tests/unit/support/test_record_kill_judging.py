"""The judge of the record finds each kind of fault: a file without any, and the same with one thing changed by hand."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from uuid import UUID

import apsw
import pytest

from callwright.clock import SystemClock
from callwright.store import Store
from support.record_kill.__main__ import main
from support.record_kill.judging import faults, read
from support.record_kill.notes import DELETED, Intent, Known, Line, Mouth, State
from support.record_kill.writing import Writers

COMMITS = 400


class Full(Exception):
    """Enough was written."""


class Heard(Mouth):
    """Hears what the writers say, and stops them after a while."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def say(self, line: Line) -> None:
        self._known.take(line)
        if self._known.commits >= COMMITS:
            raise Full


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[UUID, set[State]]]:
    """A file that writers wrote undisturbed, and what is known of it."""
    path, known = tmp_path_factory.mktemp("record") / "callwright.db", Known()
    with closing(Store.open(path, SystemClock())) as store, suppress(ExceptionGroup):
        asyncio.run(Writers(store, Heard(known), seed=1).run(8))
    return path, known.expected()


@pytest.fixture
def database(good: tuple[Path, dict[UUID, set[State]]], tmp_path: Path) -> Path:
    return Path(shutil.copy(good[0], tmp_path / "callwright.db"))


def judged(database: Path, expected: dict[UUID, set[State]], whole: list[frozenset[UUID]] | None = None) -> list[str]:
    with closing(Store.open(database, SystemClock())) as store:
        return faults(database, store, expected, whole or [], Random(1))


def change(database: Path, sql: str, *, uncounted: bool = False) -> None:
    """Change the file as no writer does; triggers that fire are undone, unless that is the fault."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM uncounted")
        connection.execute(sql)
        if not uncounted:
            connection.execute("DELETE FROM uncounted")


def kinds(wrong: list[str]) -> Iterator[str]:
    for fault in wrong:
        for kind, words in KINDS.items():
            if words in fault:
                yield kind


KINDS = {
    "missing": "acknowledged or under way were",
    "unknown": "nobody wrote it",
    "strays": " without ",
    "uncounted": "were never counted",
    "counter": " counts ",
    "bounds": "outside of its bounds",
    "labels": "labels are",
    "page": "or other calls",
    "record": "its record is not right",
}
SOME = "(SELECT MAX(pos) FROM calls WHERE ended_us IS NOT NULL)"
SOME_ID = f"(SELECT id FROM calls WHERE pos = {SOME})"


def test_nothing_is_found_where_nothing_is_wrong(database: Path, good: tuple[Path, dict[UUID, set[State]]]) -> None:
    assert judged(database, good[1]) == []
    assert len(read(database)) > 50


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (f"DELETE FROM calls WHERE pos = {SOME}", {"missing", "strays", "counter"}),
        (f"DELETE FROM legs WHERE call_id = {SOME_ID}", {"strays", "record"}),
        (f"DELETE FROM journal WHERE call_id = {SOME_ID} AND seq > 2", {"missing", "record"}),
        (f"DELETE FROM events WHERE call_id = {SOME_ID} AND seq > 1", {"missing", "record"}),
        (f"UPDATE calls SET status = 'ongoing' WHERE pos = {SOME}", {"missing", "counter", "record"}),
        (f"UPDATE calls SET tags = '[\"else\"]' WHERE pos = {SOME}", {"missing", "record"}),
        ("DELETE FROM call_labels WHERE name = ''", {"labels"}),
        ("UPDATE call_blocks SET n = n + 1 WHERE level = 0 AND number_id = x''", {"counter"}),
        ("UPDATE call_blocks SET incoming_ended = incoming_ended - 1, incoming_busy = incoming_busy + 1", {"counter", "page"}),
        ("UPDATE call_blocks SET newest_us = newest_us - 1", {"bounds"}),
        ("UPDATE call_blocks SET first_end_us = first_end_us + 1", {"bounds"}),
        ("DELETE FROM call_blocks WHERE level = 1 AND number_id = x''", {"counter", "page"}),
    ],
)
def test_a_fault_is_found(database: Path, good: tuple[Path, dict[UUID, set[State]]], sql: str, found: set[str]) -> None:
    change(database, sql)
    assert found <= set(kinds(judged(database, good[1])))


def test_a_change_that_was_not_counted_is_found(database: Path, good: tuple[Path, dict[UUID, set[State]]]) -> None:
    change(database, f"UPDATE calls SET status = iif(status = 'busy', 'failed', 'busy') WHERE pos = {SOME}", uncounted=True)
    assert {"uncounted", "counter"} <= set(kinds(judged(database, good[1])))


def test_a_call_that_nobody_wrote_is_found(database: Path, good: tuple[Path, dict[UUID, set[State]]]) -> None:
    expected = dict(good[1])
    expected.pop(next(iter(read(database))))
    assert set(kinds(judged(database, expected))) == {"unknown"}


def test_a_deletion_is_whole_or_not_at_all(database: Path, good: tuple[Path, dict[UUID, set[State]]]) -> None:
    there = list(read(database))[:3]
    expected = good[1] | {call: {*good[1][call], DELETED} for call in there}
    assert judged(database, expected, [frozenset(there)]) == []
    gone = UUID(int=1)
    half = judged(database, expected | {gone: {DELETED}}, [frozenset({*there, gone})])
    assert half == ["of 4 calls that one commit deletes 3 are left"]


def test_what_was_under_way_may_be_there_or_not_and_what_was_acknowledged_must() -> None:
    call = UUID(int=7)
    first, second = (State(n, n, "ongoing", ("vip",), (("order", "1"),)) for n in (1, 2))
    known = Known()
    known.take(Line(None, Intent(1, ((str(call), first),))))
    assert known.expected() == {call: {DELETED, first}}
    assert (known.reached({}), known.reached({call: first})) == (0, 1)
    known.take(Line(1, Intent(2, ((str(call), second),))))
    assert known.expected() == {call: {first, second}}
    known.take(Line(2, None))
    assert known.expected() == {call: {second}}
    assert known.commits == 2


def test_lines_are_read_as_they_were_said(tmp_path: Path) -> None:
    lines = [Line(None, Intent(1, ((str(UUID(int=7)), State(1, 1, "queued", (), ())),))), Line(1, None)]
    with (tmp_path / "said").open("wb") as file:
        mouth = Mouth(file.fileno())
        for line in lines:
            mouth.say(line)
    known = Known()
    known.hear((tmp_path / "said").read_bytes().splitlines())
    assert known.acknowledged == {UUID(int=7): State(1, 1, "queued", (), ())}


@pytest.mark.parametrize("option", ["--rounds", "--lines", "--writers"])
def test_a_run_in_which_nothing_is_done_shows_nothing(option, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["record", option, "0"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "it must be at least 1; it is 0" in capsys.readouterr().err
