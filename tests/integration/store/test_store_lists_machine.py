"""Whatever happens to calls and the rest, every page and every total is that of the rows themselves."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import tempfile
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from callwright.calls import lists, rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.lists import Facets
from callwright.calls.model import LIVE_CALL, Call, CalledNumber, CallStatus, Direction
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.store import Change, ConstraintViolated, Store, Transaction, Write
from support.naive import LISTS, QUERIES, Naive

T = TypeVar("T")

WORLDS = (UUID(int=1), UUID(int=2))
NUMBERS = (None, UUID(int=11), UUID(int=12))
FLOWS = (UUID(int=21), UUID(int=22))
TIMES = st.integers(0, 40)
TABLES = ("calls", "flows", "numbers", "webhooks", "recordings", "transcriptions")
# Where blocks and spans meet, and positions of imported history.
EDGES = st.sampled_from((2_046, 2_047, 524_286, 524_287, 1_048_575, 3 * 524_288 - 2_049, 5 << 30))
HISTORY = st.sampled_from((-1, -2, -2_047, -2_048, -2_049, -524_288, -524_289, -1_048_577, -(9 << 30)))
CHOICE = st.integers(0, 999)
STATUS = st.sampled_from(list(CallStatus))
CALL = st.tuples(st.sampled_from(WORLDS), st.sampled_from(Direction), st.sampled_from(NUMBERS), STATUS, TIMES)


class Shelf:
    """A store on a file, written from one thread's own event loop."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self._loop = asyncio.new_event_loop()
        self.open()
        self.naive = Naive(apsw.Connection(str(self.folder / "a.db")))

    def open(self) -> None:
        self.store = Store.open(self.folder / "a.db", SystemClock(), synchronous="off")

    def commit(self, *changes: Change) -> list[BaseException | None]:
        """Hand in changes together, so that they share commits; what each came to."""

        async def all_of_them() -> list[BaseException | None]:
            return await asyncio.gather(*map(self.store.commit, changes), return_exceptions=True)

        return self._loop.run_until_complete(all_of_them())

    def execute(self, *statements: tuple[str, tuple]) -> None:
        """Run statements that no room has, in one transaction."""

        def run(transaction: Transaction) -> None:
            for sql, params in statements:
                transaction._connection.execute(sql, params)

        self._loop.run_until_complete(self.store.transact(run))

    def fail(self, *writes: Write) -> None:
        """Write in a function that then fails."""

        def run(transaction: Transaction) -> None:
            transaction.write_all(writes)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            self._loop.run_until_complete(self.store.transact(run))

    def close(self) -> None:
        self.store.close()
        self.naive.connection.close()
        self._loop.close()
        shutil.rmtree(self.folder)


class ListsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf()
        self._last_id = 100
        self._calls: list[Call] = []
        self._records: list[CallRecord] = []
        self._others: list[tuple[str, UUID, UUID]] = []
        self._random = random.Random(0)

    def teardown(self) -> None:
        self.shelf.close()

    def _id(self) -> UUID:
        self._last_id += 1
        return UUID(int=self._last_id)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self._random = random.Random(seed)

    # calls

    @rule(wanted=st.lists(CALL, min_size=1, max_size=4), pos=st.none() | EDGES | HISTORY)
    def make(self, wanted: list[tuple], pos: int | None) -> None:
        """Calls in one commit, where they come, or from a position on."""
        made = []
        for world, direction, number, status, at_us in wanted:
            call = Call(
                id=self._id(),
                world_id=world,
                status=status,
                direction=direction,
                source="1",
                destination="2",
                number_id=number,
                tags=("a", "b", "a")[: at_us % 4],
                created_us=at_us,
                updated_us=at_us,
                ended_us=None if status in LIVE_CALL else at_us + 5,
            )
            made.append((call, rows.insert_call(call, "one")))
        if pos is None:
            assert self.shelf.commit(Change(tuple(write for _, write in made))) == [None]
        else:
            sql = self.shelf.store._named["calls.insert_call"].replace("(\n", "(pos,\n", 1).replace("VALUES (", "VALUES (?, ")
            taken = {row[0] for row in self.shelf.naive.connection.execute("SELECT pos FROM calls")}
            free = (place for place in itertools.count(pos) if place not in taken)
            self.shelf.execute(*((sql, (next(free), *write.params)) for _, write in made))
        self._calls += [call for call, _ in made]

    @rule(world=st.sampled_from(WORLDS), number=st.sampled_from(NUMBERS), at_us=TIMES)
    def record(self, world: UUID, number: UUID | None, at_us: int) -> None:
        if number is None:
            record = CallRecord.requested(
                call_id=self._id(),
                leg_id=self._id(),
                world_id=world,
                source="1",
                destination="2",
                number_id=None,
                webhook_url=None,
                webhook_token=None,
                at_us=at_us,
                node="one",
            )
        else:
            record = CallRecord.incoming(
                call_id=self._id(),
                leg_id=self._id(),
                world_id=world,
                source="1",
                destination="2",
                called=CalledNumber(number, "2", FLOWS[0], 1, 1),
                sip_call_id="x",
                at_us=at_us,
                node="one",
            )
        assert self.shelf.commit(record.take()) == [None]
        self._records.append(record)

    @precondition(lambda self: self._records)
    @rule(chosen=CHOICE, at_us=TIMES, over=st.booleans())
    def go_on(self, chosen: int, at_us: int, over: bool) -> None:
        """What happens to a call in one go shares commits."""
        record = self._records[chosen % len(self._records)]
        changes = []
        if record.call.status is CallStatus.QUEUED:
            record.start(at_us)
            changes.append(record.take())
        record.answered(record.legs[0].id, at_us)
        changes.append(record.take())
        if over:
            self._records.remove(record)
            record.end_leg(record.legs[0].id, Reason.API_HANGUP, at_us + 1)
            changes.append(record.take())
        assert self.shelf.commit(*changes) == [None] * len(changes)

    @precondition(lambda self: self._calls)
    @rule(chosen=CHOICE, status=STATUS, at_us=TIMES)
    def move(self, chosen: int, status: CallStatus, at_us: int) -> None:
        call = self._calls.pop(chosen % len(self._calls))
        moved = replace(call, status=status, updated_us=at_us, ended_us=None if status in LIVE_CALL else at_us)
        if status is call.status:
            moved = replace(moved, ended_us=call.ended_us)
        assert self.shelf.commit(Change((rows.update_call(moved),))) == [None]
        self._calls.append(moved)

    @precondition(lambda self: self._calls)
    @rule(chosen=st.lists(CHOICE, min_size=1, max_size=6))
    def delete(self, chosen: list[int]) -> None:
        """As retention does."""
        some = _taken(self._calls, chosen)
        self.shelf.execute(*(("DELETE FROM calls WHERE world_id = ? AND id = ?", rows.key_of(call)) for call in some))

    @precondition(lambda self: self._calls)
    @rule(chosen=CHOICE, at_us=TIMES, status=STATUS)
    def fail(self, chosen: int, at_us: int, status: CallStatus) -> None:
        """Of changes that share commits some violate a constraint, and a function fails; none of those leaves a trace."""
        call = self._calls[chosen % len(self._calls)]
        ended_us = None if status in LIVE_CALL else at_us
        first, second, never = (replace(call, id=self._id(), created_us=at_us, status=status, ended_us=ended_us) for _ in "123")
        again = rows.insert_call(call, "one")
        outcome = self.shelf.commit(
            Change((rows.insert_call(first, "one"),)),
            Change((rows.insert_call(never, "one"), again)),
            Change((rows.insert_call(second, "one"), rows.update_call(second))),
            Change((rows.update_call(replace(call, status=status)), again)),
        )
        assert [type(error) for error in outcome] == [type(None), ConstraintViolated] * 2
        self.shelf.fail(rows.insert_call(never, "one"), rows.update_call(replace(call, status=status)))
        self._calls += [first, second]

    @precondition(lambda self: self._calls)
    @rule(chosen=CHOICE, tags=st.lists(st.sampled_from("abc")), data=st.sampled_from(("", "x", "y")))
    def label(self, chosen: int, tags: list[str], data: str) -> None:
        call = self._calls.pop(chosen % len(self._calls))
        labelled = replace(call, tags=tuple(tags), metadata={"name": data, "other": "z"} if data else {})
        assert self.shelf.commit(Change((rows.label_call(labelled),))) == [None]
        self._calls.append(labelled)

    # the other lists

    @rule(
        wanted=st.lists(st.tuples(st.sampled_from(TABLES[1:]), st.sampled_from(WORLDS)), min_size=1, max_size=6),
        flow=st.sampled_from((None, *FLOWS)),
        of_number=st.booleans(),
    )
    def make_others(self, wanted: list[tuple[str, UUID]], flow: UUID | None, of_number: bool) -> None:
        made = [(table, world, self._id()) for table, world in wanted]
        assert self.shelf.commit(Change(tuple(_insert(*one, flow, of_number) for one in made))) == [None]
        self._others += made

    @precondition(lambda self: self._others)
    @rule(chosen=st.lists(CHOICE, min_size=1, max_size=4))
    def remove(self, chosen: list[int]) -> None:
        some = _taken(self._others, chosen)
        self.shelf.execute(
            *((f"DELETE FROM {table} WHERE world_id = ? AND id = ?", (world.bytes, id_.bytes)) for table, world, id_ in some)
        )

    @rule(flow=st.sampled_from((None, *FLOWS)), world=st.sampled_from(WORLDS), also=st.none() | st.sampled_from(FLOWS))
    def bind(self, flow: UUID | None, world: UUID, also: UUID | None) -> None:
        """Numbers to a flow, or to none; and another flow is left by all that it has."""
        bound = None if flow is None else flow.bytes
        numbers = [id_ for table, of, id_ in self._others if (table, of) == ("numbers", world)]
        writes = [Write("numbers.bind", (bound, 2, world.bytes, id_.hex)) for id_ in numbers[::2]]
        if also is not None:
            writes.append(Write("numbers.unbind_flow", (2, world.bytes, also.bytes)))
        assert self.shelf.commit(Change(tuple(writes))) == [None]

    # time goes by

    @rule(table=st.sampled_from(TABLES[1:]), pos=EDGES)
    def move_on(self, table: str, pos: int) -> None:
        """As if as many rows had come and gone."""
        self.shelf.execute(
            ("INSERT INTO sqlite_sequence SELECT ?, 0 WHERE ? NOT IN (SELECT name FROM sqlite_sequence)", (table, table)),
            ("UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?", (pos, table)),
        )

    @rule()
    def restart(self) -> None:
        self.shelf.store.close()
        self.shelf.open()

    # what is promised

    @invariant()
    def every_page_and_total_is_that_of_the_rows(self) -> None:
        for world in WORLDS:
            for facets in (Facets(), *(self._facets() for _ in range(3))):
                ids = self.shelf.naive.calls(world, facets)
                assert lists.count_calls(self.shelf.store, world, facets) == len(ids)
                for limit, offset in self._windows(len(ids)):
                    page = lists.list_calls(self.shelf.store, world, limit=limit, offset=offset, facets=facets)
                    assert (page.total, [call.id for call in page.calls]) == (len(ids), ids[offset : offset + limit]), facets

    @invariant()
    def so_is_it_of_the_other_lists(self) -> None:
        store, naive = self.shelf.store, self.shelf.naive
        for world in WORLDS:
            for name, (_, _, parent) in LISTS.items():
                for parent_id in (None,) if parent is None else FLOWS:
                    ids = naive.rows(name, world, parent_id)
                    for limit, offset in self._windows(len(ids)):
                        total, found = QUERIES[name].page(store, world, parent_id=parent_id, limit=limit, offset=offset)
                        shown = [UUID(bytes=row[1]) for row in found]
                        assert (total, shown) == (len(ids), ids[offset : offset + limit]), (name, parent_id)

    @invariant()
    def no_counter_was_found_wrong(self) -> None:
        assert self.shelf.store._doubted_ns == {}
        left = "SELECT 1 FROM uncounted UNION SELECT 1 FROM call_blocks WHERE n = 0 UNION SELECT 1 FROM blocks WHERE n = 0"
        assert not self.shelf.naive.connection.execute(left).get

    @invariant()
    def labels_are_those_of_the_calls(self) -> None:
        connection = self.shelf.naive.connection
        labels = set(connection.execute("SELECT world_id, name, value, pos FROM call_labels"))
        wanted = connection.execute(
            "SELECT world_id, '', value, calls.pos FROM calls, json_each(tags) "
            "UNION SELECT world_id, key, value, calls.pos FROM calls, json_each(metadata)"
        )
        assert labels == set(wanted)

    def _facets(self) -> Facets:
        chance = self._random
        spans = [(begin, begin + chance.randrange(1, 30)) for begin in (chance.randrange(-2, 45), chance.randrange(-2, 45))]
        return Facets(
            statuses=frozenset(chance.sample(list(CallStatus), chance.choice((1, 2, 7)))),
            direction=chance.choice((None, None, *Direction)),
            number_id=chance.choice((None, *NUMBERS)),
            created=chance.choice((None, spans[0])),
            ended=chance.choice((None, None, spans[1])),
        )

    def _windows(self, total: int) -> list[tuple[int, int]]:
        """Every offset for small pages, and one larger page somewhere."""
        limit = self._random.choice((1, 2, 3, 5))
        return [(limit, offset) for offset in range(total + 2)] + [(100, self._random.randrange(total + 1))]


def _taken(of: list[T], chosen: list[int]) -> list[T]:
    return [of.pop(place % len(of)) for place in chosen if of]


def _insert(table: str, world: UUID, id_: UUID, flow: UUID | None, of_number: bool) -> Write:
    of, key = world.bytes, id_.bytes
    match table:
        case "flows":
            return Write("flows.insert", (of, key, 0, b"{}", 1, 1))
        case "numbers":
            return Write("numbers.insert", (of, key, id_.hex, 0, None if flow is None else flow.bytes, 1, 1))
        case "webhooks":
            return Write("webhooks.insert_webhook", (of, key, key if of_number else None, "u", "u", None, None, 1, 1))
        case "recordings":
            return Write("recordings.insert", (of, *[key] * 3, "call", "from", "f", "", None, 1, "done", "local", 1, "", 1))
        case _:
            return Write("transcriptions.insert", (of, *[key] * 4, "en", 1, "created", "", "", None, None, 1))


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        ListsMachine,
        settings=settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=list(HealthCheck)),
    )


@pytest.mark.parametrize(("examples", "steps"), [(30, 40), pytest.param(1_500, 80, marks=pytest.mark.long)])
def test_lists_hold_whatever_happens(examples: int, steps: int) -> None:
    run(examples, steps)
