"""Engine no. 1: calls without SIP. Callees follow scripts; callers are placed by whoever runs the simulation.

It keeps the rules of the port (`telephony`) as any engine does and runs on the clock it is given: in `serve` on real
time divided by ``simulator.speed``, in flow tests and replays on a virtual one.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from enum import Enum
from functools import partial
from uuid import UUID

from callwright import telephony
from callwright.clock import Clock
from callwright.simulator.settings import CalleeScript, SimulatorSettings
from callwright.telephony import Cause, Command, CommandRefused, Event, PlayOutcome, Target, Who

HOST = "simulator"
# A carrier says "ringing" some time after the INVITE; a fifth of a second is a usual figure.
RINGS_AFTER_S = 0.2


def route(destination: str) -> Target:
    """Every destination of a test world is a simulated callee."""
    return Target(destination, HOST)


class State(Enum):
    ARRIVED = "arrived"  # incoming, not answered
    DIALLING = "dialling"  # outgoing, not answered
    ANSWERED = "answered"


class _Leg:
    """A simulated leg; `seq` counts its events."""

    def __init__(self, call: UUID | None, leg: UUID, state: State, script: CalleeScript) -> None:
        self.call = call
        self.id = leg
        self.state = state
        self.script = script
        self.seq = 0
        self.peer: UUID | None = None
        self.direction = "sendrecv"  # as the far end says it
        self.play: int | None = None
        self.stops_on_digit = False
        self.timers: list[asyncio.TimerHandle] = []
        self.play_timer: asyncio.TimerHandle | None = None


class _Call:
    def __init__(self) -> None:
        self.last_command = 0
        self.legs = 0


class SimulatedEngine:
    """Implements `telephony.Engine`."""

    def __init__(self, clock: Clock, settings: SimulatorSettings) -> None:
        self._clock = clock
        self._speed = settings.speed
        self._callees = dict(settings.callees)
        self._legs: dict[UUID, _Leg] = {}
        self._calls: dict[UUID, _Call] = {}
        self._outbox: list[Event] = []
        self._sink: Callable[[Event], None] | None = None

    def attach(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink

    def unhealthy(self) -> str | None:
        return None

    @property
    def legs(self) -> int:
        return len(self._legs)

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
            raise CommandRefused(f"there is no leg {command.leg} of that call")
        if leg.call is None:
            leg.call = command.call
            call.legs += 1
        match command:
            case telephony.Ring():
                self._need(leg, State.ARRIVED)
            case telephony.Answer():
                self._need(leg, State.ARRIVED)
                leg.state = State.ANSWERED
                self._emit(leg, telephony.Answered)
                self._act(leg)
            case telephony.Reject(code=code, phrase=phrase):
                self._need(leg, State.ARRIVED)
                self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=code, sip_phrase=phrase)
            case telephony.HangUp(reason=reason):
                self._hang_up(leg, reason)
            case telephony.Play():
                self._play(leg, command)
            case telephony.Stop():
                self._stop(leg, PlayOutcome.STOPPED)
            case telephony.SendDigits():
                self._need(leg, State.ANSWERED)
            case telephony.Bridge(other=other):
                self._bridge(leg, other)
            case telephony.Unbridge():
                self._unbridge(leg)
            case telephony.Hold() | telephony.Resume():
                self._need(leg, State.ANSWERED)
                self._hold(leg, "recvonly" if isinstance(command, telephony.Hold) else "sendrecv")

    # the far side

    def call_in(self, leg: UUID, source: str, destination: str, script: CalleeScript | None = None, *, hops: int = 0) -> None:
        """A simulated caller dials. `script` says what it does once answered: its digits and when it hangs up."""
        arrived = _Leg(None, leg, State.ARRIVED, script or CalleeScript())
        self._legs[leg] = arrived
        self._emit(
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
            self._emit(leg, telephony.Refreshed)
        else:
            self._hold(leg, direction)

    def far_presses(self, leg_id: UUID, digit: str, duration_ms: int = 100) -> None:
        """The far end presses a key, which also stops a prompt that listens for keys."""
        leg = self._legs[leg_id]
        self._emit(leg, telephony.Digit, digit=digit, duration_ms=duration_ms, means="simulated")
        if leg.stops_on_digit:
            self._stop(leg, PlayOutcome.DIGIT)

    def lose(self, leg_id: UUID, cause: Cause) -> None:
        """A part of the engine dies under a leg."""
        leg = self._legs[leg_id]
        if leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, cause=cause, who=Who.US, sip_code=200)
        else:
            self._last(leg, telephony.Refused, cause=cause)

    # legs

    def _originate(self, command: telephony.Originate) -> None:
        if command.leg in self._legs:
            raise CommandRefused(f"the leg {command.leg} is there already")
        script = self._callees.get(command.target.user, CalleeScript())
        leg = _Leg(command.call, command.leg, State.DIALLING, script)
        self._legs[leg.id] = leg
        self._calls[command.call].legs += 1
        ringing = telephony.EarlyMedia if script.early_media else telephony.Ringing
        self._later(leg, min(RINGS_AFTER_S, script.answer_after), lambda: self._emit(leg, ringing))
        if script.outcome != "no_answer":
            self._later(leg, script.answer_after, lambda: self._decide(leg))

    def _decide(self, leg: _Leg) -> None:
        match leg.script.outcome:
            case "answer":
                leg.state = State.ANSWERED
                self._emit(leg, telephony.Answered, sip_call_id=f"{leg.id}@{HOST}")
                self._act(leg)
            case "busy":
                code = leg.script.sip_code or 486
                self._last(leg, telephony.Refused, cause=Cause.BUSY, sip_code=code, sip_phrase="Busy Here")
            case _:
                code = leg.script.sip_code or 503
                cause = Cause.REDIRECTED if code < 400 else Cause.REJECTED
                self._last(leg, telephony.Refused, cause=cause, sip_code=code, sip_phrase="Service Unavailable")

    def _act(self, leg: _Leg) -> None:
        """What a party does by itself once the leg is answered."""
        script = leg.script
        for index, digit in enumerate(script.digits):
            at = script.digits_after + index * script.digit_gap
            self._later(leg, at, partial(self.far_presses, leg.id, digit))
        if script.hangup_after is not None:
            self._later(leg, script.hangup_after, lambda: self.far_hangs_up(leg.id))

    def _hang_up(self, leg: _Leg, reason: str) -> None:
        if leg.state is State.ANSWERED:
            self._last(leg, telephony.Ended, cause=Cause.HANGUP, who=Who.US, reason=reason)
        elif leg.state is State.DIALLING:
            self._last(leg, telephony.Refused, cause=Cause.CANCELLED, sip_code=487, sip_phrase="Request Terminated")
        else:
            self._last(leg, telephony.Refused, cause=Cause.REJECTED, sip_code=603, sip_phrase="Decline")

    # sound

    def _play(self, leg: _Leg, command: telephony.Play) -> None:
        self._stop(leg, PlayOutcome.STOPPED)
        try:
            seconds = sum(_seconds(file) for file in command.files)
        except (OSError, EOFError, wave.Error) as error:
            self._emit(leg, telephony.PlayFinished, play=command.id, outcome=PlayOutcome.FAILED, detail=str(error))
            return
        leg.play = command.id
        leg.stops_on_digit = command.stop_on_digit
        self._emit(leg, telephony.PlayStarted, play=command.id)
        if command.repeat:
            leg.play_timer = self._later(leg, seconds * command.repeat, lambda: self._stop(leg, PlayOutcome.DONE))

    def _stop(self, leg: _Leg, outcome: PlayOutcome) -> None:
        if leg.play is not None:
            play, leg.play = leg.play, None
            if (timer := leg.play_timer) is not None:
                timer.cancel()
            leg.play_timer = None
            leg.stops_on_digit = False
            self._emit(leg, telephony.PlayFinished, play=play, outcome=outcome)

    def _bridge(self, leg: _Leg, other_id: UUID) -> None:
        other = self._legs.get(other_id)
        if other is None or other.call != leg.call:
            raise CommandRefused(f"there is no leg {other_id} of the same call")
        leg.peer, other.peer = other.id, leg.id
        self._emit(leg, telephony.Bridged, other=other.id, how="relay")

    def _hold(self, leg: _Leg, direction: str) -> None:
        if direction != leg.direction:
            leg.direction = direction
            self._emit(leg, telephony.Held, direction=direction)

    def _unbridge(self, leg: _Leg, *, over: bool = False) -> None:
        """Part a leg from its peer. It is told to the leg, or to the peer when the leg itself is over."""
        peer = None if leg.peer is None else self._legs.get(leg.peer)
        leg.peer = None
        if peer is not None:
            peer.peer = None
            self._emit(peer if over else leg, telephony.Unbridged)

    # small things

    def _need(self, leg: _Leg, state: State) -> None:
        if leg.state is not state:
            raise CommandRefused(f"the leg {leg.id} is {leg.state.value}, not {state.value}")

    def _last(self, leg: _Leg, kind: Callable[..., Event], **fields: object) -> None:
        self._stop(leg, PlayOutcome.STOPPED)
        self._unbridge(leg, over=True)
        for timer in leg.timers:
            timer.cancel()
        del self._legs[leg.id]
        if leg.call is not None:
            self._calls[leg.call].legs -= 1
            self._forget(leg.call)
        self._emit(leg, kind, **fields)

    def _forget(self, call_id: UUID) -> None:
        if not self._calls[call_id].legs:
            del self._calls[call_id]

    def _emit(self, leg: _Leg, kind: Callable[..., Event], **fields: object) -> None:
        assert self._sink is not None, "attach comes first"
        leg.seq += 1
        event = kind(leg=leg.id, seq=leg.seq, at_us=self._clock.now_us(), mono_ns=self._clock.mono_ns(), **fields)
        self._outbox.append(event)
        if len(self._outbox) == 1:
            self._clock.call_later(0, self._deliver)

    def _deliver(self) -> None:
        assert self._sink is not None
        events, self._outbox = self._outbox, []
        for event in events:
            self._sink(event)

    def _later(self, leg: _Leg, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        timer = self._clock.call_later(seconds / self._speed, act)
        leg.timers.append(timer)
        return timer


def _seconds(file: str) -> float:
    # Counted and not read off the header: a WAV that was written as a stream says too much there.
    with wave.open(file, "rb") as sound:
        samples = len(sound.readframes(sound.getnframes())) // (sound.getsampwidth() * sound.getnchannels())
        return samples / sound.getframerate()
