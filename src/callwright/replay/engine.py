"""The engine of a replay: commands are carried out as the recorded engine did, and its far ends do what they did."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from callwright import ids, telephony
from callwright.calls import journal
from callwright.calls.model import Direction
from callwright.clock import Clock
from callwright.replay.acts import Acts
from callwright.replay.conversations import Conversations
from callwright.replay.follower import Follower
from callwright.replay.legs import Leg, State
from callwright.replay.plan import LegPlan, Plan
from callwright.replay.plays import Plays
from callwright.replay.prompting import Prompting
from callwright.replay.record import Line
from callwright.replay.tapes import Tapes
from callwright.replay.timeline import SOON_US, Timeline
from callwright.switch.outcomes import reason_of_refusal
from callwright.telephony import Cause, Command, CommandRefused, Event, PlayOutcome, RecordOutcome, Who

# A leg that the record does not have is answered after this, and stays.
RINGS_US, ANSWERS_US = 200_000, 1_000_000


class ReplayedEngine:
    """Implements `telephony.Engine`. `ask` is told what was asked from outside."""

    def __init__(
        self,
        clock: Clock,
        timeline: Timeline,
        plan: Plan,
        prompting: Prompting,
        follower: Follower,
        ask: Callable[[Line], None],
    ) -> None:
        self._clock = clock
        self._timeline = timeline
        self._plan = plan
        self._follower = follower
        self._ask = ask
        self._legs: dict[UUID, Leg] = {}
        self._sink: Callable[[Event], None] | None = None
        self.acts = Acts(timeline, plan, self._act)
        self._plays = Plays(timeline, prompting, self._emit)
        self._tapes = Tapes(timeline, plan.recordings, self._emit, self.acts.leaves_soon)
        self._conversations = Conversations(timeline, follower, self.acts, self._legs, self._emit)
        self._referred: dict[int, int] = {}

    def attach(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink

    def unhealthy(self) -> str | None:
        return None

    # the caller, and what far ends did by themselves

    def begin(self) -> UUID | None:
        """Have the acts of the record wait for their times, and let the caller of a call that came in dial."""
        self.acts.begin()
        return self._arrive() if self._plan.incoming else None

    def _arrive(self) -> UUID:
        plan = self._plan.legs[1]
        leg = Leg(ids.uuid7(self._clock.now_us()), None, State.ARRIVED, plan)
        self._legs[leg.id] = leg
        blocked, detail = None, ""
        if self._plan.fault is not None:
            reason, detail = self._plan.fault
            causes = (cause for cause in Cause if reason_of_refusal(cause, Direction.INCOMING) is reason)
            blocked = next(causes, None)
        fields: dict[str, Any] = {
            "address": "record",
            "sip_call_id": plan.made.sip_call_id,
            "blocked": blocked,
            "detail": detail,
        }
        made = plan.made
        self._timeline.after(
            0, lambda: self._emit(leg, telephony.Incoming, source=made.source, destination=made.destination, **fields)
        )
        return leg.id

    def _act(self, line: Line) -> None:
        entry = line.entry
        match entry:
            case journal.Asked() | journal.CallLabelled() | journal.RecordingMoved():
                self._ask(line)
                return
            case journal.LegMoved():  # for want of sound
                self._fall_silent()
                return
        leg = self._leg(getattr(entry, "leg", None))
        if leg is None or leg.state is State.OVER:
            return
        if isinstance(entry, journal.LegLast):
            self._far_last(leg, entry)
        elif not leg.hung_up:
            self._far(leg, line)
        elif isinstance(entry, journal.LateAnswerReleased):
            self._emit(leg, telephony.Answered)

    def _far(self, leg: Leg, line: Line) -> None:
        match line.entry:
            case journal.DigitPressed(digit=digit, duration_ms=duration_ms, means=means):
                self._pressed(leg, digit, duration_ms, means)
            case journal.Held(direction=direction):
                self._conversations.held(leg, direction)
            case journal.SessionRefreshed():
                self._emit(leg, telephony.Refreshed)
            case journal.ForkReleased():
                self._emit(leg, telephony.Forked)
            case journal.ReferReceived(target=target, referred_by=referred_by):
                self._emit(leg, telephony.ReferArrived, target=target, referred_by=referred_by)
            case journal.VoiceHeard(what=what, after_us=after_us):
                self._heard(leg, what, after_us)
            case journal.Bridged(how=how):
                self._conversations.bridged(leg, how)
            case journal.Unbridged():
                self._conversations.unbridged(leg)

    def _pressed(self, leg: Leg, digit: str, duration_ms: int, means: str) -> None:
        if leg.play is not None and leg.play[1]:
            self._plays.over(leg, PlayOutcome.DIGIT)
        self._emit(leg, telephony.Digit, digit=digit, duration_ms=duration_ms, means=means)
        for take in [take for take in leg.takes.values() if digit in take.command.stop_keys]:
            known = take.plan.end
            if known is None or known.outcome == "key" or self._follower.astray:  # else it had not begun to listen
                self._tapes.stop(take, RecordOutcome.KEY)

    def _heard(self, leg: Leg, what: str, after_us: int) -> None:
        if leg.listens_from_us is None:
            return
        at_us = leg.listens_from_us + after_us
        if what == "beep":
            self._emit(leg, telephony.Beep, at_us=at_us)
        else:
            self._emit(leg, telephony.Voice, speaking=what == "voice", at_us=at_us)

    def _fall_silent(self) -> None:
        for leg in self._legs.values():
            if leg.state is not State.OVER and not leg.hung_up:
                self._emit(leg, telephony.Silent)

    # commands

    def submit(self, command: Command) -> None:
        if isinstance(command, telephony.Originate):
            self._originate(command)
            return
        leg = self._legs.get(command.leg)
        if leg is None or leg.state is State.OVER:
            raise CommandRefused(f"there is no leg {command.leg} of that call")
        leg.call = command.call
        match command:
            case telephony.Answer():
                self._answer(leg)
            case telephony.Reject() | telephony.HangUp():
                self._hang_up(leg, command)
            case telephony.Play():
                self._plays.play(leg, command)
            case telephony.PlayMore():
                self._plays.goes_on(leg, command)
            case telephony.Stop():
                self._plays.stop(leg)
            case telephony.StartRecording():
                self._tapes.record(leg, command)
            case telephony.StopRecording(recording=recording):
                take = leg.takes.get(recording)
                if take is not None:
                    self._tapes.stop(take, RecordOutcome.STOPPED)
            case telephony.Listen():
                leg.listens_from_us = self._clock.now_us()
            case telephony.Unlisten():
                leg.listens_from_us = None
            case telephony.Refer():
                self._refer(leg)
            case _:
                self._conversations.submit(leg, command)

    def _originate(self, command: telephony.Originate) -> None:
        n = self._follower.reader.legs.get(command.leg, 0)
        plan = self._plan.legs.get(n)
        leg = self._legs[command.leg] = Leg(command.leg, command.call, State.DIALLING, plan or _stranger(self._plan))
        plan = leg.plan
        if plan.rings is not None:
            ringing = telephony.EarlyMedia if plan.early_media else telephony.Ringing
            self._timeline.after(plan.rings, partial(self._rings, leg, ringing), plan.rings_line)
        if plan.answered is not None:
            self._timeline.after(plan.answered, partial(self._answered, leg), plan.answered_line)

    def _rings(self, leg: Leg, ringing: Callable[..., Event]) -> None:
        if leg.state is State.DIALLING and not leg.hung_up:
            self._emit(leg, ringing)

    def _answered(self, leg: Leg) -> None:
        if leg.state in (State.DIALLING, State.ARRIVED) and not leg.hung_up:
            leg.state = State.ANSWERED
            self._emit(leg, telephony.Answered, sip_call_id=leg.plan.sip_call_id)

    def _answer(self, leg: Leg) -> None:
        if leg.state is not State.ARRIVED:
            raise CommandRefused(f"the leg {leg.id} is {leg.state.value}, not arrived")
        recorded = leg.plan.answered
        if recorded is not None or not leg.plan.intended:
            self._timeline.after(
                SOON_US if recorded is None else recorded, partial(self._answered, leg), leg.plan.answered_line
            )

    def _hang_up(self, leg: Leg, command: telephony.Reject | telephony.HangUp) -> None:
        if leg.hung_up:
            return
        leg.hung_up = True
        for take in tuple(leg.takes.values()):
            self._tapes.stop(take, RecordOutcome.STOPPED)
        self._conversations.leave(leg)
        if leg.plan.by_us and leg.plan.last is None:
            return  # nor did the engine say a last word then
        last = leg.plan.last.index if leg.plan.by_us and leg.plan.last is not None else None
        self._timeline.after(leg.plan.released, partial(self._our_last, leg, command), last)

    def _our_last(self, leg: Leg, command: telephony.Reject | telephony.HangUp) -> None:
        if leg.state is State.OVER:
            return
        recorded = leg.plan.last
        if recorded is not None and leg.plan.by_us and isinstance(recorded.entry, journal.LegLast):
            self._far_last(leg, recorded.entry)
        elif leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, cause=Cause.HANGUP, who=Who.US)
        elif isinstance(command, telephony.Reject):
            self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=command.code, sip_phrase=command.phrase)
        elif leg.state is State.ARRIVED:
            self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=603, sip_phrase="Decline")
        else:
            self._last(leg, telephony.Refused, cause=Cause.CANCELLED, sip_code=487, sip_phrase="Request Terminated")

    def _far_last(self, leg: Leg, entry: journal.LegLast) -> None:
        """The engine's last word as it is on record."""
        fields: dict[str, Any] = {name: getattr(entry, name) for name in ("sip_code", "reason", "detail", "counters")}
        fields["cause"] = Cause(entry.cause)
        if leg.plan.late_answer:
            self._last(leg, telephony.Ended, who=Who.US, late_answer=True, **fields)
        elif leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, who=Who.US if leg.hung_up else Who.FAR, **fields)
        else:
            self._last(leg, telephony.Refused, sip_phrase=entry.sip_phrase, **fields)

    def _last(self, leg: Leg, kind: Callable[..., Event], **fields: Any) -> None:
        self._plays.over(leg, PlayOutcome.STOPPED)
        for take in tuple(leg.takes.values()):
            if not take.plan.untold:
                self._tapes.over(take, RecordOutcome.STOPPED)
        self._conversations.leave(leg)
        leg.state = State.OVER
        self._emit(leg, kind, **fields)

    def _refer(self, leg: Leg) -> None:
        n = leg.plan.made.n
        number = self._referred.get(n, 0)
        self._referred[n] = number + 1
        known = self._plan.referred.get(n, [])
        after_us = SOON_US
        fields: dict[str, Any] = {"outcome": telephony.ReferOutcome.UNKNOWN}
        if number < len(known):
            span, ended = known[number]
            if span is None:
                return
            after_us = span
            fields = {"outcome": telephony.ReferOutcome(ended.outcome), "sip_code": ended.sip_code, "detail": ended.detail}
        self._timeline.after(after_us, lambda: None if leg.hung_up else self._emit(leg, telephony.Referred, **fields))

    # small things

    def _leg(self, recorded: UUID | None) -> Leg | None:
        n = self._plan.leg(recorded)
        return next((leg for leg in self._legs.values() if n and leg.plan.made.n == n), None)

    def _emit(self, leg: Leg, kind: Callable[..., Event], at_us: int | None = None, **fields: Any) -> None:
        assert self._sink is not None, "attach comes first"
        leg.seq += 1
        now_us = self._clock.now_us() if at_us is None else at_us
        self._sink(kind(leg=leg.id, seq=leg.seq, at_us=now_us, mono_ns=self._clock.mono_ns(), **fields))


def _stranger(plan: Plan) -> LegPlan:
    """A leg that the record does not have."""
    made = msgspec.structs.replace(plan.legs[1].made, id=ids.uuid7(plan.call.created_us), n=0)
    return LegPlan(made=made, rings=RINGS_US, answered=ANSWERS_US)
