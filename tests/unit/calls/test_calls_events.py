"""What an event says of single legs, and events of versions before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from callwright import ids
from callwright.calls.events import Event, Snapshot, decode_snapshot, encode_snapshot, leg_events
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call, CallStatus, Leg
from callwright.reasons import Reason
from callwright.store import Change, Wake, Write

T0 = 1_700_000_000_000_000
WORLD = ids.uuid7(T0)
TRANSFER = ids.uuid7(T0 + 1)


def placed() -> tuple[CallRecord, UUID]:
    leg_id = ids.uuid7(T0)
    record = CallRecord.requested(
        call_id=ids.uuid7(T0),
        leg_id=leg_id,
        world_id=WORLD,
        source="31205550100",
        destination="31205550199",
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        at_us=T0,
        node="test",
    )
    return record, leg_id


def event_of(change: Change) -> Event | None:
    """The call's own event in a change."""
    for write in change.writes:
        if write.query == "calls.insert_event":
            params: Any = write.params
            world, id_, call, seq, kind, at_us, content = params
            return Event(seq, UUID(bytes=world), UUID(bytes=id_), UUID(bytes=call), seq, kind, at_us, content)
    return None


def told(change: Change) -> list[tuple[str, int, str]]:
    event = event_of(change)
    assert event is not None
    return [(one.kind, one.leg.n, one.leg.status.value) for one in leg_events(event)]


def test_each_change_says_which_legs_it_made_and_which_it_moved() -> None:
    record, leg = placed()
    assert told(record.take()) == [("legCreated", 1, "starting")]
    record.start(T0 + 1)
    assert told(record.take()) == [], "the call moved, and no leg"
    record.rings(leg, T0 + 2)
    assert told(record.take()) == [("legUpdated", 1, "ringing")]
    record.answered(leg, T0 + 3)
    record.add_transfer(TRANSFER, "31205550100", "31205550198", T0 + 3)
    assert told(record.take()) == [("legUpdated", 1, "ongoing"), ("legCreated", 2, "starting")]
    record.rings(TRANSFER, T0 + 4)
    record.answered(TRANSFER, T0 + 4)
    assert told(record.take()) == [("legUpdated", 2, "ongoing")], "one change, one message"
    record.end_leg(leg, Reason.CALLEE_HANGUP, T0 + 5)
    record.end_leg(TRANSFER, Reason.PEER_GONE, T0 + 5)
    assert told(record.take()) == [("legUpdated", 1, "hangup"), ("legUpdated", 2, "hangup")]


def test_a_leg_that_is_made_and_over_in_one_change_is_told_once() -> None:
    record, leg = placed()
    record.end_leg(leg, Reason.NO_ROUTE, T0)
    assert told(record.take()) == [("legCreated", 1, "failed")]


def test_what_is_not_shown_moves_no_leg() -> None:
    record, leg = placed()
    record.start(T0)
    record.take()
    record.intend_answer(leg, T0 + 1)
    record.learn(leg, T0 + 1, sip_call_id="abc@far", sip_code=180)
    assert event_of(record.take()) is None
    record.add_transfer(TRANSFER, "31205550100", "31205550198", T0 + 2)
    assert told(record.take()) == [("legCreated", 2, "starting")]


def test_after_a_death_each_leg_that_lived_is_told() -> None:
    record, leg = placed()
    record.start(T0)
    record.add_transfer(TRANSFER, "31205550100", "31205550198", T0)
    record.end_leg(TRANSFER, Reason.BUSY, T0)
    record.take()
    successor = CallRecord(record.call, record.legs, "test", journal_seq=9, event_seq=1)
    successor.settle_after_death(Reason.NODE_RESTARTED, ended_us=T0 + 1, now_us=T0 + 9)
    assert told(successor.take()) == [("legUpdated", 1, "failed")]
    assert leg == record.legs[0].id


def test_what_is_asked_again_has_the_same_ids_and_each_leg_another() -> None:
    record, _ = placed()
    record.add_transfer(TRANSFER, "31205550100", "31205550198", T0)
    event = event_of(record.take())
    assert event is not None
    first, second = leg_events(event)
    assert leg_events(event) == [first, second]
    assert len({event.id, first.id, second.id}) == 3
    assert first.id.version == 5
    assert (first.world_id, first.call_id, first.seq, first.at_us) == (event.world_id, event.call_id, None, event.at_us)


def test_what_other_rooms_write_follows_the_event_of_the_call() -> None:
    record, leg = placed()
    record.take()
    record.also(Change((Write("recordings.insert", (1,)), Write("calls.insert_event", (2,))), (Wake("woken", WORLD, leg),)))
    record.rings(leg, T0 + 1)
    change = record.take()
    queries = [write.query for write in change.writes]
    assert queries[-3:] == ["calls.insert_event", "recordings.insert", "calls.insert_event"]
    assert [wake.topic for wake in change.wakes] == ["calls.events", "woken"]
    assert record.take() == Change((), ())


class _OlderSnapshot(msgspec.Struct, frozen=True):
    """As versions wrote it that did not tell of single legs."""

    call: Call
    legs: tuple[Leg, ...]


def test_events_of_older_databases_are_read_and_tell_of_no_single_leg() -> None:
    record, _ = placed()
    row = msgspec.msgpack.encode(_OlderSnapshot(record.call, record.legs))
    snapshot = decode_snapshot(row)
    assert snapshot == Snapshot(record.call, record.legs)
    assert snapshot.call.status is CallStatus.QUEUED
    assert encode_snapshot(snapshot) == row, "and a change that moves no leg is written as it was"
    assert leg_events(Event(1, WORLD, ids.uuid7(T0), record.call.id, 1, "callCreated", T0, row)) == []
    # An older version reads what this one writes.
    newer = encode_snapshot(Snapshot(record.call, record.legs, (1,), (2,)))
    assert asdict(msgspec.msgpack.decode(newer, type=_OlderSnapshot)) == {"call": record.call, "legs": record.legs}
