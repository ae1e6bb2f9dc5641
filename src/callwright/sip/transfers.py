"""Blind transfers, between call control and signalling: asked for by the far end, and asked of it.

Every accepted `Refer` has one `Referred`, before the leg's last event. What the far end asks for and call control does not
answer in time is refused, so that it waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from callwright.clock import Clock
from callwright.log import Log
from callwright.sip import wire as sip
from callwright.sip.leg import Leg
from callwright.sip.telling import Emit
from callwright.telephony import (
    AcceptRefer,
    CommandRefused,
    Refer,
    ReferArrived,
    ReferOutcome,
    ReferProgress,
    Referred,
    RejectRefer,
    is_number,
    is_uri,
)

DECLINE = (603, "Decline")
_OUTCOMES = {outcome.value: outcome for outcome in ReferOutcome}

log = Log("sip.engine")


class Transfers:
    """`tell` takes messages for signalling. Call control has `word_s` to answer, the far end `refer_s` to say what it did."""

    def __init__(
        self, clock: Clock, emit: Emit, tell: Callable[[sip.CoreMessage], None], word_s: float, refer_s: float
    ) -> None:
        self._clock = clock
        self._emit = emit
        self._tell = tell
        self._word_s = word_s
        self._refer_s = refer_s

    # what the far end asks of us

    def arrived(self, leg: Leg, message: sip.ReferArrived) -> None:
        self._settle(leg)
        leg.asked = self._clock.call_later(self._word_s, partial(self._word_overdue, leg))
        leg.transferring = False
        self._emit(leg, ReferArrived, target=message.target, referred_by=message.referred_by)

    def accept(self, leg: Leg, command: AcceptRefer) -> None:
        self._answer(leg, "AcceptRefer", sip.AnswerRefer(leg.id))
        leg.transferring = True

    def reject(self, leg: Leg, command: RejectRefer) -> None:
        if not 400 <= command.code <= 699:
            raise CommandRefused(f"RejectRefer: {command.code} is no code of a refusal (400 to 699)")
        self._answer(leg, "RejectRefer", sip.AnswerRefer(leg.id, command.code, command.phrase))

    def progress(self, leg: Leg, command: ReferProgress) -> None:
        if not leg.transferring:
            raise CommandRefused("ReferProgress: no transfer was accepted, or it is over")
        if not 100 <= command.code <= 699:
            raise CommandRefused(f"ReferProgress: {command.code} is no code of a response (100 to 699)")
        leg.transferring = command.code < 200
        self._tell(sip.TellReferral(leg.id, command.code, command.phrase))

    def _answer(self, leg: Leg, name: str, message: sip.AnswerRefer) -> None:
        if leg.asked is None:
            raise CommandRefused(f"{name}: the far end asks for no transfer, or waits no longer")
        self._settle(leg)
        self._tell(message)

    def _word_overdue(self, leg: Leg) -> None:
        log.warning("transfer_unanswered", leg=leg.id, remedy="call control takes too long; look for what keeps the core busy")
        self._settle(leg)
        self._tell(sip.AnswerRefer(leg.id, *DECLINE))

    def _settle(self, leg: Leg) -> None:
        if leg.asked is not None:
            leg.asked.cancel()
            leg.asked = None

    # what we ask of the far end

    def refer(self, leg: Leg, command: Refer) -> None:
        if leg.referring is not None:
            raise CommandRefused("Refer: the far end is transferring already")
        if not is_number(command.target) and not is_uri(command.target):
            raise CommandRefused("Refer: a number or a sip or tel URI is needed")
        leg.referring = self._clock.call_later(self._refer_s, partial(self._refer_overdue, leg))
        self._tell(sip.SendRefer(leg.id, command.target))

    def ended(self, leg: Leg, message: sip.ReferEnded) -> None:
        self._referred(leg, _OUTCOMES.get(message.outcome, ReferOutcome.UNKNOWN), message.code or None, message.detail)

    def _refer_overdue(self, leg: Leg) -> None:
        self._referred(leg, ReferOutcome.UNKNOWN, None, f"the far end told nothing final within {self._refer_s:g} s")

    def _referred(self, leg: Leg, outcome: ReferOutcome, code: int | None, detail: str) -> None:
        if leg.referring is not None:
            leg.referring.cancel()
            leg.referring = None
            self._emit(leg, Referred, outcome=outcome, sip_code=code, detail=detail)

    def leave(self, leg: Leg) -> None:
        """Wait for nothing more."""
        for timer in (leg.asked, leg.referring):
            if timer is not None:
                timer.cancel()

    def finish(self, leg: Leg) -> None:
        """A leg ends: whoever waits for anything of its transfers waits no longer."""
        self._settle(leg)
        leg.transferring = False
        self._referred(leg, ReferOutcome.UNKNOWN, None, "the leg ended before the far end told what became of it")
