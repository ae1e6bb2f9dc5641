"""What is on disk after a death against what was acknowledged, by SQL of its own and by the lists themselves."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from callwright.calls import rows
from callwright.calls.lists import Facets, count_calls, list_calls
from callwright.calls.model import LIVE_CALL, Call, CallStatus, Direction
from callwright.store import Store
from callwright.store.blocks import CountersWrong
from support.invariants import check_record
from support.record_kill.notes import DELETED, State

BLOCK, SPAN = 11, 19  # bits of a position
PAGES = 40
RECORDS = 400  # calls whose whole record is looked at after each death


class Found(NamedTuple):
    """A call as the tables have it."""

    pos: int
    world: bytes
    number: bytes
    direction: str
    created_us: int
    ended_us: int | None
    state: State


def read(database: Path) -> dict[UUID, Found]:
    """All calls."""
    with closing(_open(database)) as connection:
        journal = dict(connection.execute("SELECT call_id, MAX(seq) FROM journal GROUP BY call_id"))
        events = dict(connection.execute("SELECT call_id, MAX(seq) FROM events GROUP BY call_id"))
        found = {}
        for pos, world, id_, number, direction, created_us, ended_us, status, tags, metadata in connection.execute(
            "SELECT pos, world_id, id, number_id, direction, created_us, ended_us, status, tags, metadata FROM calls"
        ):
            pairs = tuple(sorted(json.loads(metadata or "{}").items()))
            state = State(journal.get(id_, 0), events.get(id_, 0) or 0, status, tuple(json.loads(tags or "[]")), pairs)
            found[UUID(bytes=id_)] = Found(pos, world, number or b"", direction, created_us, ended_us, state)
        return found


def faults(
    database: Path, store: Store, expected: dict[UUID, set[State]], whole: list[frozenset[UUID]], chance: Random
) -> list[str]:
    """A sentence for each thing that must not be; `whole` are calls that one commit deletes, all or none."""
    found = read(database)
    wrong = [*_of_states(found, expected), *_of_halves(found, whole)]
    with closing(_open(database)) as connection:
        wrong += _of_the_file(connection)
        wrong += _of_strays(connection)
        wrong += _of_counters(connection, found)
        wrong += _of_labels(connection, found)
    wrong += _of_pages(store, found, chance)
    wrong += _of_records(store, found, chance)
    return wrong


def _of_states(found: dict[UUID, Found], expected: dict[UUID, set[State]]) -> Iterator[str]:
    for call, states in expected.items():
        state = found[call].state if call in found else DELETED
        if state not in states:
            yield f"call {call} is {state}, acknowledged or under way were {sorted(states)}"
    for call in found.keys() - expected.keys():
        yield f"call {call} is on record, and nobody wrote it"


def _of_halves(found: dict[UUID, Found], whole: list[frozenset[UUID]]) -> Iterator[str]:
    for calls in whole:
        left = calls & found.keys()
        if left and left != calls:
            yield f"of {len(calls)} calls that one commit deletes {len(left)} are left"


def _of_the_file(connection: sqlite3.Connection) -> Iterator[str]:
    said = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    if said != ["ok"]:
        yield f"the database is damaged: {said[:3]}"


def _of_strays(connection: sqlite3.Connection) -> Iterator[str]:
    """What belongs to a call is there with it, and only with it."""
    for table in ("legs", "journal", "events"):
        own = f"SELECT 1 FROM {table} WHERE {table}.world_id = calls.world_id AND {table}.call_id = calls.id"
        ((without,),) = connection.execute(f"SELECT COUNT(*) FROM calls WHERE NOT EXISTS ({own})")
        of_calls = "SELECT world_id, id FROM calls"
        ((strays,),) = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE (world_id, call_id) NOT IN ({of_calls})")
        if without or strays:
            yield f"{without} calls are without {table}, {strays} {table} without a call"
    ((uncounted,),) = connection.execute("SELECT COUNT(*) FROM uncounted")
    if uncounted:
        yield f"{uncounted} changes were never counted"


def _of_counters(connection: sqlite3.Connection, found: dict[UUID, Found]) -> Iterator[str]:
    """Every block has just the calls that are there, by direction and status, and bounds that hold their times."""
    columns = [f"{direction.value}_{status.value}" for direction in Direction for status in CallStatus]
    true: defaultdict[tuple[bytes, bytes, int, int], list[Found]] = defaultdict(list)
    for call in found.values():
        for number in {b"", call.number}:
            for level, bits in ((0, BLOCK), (1, SPAN)):
                true[call.world, number, level, call.pos >> bits].append(call)
    said = {}
    bounds = "oldest_us, newest_us, first_end_us, last_end_us"
    query = f"SELECT world_id, number_id, level, block, n, {bounds}, {', '.join(columns)} FROM call_blocks"
    for world, number, level, block, n, oldest, newest, first_end, last_end, *counts in connection.execute(query):
        key = (world, number, level, block)
        said[key] = (n, {name: count for name, count in zip(columns, counts, strict=True) if count})
        ends = [call.ended_us for call in true[key] if call.ended_us is not None]
        if not all(oldest <= call.created_us <= newest for call in true[key]):
            yield f"block {key} has calls that were made outside of its bounds"
        if not all(first_end <= end <= last_end for end in ends):
            yield f"block {key} has calls that ended outside of its bounds"
    for key in said.keys() | true.keys():
        calls = true[key]
        truth = (len(calls), dict(Counter(f"{call.direction}_{call.state.status}" for call in calls)))
        if said.get(key) != truth:
            yield f"block {key} counts {said.get(key)}, there are {truth}"


def _of_labels(connection: sqlite3.Connection, found: dict[UUID, Found]) -> Iterator[str]:
    true = {
        (call.world, name, value, call.pos)
        for call in found.values()
        for name, value in (*(("", tag) for tag in call.state.tags), *call.state.metadata)
    }
    said = set(connection.execute("SELECT world_id, name, value, pos FROM call_labels"))
    if said != true:
        yield f"labels are {len(said - true)} too many and {len(true - said)} too few"


def _of_pages(store: Store, found: dict[UUID, Found], chance: Random) -> Iterator[str]:
    """Pages and totals by the counters, some of each kind, are those of a plain list in memory."""
    newest_first = sorted(found.items(), key=lambda pair: -pair[1].pos)
    worlds = sorted({call.world for call in found.values()})
    for _ in range(PAGES if worlds else 0):
        world, facets = chance.choice(worlds), _any_facets(found, chance)
        true = [id_ for id_, call in newest_first if call.world == world and _has(facets, call)]
        limit, offset = chance.choice((1, 20, 100)), chance.randint(0, len(true) + 1)
        try:
            page = list_calls(store, UUID(bytes=world), limit=limit, offset=offset, facets=facets)
            counted = count_calls(store, UUID(bytes=world), facets, _refuse)
        except CountersWrong:
            yield f"{facets}: counters that do not add up, there are {len(true)}, or other calls"
            continue
        if (page.total, [call.id for call in page.calls]) != (len(true), true[offset : offset + limit]):
            yield f"{facets}: {page.total} from {offset} on, there are {len(true)}, or other calls"
        if counted != len(true):
            yield f"{facets}: counted wrongly"


def _refuse() -> None:
    """Have no rows counted in the place of counters."""
    raise CountersWrong


def _any_facets(found: dict[UUID, Found], chance: Random) -> Facets:
    asked: dict[str, Any] = {}
    if chance.random() < 0.5:
        asked["statuses"] = frozenset(chance.sample(list(CallStatus), chance.randint(1, 4)))
    if chance.random() < 0.3:
        asked["direction"] = chance.choice(list(Direction))
    if chance.random() < 0.4:
        number = chance.choice(list(found.values())).number
        asked["number_id"] = UUID(bytes=number) if number else None
    for name in ("created", "ended"):
        if chance.random() < 0.3:
            times = [getattr(call, f"{name}_us") for call in chance.choices(list(found.values()), k=2)]
            asked[name] = tuple(sorted(time or 0 for time in times))
    return Facets(**asked)


def _has(facets: Facets, call: Found) -> bool:
    return (
        CallStatus(call.state.status) in facets.statuses
        and facets.direction in (None, Direction(call.direction))
        and (facets.number_id is None or facets.number_id.bytes == call.number)
        and (facets.created is None or facets.created[0] <= call.created_us < facets.created[1])
        and (facets.ended is None or (call.ended_us is not None and facets.ended[0] <= call.ended_us < facets.ended[1]))
    )


def _of_records(store: Store, found: dict[UUID, Found], chance: Random) -> Iterator[str]:
    """The newest calls, those a death can have met, and some of the others have every invariant of a record."""
    newest_first = sorted(found.items(), key=lambda pair: -pair[1].pos)
    others = newest_first[RECORDS // 2 :]
    for id_, call in (*newest_first[: RECORDS // 2], *chance.sample(others, min(RECORDS // 2, len(others)))):
        world_id = UUID(bytes=call.world)
        try:
            check_record(store, world_id, id_, over=False)
            listed = rows.find_call(store, world_id, id_)
            assert isinstance(listed, Call)
            assert listed.live == (CallStatus(call.state.status) in LIVE_CALL)
        except AssertionError as error:
            yield f"call {id_}: its record is not right: {error}"


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
