"""Engine no. 1: calls without SIP. Callees follow scripts; callers are placed by whoever runs the simulation.

It keeps the rules of the port (`telephony`) as any engine does and runs on the clock it is given: in `serve` on real
time divided by ``simulator.speed``, in flow tests and replays on a virtual one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from callwright import telephony
from callwright.clock import Clock
from callwright.simulator import magic
from callwright.simulator.acting import Acting
from callwright.simulator.files import WAV_FILES, Files
from callwright.simulator.legs import Leg, State
from callwright.simulator.settings import CalleeScript, SimulatorSettings
from callwright.simulator.sound import Sound
from callwright.simulator.transfers import Transfers
from callwright.simulator.voice import NO_VOICE, Voice
from callwright.telephony import (
    Cause,
    Command,
    CommandRefused,
    Event,
    PlayOutcome,
    RecordOutcome,
    Target,
    Who,
    cause_of,
    phrase_of,
)

_SOUND = (
    telephony.Play,
    telephony.PlayMore,
    telephony.Stop,
    telephony.SendDigits,
    telephony.StartRecording,
    telephony.PauseRecording,
    telephony.ResumeRecording,
    telephony.StopRecording,
    telephony.Listen,
    telephony.Unlisten,
)
_TRANSFERS = (telephony.Refer, telephony.AcceptRefer, telephony.RejectRefer, telephony.ReferProgress)

HOST = "simulator"
_ANSWERS = CalleeScript()
# A carrier says "ringing" some time after the INVITE; a fifth of a second is a usual figure.
RINGS_AFTER_S = 0.2
# What the far end has to agree to is told a moment later than what needs nobody.
ROUND_TRIP_S = 0.001
# An INVITE that nothing is heard of is given up (timer B of RFC 3261 §17.1.1.2).
NO_RESPONSE_S = 32.0


def route(destination: str) -> Target:
    """Every destination of a test world is a simulated callee."""
    return Target(destination, HOST)


class _Told(NamedTuple):
    """An event on its way to call control."""

    leg: Leg
    kind: Callable[..., Event]
    at_us: int
    mono_ns: int
    fields: dict[str, Any]


class _Call:
    def __init__(self) -> None:
        self.last_command = 0
        self.legs = 0


def _nobody_listens(leg: UUID, text: str, seconds: float) -> None:
    pass


class SimulatedEngine:
    """Implements `telephony.Engine`."""

    def __init__(
        self,
        clock: Clock,
        settings: SimulatorSettings,
        files: Files = WAV_FILES,
        voice: Voice = NO_VOICE,
        overhears: Callable[[UUID, str, float], None] = _nobody_listens,
    ) -> None:
        """`files` says how long what is played lasts, and takes what is recorded; `voice` speaks what parties say there.

        `overhears` is told what a far end says: its leg, the text, and how many seconds that takes.
        """
        self._clock = clock
        self._speed = settings.speed
        self._callees = dict(settings.callees)
        self._legs: dict[UUID, Leg] = {}
        self._calls: dict[UUID, _Call] = {}
        self._leaving: set[UUID] = set()  # hung up, and their far ends have not said so yet
        self._outbox: list[_Told] = []
        self._sink: Callable[[Event], None] | None = None
        self._acting = Acting(self, self)
        self._sound = Sound(self, files, self._acting, voice)
        self._voice = voice
        self._overhears = overhears
        self._transfers = Transfers(self)

    def attach(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink

    def unhealthy(self) -> str | None:
        return None

    @property
    def legs(self) -> int:
        return len(self._legs)

    def has(self, leg: UUID) -> bool:
        """Whether a leg is there and not over."""
        return leg in self._legs

    def submit(self, command: Command) -> None:
        call = self._calls.setdefault(command.call, _Call())
        if command.id <= call.last_command:
            return
        call.last_command = command.id
        if isinstance(command, telephony.Originate):
            self._originate(command)
            return
        leg = self._legs.get(command.leg)
        if leg is None or leg.call not in (command.call, None):
            self._forget(command.call)
            self._deliver()  # who is refused has the leg's last event already
            if command.leg in self._leaving and isinstance(command, telephony.HangUp):
                return
            raise CommandRefused(f"there is no leg {command.leg} of that call")
        if leg.call is None:
            leg.call = command.call
            call.legs += 1
        if isinstance(command, _SOUND):
            self._do_sound(leg, command)
        elif isinstance(command, _TRANSFERS):
            self._need(leg, State.ANSWERED)
            self._do_transfer(leg, command)
        else:
            self._do(leg, command)

    def _do(self, leg: Leg, command: Command) -> None:
        match command:
            case telephony.Ring():
                self._need(leg, State.ARRIVED)
            case telephony.Answer():
                self._need(leg, State.ARRIVED)
                leg.state = State.ANSWERED
                self.emit(leg, telephony.Answered)
                self._acting.answered(leg)
            case telephony.Reject(code=code, phrase=phrase):
                self._need(leg, State.ARRIVED)
                if leg.turned_away is not None:
                    leg.turned_away(code, phrase)
                self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=code, sip_phrase=phrase)
            case telephony.HangUp(reason=reason):
                self._hang_up(leg, reason)
            case telephony.Bridge(other=other):
                self._bridge(leg, other)
            case telephony.Unbridge():
                self._unbridge(leg)
            case telephony.Hold() | telephony.Resume():
                self._need(leg, State.ANSWERED)
                direction = "recvonly" if isinstance(command, telephony.Hold) else "sendrecv"
                self.later(leg, ROUND_TRIP_S, lambda: self._hold(leg, direction))

    def _do_sound(self, leg: Leg, command: Command) -> None:
        match command:
            case telephony.Play():
                self._sound.play(leg, command)
            case telephony.PlayMore():
                self._sound.play_more(leg, command)
            case telephony.Stop():
                self._sound.stop(leg, PlayOutcome.STOPPED)
            case telephony.SendDigits():
                self._need(leg, State.ANSWERED)
            case telephony.StartRecording():
                self._sound.record(leg, command)
            case telephony.StopRecording(recording=recording):
                self._sound.end_recording(leg, recording, RecordOutcome.STOPPED)
            case telephony.Listen() | telephony.Unlisten():
                self._sound.listen(leg, isinstance(command, telephony.Listen))
            case telephony.PauseRecording(recording=recording) | telephony.ResumeRecording(recording=recording):
                self._sound.pause(leg, recording, isinstance(command, telephony.PauseRecording))

    def _do_transfer(self, leg: Leg, command: Command) -> None:
        match command:
            case telephony.Refer(target=target):
                self._transfers.ask(leg, target, self._script(target))
            case telephony.AcceptRefer():
                self._transfers.accept(leg)
            case telephony.RejectRefer():
                self._transfers.reject(leg)
            case telephony.ReferProgress(code=code):
                self._transfers.progress(leg, code)

    # the far side

    def expect(self, destination: str, script: CalleeScript) -> None:
        """Whoever is called at `destination` from now on does as the script says."""
        self._callees[destination] = script

    def call_in(
        self,
        leg: UUID,
        source: str,
        destination: str,
        script: CalleeScript | None = None,
        *,
        hops: int = 0,
        turned_away: Callable[[int, str], None] | None = None,
    ) -> None:
        """A simulated caller dials; `script` says what it does once answered.

        `turned_away` is told the SIP code and phrase when the call is refused without a record.
        """
        arrived = Leg(None, leg, State.ARRIVED, script or CalleeScript())
        arrived.turned_away = turned_away
        self._prepare(arrived)
        self._legs[leg] = arrived
        self.emit(
            arrived,
            telephony.Incoming,
            source=source,
            destination=destination,
            address=HOST,
            hops=hops,
            sip_call_id=f"{leg}@{HOST}",
        )

    def far_hangs_up(self, leg_id: UUID, reason: str = "") -> None:
        """The party at the far end of a leg hangs up, or cancels while it is not answered."""
        leg = self._legs[leg_id]
        if leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, cause=Cause.HANGUP, who=Who.FAR, reason=reason)
        else:
            self._last(
                leg, telephony.Refused, cause=Cause.CANCELLED, sip_code=487, sip_phrase="Request Terminated", reason=reason
            )

    def far_holds(self, leg_id: UUID, direction: str) -> None:
        """The far end puts us on hold, takes us off it, or only renews the session: it says what its sound does now."""
        leg = self._legs[leg_id]
        if direction == leg.direction:
            self.emit(leg, telephony.Refreshed)
        else:
            self._hold(leg, direction)

    def far_presses(self, leg_id: UUID, digit: str, duration_ms: int = 100) -> None:
        """The far end presses a key, which also stops a prompt that listens for keys. Who is on hold is not heard."""
        leg = self._legs[leg_id]
        if not leg.sends:
            return
        self.emit(leg, telephony.Digit, digit=digit, duration_ms=duration_ms, means="simulated")
        self._sound.pressed(leg, digit)

    def far_speaks(self, leg_id: UUID, speaking: bool) -> None:
        """The far end begins, or ceases, to speak."""
        self._sound.voice(self._legs[leg_id], speaking)

    def far_says(self, leg_id: UUID, text: str, seconds: float) -> None:
        """The far end says a text, which takes so long."""
        self._sound.say(self._legs[leg_id], text, seconds)
        self._overhears(leg_id, text, seconds)

    def far_beeps(self, leg_id: UUID) -> None:
        """A machine at the far end has beeped."""
        self._sound.beep(self._legs[leg_id])

    def far_asks_for_transfer(self, leg_id: UUID, target: str) -> None:
        """The far end asks us to connect whom it talks to with somebody else, a number or URI (a blind transfer)."""
        self._transfers.far_asks(self._legs[leg_id], target)

    def lose(self, leg_id: UUID, cause: Cause) -> None:
        """A part of the engine dies under a leg."""
        leg = self._legs[leg_id]
        if cause is Cause.MEDIA_LOST:
            self._sound.finish(leg, "the simulated media process died")
        if leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, cause=cause, who=Who.US, sip_code=200)
        else:
            self._last(leg, telephony.Refused, cause=cause)

    # legs

    def _script(self, destination: str) -> CalleeScript:
        """What is set up for a number wins over what it does anyway."""
        script = self._callees.get(destination) or magic.script(destination)
        return _ANSWERS if script is None else script

    def _originate(self, command: telephony.Originate) -> None:
        if command.leg in self._legs:
            raise CommandRefused(f"the leg {command.leg} is there already")
        script = self._script(command.target.user)
        leg = Leg(command.call, command.leg, State.DIALLING, script)
        leg.sip_call_id = command.sip_call_id or f"{leg.id}@{HOST}"
        self._legs[leg.id] = leg
        self._calls[command.call].legs += 1
        self._prepare(leg)
        if script.outcome == "no_response":
            self.later(leg, NO_RESPONSE_S, lambda: self._last(leg, telephony.Refused, cause=Cause.NO_RESPONSE))
            return
        ringing = telephony.EarlyMedia if script.early_media else telephony.Ringing
        self.later(leg, min(RINGS_AFTER_S, script.answer_after), lambda: self.emit(leg, ringing))
        if script.outcome != "no_answer":
            self.later(leg, script.answer_after, lambda: self._decide(leg))

    def _prepare(self, leg: Leg) -> None:
        """Have ready what the party will say."""
        for act in leg.script.acts:
            if act.says:
                self._voice.prepare(act.says)

    def _decide(self, leg: Leg) -> None:
        if leg.script.outcome == "answer":
            leg.state = State.ANSWERED
            self.emit(leg, telephony.Answered, sip_call_id=leg.sip_call_id)
            self._acting.answered(leg)
        else:
            code = leg.script.final_code
            self._last(leg, telephony.Refused, cause=cause_of(code), sip_code=code, sip_phrase=phrase_of(code))

    def _hang_up(self, leg: Leg, reason: str) -> None:
        if leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, after=ROUND_TRIP_S, cause=Cause.HANGUP, who=Who.US, reason=reason)
        elif leg.state is State.DIALLING:
            told = {"cause": Cause.CANCELLED, "sip_code": 487, "sip_phrase": "Request Terminated"}
            self._last(leg, telephony.Refused, after=ROUND_TRIP_S, **told)
        else:
            self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=603, sip_phrase="Decline")

    # who hears whom

    def _bridge(self, leg: Leg, other_id: UUID) -> None:
        other = self._legs.get(other_id)
        if other is None or other is leg or other.call != leg.call:
            raise CommandRefused(f"there is no other leg {other_id} of the same call")
        if leg.legs:
            raise CommandRefused(f"the leg {leg.id} is in a conversation")
        leg.legs = other.legs = other.legs or [other]
        leg.legs.append(leg)
        self.emit(leg, telephony.Bridged, other=other.id, how="relay" if len(leg.legs) == 2 else "mix")

    def _unbridge(self, leg: Leg, *, over: bool = False) -> None:
        """Take a leg out of its conversation, which is told to it unless it is over, and to one that is left alone."""
        legs, leg.legs = leg.legs, []
        if not legs:
            if not over:
                raise CommandRefused(f"the leg {leg.id} is in no conversation")
            return
        legs.remove(leg)
        if not over:
            self.emit(leg, telephony.Unbridged)
        if len(legs) == 1:
            legs[0].legs = []
            self.emit(legs[0], telephony.Unbridged)

    def _hold(self, leg: Leg, direction: str) -> None:
        if direction != leg.direction:
            leg.direction = direction
            self.emit(leg, telephony.Held, direction=direction)
            self._sound.attend(leg)

    # small things

    def _need(self, leg: Leg, state: State) -> None:
        if leg.state is not state:
            raise CommandRefused(f"the leg {leg.id} is {leg.state.value}, not {state.value}")

    def _last(self, leg: Leg, kind: Callable[..., Event], *, after: float = 0.0, **fields: Any) -> None:
        """End a leg; its last event comes `after` so many seconds."""
        self._unbridge(leg, over=True)
        self._sound.finish(leg)
        self._transfers.finish(leg)
        for timer in leg.timers:
            timer.cancel()
        del self._legs[leg.id]
        if leg.call is not None:
            self._calls[leg.call].legs -= 1
            self._forget(leg.call)
        if not after:
            self.emit(leg, kind, **fields)
            return
        self._leaving.add(leg.id)
        self._clock.call_later(after / self._speed, lambda: self._gone(leg, kind, fields))

    def _gone(self, leg: Leg, kind: Callable[..., Event], fields: dict[str, Any]) -> None:
        self._leaving.discard(leg.id)
        self.emit(leg, kind, **fields)

    def _forget(self, call_id: UUID) -> None:
        if not self._calls[call_id].legs:
            del self._calls[call_id]

    def emit(self, leg: Leg, kind: Callable[..., Event], **fields: Any) -> None:
        assert self._sink is not None, "attach comes first"
        self._outbox.append(_Told(leg, kind, self._clock.now_us(), self._clock.mono_ns(), fields))
        if len(self._outbox) == 1:
            self._clock.call_later(0, self._deliver)

    def now(self) -> float:
        """Simulated seconds."""
        return self._clock.mono_ns() / 1e9 * self._speed

    def _deliver(self) -> None:
        assert self._sink is not None
        events, self._outbox = self._outbox, []
        for leg, kind, at_us, mono_ns, fields in events:
            if kind is telephony.Unbridged and not self.has(leg.id):
                continue  # hung up together with whom it talked to: nobody is left to be alone
            leg.seq += 1
            self._sink(kind(leg=leg.id, seq=leg.seq, at_us=at_us, mono_ns=mono_ns, **fields))

    def later(self, leg: Leg, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        timer = self._clock.call_later(seconds / self._speed, act)
        leg.timers.append(timer)
        return timer
