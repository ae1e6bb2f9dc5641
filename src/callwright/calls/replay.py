"""A call's rows made again from nothing but its journal."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from msgspec.structs import replace

from callwright.calls import journal
from callwright.calls.model import LIVE_LEG, Call, CallStatus, Leg, LegStatus
from callwright.calls.rows import Told


def rebuild(told: Iterable[Told]) -> tuple[Call, list[Leg]]:
    """The call and its legs, oldest first. A journal that does not begin with the call, or names a leg it never made,
    raises `LookupError`.
    """
    call: Call | None = None
    legs: dict[UUID, Leg] = {}
    for line in told:
        at_us = line.at_us
        if isinstance(line.entry, journal.CallMade):
            call = line.entry.call
            continue
        if call is None:
            raise LookupError("the journal does not begin with the call")
        match line.entry:
            case journal.LegMade(leg=leg):
                legs[leg.id] = leg
                # An older program put neither direction nor flow into the call itself.
                direction, flow_id = next(iter(legs.values())).direction, None if call.called is None else call.called.flow_id
                call = replace(call, updated_us=at_us, direction=direction, flow_id=flow_id)
            case journal.CallMoved(status=status):
                call = replace(call, status=status, updated_us=at_us)
                if status is CallStatus.ONGOING:
                    call = replace(call, answered_us=at_us)
                elif not call.live:
                    call = replace(call, ended_us=at_us, reason=next(iter(legs.values())).reason)
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
            case journal.CallLabelled(tags=tags, metadata=metadata):
                call = replace(call, tags=tags, metadata=metadata, updated_us=at_us)
            case journal.Settled(reason=reason):
                call = replace(call, updated_us=at_us)
                for leg in list(legs.values()):
                    if leg.reason is reason:
                        legs[leg.id] = replace(leg, updated_us=at_us)
    if call is None:
        raise LookupError("the journal is empty")
    return call, list(legs.values())
