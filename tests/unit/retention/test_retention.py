from __future__ import annotations

import asyncio

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.calls.lists import Facets, count_calls
from callwright.clock import SystemClock, VirtualClock, VirtualLoop
from callwright.errors import Conflict, NotFound, StoreUnavailable
from callwright.recordings.upkeep import Upkeep
from callwright.retention import retention as room
from callwright.retention import rows
from callwright.retention.retention import Erased, Retention, forget
from callwright.retention.rules import Rules
from callwright.store import Store
from callwright.store.blocks import positions_of
from support.native_room import NativeRoom
from support.old_calls import DAY_US, NOW_US, OldCalls


@pytest.fixture
def old(tmp_path):
    return OldCalls(tmp_path)


def retention(old: OldCalls, calls: int = 10, **tags: int) -> Retention:
    return Retention(old.store, old.clock, Rules(calls, tags))


@pytest.mark.parametrize(
    ("rules", "tags", "days"),
    [
        (Rules(10), [], 10),
        (Rules(), [], None),
        (Rules(10, {"keep": 30}), ["other"], 10),
        (Rules(10, {"keep": 30}), ["keep", "other"], 30),
        (Rules(10, {"short": 1}), ["short"], 1),  # a tag's time takes the place of the others'
        (Rules(10, {"short": 1, "keep": 30}), ["keep", "short"], 30),
        (Rules(10, {"short": 1, "always": 0}), ["short", "always"], None),
        (Rules(0, {"short": 1}), ["short"], 1),
    ],
)
def test_the_time_is_that_of_the_tag_and_of_several_the_longest(rules, tags, days):
    assert rules.until_us(5, tags) == (None if days is None else 5 + days * DAY_US)


async def test_what_is_old_goes_and_what_is_young_live_or_tagged_stays(old):
    went = [await old.call(age) for age in (400, 11, 10)]
    stayed = [await old.call(9.99), await old.call(None), await old.call(400, "always"), await old.call(20, "keep")]
    went += [await old.call(40, "keep"), await old.call(2, "short")]
    await old.fan_out()
    erased = await retention(old, 10, always=0, keep=30, short=1).erase_old()
    assert erased == Erased(seen=5, calls=5)
    assert await old.calls() == stayed
    assert not set(went) & set(stayed)


async def test_nothing_is_left_of_a_call_in_any_table_and_all_of_another(old):
    kept = await old.with_everything(1)
    before = await old.rows()
    assert all(before[name] for name in before if name not in ("uncounted", "erasures")), before  # else this shows nothing
    gone = [await old.with_everything(20) for _ in range(3)]
    assert set(await old.mentions(gone[0])) >= {
        "calls",
        "legs",
        "journal",
        "events",
        "deliveries",
        "recordings",
        "transcriptions",
    }
    assert (await retention(old).erase_old()).calls == 3
    assert [await old.mentions(call_id) for call_id in gone] == [[], [], []]
    assert await old.calls() == [kept]
    assert await old.rows() == before | {"erasures": 3}
    labels = await old.sql("SELECT COUNT(*) FROM call_labels WHERE pos NOT IN (SELECT pos FROM calls)")
    attempts = await old.sql("SELECT COUNT(*) FROM attempts WHERE delivery_id NOT IN (SELECT id FROM deliveries)")
    assert (labels, attempts) == ([(0,)], [(0,)])


async def test_every_table_with_a_call_in_it_is_emptied_of_it(old):
    """A table that comes later, and that nobody told of retention, is found here."""
    tables = [name for (name,) in await old.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    with_calls = {name for name in tables if await old.sql(f"SELECT 1 FROM pragma_table_info('{name}') WHERE name = 'call_id'")}
    assert with_calls == {"legs", "journal", "events", "deliveries", "recordings", "transcriptions"}
    assert with_calls <= set(rows.PARTS)


async def test_counters_stay_exact(old):
    for age in (20, 1, 30, 2, 11, 3):
        await old.call(age)
    await old.call(None)
    await old.fan_out()
    assert (await retention(old).erase_old()).calls == 3
    assert count_calls(old.store, old.world, Facets()) == 4 == len(await old.calls())
    kept = "SELECT world_id, number_id, level, block, n, outgoing_ended, outgoing_ongoing FROM call_blocks ORDER BY 1, 2, 3, 4"
    counted = await old.sql(kept)
    await old.sql("DELETE FROM call_blocks")
    (recount,) = [old.store._named["blocks.count_all_calls"]]
    await old.sql(recount)
    assert await old.sql(kept) == counted
    assert await old.sql("SELECT * FROM uncounted") == []


async def test_a_call_waits_for_its_callbacks_its_recordings_and_the_outbox(old):
    pending, lately, recorded, given_up = [await old.call(20) for _ in range(4)]
    await old.deliver(pending, "pending")
    await old.deliver(lately, "exhausted", NOW_US - 1_000_000)  # its answer may be on its way
    await old.record(recorded, over=False)
    await old.deliver(given_up, "exhausted")
    worker = retention(old)
    assert await worker.erase_old() == Erased(seen=4, waiting=4)  # none has become callbacks yet
    await old.fan_out()
    assert await worker.erase_old() == Erased(seen=4, calls=1, waiting=3)
    assert await old.calls() == [pending, lately, recorded]
    await old.sql("UPDATE deliveries SET state = 'delivered', settled_us = 1")
    await old.sql("UPDATE recordings SET status = 'done'")
    assert (await worker.erase_old()).calls == 3


async def test_files_go_with_their_recordings(old, tmp_path):
    worker = Upkeep(old.store, old.clock, old.recordings, None)
    woken = []
    old.store.on("recordings", woken.append)
    call_id = await old.call(20)
    path = await old.record(call_id)
    await old.fan_out()
    woken.clear()
    assert await retention(old).erase_old() == Erased(seen=1, calls=1, recordings=1)
    assert len(woken) == 1
    assert path.exists()
    assert await worker._round()
    assert not path.exists()
    assert await old.sql("SELECT * FROM erasures") == []


async def test_a_batch_ends_when_its_time_is_over_and_others_may_write(old):
    for _ in range(7):
        await old.call(20)
    await old.fan_out()
    old.clock.tick_ns = room.BUDGET_NS + 1
    took = []
    worker = Retention(old.store, old.clock, Rules(10), counted=took.append)
    assert (await worker.erase_old()).calls == 7
    assert took == [1] * 7
    assert old.clock.slept == [room.PAUSE_S] * 7


async def test_batches_are_small(old, monkeypatch):
    monkeypatch.setattr(room, "BATCH", 3)
    for _ in range(7):
        await old.call(20)
    await old.fan_out()
    took = []
    await Retention(old.store, old.clock, Rules(10), counted=took.append).erase_old()
    assert took == [3, 3, 1]


async def test_tags_that_change_meanwhile_count(old, monkeypatch):
    call_id = await old.call(20)
    await old.fan_out()
    found = old.store.look

    async def look(read):
        seen = await found(read)
        if isinstance(seen, rows.Old):
            await old.label(call_id, "keep")
        return seen

    monkeypatch.setattr(old.store, "look", look)
    assert await retention(old, 10, keep=30).erase_old() == Erased(seen=1)
    assert await old.calls() == [call_id]


async def test_what_is_kept_longer_is_not_walked_over_each_hour(old, monkeypatch):
    """Blocks of calls that are kept are looked at when the next of them is due, and once in a day at the latest."""
    walked = []
    walk = rows.old

    def noted(reader, rules, block, now_us):
        walked.append(block.block)
        return walk(reader, rules, block, now_us)

    monkeypatch.setattr(rows, "old", noted)
    for block in range(4):
        await old.jump(positions_of(block)[0])
        await old.call(100, "always")
    due_soon = await old.call(29.9, "keep")
    await old.fan_out()
    worker = retention(old, 10, always=0, keep=30)
    await worker.erase_old()
    assert walked == [0, 1, 2, 3]
    await worker.erase_old()
    assert walked == [0, 1, 2, 3]
    old.clock.us += DAY_US // 8
    assert (await worker.erase_old()).calls == 1
    assert due_soon not in await old.calls()
    del walked[:]
    for _ in range(24):
        old.clock.us += 3_600_000_000
        await worker.erase_old()
    assert all(1 <= walked.count(block) <= 24 // (block + 1) + 1 for block in range(4)), walked


async def test_the_newest_calls_are_not_looked_at(old):
    """Blocks in which nothing ended long enough ago are passed over by their counters."""
    await old.call(1)
    assert list(rows.blocks(old.store, Rules(10), NOW_US)) == []
    assert len(list(rows.blocks(old.store, Rules(1), NOW_US))) == 1
    assert list(rows.blocks(old.store, Rules(), NOW_US)) == []


@pytest.mark.parametrize("tags", [{}, {"always": 0}, {"keep": 30, "short": 1}])
async def test_the_count_of_old_calls_is_what_goes(old, tags):
    for age, label in ((20, ()), (30, ()), (40, ("keep",)), (20, ("always", "keep")), (1, ()), (2, ("short",))):
        await old.call(age, *label)
    # Blocks of which all is old, and all but a call that is up; with a tag, and without any.
    for block, labels in enumerate(((), ("keep",), ("always",), ()), 1):
        await old.jump(positions_of(block)[0])
        await old.call(20)
        await old.call(25, *labels)
    await old.call(None)
    await old.fan_out()
    rules = Rules(10, tags)
    told = sum(rows.count_old(old.store, rules, block, NOW_US) for block in rows.blocks(old.store, rules, NOW_US))
    assert told == (await Retention(old.store, old.clock, rules).erase_old()).calls > 0


async def test_no_query_reads_a_whole_table(old):
    for name, sql in old.store._named.items():
        if not name.startswith("retention."):
            continue
        numbered = [number for number in "321" if f"?{number}" in sql]
        params = [b""] * (int(numbered[0]) if numbered else sql.count("?"))
        plan = [row[3] for row in await old.sql(f"EXPLAIN QUERY PLAN {sql}", *params)]
        # One table has one row.
        walks = [step for step in plan if step.startswith("SCAN") and step not in ("SCAN fanned_out", "SCAN CONSTANT ROW")]
        assert (walks, [step for step in plan if "TEMP B-TREE" in step]) == ([], []), (name, plan)


def test_it_looks_each_hour_and_goes_on_after_a_fault(tmp_path):
    async def run():
        clock = VirtualClock(asyncio.get_running_loop(), NOW_US)
        old = OldCalls(tmp_path)
        worker = Retention(old.store, clock, Rules(1))
        looked, faults = [], [StoreUnavailable("full"), ValueError("a fault of ours")]

        async def erase_old():
            looked.append((clock.now_us() - NOW_US) / 1e6)
            if faults:
                raise faults.pop()

        worker.erase_old = erase_old
        running = asyncio.create_task(worker.run())
        await clock.sleep(3 * room.EVERY_S)
        running.cancel()
        kept = asyncio.create_task(Retention(old.store, clock, Rules()).run())
        await clock.sleep(room.EVERY_S)
        assert not kept.done()  # a worker that ended would end the server
        kept.cancel()
        return looked

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(run()) == [room.FIRST_S, room.FIRST_S + room.EVERY_S, room.FIRST_S + 2 * room.EVERY_S]


class Stepping(VirtualClock):
    """A clock that can be put forward."""

    ahead_us = 0

    def now_us(self):
        return super().now_us() + self.ahead_us


def test_nothing_is_deleted_by_a_clock_that_jumped(tmp_path, caplog):
    async def run():
        clock = Stepping(asyncio.get_running_loop(), NOW_US)
        old = OldCalls(tmp_path)
        call_id = await old.call(9)
        await old.fan_out()
        running = asyncio.create_task(Retention(old.store, clock, Rules(10)).run())
        clock.ahead_us = 365 * DAY_US
        await clock.sleep(2 * room.EVERY_S)
        assert await old.calls() == [call_id]
        assert [record.getMessage() for record in caplog.records] == ["retention_waits"] * 2
        clock.ahead_us = 0  # somebody has seen to it
        await clock.sleep(DAY_US / 1e6 - 3 * room.EVERY_S)
        assert await old.calls() == [call_id]
        await clock.sleep(3 * room.EVERY_S)
        assert await old.calls() == []
        running.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


TAGS = ("a", "b", "c")
CALL = st.tuples(st.one_of(st.none(), st.integers(0, 60)), st.sets(st.sampled_from(TAGS)), st.booleans(), st.integers(0, 3))


@settings(max_examples=40)
@given(
    calls=st.lists(CALL, max_size=12),
    days=st.integers(0, 40),
    tags=st.dictionaries(st.sampled_from(TAGS), st.integers(0, 50)),
    hours=st.lists(st.integers(1, 400), min_size=1, max_size=4),
)
def test_what_is_left_is_what_plain_words_say(tmp_path_factory, calls, days, tags, hours):
    """Whatever calls there are, in whatever blocks: after each run those are left that are young, kept or wait."""

    def stays(age, labels, waits, now_us):
        if age is None or waits:
            return True
        times = [tags[one] for one in labels if one in tags] or [days]
        return 0 in times or now_us < NOW_US - age * DAY_US + max(times) * DAY_US

    async def run():
        old = OldCalls(tmp_path_factory.getbasetemp())
        made = {}
        pos = 0
        for age, labels, waits, apart in calls:
            pos += 1 + 2_000 * apart
            await old.jump(pos)
            call_id = await old.call(age, *sorted(labels))
            made[call_id] = (age, labels, waits)
            if waits:
                await old.deliver(call_id, "pending")
        await old.fan_out()
        worker = Retention(old.store, old.clock, Rules(days, tags))
        for later in hours:
            await worker.erase_old()
            assert await old.calls() == [call_id for call_id, call in made.items() if stays(*call, old.clock.us)]
            assert count_calls(old.store, old.world, Facets()) == len(await old.calls())
            old.clock.us += later * 3_600_000_000

    asyncio.run(run())


class TestForget:
    async def test_a_call_goes_at_once(self, old):
        call_id, other = await old.with_everything(0.5), await old.call(20)
        await forget(old.store, old.clock, old.world, call_id)
        assert await old.calls() == [other]
        assert await old.mentions(call_id) == []
        with pytest.raises(NotFound):
            await forget(old.store, old.clock, old.world, call_id)

    @pytest.mark.parametrize("words", [1, 3_000])
    async def test_nothing_of_it_can_be_read_in_the_file(self, tmp_path, words):
        path, word = tmp_path / "calls.db", "lookforme"
        old = OldCalls(tmp_path, Store.open(path, SystemClock()))
        calls = [await old.with_everything(20) for _ in range(30)]
        gone = calls[10:20]
        for call_id in gone:
            await old.label(call_id, word)
            await old.sql("UPDATE deliveries SET body = ? WHERE call_id = ?", f"{word} " * words, call_id.bytes)
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert path.read_bytes().count(word.encode()) >= 10
        for call_id in gone:
            await forget(old.store, old.clock, old.world, call_id)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert word.encode() not in path.read_bytes()
        connection.close()
        old.store.close()

    @pytest.mark.parametrize(
        ("state", "why"),
        [
            ("live", "not over"),
            ("just over", "less than a minute"),
            ("recorded", "recording"),
            ("outbox", "have not become callbacks"),
            ("pending", "not settled"),
        ],
    )
    async def test_it_is_refused_while_something_is_done_with_the_call(self, old, state, why):
        call_id = await old.call({"live": None, "just over": 0}.get(state, 1))
        if state == "recorded":
            await old.record(call_id, over=False)
        if state == "pending":
            await old.deliver(call_id, "pending")
        if state != "outbox":
            await old.fan_out()
        with pytest.raises(Conflict, match=why) as refused:
            await forget(old.store, old.clock, old.world, call_id)
        assert refused.value.remedy
        assert await old.calls() == [call_id]

    async def test_only_the_operator_may(self, old):
        native = await NativeRoom.open()
        old.store, old.world = native.store, native.accounts.world("live").id
        call_id = await old.call(1)
        await old.fan_out()
        path = f"/calls/{call_id}/record"
        assert (await native.customer("DELETE", path)).status == 403
        assert (await native.operator("DELETE", path, world="test")).status == 404
        native.switchboard.carried.add(call_id)  # it is over, and something is still to be written of it
        refused = await native.operator("DELETE", path)
        assert (refused.status, "last words" in refused.error["message"]) == (409, True)
        native.switchboard.carried.clear()
        assert (await native.operator("DELETE", path)).status == 204
        assert (await native.operator("DELETE", path)).status == 404
