"""Blind transfers that we ask far ends for (REFER, RFC 3515)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.errors import Conflict
from callwright.reasons import Reason
from callwright.switch.live import LiveCall
from callwright.telephony import ReferOutcome


class Referral(NamedTuple):
    """What became of it; `sip_code` is of the far end's new call, or of its refusal."""

    outcome: ReferOutcome
    sip_code: int | None = None
    detail: str = ""


class Referring:
    """Row L6. A leg waits for one answer at a time, and is hung up once the far end has its new call."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._waiting: dict[UUID, asyncio.Future[Referral]] = {}
        self._settled: list[tuple[asyncio.Future[Referral], Referral]] = []

    def refer(self, leg_id: UUID, target: str) -> asyncio.Future[Referral]:
        """Ask the far end of a leg to call `target` in our place; the future is set once it is known how that went."""
        if not self._call.talks(leg_id):
            raise Conflict("The leg is not answered or is over; only a party that talks can be referred to another.")
        if leg_id in self._waiting:
            raise Conflict("The far end of the leg has been referred already and has not said yet how that goes.")
        self._call.note(journal.Asked(what="refer", leg=leg_id))
        self._call.note(journal.ReferSent(leg=leg_id, target=target))
        self._call.command(telephony.Refer, leg_id, target=target)
        self._waiting[leg_id] = asyncio.get_running_loop().create_future()
        return self._waiting[leg_id]

    def settled(self, event: telephony.Referred) -> None:
        self._settle(event.leg, Referral(event.outcome, event.sip_code, event.detail))
        was = self._call.leg(event.leg)
        if event.outcome is ReferOutcome.DONE and was.live:
            self._call.end_leg(was, Reason.REFERRED)
            self._call.after_end(was, Reason.REFERRED)

    def refused(self, leg_id: UUID, why: str) -> None:
        self._settle(leg_id, Referral(ReferOutcome.REFUSED, detail=why))

    def left(self, leg_id: UUID) -> None:
        self._settle(leg_id, Referral(ReferOutcome.UNKNOWN, detail="the leg ended before the far end said how it went"))

    def _settle(self, leg_id: UUID, referral: Referral) -> None:
        waiting = self._waiting.pop(leg_id, None)
        if waiting is None:
            return
        self._call.note(
            journal.ReferEnded(leg=leg_id, outcome=referral.outcome.value, sip_code=referral.sip_code, detail=referral.detail)
        )
        self._settled.append((waiting, referral))

    def tell(self) -> None:
        """What is settled is on record now."""
        settled, self._settled = self._settled, []
        for waiting, referral in settled:
            if not waiting.done():
                waiting.set_result(referral)
