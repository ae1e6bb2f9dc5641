"""A database that an earlier milestone made is opened, brought up to date, and tells the same as it did then."""

from __future__ import annotations

import json
from uuid import UUID

import apsw
import pytest
from msgspec.structs import replace

from callwright.calls import rows
from callwright.calls.events import UPDATED
from callwright.calls.model import CallStatus, LegStatus
from callwright.core import NODE
from callwright.doctor import Level, Scene, examine
from callwright.reasons import Reason
from callwright.store import Store
from callwright.store.migrate import migrations
from callwright.store.survey import Survey
from support.invariants import check_record
from support.kept import KEPT, LATER_US, Successor, keys_of, shown, unpack
from support.machines import StillMachine
from support.patient import ANY_PORT
from support.server import Server, until

DATABASES = sorted(path.parent for path in KEPT.glob("*/callwright.db.gz"))


@pytest.fixture(params=DATABASES, ids=lambda kept: kept.name)
def kept(request):
    return request.param


def schema(database):
    connection = apsw.Connection(str(database))
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        shape = set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))
        columns = {table: list(connection.execute(f"PRAGMA table_xinfo({table})")) for table in tables}
        applied = list(connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number"))
        return shape, columns, applied
    finally:
        connection.close()


def test_there_are_some():
    assert [kept.name for kept in DATABASES] == ["delivery", "first"]


def test_its_schema_is_what_its_migrations_make(kept, tmp_path):
    """A backup of it is restored."""
    survey = Survey.of(unpack(kept, tmp_path).database)
    assert survey.history().pending
    assert survey.differences() == ([], [], [], [])
    survey.close()


def test_it_gets_the_schema_of_a_new_one(kept, tmp_path):
    successor = Successor(unpack(kept, tmp_path / "old"))
    successor.store.close()
    new = unpack(kept, tmp_path / "new")
    for file in new.root.glob("callwright.db*"):
        file.unlink()
    Store.open(new.database, successor.clock).close()
    assert schema(tmp_path / "old" / "callwright.db") == schema(new.database)
    assert [row[0] for row in schema(new.database)[2]] == [migration.number for migration in migrations()]


async def test_its_rows_are_shown_as_they_were(kept, tmp_path):
    successor = Successor(unpack(kept, tmp_path / "data"))
    await successor.settle()
    told = await shown(successor.store, keys_of(kept))
    successor.store.close()
    assert told == json.loads((kept / "expected.json").read_text())


async def test_the_call_its_server_died_in_is_settled(kept, tmp_path):
    successor = Successor(unpack(kept, tmp_path / "data"))
    ((call, legs, _, events),) = rows.live_calls(successor.store, NODE, pytest.fail)
    ended_us = rows.last_heartbeat(successor.store, NODE)
    await successor.settle()
    assert (successor.settled, {leg for leg, _ in successor.dialogs}) == (1, {leg.id for leg in legs})
    assert rows.find_call(successor.store, call.world_id, call.id) == replace(
        call, status=CallStatus.ENDED, reason=Reason.NODE_RESTARTED, ended_us=ended_us, updated_us=LATER_US
    )
    over = {"status": LegStatus.HANGUP, "reason": Reason.NODE_RESTARTED, "ended_us": ended_us, "updated_us": LATER_US}
    assert rows.legs_of(successor.store, call.world_id, call.id) == [replace(leg, **over) for leg in legs]
    assert rows.dialogs_left(successor.store, NODE) == list(successor.dialogs)  # until their far ends are known to be gone
    told = rows.events_of(successor.store, call.world_id, call.id, after_seq=events)
    assert [(event.kind, event.snapshot.call.status) for event in told] == [(UPDATED, CallStatus.ENDED)]
    successor.store.close()


async def test_every_record_of_it_keeps_the_promises(kept, tmp_path):
    folder = unpack(kept, tmp_path / "data")
    successor = Successor(folder)
    await successor.settle()
    calls = [
        (UUID(bytes=world), UUID(bytes=call))
        for _, world, call in successor.store.read("doctor.newest_calls", (0, 1 << 62, -1))
    ]
    assert len(calls) == len(json.loads((kept / "expected.json").read_text())) // 2 - 4  # a call has two pages, a world four
    for world, call in calls:
        check_record(successor.store, world, call, over=True)
    successor.store.close()
    scene = Scene(folder=folder, settings=ANY_PORT, machine=StillMachine(), clock=successor.clock, deep=True)
    found = list(examine(scene))
    wrong = {finding.check for finding in found if finding.level in (Level.FAULT, Level.WARNING)}
    assert wrong <= {"recordings.files"}  # sound is not kept
    assert {"database.integrity", "database.migrations", "records.journal"} <= {finding.check for finding in found}


def test_the_server_starts_on_it(kept, tmp_path):
    folder = tmp_path / "server" / "data"
    unpack(kept, folder)
    keys = keys_of(kept)
    server = Server.start(tmp_path / "server", keys=keys)
    try:
        expected = json.loads((kept / "expected.json").read_text())
        for world, customer in (("live", server.live), ("test", server.test)):
            shown_then = expected[f"{world} /calls"]["data"]
            shown_now = customer.listed("/calls")
            # The settled call is touched by each successor.
            assert [without(call, "updatedAt") for call in shown_now] == [without(call, "updatedAt") for call in shown_then]
        until(lambda: server.logged(event="call_settled"), bool, what="that the call is settled")
    finally:
        server.kill()


def without(item, key):
    return {name: value for name, value in item.items() if name != key}
