"""What must hold of every call record, whatever happened to it."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from msgspec.structs import replace

from callwright.calls import journal, rows
from callwright.calls.contradictions import contradiction
from callwright.calls.events import CREATED, LABELLED, LEG_CREATED, LEG_UPDATED, UPDATED, Event, decode_snapshot, leg_events
from callwright.calls.filters import CallFilter
from callwright.calls.model import LIVE_LEG, Call, LegStatus
from callwright.calls.replay import rebuild
from callwright.recordings import events as recording_events
from callwright.recordings import rows as recording_rows
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.store import Store


def check_record(store: Store, world_id: UUID, call_id: UUID, *, over: bool) -> None:
    """Assert every invariant of the lifecycle on one call; `over` says that it must have ended."""
    call = rows.find_call(store, world_id, call_id)
    legs = rows.legs_of(store, world_id, call_id)
    told = rows.journal_of(store, world_id, call_id)
    events = rows.events_of(store, world_id, call_id)
    assert call is not None
    assert legs

    if over:
        assert not call.live, call
    assert call.live == any(leg.live for leg in legs)
    assert (call.ended_us is None) == call.live
    assert call.created_us <= (call.ended_us or call.updated_us) <= call.updated_us
    for leg in legs:
        times = [leg.created_us, leg.answered_us, leg.ended_us, leg.updated_us]
        known = [time for time in times if time is not None]
        assert known == sorted(known), leg
        assert (leg.ended_us is None) == leg.live
        assert (leg.reason is None) == leg.live

    # Events: one per visible change, in order; the terminal one is there once, and last.
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events] == [CREATED] + [UPDATED] * (len(events) - 1)
    assert [event.snapshot.call.live for event in events] == [True] * (len(events) - 1) + [call.live]
    for earlier, later in pairwise(events):
        assert earlier.snapshot.call.updated_us <= later.snapshot.call.updated_us
        statuses = {leg.id: leg.status for leg in earlier.snapshot.legs}
        for leg in later.snapshot.legs:
            was = statuses.get(leg.id)
            if was is not None and was not in LIVE_LEG:
                assert leg.status is was, "a terminal status is final"
    ever_answered = {leg.id for event in events for leg in event.snapshot.legs if leg.status is LegStatus.ONGOING}
    assert ever_answered == {leg.id for leg in legs if leg.answered_us is not None}

    for one in (call, *(event.snapshot.call for event in events)):
        assert contradiction(tightest(one)) is None, "whoever asks for what the call is finds it"

    check_labels(store, call, told)

    # The journal alone makes the same rows.
    assert [line.seq for line in told] == list(range(1, len(told) + 1))
    assert rebuild(told) == (call, legs)
    check_recordings(store, call, told, over=over)
    # Versions that did not tell of these did not say which legs a change had made, not even the first.
    if events[0].snapshot.made:
        check_leg_events(events)
        check_recording_events(store, call, told)


def tightest(call: Call) -> CallFilter:
    """All that a filter can ask of a call, which is true of this one."""
    wanted = CallFilter(
        statuses=frozenset({call.status}),
        direction=call.direction,
        reasons=frozenset({call.reason} if call.reason is not None else ()),
        created=(call.created_us, call.created_us + 1),
        ended=None if call.ended_us is None else (call.ended_us, call.ended_us + 1),
        duration=(call.duration_s, call.duration_s),
    )
    assert wanted.matches(call)
    return wanted


def check_labels(store: Store, call: Call, told: list[rows.Told]) -> None:
    """Labels are found by what the call has, and whoever follows calls hears of every change of them in a commit."""
    found = store._reader.execute(
        "SELECT name, value FROM call_labels JOIN calls USING (world_id, pos) WHERE world_id = ? AND id = ?",
        (call.world_id.bytes, call.id.bytes),
    ).fetchall()
    assert sorted(found) == sorted([("", tag) for tag in call.tags] + list(call.metadata.items()))
    heard = store._reader.execute(
        "SELECT content FROM events WHERE world_id = ? AND call_id = ? AND kind = ? ORDER BY pos",
        (call.world_id.bytes, call.id.bytes, LABELLED),
    ).fetchall()
    made = next(line.entry.call for line in told if isinstance(line.entry, journal.CallMade))
    calls = [made, *(decode_snapshot(content).call for (content,) in heard)]
    labels = [(one.tags, one.metadata) for one in calls]
    assert all(earlier != later for earlier, later in pairwise(labels))
    assert labels[-1] == (call.tags, call.metadata)


def check_leg_events(events: list[Event]) -> None:
    """Each change says of all legs, and of no other, that it made or moved them."""
    statuses: dict[UUID, LegStatus] = {}
    for event in events:
        legs = event.snapshot.legs
        expected = [
            (LEG_UPDATED if leg.id in statuses else LEG_CREATED, leg) for leg in legs if statuses.get(leg.id) is not leg.status
        ]
        assert [(one.kind, one.leg) for one in leg_events(event)] == expected
        statuses = {leg.id: leg.status for leg in legs}


def check_recording_events(store: Store, call: Call, told: list[rows.Told]) -> None:
    """Customers are told of each recording's statuses as the journal is, and in the same order."""
    noted = [
        (line.entry.recording, "initialised" if isinstance(line.entry, journal.RecordingMade) else line.entry.status)
        for line in told
        if isinstance(line.entry, journal.RecordingMade | journal.RecordingMoved)
    ]
    found = store._reader.execute(
        "SELECT id, kind, content FROM events WHERE world_id = ? AND call_id = ? AND seq IS NULL ORDER BY pos",
        (call.world_id.bytes, call.id.bytes),
    ).fetchall()
    assert len({id_ for id_, _, _ in found}) == len(found)
    seen: list[tuple[str, Recording]] = []
    failed: set[UUID] = set()
    for _, kind, content in found:
        if not kind.startswith("recording"):
            continue
        recording = recording_events.unpack(content)
        # That something could be saved of a failed one is told as well, and is not in the journal.
        if recording.id not in failed:
            seen.append((kind, recording))
        if recording.status is RecordingStatus.FAILED:
            failed.add(recording.id)
    assert [(recording.id, recording.status.value) for _, recording in seen] == noted
    assert [kind == recording_events.CREATED for kind, _ in seen] == [status == "initialised" for _, status in noted]


def check_recordings(store: Store, call: Call, told: list[rows.Told], *, over: bool) -> None:
    """Every recording of a call that is over is closed, and the journal has all that its row does."""
    kept = recording_rows.of_call(store, call.world_id, call.id, limit=1000, offset=0).recordings[::-1]
    made: dict[UUID, Recording] = {}
    for line in told:
        match line.entry:
            case journal.RecordingMade(recording=id_, leg=leg, type=kind, tracks=tracks, file=file, key_id=key_id):
                made[id_] = Recording(
                    id=id_,
                    world_id=call.world_id,
                    call_id=call.id,
                    leg_id=leg,
                    type=RecordingType(kind),
                    tracks=tracks,
                    file=file,
                    key_id=key_id,
                    created_us=line.at_us,
                    updated_us=line.at_us,
                )
            case journal.RecordingMoved(recording=id_, status=status, duration_ms=duration_ms, detail=detail):
                made[id_] = replace(
                    made[id_],
                    status=RecordingStatus(status),
                    duration_ms=duration_ms,
                    detail=detail,
                    updated_us=line.at_us,
                )
    for row in kept:
        # How much could be saved of a failed one is found out later, and stands in its row alone.
        if row.status is RecordingStatus.FAILED and row.id in made and row.duration_ms > made[row.id].duration_ms:
            made[row.id] = replace(made[row.id], duration_ms=row.duration_ms, updated_us=row.updated_us)
    assert kept == list(made.values())
    if over:
        assert all(recording.over for recording in kept), kept
