"""Pages of calls by any filter: what a naive look at all rows gives, whatever happens between the pages."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright import ids
from callwright.calls import lists, search
from callwright.calls.filters import At, CallFilter, Sought
from callwright.calls.lists import EVER
from callwright.calls.model import LIVE_CALL, Call, CallStatus, Direction
from callwright.calls.terms import terms_of
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.store import Store, Transaction
from support.call_rows import change, put, remove

WORLD, OTHER = UUID(int=1), UUID(int=2)
NUMBERS = [UUID(int=n) for n in (11, 12)]
FLOWS = [UUID(int=n) for n in (21, 22)]
SOURCES = ["31612345678", "31612345679", "3161234", "5678", "345", "anonymous", "sip:alice@example.com", "31205550100"]
TAGS = ["vip", "new", "=1"]
START_US = 1_700_000_000_000_000
SECOND = 1_000_000


@st.composite
def calls(draw: st.DrawFn) -> Call:
    status = draw(st.sampled_from(CallStatus))
    created = START_US + draw(st.integers(0, 40)) * SECOND
    answered = draw(st.none() | st.integers(0, 3_500_000))
    over = status not in LIVE_CALL
    return Call(
        id=ids.uuid7(created),
        world_id=draw(st.sampled_from([WORLD, WORLD, WORLD, OTHER])),
        status=status,
        direction=draw(st.sampled_from(Direction)),
        source=draw(st.sampled_from(SOURCES)),
        destination=draw(st.sampled_from(SOURCES)),
        number_id=draw(st.none() | st.sampled_from(NUMBERS)),
        flow_id=draw(st.none() | st.sampled_from(FLOWS)),
        reason=draw(st.none() | st.sampled_from([Reason.BUSY, Reason.NO_ANSWER])) if over else None,
        tags=tuple(draw(st.lists(st.sampled_from(TAGS), unique=True, max_size=2))),
        metadata=draw(st.dictionaries(st.sampled_from(["customer", "x"]), st.sampled_from(["1", "é"]), max_size=2)),
        created_us=created,
        updated_us=created,
        answered_us=None if answered is None else created + answered,
        # the wall clock may be set back meanwhile
        ended_us=created + draw(st.integers(-2_000_000, 9_000_000)) if over else None,
    )


def spans(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    seconds = st.integers(least, most).map(lambda second: START_US + second * SECOND)
    return st.one_of(
        st.tuples(seconds, seconds).map(sorted).map(tuple),
        seconds.map(lambda begin: (begin, EVER[1])),
        seconds.map(lambda end: (EVER[0], end)),
    )


def parts() -> st.SearchStrategy[Sought]:
    part = st.tuples(st.sampled_from(SOURCES), st.integers(0, 8), st.integers(1, 8)).map(lambda cut: cut[0][cut[1] :][: cut[2]])
    return st.one_of(
        st.sampled_from(SOURCES).map(Sought),
        st.builds(Sought, part.filter(bool), st.sampled_from([At.BEGINNING, At.ANYWHERE])),
        st.builds(lambda text, n: Sought(text[-n:], At.END), st.sampled_from(SOURCES), st.integers(1, 6)),
    )


FILTERS = st.builds(
    CallFilter,
    statuses=st.just(frozenset()) | st.frozensets(st.sampled_from(CallStatus), max_size=3),
    direction=st.none() | st.sampled_from(Direction),
    number_id=st.none() | st.none() | st.sampled_from(NUMBERS),
    source=st.none() | parts(),
    destination=st.none() | st.none() | parts(),
    flow_id=st.none() | st.none() | st.sampled_from(FLOWS),
    reasons=st.just(frozenset()) | st.frozensets(st.sampled_from([Reason.BUSY, Reason.NO_ANSWER])),
    tags=st.just(frozenset()) | st.frozensets(st.sampled_from(TAGS), max_size=2),
    metadata=st.just(frozenset()) | st.just(frozenset({("customer", "1")})) | st.just(frozenset({("x", "é")})),
    created=st.none() | spans(0, 40),
    ended=st.none() | st.none() | spans(0, 50),
    duration=st.none() | st.none() | st.tuples(st.integers(0, 2), st.integers(2, 4)),
)
PLAIN = st.sampled_from([CallFilter(), CallFilter(), CallFilter(direction=Direction.INCOMING)])
# Bounds that are reached by a few calls, and those of the product, which are reached by none here.
TIGHT: dict[str, Any] = {"LOOKED_AT": 4, "COUNTED": 3, "PROBED": 3, "CHUNKS": (2, 4)}
WIDE = {name: getattr(search, name) for name in TIGHT}
CHANGES = st.lists(
    st.tuples(st.sampled_from(["make", "make", "remove", "move", "label"]), st.integers(0, 60), calls()), max_size=4
)


class Truth:
    """All calls in the order they were made, and how the store is brought to agree."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[Call] = []
        self.changed: set[UUID] = set()

    async def make(self, call: Call) -> None:
        await put(self.store, call)
        self.calls.append(call)

    async def happen(self, what: str, n: int, drawn: Call) -> None:
        if what == "make" or not self.calls:
            await self.make(drawn)
            return
        n %= len(self.calls)
        old = self.calls[n]
        self.changed.add(old.id)
        if what == "remove":
            await remove(self.store, self.calls.pop(n))
        elif what == "label":
            self.calls[n] = await change(self.store, old, tags=drawn.tags, metadata=drawn.metadata)
        else:
            outcome = {name: getattr(drawn, name) for name in ("status", "reason", "answered_us", "ended_us")}
            self.calls[n] = await change(self.store, old, **outcome)


class Walk:
    """A list, read page by page."""

    def __init__(self, truth: Truth, wanted: CallFilter, newest_first: bool, limit: int) -> None:
        self.truth, self.wanted, self.newest_first, self.limit = truth, wanted, newest_first, limit

    async def page(self, **at: Any) -> search.Found:
        """A page, none longer than asked for; its total agrees with what there is now."""
        store, newest_first = self.truth.store, self.newest_first
        found = await search.find(store, WORLD, self.wanted, limit=self.limit, newest_first=newest_first, **at)
        matching = self.matching()
        assert found.total.n == len(matching) if found.total.exact else found.total.n <= len(matching)
        assert len(found.calls) <= self.limit
        return found

    async def rest(self, page: search.Found, changes: Any = ()) -> list[Call]:
        """What is on a page and all that follow, while things happen between them."""
        seen, changes = list(page.calls), list(changes)
        while page.next is not None:
            if changes:
                await self.truth.happen(*changes.pop())
            page = await self.page(place=page.next)
            seen += page.calls
        for what in changes:
            await self.truth.happen(*what)
        return seen

    def matching(self) -> list[Call]:
        found = [call for call in self.truth.calls if call.world_id == WORLD and self.wanted.matches(call)]
        return found[::-1] if self.newest_first else found


def staged(data: st.DataObject, run: Any) -> None:
    """Have `run` walk over some list, with narrow or wide bounds."""
    there = data.draw(st.lists(calls(), max_size=24))
    wanted, newest_first, limit = data.draw(FILTERS | PLAIN), data.draw(st.booleans()), data.draw(st.integers(1, 7))

    async def stage() -> None:
        store = Store.in_memory()
        truth = Truth(store)
        for call in there:
            await truth.make(call)
        await run(Walk(truth, wanted, newest_first, limit))
        store.close()

    with pytest.MonkeyPatch.context() as patch:
        for name, bound in data.draw(st.sampled_from([TIGHT, WIDE])).items():
            patch.setattr(search, name, bound)
        asyncio.run(stage())


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_pages_are_what_a_naive_look_finds_whatever_happens_between_them(data: st.DataObject) -> None:
    changes = data.draw(CHANGES)

    async def run(walk: Walk) -> None:
        truth, before = walk.truth, walk.matching()
        there = {call.id for call in truth.calls}
        first = await walk.page()
        seen = await walk.rest(first, changes)
        # Each that was there and did not change, in order; none twice, and none that was made meanwhile.
        assert [call for call in seen if call.id not in truth.changed] == [
            call for call in before if call.id not in truth.changed
        ]
        assert len({call.id for call in seen}) == len(seen)
        assert {call.id for call in seen} <= there
        # What is new since, and only that.
        new = await walk.page(since=first.since)
        assert await walk.rest(new) == [call for call in walk.matching() if call.id not in there]
        assert (await walk.page(since=new.since)).calls == []

    staged(data, run)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_prev_undoes_next(data: st.DataObject) -> None:
    async def run(walk: Walk) -> None:
        pages = [await walk.page()]
        assert pages[0].prev is None
        while pages[-1].next is not None:
            pages.append(await walk.page(place=pages[-1].next))
        back = []
        page = pages[-1]
        while page.prev is not None:
            page = await walk.page(place=page.prev)
            back[:0] = page.calls
        assert back + pages[-1].calls == walk.matching()
        if WIDE["LOOKED_AT"] == search.LOOKED_AT and len(pages) > 1:
            assert (await walk.page(place=pages[-1].prev)).calls == pages[-2].calls
            assert (await walk.page(place=(await walk.page(place=pages[-1].prev)).next)).calls == pages[-1].calls

    staged(data, run)


INDEXED = [
    # filter, the index that must lead
    (CallFilter(), "calls_by_pos"),
    (CallFilter(statuses=frozenset({CallStatus.BUSY, CallStatus.ENDED})), "calls_by_status"),
    (CallFilter(number_id=NUMBERS[0]), "calls_by_number"),
    (CallFilter(number_id=NUMBERS[0], direction=Direction.INCOMING), "calls_by_number_status"),
    (CallFilter(source=Sought("31612345678")), "calls_by_source"),
    (CallFilter(destination=Sought("31612345678")), "calls_by_destination"),
    (CallFilter(source=Sought("316", At.BEGINNING)), "calls_by_source"),
    (CallFilter(destination=Sought("316", At.BEGINNING)), "calls_by_destination"),
    (CallFilter(source=Sought("5678", At.END)), "calls_by_source_end"),
    (CallFilter(destination=Sought("345678", At.END)), "calls_by_destination_end"),
    (CallFilter(source=Sought("5", At.ANYWHERE), created=(START_US, START_US + SECOND)), "calls_by_pos"),
    (CallFilter(tags=frozenset({"vip"})), "call_labels"),
    (CallFilter(metadata=frozenset({("customer", "42")})), "call_labels"),
    (CallFilter(flow_id=FLOWS[0]), "calls_by_flow"),
    (CallFilter(reasons=frozenset({Reason.BUSY})), "calls_by_reason"),
    (CallFilter(reasons=frozenset({Reason.BUSY, Reason.NO_ANSWER})), "calls_by_reason"),
    (CallFilter(duration=(1, 2)), "calls_by_pos"),
    (CallFilter(ended=(START_US, START_US + SECOND)), "calls_by_pos"),
    (CallFilter(statuses=frozenset({CallStatus.ENDED}), ended=(START_US, START_US + SECOND)), "calls_by_status"),
]


class Planned:
    """A reader that keeps how each statement is carried out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.plans: list[tuple[str, list[str]]] = []

    def read(self, query: str, params: Any = ()) -> Any:
        return self.select(self._store._named[query], params)

    def select(self, sql: str, params: Any) -> Any:
        self.plans.append((sql, [str(row[-1]) for row in self._store.select(f"EXPLAIN QUERY PLAN {sql}", params)]))
        return self._store.select(sql, params)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(("wanted", "index"), INDEXED)
async def test_every_statement_goes_by_an_index(wanted: CallFilter, index: str, newest_first: bool) -> None:
    store = Store.in_memory()
    for n in range(3):
        # Many lie outside of any filter, so that an index leads to fewer.
        await put(store, call_like(n, source="31600000000"), call_like(n, world_id=OTHER))
    planned: Any = Planned(store)
    looked = search.Search(planned, WORLD, wanted, newest_first=newest_first)
    place = looked.begin()
    looked.page(place, 10)
    looked.page(place._replace(back=True), 10)
    looked.batch(place, "calls.id", 10)
    assert any(f"USING INDEX {index} " in line or f"USING COVERING INDEX {index} " in line or f"SEARCH {index} " in line
               for _, plan in planned.plans for line in plan)  # fmt: skip
    may_sort = any(sought is not None and sought.at is At.BEGINNING for sought in (wanted.source, wanted.destination))
    for sql, plan in planned.plans:
        # What is found, positions that are given, and blocks of a range are gone through from end to end; no table is.
        scans = [line for line in plan if line.startswith("SCAN")]
        assert all(re.match(r"SCAN (found|json_each|\(subquery-\d+\)|CONSTANT)( |$)", line) for line in scans), (sql, plan)
        assert may_sort or not any("TEMP B-TREE" in line for line in plan), (sql, plan)


async def test_the_index_that_leads_to_the_fewest_is_followed() -> None:
    store = Store.in_memory()
    await put(store, *(call_like(n, tags=("vip",), source="31600000001", destination="1") for n in range(30)))
    await put(store, *(call_like(n, source="31600000002", tags=("vip", "new")) for n in range(3)))
    await put(store, call_like(99, status=CallStatus.FAILED, source="31600000001"))

    def lead(**wanted: Any) -> str:
        with store.snapshot() as reader:
            return search.Search(reader, WORLD, CallFilter(**wanted), newest_first=True)._lead.condition

    tags = frozenset({"vip"})
    assert lead(tags=tags, source=Sought("31600000002")) == "source = :source"
    assert ":name_0" in lead(tags=frozenset({"new"}), source=Sought("3160000000", At.BEGINNING))
    assert ":name_1" in lead(tags=frozenset({"new", "vip"})).replace(":name_0", ":name_1")
    assert "failed" in lead(statuses=frozenset({CallStatus.FAILED}), source=Sought("31600000001"))
    # A beginning that is too common is no lead.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "PROBED", 5)
        assert lead(source=Sought("3160000000", At.BEGINNING)) == ""
        assert "source" in lead(source=Sought("31600000002", At.BEGINNING))


async def test_what_is_sought_row_by_row_stops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.in_memory()
    await put(store, call_like(0, source="99"), *(call_like(n) for n in range(1, 2_000)))
    monkeypatch.setattr(search, "LOOKED_AT", 300)
    monkeypatch.setattr(search, "CHUNKS", (64, 256))
    wanted = CallFilter(source=Sought("99", At.ANYWHERE), created=(START_US, START_US + 2_000 * SECOND))
    page = await search.find(store, WORLD, wanted, limit=10)
    assert (page.calls, page.total, page.next is None) == ([], search.Total(0, exact=False), False)
    pages = 1
    while page.next is not None:
        page = await search.find(store, WORLD, wanted, limit=10, place=page.next)
        pages += 1
    assert ([call.source for call in page.calls], pages > 1) == (["99"], True)


async def test_a_range_of_times_is_found_from_its_own_end() -> None:
    """Neither what is older nor what is newer is looked at."""
    store = Store.in_memory()
    await put(store, *(call_like(n) for n in range(5_000)))
    wanted = CallFilter(source=Sought("34", At.ANYWHERE), created=(START_US + 2_100 * SECOND, START_US + 2_200 * SECOND))
    with store.snapshot() as reader:
        looked = search.Search(reader, WORLD, wanted, newest_first=True)
    assert (looked._low, looked._high) == (2_048, 4_096)
    assert (await search.find(store, WORLD, wanted, limit=1)).total == search.Total(100, exact=True)


async def test_more_than_the_index_of_ends_knows_is_checked() -> None:
    store = Store.in_memory()
    await put(store, *(call_like(n, source=source) for n, source in enumerate(("99945678", "99925678", "5678", "45678"))))
    found = await search.find(store, WORLD, CallFilter(source=Sought("45678", At.END)), limit=10)
    assert [call.source for call in found.calls] == ["45678", "99945678"]


async def test_a_range_may_begin_with_the_newest_call_and_end_before_the_oldest() -> None:
    store = Store.in_memory()
    await put(store, *(call_like(n) for n in range(3)))
    for begin, end, n in ((2, 9, 1), (3, 9, 0), (-9, 0, 0), (-9, 1, 1)):
        span = START_US + begin * SECOND, START_US + end * SECOND
        for wanted in (CallFilter(created=span), CallFilter(ended=(span[0] + SECOND, span[1] + SECOND))):
            found = await search.find(store, WORLD, wanted, limit=10)
            assert (len(found.calls), found.total) == (n, search.Total(n, exact=True)), (begin, end, wanted)


@pytest.mark.parametrize(
    "damage", ["DELETE FROM call_blocks", "UPDATE call_blocks SET oldest_us = 9000000000000000000, newest_us = 0"]
)
async def test_calls_of_a_time_that_counters_have_lost_are_found(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Store.in_memory()
    await put(store, *(call_like(n) for n in range(5)))
    store._reader.execute(damage)
    found = await search.find(store, WORLD, CallFilter(created=(START_US + SECOND, START_US + 9 * SECOND)), limit=2)
    assert (found.total, len(found.calls)) == (search.Total(4, exact=True), 2)
    assert [record.getMessage() for record in caplog.records] == ["counters_wrong"]


@pytest.mark.parametrize("wanted", [CallFilter(), CallFilter(direction=Direction.OUTGOING), CallFilter(source=Sought("9"))])
async def test_where_counters_are_wrong_calls_are_counted_on_a_thread_and_the_operator_is_told(
    wanted: CallFilter, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "a.db", SystemClock(), synchronous="off")
    await put(store, *(call_like(n, source="9") for n in range(5)))

    def damage(transaction: Transaction) -> None:
        transaction._connection.execute("UPDATE call_blocks SET n = -1, outgoing_ended = -1 WHERE level = 1")

    await store.transact(damage)
    counted_on = []
    by_rows = lists._Walk.count_without_counters

    def count(walk: Any) -> int:
        counted_on.append(threading.current_thread())
        return by_rows(walk)

    monkeypatch.setattr(lists._Walk, "count_without_counters", count)
    found = await search.find(store, WORLD, wanted, limit=2)
    assert (found.total, len(found.calls)) == (search.Total(5, exact=True), 2)
    assert counted_on
    assert threading.main_thread() not in counted_on
    assert [record.getMessage() for record in caplog.records] == ["counters_wrong"]
    store.close()


def test_the_end_of_the_index_is_that_of_the_filter() -> None:
    short, whole, longer = (
        terms_of(WORLD, CallFilter(source=Sought(text, At.END))).others[0] for text in ("78", "5678", "45678")
    )
    assert (short.arms, whole.checked, longer.checked) == ((), False, True)


def call_like(n: int, **fields: Any) -> Call:
    at_us = START_US + n * SECOND
    given: dict[str, Any] = {
        "world_id": WORLD,
        "status": CallStatus.ENDED,
        "source": "31612345678",
        "destination": "31205550100",
    }
    return Call(id=ids.uuid7(at_us), created_us=at_us, updated_us=at_us, ended_us=at_us + SECOND, **given | fields)
