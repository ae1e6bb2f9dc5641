"""What the concerns of a live call share: its record, the engine, the clock, and how a leg ends by our own decision."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Direction, Leg, LegStatus
from callwright.calls.tables import end_of
from callwright.flows.effects import Input
from callwright.reasons import Reason
from callwright.switch.mailbox import Mailbox
from callwright.switch.messages import Message
from callwright.switch.outcomes import rejection
from callwright.switch.plan import Plan, Surroundings


class LiveCall(Mailbox[Message]):
    """A live call as its concerns see it. `a` is the first leg, the party the flow talks to."""

    def __init__(self, record: CallRecord, around: Surroundings, plan: Plan, retired: Callable[[Any], None]) -> None:
        super().__init__(record, around.engine, around.store, around.clock, around.settings.store_patience, retired)
        self.around = around
        self.settings = around.settings
        self.plan = plan
        self.a = record.legs[0].id
        self._reason_header = ""

    def leg(self, leg_id: UUID) -> Leg:
        leg = self.record.leg(leg_id)
        assert leg is not None
        return leg

    def talks(self, leg_id: UUID) -> bool:
        """Whether a leg is answered and not over."""
        return self.leg(leg_id).status is LegStatus.ONGOING

    def answered_legs(self, *, but: UUID | None = None) -> list[Leg]:
        return [leg for leg in self.record.legs if leg.status is LegStatus.ONGOING and leg.id != but]

    def note(self, entry: journal.Entry) -> None:
        self.record.note(entry, self.at_us)

    @abstractmethod
    def advance(self, happened: Input) -> None:
        """Feed the flow and carry out what it wants."""

    @abstractmethod
    def left_while_recorded(self, recording: UUID) -> None:
        """The recording of the flow's step ended with the leg it was made of."""

    @abstractmethod
    def prompts(self, leg_id: UUID) -> bool:
        """Whether the flow has a leg hear something, or is about to."""

    @abstractmethod
    def left(self, leg_id: UUID) -> None:
        """A leg is over on the record: nothing goes on that was about it alone."""

    @abstractmethod
    def after_end(self, was: Leg, reason: Reason) -> None:
        """Do what a single leg's end leads to; `was` is the leg as it was before."""

    # endings

    def end_all(self, reason: Reason, detail: str = "", *, of_callee: bool = False) -> None:
        """End every live leg; `of_callee` says that the reason is one the callee gave, not A's own."""
        for leg in self.record.legs:
            if leg.live:
                self.end_leg(leg, reason, detail if leg.id == self.a else "", of_callee=of_callee)

    def end_leg(self, leg: Leg, reason: Reason, detail: str = "", *, of_callee: bool = False) -> None:
        """End a leg by our own decision: on the record now, on the wire after the commit.

        A leg that the tables do not let end for `reason` ends because the other one did.
        """
        if end_of(leg.direction, leg.status, reason) is None:
            outgoing_unanswered = leg.direction is Direction.OUTGOING and leg.status is not LegStatus.ONGOING
            reason = Reason.CALLER_GONE if outgoing_unanswered else Reason.PEER_GONE
        unanswered = leg.direction is Direction.INCOMING and leg.status is not LegStatus.ONGOING and leg.intent is None
        if unanswered and leg.id in self.on_wire:
            code, phrase = rejection(reason, of_callee=of_callee)
            self.command(telephony.Reject, leg.id, code=code, phrase=phrase, reason=self._reason_header)
            self.record.end_leg(leg.id, reason, self.at_us, detail=detail, sip_code=code)
        else:
            self.record.end_leg(leg.id, reason, self.at_us, detail=detail)
            if leg.id in self.on_wire:
                self.command(telephony.HangUp, leg.id, reason=self._reason_header)
        self.left(leg.id)
