"""How SQLite goes about every statement of the record: by an index, to the rows that are asked for, and in their order.

The database has no statistics, as that of an operator has none. A statement that is new is looked at by itself; what must not
be seen, and what counts or passes over rows, is in a short list here with the reason, or fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product

import apsw
import apsw.ext
import pytest

from callwright.calls.lists import CELLS, _blocks_sql, _count_sql, _newest_sql, _page_sql, _Shape
from callwright.store import queries
from callwright.store.migrate import migrate

ROOMS = ("blocks", "calls", "flows", "numbers", "recordings", "retention", "transcriptions", "webhooks")
NAMED = {name: sql for name, sql in queries.load().items() if name.split(".")[0] in ROOMS}

# What may go through a table or an index from end to end, or sort.
_STAGED = "what one transaction changed, and nothing between transactions"
_LIVE = "the index has what is under way alone"
_REPAIR = "counts everything anew, for callwright doctor --fix"
_REWRAP = "for callwright recordings rewrap, which goes through all"
_FEW = "a call, a message or an endpoint has few"
EXCUSED = {
    "blocks.any_uncounted": _STAGED,
    "blocks.count": _STAGED,
    "blocks.drop_emptied": _STAGED,
    "blocks.count_all_calls": _REPAIR,
    "blocks.count_all_lists": _REPAIR,
    "blocks.label_all_calls": _REPAIR,
    "calls.events_of_call_after": _FEW,
    "calls.forget_unanswered": _LIVE,
    "calls.dialogs_left": _LIVE,
    "recordings.open": _LIVE,
    "recordings.count_by_key": _REWRAP,
    "recordings.sealed_with_others": _REWRAP,
    "transcriptions.queued": _LIVE,
    "transcriptions.count_by_key": _REWRAP,
    "transcriptions.sealed_with_others": _REWRAP,
    "webhooks.deliveries_of": _FEW,
    "webhooks.waiting_since": _FEW,
    "webhooks.log_of_call": _FEW,
    "webhooks.log_of_message": _FEW,
    "webhooks.count_endpoints_down": "for a gauge; there are some endpoints that failed, and no more than those",
}

# Lists, by the index that each walks; the last column is the place where a page begins.
LISTS = {
    "flows.list": "flows_by_pos (world_id=? AND pos<?)",
    "numbers.list": "numbers_by_pos (world_id=? AND pos<?)",
    "numbers.list_of_flow": "numbers_by_flow (world_id=? AND flow_id=? AND pos<?)",
    "recordings.of_world": "recordings_by_pos (world_id=? AND pos<?)",
    "transcriptions.of_world": "transcriptions_by_pos (world_id=? AND pos<?)",
    "webhooks.list_of_world": "webhooks_of_world (world_id=? AND pos<?)",
    "webhooks.list_all_webhooks": "webhooks_by_pos (world_id=? AND pos<?)",
    "webhooks.list_endpoints": "PRIMARY KEY (world_id=? AND url>?)",
    "calls.page_of_legs": "PRIMARY KEY (world_id=? AND call_id=? AND n<?)",
    "blocks.of_list": "PRIMARY KEY (world_id=? AND list=? AND parent_id=? AND level=? AND block>? AND block<?)",
    # What a call, leg or recording has: passed over row by row, as a call that ends can have so many.
    "recordings.of_call": "recordings_of_call (world_id=? AND call_id=?)",
    "recordings.of_leg": "recordings_of_leg (world_id=? AND leg_id=?)",
    "transcriptions.of_recording": "transcriptions_of_recording (world_id=? AND recording_id=?)",
}
ROWS_BY_KEY = {
    "calls.find_call": "sqlite_autoindex_calls_1 (world_id=? AND id=?)",
    "calls.find_leg": "legs_by_id (world_id=? AND id=?)",
    "calls.legs_of": "PRIMARY KEY (world_id=? AND call_id=?)",
    "calls.last_leg": "PRIMARY KEY (world_id=? AND call_id=?)",
    "calls.journal_of": "PRIMARY KEY (world_id=? AND call_id=?)",
    "calls.update_call": "sqlite_autoindex_calls_1 (world_id=? AND id=?)",
    "calls.label_call": "sqlite_autoindex_calls_1 (world_id=? AND id=?)",
    "flows.find": "sqlite_autoindex_flows_1 (world_id=? AND id=?)",
    "numbers.find": "sqlite_autoindex_numbers_2 (world_id=? AND number=?)",
    "recordings.find": "sqlite_autoindex_recordings_1 (world_id=? AND id=?)",
    "transcriptions.find": "sqlite_autoindex_transcriptions_1 (world_id=? AND id=?)",
    "webhooks.find_webhook": "sqlite_autoindex_webhooks_1 (world_id=? AND id=?)",
}

# What counts rows, and why it may.
_WRONG = "for counters that are wrong alone"
COUNTING = {
    "blocks.count_all_calls": _REPAIR,
    "blocks.count_all_lists": _REPAIR,
    "flows.count": _WRONG,
    "numbers.count": _WRONG,
    "numbers.count_of_flow": _WRONG,
    "recordings.count_of_world": _WRONG,
    "recordings.count_of_call": "calls.max_duration bounds them",
    "recordings.count_of_leg": "calls.max_duration bounds them",
    "recordings.count_by_key": _REWRAP,
    "transcriptions.count_of_world": _WRONG,
    "transcriptions.count_of_recording": "made one by one, by who asks for them",
    "transcriptions.count_by_key": _REWRAP,
    "webhooks.count_of_world": "webhooks_per_world bounds them; for counters that are wrong besides",
    "webhooks.count_all_webhooks": _WRONG,
    "webhooks.count_at_endpoint": "no further than its limit",
    "webhooks.count_endpoints_down": EXCUSED["webhooks.count_endpoints_down"],
}


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # as the store's own
    migrate(made)
    assert not made.execute("SELECT 1 FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").get
    return made


def plan(connection: apsw.Connection, sql: str) -> list[str]:
    asked = apsw.ext.query_info(connection, sql)
    named = [name for name in asked.bindings_names if name and not name.isdecimal()]
    params = dict.fromkeys(named) if named else (None,) * asked.bindings_count
    return [str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]


def wrong(steps: list[str]) -> list[str]:
    """Steps that go through a whole table or index, that sort, or that make an index first."""
    few_rows = ("fanned_out", "sqlite_sequence")
    harmless = ("(subquery", "VIRTUAL TABLE", "CONSTANT ROW", "VALUES CLAUSE", *few_rows)
    return [
        step
        for step in steps
        if (step.startswith("SCAN") and not any(sign in step for sign in harmless))
        or "TEMP B-TREE" in step
        or "AUTOMATIC" in step
    ]


@pytest.mark.parametrize("name", NAMED)
def test_every_statement_goes_by_an_index(connection: apsw.Connection, name: str) -> None:
    steps = plan(connection, NAMED[name])
    if name in EXCUSED:
        assert wrong(steps), f"{name} needs no excuse any more"
    else:
        assert not wrong(steps), steps


def test_nothing_is_excused_that_is_not_there() -> None:
    assert not (EXCUSED.keys() | LISTS.keys() | ROWS_BY_KEY.keys() | COUNTING.keys()) - NAMED.keys()


@pytest.mark.parametrize("name", [name for name in EXCUSED if EXCUSED[name] is _STAGED])
def test_what_a_transaction_changed_is_counted_without_a_look_at_other_blocks(connection: apsw.Connection, name: str) -> None:
    steps = plan(connection, NAMED[name])
    scanned = {step for step in wrong(steps) if step.startswith("SCAN")}
    assert scanned <= {"SCAN uncounted", "SCAN summed"}, steps


@pytest.mark.parametrize(("name", "index"), (LISTS | ROWS_BY_KEY).items())
def test_the_intended_index(connection: apsw.Connection, name: str, index: str) -> None:
    first = plan(connection, NAMED[name])[0]
    assert first.startswith("SEARCH ")
    assert first.endswith(index)


@pytest.mark.parametrize("name", NAMED)
def test_no_list_and_no_count_is_forgotten(name: str) -> None:
    sql = NAMED[name]
    if sql.startswith("SELECT") and "OFFSET" in sql:
        assert name in LISTS, "a list: page it by store.blocks, and name the index it walks"
        # Those of a world can grow without end, so none may pass over all of it.
        assert re.search(r"\b(pos|n) <= \?", sql) or re.search(r"\b(call|leg|recording)_id = \?", sql), sql
    if "COUNT(" in sql:
        assert name in COUNTING, "it takes the longer the more rows there are: have store.blocks count them"


SHAPES = [
    _Shape(cells, of_number, created, ended)
    for cells in ((), CELLS[:1], CELLS[:2], CELLS[3:9], CELLS[1:])
    for of_number, created, ended in product((False, True), repeat=3)
    if cells or not ended  # what is asked of ends is asked of the statuses of calls that are over
]


def _index(shape: _Shape) -> str:
    of_number = "_number" if shape.of_number else ""
    columns = "world_id=? AND " + ("number_id=? AND " if shape.of_number else "")
    if shape.cells:
        return f"calls_by{of_number}_status ({columns}status=? AND direction=? AND "
    return f"calls_by{of_number or '_pos'} ({columns}"


@pytest.mark.parametrize("name", [name for name in queries.load() if name.startswith("doctor.wrong_")])
def test_all_counters_are_held_against_the_rows_in_one_go(connection: apsw.Connection, name: str) -> None:
    """SQLite makes no index for a FULL JOIN, and would look at each block for each other one."""
    assert not [step for step in plan(connection, queries.load()[name]) if "RIGHT-JOIN" in step]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_page_of_calls(connection: apsw.Connection, shape: _Shape, newest_first: bool) -> None:
    rows, *steps = plan(connection, _page_sql(shape, newest_first))
    assert rows == "SEARCH calls USING INTEGER PRIMARY KEY (rowid=?)"
    assert not wrong(steps), steps
    arms = [step for step in steps if step.startswith("SEARCH")]
    assert len(arms) == max(len(shape.cells), 1)
    # Where times are asked for, it ends where they do.
    place = "pos>? AND pos<" if shape.created or shape.ended else "pos<" if newest_first else "pos>"
    assert set(arms) == {f"SEARCH calls USING COVERING INDEX {_index(shape)}{place}?)"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_count_of_calls_within_a_block(connection: apsw.Connection, shape: _Shape) -> None:
    steps = plan(connection, _count_sql(shape))
    assert not wrong(steps), steps
    assert {step for step in steps if step.startswith("SEARCH")} == {
        f"SEARCH calls USING COVERING INDEX {_index(shape)}pos>? AND pos<?)"
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_the_newest_of_calls(connection: apsw.Connection, shape: _Shape) -> None:
    steps = plan(connection, _newest_sql(shape))
    assert not wrong(steps), steps
    assert len([step for step in steps if step.startswith("SEARCH calls USING ")]) == max(len(shape.cells), 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_of_calls(connection: apsw.Connection, shape: _Shape) -> None:
    steps = plan(connection, _blocks_sql(shape))
    assert not wrong(steps), steps
    key = "(world_id=? AND number_id=? AND level=? AND block>? AND block<?)"
    assert [step for step in steps if step.startswith("SEARCH")] == [f"SEARCH call_blocks USING PRIMARY KEY {key}"]


def _statements_of_triggers() -> Iterator[tuple[str, str]]:
    made = apsw.Connection(":memory:")
    migrate(made)
    triggers: Mapping[str, str] = dict(made.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    for name, sql in triggers.items():
        body = re.sub(r"\b(NEW|OLD)\.(\w+)", r":\1_\2", sql[sql.index("BEGIN") + 5 : sql.rindex("END")])
        for n, statement in enumerate(text.strip() for text in body.split(";")):
            if statement:
                yield f"{name}[{n}]", statement


@pytest.mark.parametrize(("name", "sql"), [*_statements_of_triggers()])
def test_triggers_touch_no_more_than_what_they_are_about(connection: apsw.Connection, name: str, sql: str) -> None:
    steps = plan(connection, sql)
    # The tags of a call are few, and may be given twice.
    assert not [step for step in wrong(steps) if step != "USE TEMP B-TREE FOR GROUP BY"], steps
    keys = [step for step in steps if step.startswith("SEARCH")]
    assert all("PRIMARY KEY" in key and re.search(r"(block|pos)=\?\)", key) for key in keys), keys
