"""Parties beside the flow: those the API adds, and those a far end asks us to put in its place (REFER).

They are no part of the flow. They join the conversation when they answer, and the call lasts as long as two talk.
"""

from __future__ import annotations

from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.calls.model import Leg, LegStatus
from callwright.errors import Conflict
from callwright.numbers.numbers import normalised
from callwright.reasons import Reason
from callwright.switch.conversation import Conversation
from callwright.switch.live import LiveCall
from callwright.switch.outcomes import rejection
from callwright.switch.placing import MOST_LEGS, originate, way
from callwright.telephony import ReferOutcome
from callwright.trunks.routes import NoRoute, parse_sip_uri

_REFUSALS = {Reason.NO_ROUTE: (404, "Not Found"), Reason.NOT_ALLOWED: (403, "Forbidden")}


class Parties:
    """`_referrers` has, for a leg that is called in another's place, that other one."""

    def __init__(self, call: LiveCall, conversation: Conversation) -> None:
        self._call = call
        self._conversation = conversation
        self._legs: set[UUID] = set()
        self._referrers: dict[UUID, UUID] = {}

    def __contains__(self, leg_id: UUID) -> bool:
        return leg_id in self._legs

    @property
    def heirs(self) -> list[UUID]:
        """Those that are called for someone who has left already, and do not talk yet."""
        return [heir for heir, referrer in self._referrers.items() if not self._call.leg(referrer).live]

    # by the API

    def add(self, destination: str, source: str | None) -> UUID:
        """Row L1: call someone into the conversation. Raises `Conflict` when nobody is there, or after too many legs."""
        call = self._call
        if not call.answered_legs():
            raise Conflict("No leg of the call is answered, so there is nobody to add a party to.")
        if len(call.record.legs) >= MOST_LEGS:  # a leg that fails is one more, too
            raise Conflict(f"The call has had {MOST_LEGS} legs, as many as one may have; place another call.")
        call.note(journal.Asked(what="add_party"))
        leg_id = call.around.new_leg_id(call.at_us)
        try:
            target = way(call, destination)
            no_route = None
        except NoRoute as fault:
            no_route = fault
        self._make(leg_id, source or call.record.call.source, destination, None)
        leg = call.leg(leg_id)
        if no_route is not None:
            call.record.end_leg(leg_id, no_route.reason, call.at_us, detail=str(no_route))
            call.after_end(leg, no_route.reason)
        else:
            originate(call, leg, target, call.settings.ring_timeout)
        return leg_id

    def _make(self, leg_id: UUID, source: str, destination: str, referrer: UUID | None) -> None:
        self._call.record.add_transfer(leg_id, source, destination, self._call.at_us)
        self._call.note(journal.PartyAdded(leg=leg_id, referrer=referrer))
        self._legs.add(leg_id)

    # by a far end

    def refer_arrived(self, leg: Leg, event: telephony.ReferArrived) -> None:
        """Rows L4 and L5: put another in a leg's place, while it stays in its conversation until that one answers."""
        call = self._call
        destination = self._dialled(event.target)
        refused = self._refusal(leg)
        if refused is None:
            try:
                target = way(call, destination)
            except NoRoute as no_route:
                refused = (*_REFUSALS.get(no_route.reason, (503, "Service Unavailable")), str(no_route))
        code, phrase, why = refused or (202, "", "")
        call.note(
            journal.ReferReceived(leg=leg.id, target=event.target, referred_by=event.referred_by, sip_code=code, refused=why)
        )
        if refused is not None:
            call.command(telephony.RejectRefer, leg.id, code=code, phrase=phrase)
            return
        call.command(telephony.AcceptRefer, leg.id)
        leg_id = call.around.new_leg_id(call.at_us)
        self._make(leg_id, call.record.call.source, destination, leg.id)
        self._referrers[leg_id] = leg.id
        originate(call, call.leg(leg_id), target, call.settings.ring_timeout)

    def _dialled(self, target: str) -> str:
        """What is meant by a REFER's target: a number at this server is that number."""
        uri = parse_sip_uri(target)
        number = normalised(uri.user if uri is not None and uri.host in self._call.around.own_hosts else target)
        return number or target

    def _refusal(self, leg: Leg) -> tuple[int, str, str] | None:
        if leg.id in self._referrers.values():
            return 491, "Request Pending", "it waits for the outcome of a REFER already"
        talks = self._call.talks(leg.id) and leg.id in self._conversation
        if not talks or not self._call.answered_legs(but=leg.id):
            return 603, "Decline", "it talks to nobody"
        return None

    def not_accepted(self, referrer: UUID) -> None:
        """It was too late: the far end has been told that its transfer is refused, so nobody is called for it."""
        for heir in [heir for heir, asked in self._referrers.items() if asked == referrer]:
            leg = self._call.leg(heir)
            if leg.live:
                self._call.end_leg(leg, Reason.CALLER_GONE)
                self.over(leg, Reason.CALLER_GONE)

    # what becomes of them

    def rings(self, leg_id: UUID) -> None:
        if leg_id in self._referrers:
            self._tell_referrer(leg_id, 180, "Ringing")
        else:
            self._conversation.ring_back_alone()

    def answered(self, leg_id: UUID) -> None:
        """Row L2: a party that answers joins, and takes the place of who asked for it."""
        call = self._call
        referrer = self._referrers.get(leg_id)
        self._tell_referrer(leg_id, 200, "OK")
        self._referrers.pop(leg_id, None)
        if call.talks(call.a) and call.a != referrer:
            self._conversation.join(call.a)
        self._conversation.join(leg_id)
        if referrer is None:
            return
        call.note(journal.ReferEnded(leg=referrer, outcome=ReferOutcome.DONE.value, sip_code=200))
        was = call.leg(referrer)
        if was.live:
            call.end_leg(was, Reason.REFERRED)
            call.after_end(was, Reason.REFERRED)

    def over(self, was: Leg, reason: Reason) -> None:
        """A party is over; a REFER whose party never answered has failed."""
        self._legs.discard(was.id)
        referrer = self._referrers.get(was.id)
        if referrer is None:
            if not any(self._call.leg(leg_id).status is LegStatus.RINGING for leg_id in self._legs):
                self._conversation.stop_ringing_back()
            return
        code, phrase = rejection(reason)
        if (said := self._call.leg(was.id).sip_code) is not None and said >= 300:
            code = said
        self._tell_referrer(was.id, code, phrase)
        del self._referrers[was.id]
        self._call.note(journal.ReferEnded(leg=referrer, outcome=ReferOutcome.FAILED.value, sip_code=code, detail=reason.value))

    def look_after(self) -> None:
        """After any leg's end: nobody is called for someone who would find nobody, and who waits hears ringing."""
        call = self._call
        for heir, referrer in tuple(self._referrers.items()):
            waiting = call.answered_legs(but=referrer)
            leg = call.leg(heir)
            if not waiting and leg.live:
                call.end_leg(leg, Reason.PEER_GONE)
                self.over(leg, Reason.PEER_GONE)
            elif len(waiting) == 1 and not call.leg(referrer).live:
                self._conversation.ring_back(waiting[0].id)

    def _tell_referrer(self, leg_id: UUID, code: int, phrase: str) -> None:
        referrer = self._referrers.get(leg_id)
        if referrer is not None and self._call.talks(referrer):
            self._call.command(telephony.ReferProgress, referrer, code=code, phrase=phrase)
