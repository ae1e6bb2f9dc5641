"""The flow of a live call, and what the end of a leg leads to: for the flow, for those who talk, and for the call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Leg, LegStatus
from callwright.errors import Conflict
from callwright.flows import effects, interpreter
from callwright.flows.schema import Flow
from callwright.flows.steps import last_words, untold
from callwright.reasons import Reason
from callwright.switch import carrying
from callwright.switch.live import LiveCall
from callwright.switch.outcomes import CALLEES_OWN
from callwright.switch.parties import Parties
from callwright.switch.placing import ring_timer
from callwright.switch.plan import Plan, Surroundings
from callwright.switch.referring import Referring


class RunningCall(LiveCall):
    """A live call with its concerns: `its` those of the flow, `parties` and `referring` those beside it.

    `just_answered` says that the message at hand answered a leg; what ends the call is then put off, as it has an event
    of its own.
    """

    def __init__(self, record: CallRecord, around: Surroundings, plan: Plan, retired: Callable[[Any], None]) -> None:
        super().__init__(record, around, plan, retired)
        self.its = carrying.concerns_of(self)
        self.parties = Parties(self, self.its.conversation)
        self.referring = Referring(self)
        self.flow = None if plan.flow is None else interpreter.State(plan.flow, around.supplies.flow_settings)
        self.just_answered = False
        self._inputs: deque[effects.Input] = deque()
        self._finish: effects.Finish | None = None
        self._flow_left = False  # it is over, and those who talk go on without it
        self._peer_owed = False  # B is gone, and the flow is told once those who took its place are too
        self._longest = self.settings.max_duration

    # what a leg's end leads to

    def left(self, leg_id: UUID) -> None:
        self.cancel_timer(ring_timer(leg_id))
        self.its.conversation.gone(leg_id)
        self.its.listener.left(leg_id)
        self.referring.left(leg_id)
        if leg_id == self.a:
            self.its.prompter.forget()
            self.its.next_flow.stop()
            self.its.dialler.stop()
            if self.flow is not None and (recording := untold(self.flow)) is not None:
                self.left_while_recorded(recording)

    def after_end(self, was: Leg, reason: Reason) -> None:
        answered = was.status is LegStatus.ONGOING
        if was.id == self.a:
            self._a_over(answered=answered)
        elif was.id == self.its.transfer.b:
            self.its.transfer.over()
            if not answered:
                self.advance(effects.PeerFailed(reason))
            else:
                self._peer_owed = True
        else:
            self.parties.over(was, reason)
        self.parties.look_after()
        self._look_around()

    def _a_over(self, *, answered: bool) -> None:
        """Rows B1 and L3: those whom A leaves talk on when they are two, and the flow is over."""
        b = self.its.transfer.b
        if not answered or len(self._others()) + (b is not None and self.talks(b)) < 2:
            self.end_all(Reason.PEER_GONE if answered else Reason.CALLER_GONE)
            return
        self._flow_left, self._peer_owed = True, False
        self.note(journal.FlowLeft(detail="its party left, and those who stay talk on"))
        self.its.transfer.over()
        if b is not None and not self.talks(b):
            self.end_leg(self.leg(b), Reason.CALLER_GONE)

    def _others(self) -> list[UUID]:
        """Those who talk beside A and B, or are called in the place of one who left."""
        answered = [leg.id for leg in self.answered_legs(but=self.a) if leg.id != self.its.transfer.b]
        return answered + [heir for heir in self.parties.heirs if heir not in answered and self.leg(heir).live]

    def _look_around(self) -> None:
        """Whether anyone is left to talk to: rows B2 to B4 and L3."""
        if self.leg(self.a).live:
            if self._others():
                return
            if self._peer_owed:
                self._peer_owed = False
                if self.its.conversation.is_held(self.a):
                    self.its.conversation.leave(self.a)
                self.advance(effects.PeerGone())
            elif self._flow_left:
                self.end_all(Reason.FLOW_ENDED)
        elif len(self._others()) < 2:
            self.end_all(Reason.PEER_GONE)

    # the flow

    def begin_flow(self, *, answered: bool) -> None:
        if self.plan.entry is not None:
            self.note(self.plan.entry)
        self.advance(effects.Begin(answered))

    def replace_flow(self, flow: Flow, body: dict[str, Any]) -> None:
        """Row L7: put another flow in the place of what remains of this one."""
        if not self.leg(self.a).live:
            raise Conflict("The party the flow talked to has left; those who talk on have no flow to replace.")
        self.note(journal.Asked(what="replace_flow"))
        self.note(journal.FlowStarted(flow_id=None, flow=body))
        self.plan = self.plan._replace(entry=None)
        self.its.dialler.stop()
        self.its.next_flow.stop()
        self._flow_left = False
        self.advance(effects.Replace(flow))

    def advance(self, happened: effects.Input) -> None:
        """Feed the flow and carry out what it wants; what that leads to at once is fed after it."""
        self._inputs.append(happened)
        if len(self._inputs) > 1:
            return
        while self._inputs:
            if self.flow is not None and not self._flow_left and self.leg(self.a).live:
                before = self.flow.flow
                self.flow, wanted = interpreter.step(self.flow, self._inputs[0])
                if self.flow.flow is not before:
                    self.limit_duration()
                for effect in wanted:
                    self._carry_out(effect)
            self._inputs.popleft()

    def _carry_out(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Finish() if self.just_answered:
                self._finish = effect
            case effects.Finish():
                self._flow_over(effect)
            case effects.DropPeer(reason=reason):
                self._drop_peer(reason)
            case _:
                carrying.carry_out(self, self.its, effect)

    def _drop_peer(self, reason: Reason) -> None:
        """End B, and those who took its place, or were to."""
        dropped = self._others() if self._peer_owed else self.parties.heirs
        self._peer_owed = False
        self.its.transfer.drop(reason)
        for leg_id in dropped:
            leg = self.leg(leg_id)
            if leg.live:
                self.end_leg(leg, reason)
                self.parties.over(leg, reason)
        self.parties.look_after()

    def _flow_over(self, finish: effects.Finish) -> None:
        """Row C5, or L3: those the flow did not call talk on."""
        if finish.reason is Reason.FLOW_ENDED and not finish.everybody and self.talks(self.a) and self._others():
            self._flow_left = True
            self.note(journal.FlowLeft(detail="it is over, and those who were added talk on"))
        else:
            self.end_all(finish.reason, finish.detail, of_callee=finish.reason in CALLEES_OWN)

    def left_while_recorded(self, recording: UUID) -> None:
        """A recording of the flow's step ended with its party: whoever waits for it is told, and the flow goes nowhere."""
        asked = None if self.flow is None else last_words(self.flow, recording)
        if asked is not None:
            self.its.next_flow.tell(asked)

    def finish_put_off(self) -> bool:
        """Carry out the end of the flow that was put off; say whether there was one."""
        finish, self._finish = self._finish, None
        if finish is not None:
            self.just_answered = False
            self._flow_over(finish)
        return finish is not None

    def prompts(self, leg_id: UUID) -> bool:
        return leg_id == self.a and (self.its.prompter.busy or self.its.recorder.beeps)

    def limit_duration(self) -> None:
        """A flow's own limit holds from the first answer on, until another flow has one."""
        if self.flow is not None and self.flow.flow.max_duration is not None:
            self._longest = min(self.settings.max_duration, self.flow.flow.max_duration)
        answered_us = [leg.answered_us for leg in self.record.legs if leg.answered_us is not None]
        if answered_us:
            so_far = (self.at_us - min(answered_us)) / 1e6
            self.start_timer("max_duration", max(0.0, self._longest - so_far))
