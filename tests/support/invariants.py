"""What must hold of every call record, whatever happened to it; and the rows as the journal alone tells them."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from msgspec.structs import replace

from callwright.calls import journal, rows
from callwright.calls.events import CREATED, UPDATED
from callwright.calls.model import LIVE_LEG, Call, CallStatus, Leg, LegStatus
from callwright.store import Store


def rebuild(told: list[rows.Told]) -> tuple[Call, list[Leg]]:
    """Make a call's rows from nothing but its journal."""
    call: Call | None = None
    legs: dict[UUID, Leg] = {}
    for line in told:
        at_us = line.at_us
        match line.entry:
            case journal.CallMade(call=made):
                call = made
            case journal.LegMade(leg=leg):
                legs[leg.id] = leg
                call = replace(call, updated_us=at_us)
            case journal.CallMoved(status=status):
                ended_us = None if status in (CallStatus.STARTING, CallStatus.ONGOING) else at_us
                call = replace(call, status=status, updated_us=at_us, ended_us=ended_us)
            case journal.LegMoved(leg=leg_id, status=status, reason=reason, detail=detail, sip_code=sip_code):
                leg = replace(legs[leg_id], status=status, reason=reason, detail=detail, updated_us=at_us)
                if sip_code is not None:
                    leg = replace(leg, sip_code=sip_code)
                if status is LegStatus.ONGOING:
                    leg = replace(leg, answered_us=at_us, intent=None)
                elif status not in LIVE_LEG:
                    leg = replace(leg, ended_us=at_us, intent=None)
                legs[leg_id] = leg
                call = replace(call, updated_us=at_us)
            case journal.LegIntends(leg=leg_id, intent=intent):
                legs[leg_id] = replace(legs[leg_id], intent=intent)
            case journal.LegAddressed(leg=leg_id, sip_call_id=sip_call_id, sip_code=sip_code):
                leg = legs[leg_id]
                legs[leg_id] = replace(leg, sip_call_id=sip_call_id or leg.sip_call_id, sip_code=sip_code or leg.sip_code)
            case journal.Settled(reason=reason):
                call = replace(call, updated_us=at_us)
                for leg in list(legs.values()):
                    if leg.reason is reason:
                        legs[leg.id] = replace(leg, updated_us=at_us)
    assert call is not None
    return call, list(legs.values())


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

    # The journal alone makes the same rows.
    assert [line.seq for line in told] == list(range(1, len(told) + 1))
    assert rebuild(told) == (call, legs)
