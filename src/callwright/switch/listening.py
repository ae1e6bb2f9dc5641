"""Finding out who answered a leg, from when its far end speaks (`judging`)."""

from __future__ import annotations

from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.flows import effects
from callwright.switch import judging
from callwright.switch.judging import Ear, Heard
from callwright.switch.live import LiveCall

TIMER = "judge"


class Listener:
    """Listens to one leg at a time: A, or the party of a transfer."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._asked: effects.Judge | None = None
        self._leg: UUID | None = None
        self._from_us = 0
        self._ear: Ear | None = None

    def judge(self, asked: effects.Judge, leg_id: UUID | None) -> None:
        """Judge a leg once it is answered; None for a party that is still to be made."""
        self.stop()
        self._asked, self._leg = asked, leg_id
        if leg_id is not None and self._call.talks(leg_id):
            self._begin(asked, leg_id)

    def made(self, leg_id: UUID) -> None:
        """The party of a transfer has a leg now."""
        if self._asked is not None and self._asked.party is effects.Party.B and self._leg is None:
            self._leg = leg_id

    def answered(self, leg_id: UUID) -> None:
        if leg_id == self._leg and self._asked is not None and self._ear is None:
            self._begin(self._asked, leg_id)

    def heard(self, leg_id: UUID, heard: Heard) -> None:
        if leg_id == self._leg and self._ear is not None:
            after_us = self._call.at_us - self._from_us
            self._call.note(journal.VoiceHeard(leg=leg_id, what=heard.value, after_us=after_us))
            self._hear(self._ear, heard)

    def left(self, leg_id: UUID) -> None:
        if leg_id == self._leg:
            self._leg = self._asked = self._ear = None
            self._call.cancel_timer(TIMER)

    def stop(self) -> None:
        """Nobody wants to know any more."""
        if self._leg is not None and self._ear is not None:
            self._call.command(telephony.Unlisten, self._leg)
        self._leg = self._asked = self._ear = None
        self._call.cancel_timer(TIMER)

    def due(self) -> None:
        if self._ear is not None:
            self._hear(self._ear, Heard.TIME)

    def _begin(self, asked: effects.Judge, leg_id: UUID) -> None:
        self._from_us = self._call.at_us
        timeout_us = asked.timeout_ms * judging.MS
        patience_us = round(self._call.settings.machine_patience * 1e6)
        self._ear = Ear(wait=asked.wait, timeout_us=timeout_us, patience_us=max(patience_us, timeout_us))
        self._call.command(telephony.Listen, leg_id)
        self._look_again(self._ear)

    def _hear(self, ear: Ear, heard: Heard) -> None:
        self._ear, outcome = judging.hear(ear, heard, self._call.at_us - self._from_us)
        if outcome is None:
            self._look_again(self._ear)
            return
        assert self._leg is not None
        self._call.note(journal.Judged(leg=self._leg, verdict=outcome.verdict.value, basis=outcome.basis))
        self.stop()
        self._call.advance(effects.Judged(outcome.verdict))

    def _look_again(self, ear: Ear) -> None:
        now_us = self._call.around.clock.now_us()  # what was heard may be told later than it was
        elapsed_us = now_us - self._from_us
        self._call.start_timer(TIMER, max(0.0, (judging.next_us(ear) - elapsed_us) / 1e6), now_us)
