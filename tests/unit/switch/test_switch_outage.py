"""What the record says after the database, the clock or the node was away.

The letter and digit in a test's docstring name the row of the lifecycle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from callwright import audiofile, ids, telephony
from callwright.calls import journal, rows
from callwright.calls.lifecycle import CallRecord
from callwright.clock import VirtualClock
from callwright.errors import Unavailable
from callwright.reasons import Reason
from callwright.recordings import rows as recording_rows
from callwright.recordings.keys import Keyring
from callwright.recordings.model import RecordingStatus, RecordingType
from callwright.recordings.recordings import Recordings
from callwright.store import Store
from callwright.switch import recovery
from callwright.telephony import Cause, Tracks, Who
from support.invariants import check_record
from support.scripted import NUMBER, B, Disk, Stage, pause, tell, transfer

# the database stays away


def test_ten_seconds_without_the_database_lose_nothing() -> None:
    """Facts queue and are committed in their order; intents wait."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        for digit in "1234":
            stage.script.say(telephony.Digit, a, digit=digit, duration_ms=80, means="rfc4733")
        await stage.after(5)
        stage.script.ended(a)
        await stage.after(5)
        assert stage.script.to(b) == ["Originate"]
        stage.disk.comes_back()
        await stage.after(1)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        assert [entry.digit for entry in stage.entries() if isinstance(entry, journal.DigitPressed)] == list("1234")
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
        first = stage.legs()[0]
        assert first.ended_us is not None
        assert stage.clock.now_us() - first.ended_us >= 5_000_000, "when it happened, not when it was written"

    tell(story)


def test_nobody_is_dialled_by_an_intent_that_waited_too_long() -> None:
    """N5: intents wait 30 s, then `store_unavailable`."""

    async def story(stage: Stage) -> None:
        await stage.place(B, [pause(5)])
        stage.disk.full = True
        await stage.after(3_600)
        stage.disk.comes_back()
        await stage.after(5)
        assert stage.script.of(telephony.Originate) == [], "an hour later"
        assert stage.outcome() == ("failed", [("outgoing", "failed", "store_unavailable")])

    tell(story)


def let_go(outage: Callable[[Disk], None]) -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        outage(stage.disk)
        await stage.after(45)
        assert stage.script.to(a) == ["Answer", "HangUp"]
        stage.script.ended(a, who=Who.US)
        await stage.after(10)
        stage.disk.comes_back()
        await stage.after(60)
        assert stage.script.of(telephony.Originate) == [], "the step's intent is dead"
        assert stage.outcome()[1][0] == ("incoming", "hangup", "store_unavailable")

    tell(story)


def test_a_call_whose_intent_waited_too_long_is_let_go_with_its_reason() -> None:
    """N7 with a disk that is full."""

    def full(disk: Disk) -> None:
        disk.full = True

    let_go(full)


def test_a_disk_that_hangs_counts_as_a_database_that_is_away() -> None:
    """N7 with a disk that neither writes nor fails."""

    def hangs(disk: Disk) -> None:
        disk.hangs = True

    let_go(hangs)


def test_a_fact_that_waits_does_not_end_a_bridged_call() -> None:
    """Bridged sound never waits for the database: a key pressed during an outage costs nobody the call."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        await stage.after(120)
        stage.disk.comes_back()
        await stage.after(1)
        assert (stage.script.of(telephony.HangUp, a), stage.script.of(telephony.HangUp, b)) == ([], [])
        assert stage.outcome()[0] == "ongoing"

    tell(story)


def test_a_delete_during_an_outage_is_answered() -> None:
    """C1: the intent waits 30 s, then the API says so."""

    async def story(stage: Stage) -> None:
        await stage.talking()
        stage.disk.full = True
        async with stage.clock.timeout(60):
            with pytest.raises(Unavailable):
                await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)

    tell(story)


def test_the_switch_finds_out_that_the_database_is_back() -> None:
    """N1, N4: one failed commit with no call alive must not refuse calls for ever."""

    async def story(stage: Stage) -> None:
        await stage.switch.start()
        stage.disk.full = True
        with pytest.raises(Unavailable):
            await stage.place(B, [pause(5)])
        stage.disk.comes_back()
        await stage.after(60)
        await stage.place(B, [pause(5)])

    tell(story)


def test_a_start_finds_out_that_the_database_is_away() -> None:
    """N1, N4: the first call is refused at once, rather than taken and let go after 30 s."""

    async def story(stage: Stage) -> None:
        await stage.number(NUMBER, [pause(5)])
        stage.disk.full = True
        await stage.switch.start()
        await stage.tick()
        assert stage.store.unhealthy() == "disk full"
        a = await stage.arrive()
        assert [(command.leg, command.code) for command in stage.script.of(telephony.Reject)] == [(a, 503)]
        stage.disk.comes_back()
        await stage.after(2)
        assert stage.store.unhealthy() is None
        b = await stage.arrive()
        assert stage.script.to(b) == ["Answer"]

    tell(story)


def test_a_start_waits_for_no_disk() -> None:
    async def story(stage: Stage) -> None:
        stage.disk.hangs = True
        async with stage.clock.timeout(0.001):
            await stage.switch.start()

    tell(story)


def test_a_full_mailbox_does_not_lose_the_end_of_a_call() -> None:
    """B1: what overflows may cost digits, never the last word of a leg."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        for _ in range(1_100):
            stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        stage.script.ended(a)
        await stage.after(5)
        stage.disk.comes_back()
        await stage.after(5)
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
        assert stage.script.to(b) == ["Originate", "HangUp"]

    tell(story)


def test_dialogs_are_kept_from_the_arrival_to_the_last_word() -> None:
    async def story(stage: Stage) -> None:
        def kept() -> list[bytes | None]:
            return [dialog for (dialog,) in stage.store._reader.execute("SELECT dialog FROM legs ORDER BY n")]

        a = await stage.arrive([transfer()], dialog=b"a")
        assert kept() == [b"a", None]
        (b,) = stage.placed()
        stage.script.say(telephony.Answered, b, dialog=b"b")
        await stage.tick()
        stage.script.say(telephony.Answered, a, dialog=b"a")
        stage.script.say(telephony.Moved, b, dialog=b"b, moved")
        await stage.tick()
        assert kept() == [b"a", b"b, moved"]
        stage.script.ended(a)
        await stage.tick()
        assert stage.script.to(b)[-1] == "HangUp"
        assert kept() == [None, b"b, moved"]
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert kept() == [None, None]
        stage.sound()

    tell(story)


# times and recovery


def test_an_engine_whose_clock_runs_back_does_not_turn_the_record_around() -> None:
    """Times are clamped to the row's previous ones."""

    async def story(stage: Stage) -> None:
        a, _ = await stage.talking()
        past = stage.clock.now_us() - 3_600_000_000
        stage.script.say(telephony.Held, a, at_us=past, direction="sendonly")
        stage.script.say(telephony.Ended, a, at_us=past, cause=Cause.HANGUP, who=Who.FAR)
        await stage.tick()
        stage.sound()
        assert [leg.duration_s for leg in stage.legs()] == [0, 1]

    tell(story)


def left_alive(intent: bool, queued: bool) -> tuple[CallRecord, UUID]:
    leg = ids.uuid7(1)
    record = CallRecord.requested(
        call_id=ids.uuid7(1),
        leg_id=leg,
        world_id=UUID(int=7),
        source=NUMBER,
        destination=B,
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        at_us=50_000_000,
        node="test",
    )
    if not queued:
        record.start(50_000_000)
    if intent:
        record.intend_answer(leg, 50_000_000)
    return record, leg


@pytest.mark.parametrize(
    ("intent", "queued", "call_is", "leg_is"),
    [(False, True, "failed", "failed"), (False, False, "failed", "failed"), (True, False, "ended", "hangup")],
    ids=["queued", "starting", "answering"],
)
async def test_recovery_ends_what_a_node_left(intent: bool, queued: bool, call_is: str, leg_is: str) -> None:
    """R2: `endedAt` is the last heartbeat, but never before the last line of the journal."""
    store = Store.in_memory()
    record, leg_id = left_alive(intent, queued)
    record.note(journal.SessionRefreshed(leg=leg_id), 51_000_000)
    await store.commit(record.take())
    await store.transact(lambda transaction: transaction.write(rows.heartbeat("test", 49_000_000)))
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, start_us=90_000_000_000)  # type: ignore[arg-type]
    assert await recovery.settle(store, clock, "test", lambda dialogs: None) == 1
    call = rows.find_call(store, UUID(int=7), record.call.id)
    (leg,) = rows.legs_of(store, UUID(int=7), record.call.id)
    assert call is not None
    assert (call.status.value, leg.status.value, leg.reason) == (call_is, leg_is, Reason.NODE_RESTARTED)
    assert call.ended_us == leg.ended_us == 51_000_000
    assert call.updated_us == leg.updated_us >= 90_000_000_000
    check_record(store, UUID(int=7), record.call.id, over=True)
    assert leg.id == leg_id


async def test_recovery_passes_over_a_call_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    store = Store.in_memory()
    record, _ = left_alive(intent=True, queued=False)
    await store.commit(record.take())
    clock = VirtualClock(asyncio.get_running_loop())  # type: ignore[arg-type]
    for metadata, settled in (("'[]'", 0), ("NULL", 1)):
        await store.transact(lambda all_, to=metadata: all_._connection.execute(f"UPDATE calls SET metadata = {to}"))  # type: ignore[misc]
        assert await recovery.settle(store, clock, "test", lambda dialogs: None) == settled
    assert [told.getMessage() for told in caplog.records] == ["call_not_settled", "call_settled"]


async def test_recovery_closes_recordings_and_tells_the_journal(tmp_path: Path) -> None:
    """R2: what was heard until the death counts, and the journal makes the row again."""
    store = Store.in_memory()
    record, leg_id = left_alive(intent=True, queued=False)
    clock = VirtualClock(asyncio.get_running_loop(), start_us=90_000_000_000)  # type: ignore[arg-type]
    recordings = Recordings(store, clock, tmp_path, Keyring({}))
    call = record.call
    begun = recordings.begin(call.world_id, call.id, leg_id, RecordingType.IVR, Tracks.FROM, call.created_us)
    made = begun.recording
    record.also(begun.change)
    record.note(
        journal.RecordingMade(recording=made.id, leg=leg_id, type="ivr", tracks="from", file=made.file), call.created_us
    )
    await store.commit(record.take())
    writer = audiofile.Writer(begun.path, 1)
    writer.write(bytes(16_000))
    writer.close()
    await recovery.settle(store, clock, "test", lambda dialogs: None)
    await recordings.settle(partial(recovery.recording_settled, store))
    (kept,) = recording_rows.of_call(store, call.world_id, call.id, limit=10, offset=0).recordings
    assert (kept.status, kept.duration_ms) == (RecordingStatus.DONE, 1_000)
    check_record(store, call.world_id, call.id, over=True)


def test_a_call_whose_customer_went_away_while_it_was_placed_is_not_left_queued() -> None:
    """N4: nobody has its id, so nobody could end it."""

    async def story(stage: Stage) -> None:
        stage.disk.seconds = 1.0
        placing = asyncio.ensure_future(stage.place(B, [pause(5)]))
        await stage.tick()
        placing.cancel()
        await stage.after(5)
        assert stage.script.of(telephony.Originate) == []
        assert stage.outcome() == ("failed", [("outgoing", "failed", "store_unavailable")])

    tell(story)
