"""Legs that a call places: the way to a destination, the limits, and how long it may ring."""

from __future__ import annotations

from uuid import UUID

from callwright import telephony
from callwright.calls.model import Leg
from callwright.reasons import Reason
from callwright.switch.live import LiveCall
from callwright.telephony import Target
from callwright.trunks.routes import NoRoute

RING = "ring "
# Of a call, the ones that are over among them: far ends that put each other in their places go on for as long as a call may
# last, and every change of a call is kept with all of its legs.
MOST_LEGS = 250


def ring_timer(leg_id: UUID) -> str:
    return f"{RING}{leg_id}"


def had_enough(call: LiveCall) -> bool:
    """Whether a call has had as many legs as one may have."""
    return len(call.record.legs) >= MOST_LEGS


def way(call: LiveCall, destination: str) -> Target:
    """Where a further leg of a call is to be sent. Raises `NoRoute`, also for what a limit forbids."""
    target = call.around.route(destination)
    if call.plan.max_forwards < 0:
        raise NoRoute(Reason.LIMIT, "the caller's Max-Forwards is used up (RFC 3261 §16.3)")
    live = sum(1 for leg in call.record.legs if leg.live)
    if live >= call.settings.max_parties:
        raise NoRoute(Reason.LIMIT, f"the call has {live} live legs, as many as one may have (transfer.parties)")
    if had_enough(call):
        raise NoRoute(Reason.LIMIT, f"the call has had {MOST_LEGS} legs, as many as one may have")
    if not call.around.allow_leg():
        raise NoRoute(Reason.LIMIT, "too many new legs in this second (sip.new_legs_per_second)")
    return target


def originate(call: LiveCall, leg: Leg, target: Target, ring_timeout: float) -> None:
    call.on_wire.add(leg.id)
    call.command(
        telephony.Originate,
        leg.id,
        caller=leg.source,
        target=target,
        sip_call_id=leg.sip_call_id,
        hops=call.plan.hops,
        max_forwards=call.plan.max_forwards,
    )
    call.start_timer(ring_timer(leg.id), ring_timeout)
