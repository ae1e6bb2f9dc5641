"""The step ``transfer``: B is called, A hears how it goes, and the two talk."""

from __future__ import annotations

from uuid import UUID

from callwright import telephony
from callwright.calls.lifecycle import ANSWERING
from callwright.calls.model import Direction, LegStatus
from callwright.flows import effects
from callwright.numbers.numbers import normalised
from callwright.reasons import Reason
from callwright.switch.conversation import Conversation
from callwright.switch.listening import Listener
from callwright.switch.live import LiveCall
from callwright.switch.placing import had_enough, originate, way
from callwright.switch.recording import Recorder
from callwright.trunks.routes import NoRoute


class Transfer:
    """The transfer that is running, if one is: `b` is its leg."""

    def __init__(self, call: LiveCall, conversation: Conversation, recorder: Recorder, listener: Listener) -> None:
        self._call = call
        self._conversation = conversation
        self._recorder = recorder
        self._listener = listener
        self._record: str | None = None
        self.b: UUID | None = None

    def dial(self, dial: effects.Dial) -> None:
        """Rows N7 and N8. After too many legs not even one that fails is made: it would be kept like all others."""
        call = self._call
        if had_enough(call):
            call.advance(effects.PeerFailed(Reason.LIMIT))
            return
        row = call.record.call
        called = row.destination if call.leg(call.a).direction is Direction.INCOMING else row.source
        destination = normalised(dial.destination) or dial.destination
        try:
            target = way(call, destination)
            no_route = None
        except NoRoute as fault:
            no_route = fault
        leg_id = call.around.new_leg_id(call.at_us)
        call.record.add_transfer(leg_id, called if dial.mask else row.source, destination, call.at_us)
        self.b = leg_id
        self._record = dial.record
        leg = call.leg(leg_id)
        if no_route is not None:
            call.record.end_leg(leg_id, no_route.reason, call.at_us, detail=str(no_route))
            call.after_end(leg, no_route.reason)
            return
        self._listener.made(leg_id)
        originate(call, leg, target, dial.ring_timeout or call.settings.ring_timeout)

    def rings(self, *, early_media: bool) -> None:
        """Row P1: B rings, so A is told, or hears it."""
        assert self.b is not None
        call, a = self._call, self._call.leg(self._call.a)
        if a.status is LegStatus.ONGOING:
            if early_media:
                self._join(self.b)
            else:
                self._conversation.ring_back(a.id)
        elif a.intent == ANSWERING:
            return  # A is past ringing; it hears ring-back, or B, once its answer has left
        elif early_media and a.id not in self._conversation:
            call.record.rings(a.id, call.at_us)
            call.command(telephony.Ring, a.id, early_media=True)
            self._join(self.b)
        elif a.status is LegStatus.STARTING:
            call.record.rings(a.id, call.at_us)
            call.command(telephony.Ring, a.id)

    def connect(self) -> None:
        if self.b is not None:
            self._join(self.b)
            self._recorder.record_transfer(self._record, self.b)

    def drop(self, reason: Reason) -> None:
        """End B. When it has left and others took its place with A, it is they who are left."""
        b, self.b = self.b, None
        self._over()
        legs = self._call.answered_legs(but=self._call.a) if b is None else [self._call.leg(b)]
        for leg in legs:
            if leg.live:
                self._call.end_leg(leg, reason)

    def over(self) -> None:
        """B is over."""
        self.b = None
        self._over()

    def _over(self) -> None:
        self._recorder.stop_transfer()
        if not self._conversation.others(self._call.a):
            self._conversation.quiet(self._call.a)

    def _join(self, b: UUID) -> None:
        self._conversation.join(b)
        self._conversation.join(self._call.a)
