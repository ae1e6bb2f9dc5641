"""Writers of the record until they are killed: ``python -m support.record_kill.writing DATABASE SYNCHRONOUS SEED WRITERS``.

They are callers of the real `Store`: calls that arrive and are placed, are answered, end in every way and are labelled, one
commit at a time each; one of them deletes the oldest, as retention does; now and then a change is refused. Each says what
it is about to commit, and after that commit that it is done.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from uuid import UUID

import uvloop

from callwright import ids
from callwright.calls import journal
from callwright.calls.labels import Relabelling
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import CalledNumber, CallStatus, Direction
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.retention.rows import erase
from callwright.store import Change, Store, Transaction
from callwright.store.batch import ConstraintViolated
from support.record_kill.notes import DELETED, Intent, Line, Mouth, state_of

NODE = "killed"
WORLDS = tuple(UUID(int=0x01900000_0000_7000_8000_000000000000 + n) for n in (1, 2))
NUMBERS = 12
KEPT = 2_500  # calls of a world: what is older is deleted, at most so many in one commit:
DELETED_AT_ONCE = 60
TAGS = ("campaign", "callback", "billing", "vip")
_ANSWERED = {
    Direction.INCOMING: (Reason.CALLER_HANGUP, Reason.FLOW_ENDED, Reason.API_HANGUP),
    Direction.OUTGOING: (Reason.CALLEE_HANGUP, Reason.FLOW_ENDED, Reason.API_HANGUP),
}
_UNANSWERED = {
    "refused": {Direction.INCOMING: Reason.REJECTED, Direction.OUTGOING: Reason.NO_ANSWER},
    "busy": {Direction.INCOMING: Reason.CALLER_CANCELLED, Direction.OUTGOING: Reason.BUSY},
}
CLOCK = SystemClock()

OLDEST = "SELECT id FROM calls WHERE world_id = ? AND ended_us IS NOT NULL ORDER BY pos LIMIT ?"


def number_of(world_id: UUID, rank: int) -> CalledNumber:
    id_ = UUID(int=world_id.int + 16 * (rank + 1))
    return CalledNumber(id_, f"3120555{rank:04d}", UUID(int=id_.int + 1), 1, 1)


class Writers:
    def __init__(self, store: Store, mouth: Mouth, seed: int) -> None:
        self._store = store
        self._mouth = mouth
        self._seed = seed
        self._numbers = itertools.count(1)

    async def run(self, writers: int) -> None:
        async with asyncio.TaskGroup() as group:
            for one in range(writers):
                group.create_task(self._calls(Random(f"{self._seed} {one}")))
            group.create_task(self._deletions())

    async def _calls(self, chance: Random) -> None:
        """One caller: a call after the other, each commit of it when the one before is durable."""
        done: int | None = None
        while True:
            async for record, change in self._life(chance):
                number = next(self._numbers)
                self._mouth.say(Line(done, Intent(number, ((str(record.call.id), state_of(record)),))))
                await self._store.commit(change)
                done = number
            if chance.random() < 0.03:
                await self._refused(chance)

    async def _life(self, chance: Random) -> AsyncIterator[tuple[CallRecord, Change]]:
        """The commits of a call."""
        record = _made(chance)
        first = record.legs[0].id
        way = chance.choice(("refused", "busy", "transferred", "answered", "answered", "answered"))
        yield record, record.take()
        if record.call.status is CallStatus.QUEUED:
            record.start(CLOCK.now_us())
            yield record, record.take()
        if way in _UNANSWERED:
            record.end_leg(first, _UNANSWERED[way][record.call.direction], CLOCK.now_us())
            yield record, record.take()
            return
        record.answered(first, CLOCK.now_us())
        record.label(_labels(chance), CLOCK.now_us())
        yield record, record.take()
        if way == "transferred":
            second = ids.uuid7(CLOCK.now_us())
            record.add_transfer(second, record.call.source, "31655550199", CLOCK.now_us())
            yield record, record.take()
            record.end_leg(second, Reason.CALLER_GONE, CLOCK.now_us())
        record.end_leg(first, chance.choice(_ANSWERED[record.call.direction]), CLOCK.now_us())
        record.note(journal.LegLast(leg=first, cause="hangup", sip_code=200), CLOCK.now_us())
        yield record, record.take()
        record.label(_labels(chance), CLOCK.now_us())
        if change := record.take().writes:
            yield record, Change(change)

    async def _refused(self, chance: Random) -> None:
        """A change that breaks a rule of the database has its group run again; the others of it must not notice."""
        record = _made(chance)
        change = record.take()
        try:
            await self._store.commit(Change((*change.writes, change.writes[0])))
        except ConstraintViolated:
            return
        raise AssertionError("a call was written twice")

    async def _deletions(self) -> None:
        done: int | None = None
        for world_id in itertools.cycle(WORLDS):
            oldest = self._store.select(OLDEST, (world_id.bytes, DELETED_AT_ONCE))
            ((there,),) = self._store.select("SELECT COUNT(*) FROM calls WHERE world_id = ?", (world_id.bytes,))
            if there <= KEPT:  # type: ignore[operator]
                await asyncio.sleep(0.005)
                continue
            calls = tuple(UUID(bytes=row[0]) for row in oldest)  # type: ignore[arg-type]
            number = next(self._numbers)
            self._mouth.say(Line(done, Intent(number, tuple((str(call), DELETED) for call in calls))))
            await self._store.transact(lambda transaction, world=world_id, ids=calls: _delete(transaction, world, ids))
            done = number


def _delete(transaction: Transaction, world_id: UUID, calls: tuple[UUID, ...]) -> None:
    for call in calls:
        erase(transaction, world_id, call)


def _made(chance: Random) -> CallRecord:
    world_id, at_us = chance.choice(WORLDS), CLOCK.now_us()
    called = number_of(world_id, min(int(chance.expovariate(0.5)), NUMBERS - 1))
    call_id, leg_id = ids.uuid7(at_us), ids.uuid7(at_us)
    someone = f"316{chance.randrange(1000):08d}"
    if chance.random() < 0.6:
        return CallRecord.incoming(
            call_id=call_id,
            leg_id=leg_id,
            world_id=world_id,
            source=someone,
            destination=called.number,
            called=called,
            sip_call_id=f"{call_id}@192.0.2.7",
            dialog=bytes(300),
            at_us=at_us,
            node=NODE,
        )
    labels = _labels(chance)
    return CallRecord.requested(
        call_id=call_id,
        leg_id=leg_id,
        world_id=world_id,
        source=called.number,
        destination=someone,
        number_id=called.id if chance.random() < 0.7 else None,
        webhook_url=None,
        webhook_token=None,
        tags=labels.added,
        metadata={name: value for name, value in labels.metadata.items() if value is not None},
        at_us=at_us,
        node=NODE,
    )


def _labels(chance: Random) -> Relabelling:
    """Some tags that come and go, and a text that is set, changed or taken away."""
    tags = chance.sample(TAGS, chance.choice((0, 0, 1, 2)))
    removed = chance.sample(TAGS, chance.choice((0, 1)))
    text = chance.choice((None, str(chance.randrange(50))))
    return Relabelling(added=tuple(tags), removed=tuple(removed), metadata={"order": text} if chance.random() < 0.3 else {})


def main() -> None:
    database, synchronous, seed, writers = sys.argv[1:]
    store = Store.open(Path(database), CLOCK, synchronous=synchronous)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Writers(store, Mouth(sys.stdout.fileno()), int(seed)).run(int(writers)))


if __name__ == "__main__":
    main()
