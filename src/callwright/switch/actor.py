"""What a live call does: the engine's events and the flow's wishes, turned into changes of the record and commands.

The flow decides what the call does, the tables of `calls` what its legs become. A is the first leg, the party the flow
talks to; B is the leg of the transfer that is running; others are parties beside the flow (`parties`).
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.calls.lifecycle import ANSWERING, CallRecord
from callwright.calls.model import Direction, Leg, LegStatus
from callwright.calls.tables import end_of
from callwright.errors import Problem
from callwright.flows import effects
from callwright.log import Log
from callwright.reasons import Reason
from callwright.switch import carrying, dialling, listening, speaking
from callwright.switch.judging import Heard
from callwright.switch.mailbox import Asked, Due, Wish, over
from callwright.switch.messages import CommandFailed, Dial, FlowCame, Message, SoundReady, SoundsOver
from callwright.switch.outcomes import TAKES_ALL, reason_of_end, reason_of_refusal
from callwright.switch.placing import RING, originate, ring_timer
from callwright.switch.plan import Plan, Surroundings
from callwright.switch.running import RunningCall
from callwright.telephony import Cause, Command
from callwright.trunks.routes import NoRoute

TICK_US = 20_000  # of sound; what is later by less is not late

_log = Log("switch")


class CallActor(RunningCall):
    """Runs one call from its first commit to the last word of the engine."""

    def __init__(
        self,
        record: CallRecord,
        around: Surroundings,
        plan: Plan,
        retired: Callable[[CallActor], None],
        first: telephony.Incoming | None = None,
    ) -> None:
        super().__init__(record, around, plan, retired)
        self._first = first
        self._silent: set[UUID] = set()
        self._told_over = False
        self._late = (0, 0)  # microseconds, and the lines there were then
        if first is not None:
            self.on_wire.add(self.a)

    # messages

    def carry_on(self) -> bool:
        """Row N2 first, then what is decided about the call; an answer first, then the end of a flow that is over with it."""
        first, self._first = self._first, None
        if first is None:
            return self.finish_put_off()
        self._arrived(first)
        return True

    def take(self, message: Message | telephony.Event | Asked | Due) -> None:
        self._reason_header = ""
        self.just_answered = False
        match message:
            case telephony.Event():
                self._heard(message)
            case Asked():
                self._asked_for(message)
            case Due():
                if self.is_due(message):
                    self._due(message.timer)
            case Dial():
                self._dial_first()
            case SoundReady():
                self.its.prompter.ready(message)
            case SoundsOver():
                self.its.prompter.over(message)
            case FlowCame():
                self.its.next_flow.came(message)
            case CommandFailed(command=command, why=why):
                self._not_done(command, why)

    def idle(self) -> None:
        self.referring.tell()
        if not self.record.live:
            if not self._told_over:
                self._told_over = True
                self.around.over(self.record)
            self.cancel_all_timers(but="linger")
            if self.on_wire and not self.runs("linger"):
                self.start_timer("linger", self.settings.linger)

    def let_go(self, reason: Reason) -> None:
        for leg_id in tuple(self.on_wire):
            if not self.leg(leg_id).live:
                self.command(telephony.HangUp, leg_id)
        self.end_all(reason)

    def closing(self) -> None:
        self.its.recorder.lost()

    def taken(self, due: Due) -> None:
        """A machine that was busy is part of what happened: without it the times of the record could not be explained, nor
        why what was due did not come before what it was overtaken by.
        """
        late_us = self.at_us - due.due_us
        if late_us <= 0 or due.timer == "linger":
            return
        # Of timers that follow one another without a line between them, all that they were late counts.
        so_far_us, lines = self._late
        late_us += so_far_us if lines == self.record.entries else 0
        self._late = (late_us, self.record.entries)
        if late_us > TICK_US:
            timer = due.timer.removeprefix(carrying.FLOW_TIMER).partition(" ")[0]  # of a leg's timer without its id
            self.note(journal.TimerLate(timer=timer, late_us=late_us))

    def refused(self, command: Command, why: str) -> None:
        """A leg that just ended on the wire takes no commands, its last event is in the mailbox; a few kinds matter still."""
        if isinstance(command, telephony.Originate):
            self.on_wire.discard(command.leg)
            now_us, mono_ns = self.around.clock.now_us(), self.around.clock.mono_ns()
            event = telephony.Refused(leg=command.leg, seq=1, at_us=now_us, mono_ns=mono_ns, cause=Cause.HANGUP, detail=why)
            self.put(event)
        elif isinstance(command, telephony.Bridge):
            self.its.conversation.not_joined(command.leg)
        else:
            self.put(CommandFailed(command, why))

    # rows N2, N3, N5 and N6

    def _arrived(self, call: telephony.Incoming) -> None:
        self.at_us = self.around.clock.now_us()
        if call.blocked is not None:
            self.end_all(reason_of_refusal(call.blocked, Direction.INCOMING), call.detail)
        elif self.flow is None:
            self.end_all(self.plan.fault, self.plan.detail)
        else:
            self.begin_flow(answered=False)

    def _dial_first(self) -> None:
        """Place the leg an API call begins with."""
        if not self.record.live:
            return
        leg = self.leg(self.a)
        try:
            target = self.around.route(leg.destination)
        except NoRoute as no_route:
            self.record.end_leg(leg.id, no_route.reason, self.at_us, detail=str(no_route))
            return
        self.record.start(self.at_us)
        originate(self, leg, target, self.settings.ring_timeout)

    # events of the engine

    def _heard(self, event: telephony.Event) -> None:
        leg = self.record.leg(event.leg)
        if leg is None:
            return
        if isinstance(event, telephony.Refused | telephony.Ended):
            self.on_wire.discard(leg.id)
            self._last_word(leg, event)
        elif isinstance(event, telephony.RecordingStarted):
            self.its.recorder.began(event)
        elif isinstance(event, telephony.RecordingFinished):
            self.its.recorder.ended(event)
        elif leg.live:
            self._progress(leg, event)
        elif isinstance(event, telephony.Answered) and leg.direction is Direction.OUTGOING:
            self.note(journal.LateAnswerReleased(leg=leg.id))  # P7: our CANCEL was behind it
        else:
            self.note(journal.Ignored(leg=leg.id, event=type(event).__name__))

    def _progress(self, leg: Leg, event: telephony.Event) -> None:
        match event:
            case telephony.Ringing():
                self._rings(leg, early_media=False)
            case telephony.EarlyMedia():
                self._rings(leg, early_media=self.settings.early_media)
            case telephony.Answered(sip_call_id=sip_call_id, dialog=dialog):
                self.record.learn(leg.id, self.at_us, sip_call_id=sip_call_id, dialog=dialog)
                self._answered(leg)
            case telephony.Moved(dialog=dialog):
                self.record.learn(leg.id, self.at_us, dialog=dialog)
            case telephony.Digit(digit=digit, duration_ms=duration_ms, means=means):
                self._silent.discard(leg.id)
                self.note(journal.DigitPressed(leg=leg.id, digit=digit, duration_ms=duration_ms, means=means))
                if leg.id == self.a:
                    self.advance(effects.Key(digit))
            case telephony.PlayFinished():
                self.its.prompter.finished(event)
                self.its.recorder.beep_over(event)
            case telephony.Voice(speaking=speaking):
                self.its.listener.heard(leg.id, Heard.VOICE if speaking else Heard.SILENCE)
            case telephony.Beep():
                self.its.listener.heard(leg.id, Heard.BEEP)
            case telephony.ReferArrived():
                self.parties.refer_arrived(leg, event)
            case telephony.Referred():
                self.referring.settled(event)
            case _:
                self._session(leg, event)

    def _session(self, leg: Leg, event: telephony.Event) -> None:
        """What is told of the sound and the session of a leg."""
        match event:
            case telephony.Bridged(other=other, how=how):
                self.note(journal.Bridged(leg=leg.id, other=other, how=how))
            case telephony.Unbridged():
                self.note(journal.Unbridged(leg=leg.id))
            case telephony.Held(direction=direction):
                self._silent.discard(leg.id)  # silence is counted anew, and not on hold
                self.note(journal.Held(leg=leg.id, direction=direction))
                self.its.conversation.far_end_says(leg.id, direction)
            case telephony.Refreshed():
                self.note(journal.SessionRefreshed(leg=leg.id))
            case telephony.Forked():
                self.note(journal.ForkReleased(leg=leg.id))
            case telephony.HeardAgain():
                self._silent.discard(leg.id)
            case telephony.Silent():
                self._silent.add(leg.id)
                if all(other.id in self._silent for other in self.record.legs if other.live):
                    self.end_all(Reason.MEDIA_TIMEOUT)

    def _rings(self, leg: Leg, *, early_media: bool) -> None:
        self.record.rings(leg.id, self.at_us)
        if leg.id == self.its.transfer.b:
            self.its.transfer.rings(early_media=early_media)
        elif leg.id in self.parties:
            self.parties.rings(leg.id)

    def _answered(self, leg: Leg) -> None:
        """Rows P2, A2 and L2."""
        if leg.direction is Direction.INCOMING and leg.intent != ANSWERING:
            self.note(journal.Ignored(leg=leg.id, event="Answered"))
            return
        self.record.answered(leg.id, self.at_us)
        self.just_answered = True
        self.cancel_timer(ring_timer(leg.id))
        self.limit_duration()
        self.its.recorder.answered(leg.id)
        if leg.id == self.its.transfer.b:
            self.advance(effects.PeerAnswered())
        elif leg.id in self.parties:
            self.parties.answered(leg.id)
        elif leg.direction is Direction.INCOMING:
            self.advance(effects.Answered())
        else:
            self.begin_flow(answered=True)
        self.its.listener.answered(leg.id)

    def _last_word(self, leg: Leg, event: telephony.Refused | telephony.Ended) -> None:
        """A leg is over on the wire; rows P3 to P7, A3 to A5, B1 to B5."""
        if not event.unconfirmed:
            self.record.released(leg.id)
        self.its.recorder.left(leg.id)
        phrase = event.sip_phrase if isinstance(event, telephony.Refused) else ""
        self.note(
            journal.LegLast(
                leg=leg.id,
                cause=event.cause.value,
                sip_code=event.sip_code,
                sip_phrase=phrase,
                reason=event.reason,
                detail=event.detail,
                counters=event.counters,
            )
        )
        if not leg.live:
            if isinstance(event, telephony.Ended) and event.late_answer:
                self.note(journal.LateAnswerReleased(leg=leg.id))
            self.record.learn(leg.id, self.at_us, sip_code=None if event.sip_code == 200 else event.sip_code)
            return
        self._reason_header = event.reason
        answered = leg.status is LegStatus.ONGOING
        detail = event.detail or (f"{event.sip_code} {phrase}".strip() if phrase else "")
        reason = (reason_of_end if answered else reason_of_refusal)(event.cause, leg.direction)
        if end_of(leg.direction, leg.status, reason) is None:
            reason = Reason.INTERNAL
        self.record.end_leg(leg.id, reason, self.at_us, detail=detail, sip_code=None if answered else event.sip_code)
        self.left(leg.id)
        if reason in TAKES_ALL:
            self.end_all(reason)
        else:
            self.after_end(leg, reason)

    def _not_done(self, command: Command, why: str) -> None:
        """The engine would not take a command whose end something waits for."""
        match command:
            case telephony.Play(id=play):
                self.its.prompter.refused(play, why)
                self.its.recorder.beep_refused(play)
            case telephony.StartRecording(recording=recording):
                self.its.recorder.refused(recording, why)
            case telephony.Refer(leg=leg_id):
                self.referring.refused(leg_id, why)
            case telephony.AcceptRefer(leg=leg_id):
                self.parties.not_accepted(leg_id)

    # what others ask, and timers

    def _asked_for(self, asked: Asked) -> None:
        """Rows C1, C2, C4 and R3; wishes are live control (rows L1 to L6)."""
        if isinstance(asked.what, Wish):
            try:
                if not self.record.live and not asked.what.of_record:
                    raise over()
                asked.answer = asked.what.carry_out(self)
            except Problem as problem:
                asked.settle(problem)
            return
        leg = None if asked.leg is None else self.record.leg(asked.leg)
        if not self.record.live or (asked.leg is not None and (leg is None or not leg.live)):
            return
        self.note(journal.Asked(what=asked.what.name.lower(), leg=asked.leg))
        reason: Reason = asked.what.value
        if leg is None:
            self.end_all(reason)
        else:
            self.end_leg(leg, reason)
            self.after_end(leg, reason)

    def _due(self, timer: str) -> None:
        if timer.startswith(carrying.FLOW_TIMER):
            self.advance(effects.Expired(effects.Timer(timer.removeprefix(carrying.FLOW_TIMER))))
        elif timer.startswith(RING):
            leg = self.leg(UUID(timer.removeprefix(RING)))
            self.end_leg(leg, Reason.RING_TIMEOUT)
            self.after_end(leg, Reason.RING_TIMEOUT)
        elif timer == listening.TIMER:
            self.its.listener.due()
        elif timer == speaking.TIMER:
            self.its.prompter.due()
        elif timer == dialling.TIMER:
            self.its.dialler.due()
        elif timer == "max_duration":
            self.end_all(Reason.MAX_DURATION)
        elif timer == "linger":
            _log.warning("leg_without_last_word", call=self.record.call.id, legs=len(self.on_wire))
            self.on_wire.clear()
