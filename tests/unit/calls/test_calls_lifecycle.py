"""The call record by itself: batches, times, and what is written when."""

from collections.abc import Callable
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


def incoming(*, dialog: bytes = b"") -> tuple[CallRecord, UUID]:
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
        dialog=dialog,
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


def kept(store: Store, call_id: UUID) -> list[bytes | None]:
    """The private column `legs.dialog`, oldest leg first."""
    found = store._reader.execute("SELECT dialog FROM legs WHERE call_id = ? ORDER BY n", (call_id.bytes,))
    return [dialog for (dialog,) in found]


async def test_a_dialog_is_kept_until_the_leg_is_over_on_the_wire_and_shown_to_nobody() -> None:
    store = Store.in_memory()
    record, leg = incoming(dialog=b"arrived")
    call_id = record.call.id
    await store.commit(record.take())
    assert kept(store, call_id) == [b"arrived"]
    record.learn(leg, T0 + 1, dialog=b"arrived")
    assert record.take() == Change((), ()), "the same again is no news"
    record.answered(leg, T0 + 2)
    record.learn(leg, T0 + 2, dialog=b"moved")
    await store.commit(record.take())
    assert kept(store, call_id) == [b"moved"]
    record.end_leg(leg, Reason.API_HANGUP, T0 + 3)
    await store.commit(record.take())
    assert kept(store, call_id) == [b"moved"], "the BYE has not left yet"
    record.released(leg)
    change = record.take()
    assert (queries(change), change.wakes) == (["keep_dialog"], ())
    await store.commit(change)
    assert kept(store, call_id) == [None]
    record.released(leg)
    assert record.take() == Change((), ())
    check_record(store, WORLD, call_id, over=True)  # the journal alone makes the same rows
    for table, column in (("journal", "entry"), ("events", "content")):
        assert not [row for (row,) in store._reader.execute(f"SELECT {column} FROM {table}") if b"dialog" in bytes(row)]


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
    released: list[tuple[UUID, bytes]] = []
    record, leg = incoming()
    transfer = ids.uuid7(T0)
    await store.commit(record.take())
    record.answered(leg, T0 + 1_000_000)
    record.add_transfer(transfer, "31600000001", "31205550199", T0 + 1_000_000)
    await store.commit(record.take())
    await store.transact(lambda transaction: transaction.write(rows.heartbeat("test", T0 + 60_000_000)))

    assert await recovery.settle(store, SystemClock(), "another node", released.extend) == 0
    assert await recovery.settle(store, SystemClock(), "test", released.extend) == 1
    assert await recovery.settle(store, SystemClock(), "test", released.extend) == 0

    assert released == []
    call = rows.find_call(store, WORLD, record.call.id)
    assert call is not None
    assert (call.status, call.ended_us) == (CallStatus.ENDED, T0 + 60_000_000)
    assert call.updated_us > T0 + 60_000_000
    assert [(one.status, one.reason, one.ended_us) for one in rows.legs_of(store, WORLD, call.id)] == [
        (LegStatus.HANGUP, Reason.NODE_RESTARTED, T0 + 60_000_000),
        (LegStatus.FAILED, Reason.NODE_RESTARTED, T0 + 60_000_000),
    ]
    check_record(store, WORLD, call.id, over=True)


async def test_a_successor_releases_the_dialogs_of_what_was_answered_or_may_have_been() -> None:
    from callwright.clock import SystemClock
    from callwright.switch import recovery

    store = Store.in_memory()
    released: list[tuple[UUID, bytes]] = []
    expected = []

    async def left(dialog: bytes, *steps: Callable[[CallRecord, UUID], object]) -> UUID:
        record, leg = incoming(dialog=dialog)
        await store.commit(record.take())
        for step in steps:
            step(record, leg)
            await store.commit(record.take())
        return leg

    def answers(record: CallRecord, leg: UUID) -> None:
        record.answered(leg, T0)

    def hangs_up(record: CallRecord, leg: UUID) -> None:
        record.end_leg(leg, Reason.API_HANGUP, T0)

    def calls_on(record: CallRecord, leg: UUID) -> None:
        transfer = ids.uuid7(T0)
        record.add_transfer(transfer, "31600000001", "31205550199", T0)
        record.learn(transfer, T0, dialog=b"callee")
        record.answered(transfer, T0)
        expected.append((transfer, b"callee"))

    await left(b"ringing")
    expected.append((await left(b"refused, no 603 yet", hangs_up), b"refused, no 603 yet"))
    expected.append((await left(b"answering", lambda record, leg: record.intend_answer(leg, T0)), b"answering"))
    expected.append((await left(b"answered", answers, calls_on), b"answered"))
    expected.append((await left(b"hung up, no BYE yet", answers, hangs_up), b"hung up, no BYE yet"))
    await left(b"over", answers, hangs_up, lambda record, leg: record.released(leg))
    await left(b"", answers)

    assert await recovery.settle(store, SystemClock(), "another node", released.extend) == 0
    assert released == []
    await recovery.settle(store, SystemClock(), "test", released.extend)
    assert sorted(released) == sorted(expected)
    (gone, _), *rest = sorted(expected)
    await store.commit(Change((rows.forget_dialog(WORLD, gone),)))
    released.clear()
    await recovery.settle(store, SystemClock(), "test", released.extend)
    assert sorted(released) == rest, "until the far end is known to be gone"
