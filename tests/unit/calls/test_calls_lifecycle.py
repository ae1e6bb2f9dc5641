"""The call record by itself: batches, times, and what is written when."""

from uuid import UUID

import pytest

from callwright import ids
from callwright.calls import journal, rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import CalledNumber, CallStatus, Leg, LegStatus
from callwright.reasons import Reason
from callwright.store import Change, Store
from support.invariants import check_record

T0 = 1_700_000_000_000_000
WORLD = ids.uuid7(T0)


def incoming() -> tuple[CallRecord, UUID]:
    leg_id = ids.uuid7(T0)
    called = CalledNumber(ids.uuid7(T0), "31205550123", None, T0, T0)
    record = CallRecord.incoming(
        call_id=ids.uuid7(T0),
        leg_id=leg_id,
        world_id=WORLD,
        source="31600000001",
        destination="31205550123",
        called=called,
        sip_call_id="abc@far",
        at_us=T0,
        node="test",
    )
    return record, leg_id


def queries(change: Change) -> list[str]:
    return [write.query.removeprefix("calls.") for write in change.writes]


def test_one_event_is_one_batch_and_one_callback() -> None:
    record, leg = incoming()
    assert queries(record.take()) == ["insert_call", "insert_leg", "insert_entry", "insert_entry", "insert_event"]
    record.end_leg(leg, Reason.CALLER_CANCELLED, T0 + 5)
    assert queries(record.take()) == ["update_call", "update_leg", "insert_entry", "insert_entry", "insert_event"]
    assert record.call.status is CallStatus.NO_ANSWER
    assert record.take() == Change((), ())


def test_a_note_and_an_intent_are_written_but_not_told() -> None:
    record, leg = incoming()
    record.take()
    record.note(journal.Asked(what="hang_up_call"), T0 + 1)
    assert queries(record.take()) == ["insert_entry"]
    record.intend_answer(leg, T0 + 2)
    change = record.take()
    assert queries(change) == ["update_leg", "insert_entry"]
    assert change.wakes == ()
    assert record.call.updated_us == T0


def test_time_does_not_run_backwards() -> None:
    record, leg = incoming()
    record.answered(leg, T0 + 5_000_000)
    record.end_leg(leg, Reason.CALLER_HANGUP, T0 + 1_000_000)
    record.take()
    ended = record.leg(leg)
    assert ended is not None
    assert ended.answered_us == ended.ended_us == record.call.ended_us == T0 + 5_000_000


def test_a_leg_that_is_over_stays_over() -> None:
    record, leg = incoming()
    assert record.end_leg(leg, Reason.CALLER_CANCELLED, T0)
    assert not record.end_leg(leg, Reason.API_HANGUP, T0)
    assert not record.answered(leg, T0)
    assert not record.rings(leg, T0)
    assert record.legs[0].status is LegStatus.NO_ANSWER


@pytest.mark.parametrize(
    ("answered_us", "ended_us", "duration"),
    [(None, T0, 0), (T0, None, 0), (T0, T0, 0), (T0, T0 + 1, 1), (T0, T0 + 1_000_000, 1), (T0, T0 + 9_000_001, 10)],
    ids=["never answered", "still up", "at once", "a microsecond", "a second", "just over nine"],
)
def test_duration_is_rounded_up(answered_us: int | None, ended_us: int | None, duration: int) -> None:
    record, leg_id = incoming()
    leg = record.leg(leg_id)
    assert isinstance(leg, Leg)
    from msgspec.structs import replace

    assert replace(leg, answered_us=answered_us, ended_us=ended_us).duration_s == duration


async def test_a_successor_settles_what_was_left_alive() -> None:
    from callwright.clock import SystemClock
    from callwright.switch import recovery

    store = Store.in_memory()
    record, leg = incoming()
    transfer = ids.uuid7(T0)
    await store.commit(record.take())
    record.answered(leg, T0 + 1_000_000)
    record.add_transfer(transfer, "31600000001", "31205550199", T0 + 1_000_000)
    await store.commit(record.take())
    await store.transact(lambda transaction: transaction.write(rows.heartbeat("test", T0 + 60_000_000)))

    assert await recovery.settle(store, SystemClock(), "another node") == 0
    assert await recovery.settle(store, SystemClock(), "test") == 1
    assert await recovery.settle(store, SystemClock(), "test") == 0

    call = rows.find_call(store, WORLD, record.call.id)
    assert call is not None
    assert (call.status, call.ended_us) == (CallStatus.ENDED, T0 + 60_000_000)
    assert call.updated_us > T0 + 60_000_000
    assert [(one.status, one.reason, one.ended_us) for one in rows.legs_of(store, WORLD, call.id)] == [
        (LegStatus.HANGUP, Reason.NODE_RESTARTED, T0 + 60_000_000),
        (LegStatus.FAILED, Reason.NODE_RESTARTED, T0 + 60_000_000),
    ]
    check_record(store, WORLD, call.id, over=True)
