"""Blind transfers in the simulated network: asked for by a far end, and asked of one."""

from __future__ import annotations

from functools import partial

from callwright import telephony
from callwright.simulator.legs import Leg, Stage
from callwright.simulator.settings import CalleeScript
from callwright.telephony import CommandRefused, ReferOutcome, is_number, is_uri

WORD_S = 2.0  # what is not answered by then is refused
TRANSFER_S = 60.0


class Transfers:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def far_asks(self, leg: Leg, target: str) -> None:
        """The far end of an answered leg asks us to connect whom it talks to elsewhere; while one waits, another is refused."""
        if leg.asked is None and not leg.transferring:
            leg.asked = self._stage.later(leg, WORD_S, partial(self._settle, leg))
            self._stage.emit(leg, telephony.ReferArrived, target=target)

    def accept(self, leg: Leg) -> None:
        self._answered(leg, "AcceptRefer")
        leg.transferring = True

    def reject(self, leg: Leg) -> None:
        self._answered(leg, "RejectRefer")

    def progress(self, leg: Leg, code: int) -> None:
        if not leg.transferring:
            raise CommandRefused("ReferProgress: no transfer was accepted, or it is over")
        leg.transferring = code < 200

    def ask(self, leg: Leg, target: str, callee: CalleeScript) -> None:
        """Ask the far end to call `target`, who does as the script of `callee` says."""
        if not is_number(target) and not is_uri(target):
            raise CommandRefused("Refer: a number or a sip or tel URI is needed")
        if leg.referred is not None:
            raise CommandRefused("Refer: the far end is transferring already")
        if not leg.script.takes_transfers:
            outcome, code, seconds = ReferOutcome.REFUSED, 603, 0.0
        elif callee.outcome in ("no_answer", "no_response"):
            outcome, code, seconds = ReferOutcome.UNKNOWN, None, TRANSFER_S
        elif callee.outcome == "answer":
            outcome, code, seconds = ReferOutcome.DONE, 200, callee.answer_after
        else:
            code = callee.final_code
            outcome, seconds = ReferOutcome.FAILED, callee.answer_after
        leg.referred = self._stage.later(leg, seconds, partial(self._referred, leg, outcome, code))

    def finish(self, leg: Leg) -> None:
        if leg.referred is not None:
            self._referred(leg, ReferOutcome.UNKNOWN, None)

    def _answered(self, leg: Leg, command: str) -> None:
        if leg.asked is None:
            raise CommandRefused(f"{command}: the far end asks for no transfer, or waits no longer")
        self._settle(leg)

    def _settle(self, leg: Leg) -> None:
        if leg.asked is not None:
            leg.asked.cancel()
            leg.asked = None

    def _referred(self, leg: Leg, outcome: ReferOutcome, code: int | None) -> None:
        if leg.referred is not None:
            leg.referred.cancel()
            leg.referred = None
        self._stage.emit(leg, telephony.Referred, outcome=outcome, sip_code=code)
