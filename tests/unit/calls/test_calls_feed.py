"""What is told to those who watch, and where it is gone on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.calls import feed as feed_module
from callwright.calls.events import CREATED, LABELLED, TOPIC, UPDATED, Event, Snapshot, encode_snapshot
from callwright.calls.feed import Feed, Happening, Sign, Step, Watched
from callwright.calls.filters import At, CallFilter, Sought
from callwright.calls.following import BATCH, KEEP_ALIVE_S, TURN_S, Position
from callwright.calls.model import Call, CallStatus, Direction, Leg, LegStatus
from callwright.calls.rows import insert_call, insert_event, insert_other_event
from callwright.errors import Unavailable
from callwright.store import Change, Store, Wake, queries
from support.webhook_stage import OTHER_WORLD, START_US, WORLD, Stage, on_stage

TYPES = {"recordingCreated": "recording", "webhookDisabled": "webhook"}
ALL = frozenset({"call", "leg", "recording", "webhook"})


class Room:
    """A feed, and how often each event was written down."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rendered: list[UUID] = []
        self.feed = Feed(stage.store, stage.clock, types=TYPES, render=self._render)

    def _render(self, event: Event) -> bytes:
        self.rendered.append(event.id)
        if event.id == UUID(int=666):
            raise ValueError("cannot be written")
        return f"{event.call_id.int} {event.kind}".encode()

    def watch(self, after: Position | None = None, **wanted: Any) -> Eye:
        watched = Watched(**({"world_id": WORLD, "types": frozenset({"call"})} | wanted))
        return Eye(self, watched, self.feed.here() if after is None else after)


class Eye:
    """Somebody who watches: what is told is taken step by step."""

    def __init__(self, room: Room, watched: Watched, after: Position) -> None:
        self._room = room
        self._seat = room.feed.admit(watched.world_id)
        self._steps: AsyncGenerator[Step] = room.feed.follow(self._seat, watched, after)
        self.position = after

    async def next(self, within: float = 1.0) -> str:
        async with self._room.stage.clock.timeout(within):
            self.position, what = await anext(self._steps)
        return what.data.decode() if isinstance(what, Happening) else what.name

    async def take(self, count: int) -> list[str]:
        return [await self.next() for _ in range(count)]

    async def until_caught_up(self) -> list[str]:
        told = []
        while (one := await self.next()) != Sign.CAUGHT_UP.name:
            told.append(one)
        return told

    async def close(self) -> None:
        with self._seat:
            await self._steps.aclose()


async def happen(stage: Stage, number: int, kind: str = UPDATED, *, event: int = 0, legs: int = 0, **call: Any) -> None:
    """Commit an event of a call; the call's row is there for what needs it."""
    at_us = stage.clock.now_us()
    made = Call(
        **({"id": UUID(int=number), "world_id": WORLD, "status": CallStatus.ONGOING, "source": "31201", "destination": "31202",
            "created_us": at_us, "updated_us": at_us} | call)
    )  # fmt: skip
    event_id = UUID(int=event or (number << 40 | at_us % (1 << 40)))
    if kind in (CREATED, UPDATED):
        parts = tuple(
            Leg(id=UUID(int=number << 8 | n), call_id=made.id, n=n, direction=Direction.OUTGOING, source="1", destination="2",
                status=LegStatus.RINGING, created_us=at_us, updated_us=at_us)
            for n in range(1, legs + 1)
        )  # fmt: skip
        stage._seqs[number] += 1
        write = insert_event(event_id, stage._seqs[number], kind, Snapshot(made, parts, made=tuple(leg.n for leg in parts)))
    else:
        content = encode_snapshot(Snapshot(made, ())) if kind == LABELLED else b""
        write = insert_other_event(made.world_id, event_id, made.id, kind, at_us, content)
    await stage.store.commit(Change((write,), (Wake(TOPIC, made.world_id, made.id),)))


def forget(stage: Stage, *positions: int) -> None:
    """Delete events as retention does."""
    connection = stage.store._writer._connection  # type: ignore[attr-defined]
    for pos in positions:
        connection.execute("DELETE FROM events WHERE pos = ?", (pos,))


@pytest.mark.parametrize(
    ("query", "params", "plan"),
    [
        ("calls.events_after", (5, 100), "SEARCH events USING INTEGER PRIMARY KEY"),
        ("calls.first_event_after", (5,), "SEARCH events USING INTEGER PRIMARY KEY"),
        ("calls.events_of_call_after", (b"w", b"c", 5, 100), "USING INDEX sqlite_autoindex_events_1 (world_id=? AND call_id=?"),
    ],
)
def test_nothing_is_read_that_is_not_told(query: str, params: tuple[Any, ...], plan: str) -> None:
    store = Store.in_memory()
    lines = [str(row[-1]) for row in store.select(f"EXPLAIN QUERY PLAN {queries.load()[query]}", params)]
    assert plan in lines[0]
    # The events of one call are few, so those may be sorted.
    assert lines[1:] in ([], ["USE TEMP B-TREE FOR ORDER BY"])


def test_what_is_committed_is_told_at_once_in_order_and_in_this_world_alone() -> None:
    async def play(stage: Stage) -> None:
        await happen(stage, 1)
        eye = Room(stage).watch()
        assert await eye.next() == "CAUGHT_UP"
        following = asyncio.ensure_future(eye.next())
        await stage.sleep(0.1)
        await happen(stage, 2, CREATED)
        assert await following == "2 callCreated"
        assert (stage.clock.now_us() - START_US) / 1e6 < 0.2
        await happen(stage, 3, world_id=OTHER_WORLD)
        await happen(stage, 2)
        await happen(stage, 4)
        assert await eye.take(2) == ["2 callUpdated", "4 callUpdated"]
        await eye.close()

    on_stage(play)


def test_from_each_place_on_exactly_what_follows_is_told() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        start = room.feed.here()
        await happen(stage, 1, CREATED, legs=2)
        await happen(stage, 9, CREATED, world_id=OTHER_WORLD, legs=2)
        await happen(stage, 2, CREATED, legs=1)
        await happen(stage, 1, LABELLED)
        eye = room.watch(start, types=ALL)
        told, places = [], [start]
        while (one := await eye.next()) != "CAUGHT_UP":
            told.append(one)
            places.append(eye.position)
        assert told == [
            "1 callCreated", "1 legCreated", "1 legCreated", "2 callCreated", "2 legCreated", "1 callLabelled",
        ]  # fmt: skip
        assert len(set(places)) == len(places)
        await eye.close()
        for number, place in enumerate(places):
            again = room.watch(place, types=ALL)
            assert await again.until_caught_up() == told[number:]
            await again.close()

    on_stage(play)


def test_what_is_asked_of_calls_goes_by_the_call_as_it_was() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        ended = room.watch(calls=CallFilter(statuses=frozenset({CallStatus.ENDED})))
        ongoing = room.watch(types=ALL, calls=CallFilter(statuses=frozenset({CallStatus.ONGOING})))
        await happen(stage, 1, CREATED, legs=1)
        await happen(stage, 1, status=CallStatus.ENDED)
        assert await ended.until_caught_up() == ["1 callUpdated"]
        assert await ongoing.until_caught_up() == ["1 callCreated", "1 legCreated"]
        for eye in (ended, ongoing):
            await eye.close()

    on_stage(play)


def test_what_is_no_change_of_a_call_goes_by_its_row_and_what_is_of_none_to_those_who_ask_for_all() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        for number, source in ((11, "31201"), (12, "31209")):
            call = Call(
                id=UUID(int=number), world_id=WORLD, status=CallStatus.ONGOING, source=source, destination="1",
                created_us=1, updated_us=1,
            )  # fmt: skip
            await stage.store.commit(Change((insert_call(call, "here"),)))
        everything = room.watch(types=ALL)
        some = room.watch(types=ALL, calls=CallFilter(source=Sought("9", At.END)))
        one = room.watch(types=ALL, call_id=UUID(int=11))
        await happen(stage, 11, "recordingCreated", event=1)
        await happen(stage, 12, "recordingCreated", event=2)
        await happen(stage, WORLD.int, "webhookDisabled", event=3)  # as what belongs to no call
        await happen(stage, 12, "ofANewerVersion", event=4)
        assert await everything.until_caught_up() == ["11 recordingCreated", "12 recordingCreated", "1 webhookDisabled"]
        assert await some.until_caught_up() == ["12 recordingCreated"]
        assert await one.until_caught_up() == ["11 recordingCreated"]
        for eye in (everything, some, one):
            await eye.close()

    on_stage(play)


def test_one_call_alone_is_found_among_many() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        for number in range(2, 2 + 3 * BATCH):
            await happen(stage, number, CREATED)
            if number % 100 == 2:
                await happen(stage, 1)
        eye = room.watch(Position(0, 0), types=ALL, call_id=UUID(int=1), from_us=0)
        assert await eye.until_caught_up() == ["1 callUpdated"] * 3
        assert len(room.rendered) == 3
        assert eye.position == room.feed.here()  # whatever others did is behind it
        await happen(stage, 2)
        await happen(stage, 1)
        assert await eye.next() == "1 callUpdated"
        await eye.close()

    on_stage(play)


def test_a_hole_is_told_before_what_comes_after_it() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        start = room.feed.here()
        for number in range(1, 9):
            await happen(stage, number, CREATED, legs=1)
        first = start.pos + 1
        cases = [
            (start, (0,), ["GAP", "2", "3", "4", "5", "6", "7", "8"]),
            (start, (0, 1, 3), ["GAP", "3", "GAP", "5", "6", "7", "8"]),
            (Position(first + 3, 0), (7,), ["5", "6", "7", "GAP"]),  # the newest is gone too
            (Position(first + 6, 0), (), ["GAP"]),
            (Position(first + 7, 0), (), []),
            (Position(first + 99, 0), (), ["GAP"]),  # it is of a later copy of the database
        ]
        for after, gone, expected in cases:
            forget(stage, *(first + n for n in gone))
            eye = room.watch(after)
            assert [one.split()[0] for one in await eye.until_caught_up()] == expected
            assert eye.position == room.feed.here()
            await eye.close()
        narrow = room.watch(start, calls=CallFilter(tags=frozenset({"of the last"})))
        await happen(stage, 10, CREATED, tags=("of the last",))
        assert await narrow.until_caught_up() == ["GAP", "10 callCreated"]  # of three holes
        await narrow.close()
        await happen(stage, 9)
        late = room.watch(Position(first + 3, 1), types=ALL)  # in the midst of one that is gone
        assert (await late.until_caught_up())[0] == "GAP"
        await late.close()

    on_stage(play)


def test_after_a_restore_what_was_lost_is_told_as_a_hole_however_much_has_happened_since() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        await happen(stage, 1)
        backed_up = room.feed.here()
        lost = backed_up._replace(pos=backed_up.pos + 3)  # where somebody was when the original was lost
        stage.store._writer._connection.execute(queries.load()["backup.leave_room"])  # type: ignore[attr-defined]
        eyes = [room.watch(position) for position in (backed_up, lost)]
        for eye in eyes:
            assert await eye.until_caught_up() == ["GAP"]
            await eye.close()
        for number in range(2, 9):
            await happen(stage, number)
        eyes = [room.watch(position) for position in (backed_up, lost)]
        for eye in eyes:
            assert await eye.until_caught_up() == ["GAP", *(f"{number} callUpdated" for number in range(2, 9))]
            await eye.close()

    on_stage(play)


def test_those_who_have_much_to_catch_up_with_take_turns_and_leave_time_to_others() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        for number in range(1, 1 + 3 * BATCH):
            await happen(stage, number)
        nothing = CallFilter(tags=frozenset({"of no call"}))
        eyes = [room.watch(Position(0, 0), calls=nothing) for _ in range(5)]
        began_us = stage.clock.now_us()
        assert await asyncio.gather(*(eye.until_caught_up() for eye in eyes)) == [[]] * 5
        assert stage.clock.now_us() - began_us == pytest.approx(5 * 3 * TURN_S * 1e6)
        for eye in eyes:
            await eye.close()

    on_stage(play)


def test_what_cannot_be_read_or_written_down_is_a_hole() -> None:
    async def play(stage: Stage) -> None:
        eye = Room(stage).watch()
        await happen(stage, 1)
        at_us = stage.clock.now_us()
        made = Call(id=UUID(int=9), world_id=WORLD, status=CallStatus.ONGOING, source="no text", destination="1",
                    created_us=1, updated_us=1)  # fmt: skip
        no_text = encode_snapshot(Snapshot(made, ())).replace(b"no text", b"no \xffext")
        await stage.store.commit(Change((insert_other_event(WORLD, UUID(int=6), UUID(int=9), UPDATED, at_us, no_text),)))
        unreadable = insert_other_event(WORLD, UUID(int=5), UUID(int=2), UPDATED, at_us, b"?")
        await stage.store.commit(Change((unreadable,), (Wake(TOPIC, WORLD, UUID(int=2)),)))
        await happen(stage, 3, event=666)
        await happen(stage, 4)
        assert await eye.until_caught_up() == ["1 callUpdated", "GAP", "4 callUpdated"]
        await eye.close()

    on_stage(play)


def test_silence_is_told_and_with_it_how_far_all_was_seen() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        eye = room.watch(calls=CallFilter(direction=Direction.INCOMING))
        assert await eye.next() == "CAUGHT_UP"
        for _ in range(2):
            before_us = stage.clock.now_us()
            waiting = asyncio.ensure_future(eye.next(within=KEEP_ALIVE_S + 1))
            for _ in range(20):  # something happens all the time, and nothing for this one
                await stage.sleep(0.7)
                await happen(stage, 1)
            assert await waiting == "ALIVE"
            assert (stage.clock.now_us() - before_us) / 1e6 < KEEP_ALIVE_S + 0.1
            assert eye.position == room.feed.here()
        await eye.close()

    on_stage(play)


def test_a_time_to_begin_at() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        times = []
        for number in range(1, 301):
            times.append(stage.clock.now_us())
            await happen(stage, number)
            await stage.sleep(20)
        for since in (0, 1, 150, 299):
            eye = room.watch(room.feed.before(times[since]), from_us=times[since])
            told = await eye.until_caught_up()
            assert [int(one.split()[0]) for one in told] == list(range(since + 1, 301))
            await eye.close()
        assert room.feed.before(0) == Position(0, 0)
        # It is near: what is read to no purpose is a minute's worth.
        assert room.feed.here().pos - room.feed.before(times[299]).pos <= 5

    on_stage(play)


def test_what_many_watch_is_written_down_once_and_nothing_while_nobody_does() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        for number in range(1, 21):
            await happen(stage, number)
        assert room.rendered == []
        eyes = [room.watch(Position(0, 0)) for _ in range(5)]
        told = [await eye.until_caught_up() for eye in eyes]
        assert [len(one) for one in told] == [20] * 5
        assert len(room.rendered) == 20
        for eye in eyes:
            await eye.close()

    on_stage(play)


def test_a_burst_is_told_whole_and_little_of_it_is_kept() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        eye = room.watch()
        for number in range(1, 1001):
            await happen(stage, number)
        assert [int(one.split()[0]) for one in await eye.until_caught_up()] == list(range(1, 1001))
        assert len(room.feed._kept) == feed_module.KEPT
        await eye.close()

    on_stage(play)


def test_watchers_are_so_many_and_go_when_the_server_stops() -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        eyes = [room.watch() for _ in range(feed_module.MOST_OF_A_WORLD)]
        with pytest.raises(Unavailable, match="20 watch this world already"):
            room.watch()
        others = [room.watch(world_id=OTHER_WORLD) for _ in range(feed_module.MOST_WATCHERS - len(eyes))]
        with pytest.raises(Unavailable, match="40 watch the worlds already"):
            room.watch(world_id=UUID(int=77))
        await others[0].close()
        room.watch(world_id=UUID(int=77))
        assert [await eye.next() for eye in eyes] == ["CAUGHT_UP"] * len(eyes)
        waiting = [asyncio.ensure_future(eye.next()) for eye in eyes]
        await stage.sleep(0.1)
        room.feed.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {StopAsyncIteration}
        with pytest.raises(Unavailable, match="stopping"):
            room.watch()

    on_stage(play)


parties = st.sampled_from(["31201", "31202", "41201"])
calls = st.fixed_dictionaries(
    {
        "status": st.sampled_from(CallStatus),
        "direction": st.sampled_from(Direction),
        "source": parties,
        "destination": parties,
        "tags": st.sampled_from([(), ("vip",), ("vip", "old")]),
        "metadata": st.sampled_from([{}, {"customer": "42"}]),
        "ended_us": st.sampled_from([None, START_US + 5_000_000]),
        "answered_us": st.sampled_from([None, START_US]),
    }
)
soughts = st.none() | st.builds(Sought, st.sampled_from(["31201", "412", "02", "20"]), st.sampled_from(At))
filters = st.builds(
    CallFilter,
    statuses=st.frozensets(st.sampled_from(CallStatus), max_size=3),
    direction=st.none() | st.sampled_from(Direction),
    source=soughts,
    destination=soughts,
    tags=st.sampled_from([frozenset(), frozenset({"vip"}), frozenset({"vip", "old"})]),
    metadata=st.sampled_from([frozenset(), frozenset({("customer", "42")})]),
    duration=st.sampled_from([None, (1, 10)]),
)


@given(happened=st.lists(st.tuples(st.booleans(), calls), max_size=30), wanted=filters, cut=st.integers(0, 30))
def test_it_tells_what_the_filter_matches_wherever_the_line_breaks(
    happened: list[tuple[bool, dict[str, Any]]], wanted: CallFilter, cut: int
) -> None:
    async def play(stage: Stage) -> None:
        room = Room(stage)
        start = room.feed.here()
        expected = []
        for number, (here, call) in enumerate(happened, 1):
            await happen(stage, number, CREATED, world_id=WORLD if here else OTHER_WORLD, **call)
            made = Call(id=UUID(int=number), world_id=WORLD, created_us=0, updated_us=0, **call)
            if here and wanted.matches(made):
                expected.append(f"{number} callCreated")
        eye = room.watch(start, calls=wanted)
        told = await eye.take(min(cut, len(expected)))
        await eye.close()
        again = room.watch(eye.position, calls=wanted)
        assert told + await again.until_caught_up() == expected
        await again.close()

    on_stage(play)
