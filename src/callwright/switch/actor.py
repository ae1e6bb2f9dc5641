"""What a live call does: the engine's events and the flow's wishes, turned into changes of the record and commands.

The flow decides what the call does, the tables of `calls` what its legs become. A is the first leg, the party the flow
talks to; B is the leg of the transfer that is running.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.calls.lifecycle import ANSWERING, CallRecord
from callwright.calls.model import Direction, Leg, LegStatus
from callwright.calls.tables import end_of
from callwright.flows import effects as wanted
from callwright.flows import interpreter
from callwright.flows.effects import Begin, PeerAnswered, PeerFailed, PeerGone, PlayEnded
from callwright.log import Log
from callwright.reasons import Reason
from callwright.switch import unbuilt
from callwright.switch.mailbox import Asked, Due, Mailbox
from callwright.switch.outcomes import CALLEES_OWN, TAKES_ALL, reason_of_end, reason_of_refusal, rejection
from callwright.switch.plan import Plan, Surroundings
from callwright.switch.sounds import SoundUnavailable
from callwright.telephony import Cause, Command, PlayOutcome, Target
from callwright.trunks.routes import NoRoute

_log = Log("switch")


class Dial(NamedTuple):
    """It is this queued call's turn (row N5)."""


class Fetched(NamedTuple):
    """The media of step number `turn` is there, or `fault` says why it is not."""

    turn: int
    files: tuple[str, ...]
    fetches: tuple[journal.MediaFetched, ...]
    fault: str


class Transfer:
    """The transfer that is running: B, and what A hears of it."""

    def __init__(self, leg_id: UUID) -> None:
        self.leg_id = leg_id
        self.joined = False
        self.ringing_back = False


class CallActor(Mailbox[Dial | Fetched]):
    """Runs one call from its first commit to the last word of the engine."""

    def __init__(
        self,
        record: CallRecord,
        around: Surroundings,
        plan: Plan,
        retired: Callable[[CallActor], None],
        first: telephony.Incoming | None = None,
    ) -> None:
        settings = around.settings
        super().__init__(record, around.engine, around.store, around.clock, settings.store_patience, retired)
        self._around = around
        self._settings = settings
        self._plan = plan
        self._first = first
        self._flow = None if plan.flow is None else interpreter.State(plan.flow)
        self._inputs: deque[wanted.Input] = deque()
        self._a = record.legs[0].id
        self._b: Transfer | None = None
        self._prompt: int | None = None
        self._turn = 0
        self._silent: set[UUID] = set()
        self._reason_header = ""
        self._just_answered = False
        self._told_over = False
        self._finish: wanted.Finish | None = None
        if first is not None:
            self.on_wire.add(self._a)

    # messages

    def carry_on(self) -> bool:
        """Row N2 first, then what is decided about the call; an answer first, then the end of a flow that is over with it."""
        first, self._first = self._first, None
        finish, self._finish = self._finish, None
        if first is not None:
            self._arrived(first)
        elif finish is not None:
            self._just_answered = False
            self._end_all(finish.reason, finish.detail, of_callee=finish.reason in CALLEES_OWN)
        return first is not None or finish is not None

    def take(self, message: telephony.Event | Asked | Due | Dial | Fetched) -> None:
        self._reason_header = ""
        self._just_answered = False
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
            case Fetched():
                self._fetched(message)

    def idle(self) -> None:
        if not self.record.live:
            if not self._told_over:
                self._told_over = True
                self._around.over(self.record)
            self.cancel_timer("ring", "sleep", "max_duration")
            if self.on_wire and not self.runs("linger"):
                self.start_timer("linger", self._settings.linger)

    def let_go(self, reason: Reason) -> None:
        for leg_id in tuple(self.on_wire):
            if not self._leg(leg_id).live:
                self.command(telephony.HangUp, leg_id)
        self._end_all(reason)

    def refused(self, command: Command, why: str) -> None:
        """A leg that just ended on the wire takes no commands, its last event is in the mailbox; two kinds matter still."""
        if isinstance(command, telephony.Originate):
            self.on_wire.discard(command.leg)
            now_us, mono_ns = self._around.clock.now_us(), self._around.clock.mono_ns()
            event = telephony.Refused(leg=command.leg, seq=1, at_us=now_us, mono_ns=mono_ns, cause=Cause.HANGUP, detail=why)
            self.put(event)
        elif isinstance(command, telephony.Bridge) and self._b is not None:
            self._b.joined = False

    # rows N2, N3, N5 and N6

    def _arrived(self, call: telephony.Incoming) -> None:
        self.at_us = self._around.clock.now_us()
        if call.blocked is not None:
            self._end_all(reason_of_refusal(call.blocked, Direction.INCOMING), call.detail)
        elif self._flow is None:
            self._end_all(self._plan.fault, self._plan.detail)
        else:
            self._begin_flow(answered=False)

    def _dial_first(self) -> None:
        """Place the leg an API call begins with."""
        if not self.record.live:
            return
        leg = self._leg(self._a)
        try:
            target = self._around.route(leg.destination)
        except NoRoute as no_route:
            self.record.end_leg(leg.id, no_route.reason, self.at_us, detail=str(no_route))
            return
        self.record.start(self.at_us)
        self._originate(leg, target, self._settings.ring_timeout)

    # events of the engine

    def _heard(self, event: telephony.Event) -> None:
        leg = self.record.leg(event.leg)
        if leg is None:
            return
        if isinstance(event, telephony.Refused | telephony.Ended):
            self.on_wire.discard(leg.id)
            self._last_word(leg, event)
        elif leg.live:
            self._progress(leg, event)
        elif isinstance(event, telephony.Answered) and leg.direction is Direction.OUTGOING:
            self._note(journal.LateAnswerReleased(leg=leg.id))  # P7: our CANCEL was behind it
        else:
            self._note(journal.Ignored(leg=leg.id, event=type(event).__name__))

    def _progress(self, leg: Leg, event: telephony.Event) -> None:
        match event:
            case telephony.Ringing():
                self._rings(leg, early_media=False)
            case telephony.EarlyMedia():
                self._rings(leg, early_media=self._settings.early_media)
            case telephony.Answered(sip_call_id=sip_call_id, dialog=dialog):
                self.record.learn(leg.id, self.at_us, sip_call_id=sip_call_id, dialog=dialog)
                self._answered(leg)
            case telephony.Moved(dialog=dialog):
                self.record.learn(leg.id, self.at_us, dialog=dialog)
            case telephony.Digit(digit=digit, duration_ms=duration_ms, means=means):
                self._silent.discard(leg.id)
                self._note(journal.DigitPressed(leg=leg.id, digit=digit, duration_ms=duration_ms, means=means))
            case telephony.PlayFinished(play=play, outcome=outcome, detail=detail) if play == self._prompt:
                self._prompt = None
                # Nobody here stops the sound of a step: its leg is over, and the event that says so comes next.
                if outcome is not PlayOutcome.STOPPED:
                    failed = outcome is PlayOutcome.FAILED
                    self._advance(PlayEnded(detail or "the sound could not be played" if failed else ""))
            case telephony.Bridged(other=other, how=how):
                self._note(journal.Bridged(leg=leg.id, other=other, how=how))
            case telephony.Held(direction=direction):
                self._silent.discard(leg.id)  # silence is counted anew, and not on hold
                self._note(journal.Held(leg=leg.id, direction=direction))
            case telephony.Refreshed():
                self._note(journal.SessionRefreshed(leg=leg.id))
            case telephony.Forked():
                self._note(journal.ForkReleased(leg=leg.id))
            case telephony.HeardAgain():
                self._silent.discard(leg.id)
            case telephony.Silent():
                self._silent.add(leg.id)
                if all(other.id in self._silent for other in self.record.legs if other.live):
                    self._end_all(Reason.MEDIA_TIMEOUT)

    def _rings(self, leg: Leg, *, early_media: bool) -> None:
        """Row P1: B rings, so A is told, or hears it."""
        self.record.rings(leg.id, self.at_us)
        b = self._b
        if b is None or leg.id != b.leg_id:
            return
        a = self._leg(self._a)
        if a.status is LegStatus.ONGOING:
            if early_media:
                self._stop_ringing_back()
                self._join()
            elif not b.joined:
                self._ring_back()
        elif a.intent == ANSWERING:
            return  # A is past ringing; it hears ring-back, or B, once its answer has left
        elif early_media and not b.joined:
            self.record.rings(a.id, self.at_us)
            self.command(telephony.Ring, a.id, early_media=True)
            self._join()
        elif a.status is LegStatus.STARTING:
            self.record.rings(a.id, self.at_us)
            self.command(telephony.Ring, a.id)

    def _answered(self, leg: Leg) -> None:
        """Rows P2 and A2."""
        if leg.direction is Direction.INCOMING and leg.intent != ANSWERING:
            self._note(journal.Ignored(leg=leg.id, event="Answered"))
            return
        self.record.answered(leg.id, self.at_us)
        self._just_answered = True
        if not self.runs("max_duration"):
            self.start_timer("max_duration", self._longest())
        if self._b is not None and leg.id == self._b.leg_id:
            self.cancel_timer("ring")
            self._advance(PeerAnswered())
        elif leg.direction is Direction.INCOMING:
            self._advance(wanted.Answered())
        else:
            self.cancel_timer("ring")
            self._begin_flow(answered=True)

    def _last_word(self, leg: Leg, event: telephony.Refused | telephony.Ended) -> None:
        """A leg is over on the wire; rows P3 to P7, A3 to A5, B1 to B5."""
        if not event.unconfirmed:
            self.record.released(leg.id)
        phrase = event.sip_phrase if isinstance(event, telephony.Refused) else ""
        self._note(
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
                self._note(journal.LateAnswerReleased(leg=leg.id))
            self.record.learn(leg.id, self.at_us, sip_code=None if event.sip_code == 200 else event.sip_code)
            return
        self._reason_header = event.reason
        answered = leg.status is LegStatus.ONGOING
        detail = event.detail or (f"{event.sip_code} {phrase}".strip() if phrase else "")
        reason = (reason_of_end if answered else reason_of_refusal)(event.cause, leg.direction)
        if end_of(leg.direction, leg.status, reason) is None:
            reason = Reason.INTERNAL
        self.record.end_leg(leg.id, reason, self.at_us, detail=detail, sip_code=None if answered else event.sip_code)
        if reason in TAKES_ALL:
            self._end_all(reason)
        elif leg.id == self._a:
            self._end_all(Reason.PEER_GONE if answered else Reason.CALLER_GONE)
        elif self._b is not None and leg.id == self._b.leg_id:
            self._b_over(leg, reason)

    def _b_over(self, leg: Leg, reason: Reason) -> None:
        """Rows B2 and B4: the flow goes on with A. `leg` is B as it was."""
        self.cancel_timer("ring")
        self._stop_ringing_back()
        self._b = None
        self._advance(PeerGone() if leg.status is LegStatus.ONGOING else PeerFailed(reason))

    # what others ask, and timers

    def _asked_for(self, asked: Asked) -> None:
        """Rows C1, C2, C4 and R3."""
        leg = None if asked.leg is None else self.record.leg(asked.leg)
        if not self.record.live or (asked.leg is not None and (leg is None or not leg.live)):
            return
        self._note(journal.Asked(what=asked.what.name.lower(), leg=asked.leg))
        reason: Reason = asked.what.value
        if leg is None:
            self._end_all(reason)
            return
        self._end_leg(leg, reason)
        if leg.id == self._a:
            self._end_all(Reason.PEER_GONE)
        elif self._b is not None and leg.id == self._b.leg_id:
            self._b_over(leg, reason)

    def _due(self, timer: str) -> None:
        match timer:
            case "sleep":
                self._advance(wanted.Expired(wanted.Timer.PAUSE))
            case "ring":
                leg = self._leg(self._a if self._b is None else self._b.leg_id)
                self._end_leg(leg, Reason.RING_TIMEOUT)
                if self._b is not None:
                    self._b_over(leg, Reason.RING_TIMEOUT)
            case "max_duration":
                self._end_all(Reason.MAX_DURATION)
            case "linger":
                _log.warning("leg_without_last_word", call=self.record.call.id, legs=len(self.on_wire))
                self.on_wire.clear()

    # the flow

    def _begin_flow(self, *, answered: bool) -> None:
        if self._plan.entry is not None:
            self._note(self._plan.entry)
        self._advance(Begin(answered))

    def _advance(self, happened: wanted.Input) -> None:
        """Feed the flow and carry out what it wants; what that leads to at once is fed after it."""
        self._inputs.append(happened)
        if len(self._inputs) > 1:
            return
        while self._inputs:
            if self._flow is not None and self._leg(self._a).live:
                self._flow, effects = interpreter.step(self._flow, self._inputs[0])
                for effect in effects:
                    self._carry_out(effect)
                    if isinstance(effect, wanted.Enter) and (missing := self._unbuilt()) is not None:
                        self._flow = None
                        self._carry_out(wanted.Finish(Reason.NOT_SUPPORTED_YET, missing))
                        break
            self._inputs.popleft()

    def _unbuilt(self) -> str | None:
        return None if self._flow is None else unbuilt.of_flow(self._flow.flow) or unbuilt.of_step(self._flow.step)

    def _carry_out(self, effect: wanted.Effect) -> None:
        match effect:
            case wanted.Enter(step=step, action=action):
                self._turn += 1
                self._note(journal.StepStarted(step=step, action=action))
            case wanted.Leave(step=step, outcome=outcome, detail=detail):
                self._note(journal.StepEnded(step=step, outcome=outcome, detail=detail))
            case wanted.Answer():
                self.record.intend_answer(self._a, self.at_us)
                self.command(telephony.Answer, self._a)
            case wanted.Play(urls=urls):
                self.spawn(self._fetch(self._turn, urls))
            case wanted.Start(seconds=seconds):
                self.start_timer("sleep", seconds)
            case wanted.Dial():
                self._transfer(effect)
            case wanted.Connect():
                self._stop_ringing_back()
                self._join()
            case wanted.Finish() if self._just_answered:
                self._finish = effect
            case wanted.Finish(reason=reason, detail=detail):
                self._end_all(reason, detail, of_callee=reason in CALLEES_OWN)
            case wanted.Skip() | wanted.Store() | wanted.Cancel() | wanted.StopPlay() | wanted.RecordCall():
                pass
            case _:
                self._end_all(Reason.NOT_SUPPORTED_YET, type(effect).__name__)

    def _transfer(self, dial: wanted.Dial) -> None:
        """Rows N7 and N8."""
        call = self.record.call
        called = call.destination if self._leg(self._a).direction is Direction.INCOMING else call.source
        leg_id = self._around.new_leg_id(self.at_us)
        self.record.add_transfer(leg_id, called if dial.mask else call.source, dial.destination, self.at_us)
        self._b = Transfer(leg_id)
        leg = self._leg(leg_id)
        try:
            target = self._around.route(dial.destination)
            if self._plan.max_forwards < 0:
                raise NoRoute(Reason.LIMIT, "the caller's Max-Forwards is used up (RFC 3261 §16.3)")
            if not self._around.allow_leg():
                raise NoRoute(Reason.LIMIT, "too many new legs in this second (sip.new_legs_per_second)")
        except NoRoute as no_route:
            self.record.end_leg(leg_id, no_route.reason, self.at_us, detail=str(no_route))
            self._b_over(leg, no_route.reason)
            return
        self._originate(leg, target, dial.ring_timeout or self._settings.ring_timeout)

    def _originate(self, leg: Leg, target: Target, ring_timeout: float) -> None:
        self.on_wire.add(leg.id)
        self.command(
            telephony.Originate,
            leg.id,
            caller=leg.source,
            target=target,
            sip_call_id=leg.sip_call_id,
            hops=self._plan.hops,
            max_forwards=self._plan.max_forwards,
        )
        self.start_timer("ring", ring_timeout)

    async def _fetch(self, turn: int, urls: tuple[str, ...]) -> None:
        files: list[str] = []
        fetches: list[journal.MediaFetched] = []
        fault = ""
        for url in urls:
            try:
                sound = await self._around.sounds.fetch(url)
            except SoundUnavailable as error:
                fault = str(error)
                fetches.append(journal.MediaFetched(url=url, status=error.status, error=fault))
                break
            except Exception:
                _log.exception("sound_failed", call=self.record.call.id)
                fault = "it could not be fetched; the server's log has the error"
                fetches.append(journal.MediaFetched(url=url, status=None, error=fault))
                break
            files.append(str(sound.path))
            fetches.append(journal.MediaFetched(url=url, status=sound.status))
        self.put(Fetched(turn, tuple(files), tuple(fetches), fault))

    def _fetched(self, fetched: Fetched) -> None:
        for entry in fetched.fetches:
            self._note(entry)
        if fetched.turn != self._turn or not self._leg(self._a).live:
            return
        if fetched.fault:
            self._advance(PlayEnded(fetched.fault))
        else:
            self._prompt = self.command(telephony.Play, self._a, files=fetched.files)

    # sound between A and B

    def _join(self) -> None:
        if self._b is not None and not self._b.joined:
            self._b.joined = True
            self.command(telephony.Bridge, self._a, other=self._b.leg_id)

    def _ring_back(self) -> None:
        if self._b is not None and not self._b.ringing_back and self._settings.ringback:
            self._b.ringing_back = True
            self.command(telephony.Play, self._a, files=(self._settings.ringback,), repeat=0)

    def _stop_ringing_back(self) -> None:
        if self._b is not None and self._b.ringing_back:
            self._b.ringing_back = False
            self.command(telephony.Stop, self._a)

    # endings

    def _end_all(self, reason: Reason, detail: str = "", *, of_callee: bool = False) -> None:
        """End every live leg; `of_callee` says that the reason is one the callee gave, not A's own."""
        for leg in self.record.legs:
            if leg.live:
                self._end_leg(leg, reason, detail if leg.id == self._a else "", of_callee=of_callee)

    def _end_leg(self, leg: Leg, reason: Reason, detail: str = "", *, of_callee: bool = False) -> None:
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
            return
        self.record.end_leg(leg.id, reason, self.at_us, detail=detail)
        if leg.id in self.on_wire:
            self.command(telephony.HangUp, leg.id, reason=self._reason_header)

    # small things

    def _leg(self, leg_id: UUID) -> Leg:
        leg = self.record.leg(leg_id)
        assert leg is not None
        return leg

    def _note(self, entry: journal.Entry) -> None:
        self.record.note(entry, self.at_us)

    def _longest(self) -> float:
        longest = self._settings.max_duration
        if self._flow is not None and self._flow.flow.max_duration is not None:
            return min(longest, self._flow.flow.max_duration)
        return longest
