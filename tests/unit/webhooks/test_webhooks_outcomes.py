"""Outcomes of one turn of the event loop are one change, and each is answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from callwright.clock import SystemClock
from callwright.egress import Answer
from callwright.errors import StoreUnavailable
from callwright.store import Change, Store, Write
from callwright.store.batch import ConstraintViolated
from callwright.webhooks import ledger
from callwright.webhooks.model import Delivery, Message, Scope, State
from callwright.webhooks.outcomes import Delivered, Outcomes
from callwright.webhooks.scopes import Receiver

WORLD = UUID(int=1)
URL = "https://a.test/hook"


class Room:
    """A store with one delivery of each of some calls, and what was committed since."""

    def __init__(self) -> None:
        self.store = Store.in_memory()
        self.outcomes = Outcomes(self.store, SystemClock())
        self.changes: list[Change] = []
        self._commit = self.store.commit
        self.store.commit = self._noting  # type: ignore[method-assign]

    async def _noting(self, change: Change) -> None:
        self.changes.append(change)
        await self._commit(change)

    async def arrive(self, calls: int, events: int = 1) -> None:
        receiver = Receiver(URL, URL, Scope.CALL, None, None)
        arrivals = [
            ledger.Arrival(
                WORLD, UUID(int=call), Message(UUID(int=call << 16 | n), "k", b"{}"), receiver, UUID(int=call << 16 | n)
            )
            for n in range(events)
            for call in range(1, calls + 1)
        ]
        await self.store.transact(lambda transaction: ledger.insert(transaction, arrivals, 1_000))

    def lane(self, call: int) -> list[Delivery]:
        return ledger.deliveries_of(self.store, WORLD, UUID(int=call))

    def taken(self, delivery: Delivery, status: int = 200) -> Coroutine[Any, Any, None]:
        attempt = ledger.insert_attempt(delivery, 1_000, [], Answer(URL, status, whole=True), None, None)
        return self.outcomes.note(attempt, delivered=Delivered(delivery.pos, status))


def in_room(play: Callable[[Room], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        room = Room()
        try:
            await play(room)
        finally:
            room.store.close()

    asyncio.run(run())


def test_those_of_one_turn_are_one_change_and_their_lanes_go_on() -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=3, events=2)
        await asyncio.gather(*(room.taken(room.lane(call)[0], 200 if call < 3 else 204) for call in (1, 2, 3)))
        assert len(room.changes) == 1
        for call in (1, 2, 3):
            first, second = room.lane(call)
            assert (first.state, first.attempts, first.next_at_us) == (State.DELIVERED, 1, None)
            assert first.last_status == (200 if call < 3 else 204)
            assert (second.state, second.attempts) == (State.PENDING, 0)
            assert second.next_at_us is not None

    in_room(play)


def test_one_that_the_database_refuses_fails_alone() -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=3)
        (known,) = room.lane(2)
        await room.outcomes.note(ledger.insert_attempt(known, 1_000, [], Answer(URL, 500), "http_error", None))
        found = await asyncio.gather(*(room.taken(room.lane(call)[0]) for call in (1, 2, 3)), return_exceptions=True)
        assert [type(one) for one in found] == [type(None), ConstraintViolated, type(None)]
        assert [room.lane(call)[0].state for call in (1, 2, 3)] == [State.DELIVERED, State.PENDING, State.DELIVERED]

    in_room(play)


def test_a_store_that_takes_nothing_fails_all() -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=2)

        async def full(change: Change) -> None:
            raise StoreUnavailable("the disk is full")

        room.store.commit = full  # type: ignore[method-assign]
        found = await asyncio.gather(*(room.taken(room.lane(call)[0]) for call in (1, 2)), return_exceptions=True)
        assert [type(one) for one in found] == [StoreUnavailable, StoreUnavailable]

    in_room(play)


def test_what_was_noted_is_written_though_nobody_waits_for_it() -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=1)
        waiting = asyncio.get_running_loop().create_task(room.taken(room.lane(1)[0]))
        await asyncio.sleep(0)
        waiting.cancel()
        await room.outcomes.close()
        assert room.lane(1)[0].state is State.DELIVERED

    in_room(play)


def test_what_else_belongs_to_an_outcome_is_in_its_change() -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=2)
        more = Change((Write("webhooks.set_fanned_out", (7,)),))
        await asyncio.gather(room.outcomes.note(None, more), room.taken(room.lane(1)[0]))
        assert len(room.changes) == 1
        assert ledger.fanned_out(room.store) == 7
        assert room.lane(1)[0].state is State.DELIVERED

    in_room(play)


@pytest.mark.parametrize("events", [1, ledger.INSERTED_TOGETHER, 3 * ledger.INSERTED_TOGETHER + 1])
def test_any_number_of_arrivals_is_counted_by_lane(events: int) -> None:
    async def play(room: Room) -> None:
        await room.arrive(calls=2, events=events)
        for call in (1, 2):
            lane = room.lane(call)
            assert [one.sequence for one in lane] == list(range(1, events + 1))
            assert [one.next_at_us is not None for one in lane] == [True] + [False] * (events - 1)

    in_room(play)
