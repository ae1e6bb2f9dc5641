"""One live call: a mailbox, and an actor that takes one message at a time.

For each message the actor changes the record, commits what changed, and only then tells the engine what to do; the
first message in the mailbox wins every race. The flow decides what the call does, the tables what its legs become.
A is the first leg, the party the flow talks to; B is the leg of the transfer that is running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.calls.lifecycle import ANSWERING, CallRecord
from callwright.calls.model import Direction, Leg, LegStatus
from callwright.calls.tables import end_of
from callwright.clock import Clock
from callwright.errors import StoreUnavailable, Unavailable
from callwright.flows import interpreter
from callwright.flows.interpreter import Begin, PeerAnswered, PeerFailed, PeerGone, PlayEnded, Slept
from callwright.flows.schema import Flow
from callwright.log import Log
from callwright.reasons import Reason
from callwright.store import Change, Store
from callwright.switch.outcomes import TAKES_ALL, reason_of_end, reason_of_refusal, rejection
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sounds, SoundUnavailable
from callwright.telephony import Command, CommandRefused, Engine, Target
from callwright.trunks.routes import NoRoute

MAILBOX = 1_000
_log = Log("switch")


class World(NamedTuple):
    """What a call runs in: its engine, its way to destinations, and everything it shares with other calls."""

    engine: Engine
    route: Callable[[str], Target]
    store: Store
    clock: Clock
    sounds: Sounds
    settings: CallSettings
    new_id: Callable[[int], UUID]
    allow_leg: Callable[[], bool]


class Ask(Enum):
    """What others ask of a call; the value is the reason its legs end with."""

    HANG_UP = Reason.API_HANGUP
    SHUT_DOWN = Reason.SHUTDOWN


class Asked(NamedTuple):
    """A request from outside; `done` is set once it is committed. Without `leg` it means the whole call."""

    what: Ask
    leg: UUID | None
    done: asyncio.Future[None]


class Dial(NamedTuple):
    """It is this queued call's turn (row N5)."""


class Due(NamedTuple):
    """A timer fired. One that was set before the call moved on carries an old `turn` and is passed over."""

    timer: str
    turn: int


class Fetched(NamedTuple):
    """The media of a play step is there, or `fault` says why it is not."""

    turn: int
    files: tuple[str, ...]
    fetches: tuple[journal.MediaFetched, ...]
    fault: str


class Finishing(NamedTuple):
    """The flow is over, but the answer that got it there is to be told first."""

    reason: Reason
    detail: str


Message = telephony.Event | Asked | Dial | Due | Fetched | Finishing


class CallActor:
    """Runs one call from its first commit to the last word of the engine."""

    def __init__(
        self,
        record: CallRecord,
        world: World,
        flow: Flow | None,
        flow_entry: journal.FlowStarted | None,
        retired: Callable[[CallActor], None],
        *,
        hops: int = 0,
        max_forwards: int = 70,
    ) -> None:
        self.record = record
        self._world = world
        self._flow = None if flow is None else interpreter.State(flow)
        self._flow_entry = flow_entry
        self._retired = retired
        self._hops = hops
        self._max_forwards = max_forwards
        self._mailbox: asyncio.Queue[Message] = asyncio.Queue(MAILBOX)
        self._commands: list[Command] = []
        self._command_id = 0
        self._a = record.legs[0].id
        self._b: UUID | None = None
        self._on_wire: set[UUID] = set()
        self._joined = False
        self._ringing_back = False
        self._play: int | None = None
        self._turn = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._silent: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reason_header = ""
        self._just_answered = False
        self._closed = False
        self._at_us = record.call.created_us

    # what others call ---------------------------------------------------------------------------------------------

    def put(self, message: Message) -> bool:
        """Leave a message. A mailbox that is full means the database has stalled; what came is logged and lost."""
        try:
            self._mailbox.put_nowait(message)
        except asyncio.QueueFull:
            _log.error("mailbox_full", call=self.record.call.id, dropped=type(message).__name__)
            return False
        return True

    async def ask(self, what: Ask, leg: UUID | None = None) -> None:
        """Ask for something and return when it is committed; a call that is over has nothing left to do.

        Raises `Unavailable` when the call cannot listen now.
        """
        if self._closed:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self.put(Asked(what, leg, done)):
            raise Unavailable("The call waits for the database and takes no more requests. Try again in a moment.")
        await done

    async def run(self, first: telephony.Incoming | None) -> None:
        """Live until the call is over and the engine has said its last word on every leg."""
        try:
            if first is not None:
                await self._arrive(first)
            while not self._over:
                message = await self._mailbox.get()
                await self._take(message)
        except Exception:
            _log.exception("call_failed", call=self.record.call.id)
            await self._give_up()
        finally:
            self._closed = True
            for timer in self._timers.values():
                timer.cancel()
            for task in self._tasks:
                task.cancel()
            while not self._mailbox.empty():
                left = self._mailbox.get_nowait()
                if isinstance(left, Asked) and not left.done.done():
                    left.done.set_result(None)
            self._retired(self)

    # one message --------------------------------------------------------------------------------------------------

    @property
    def _over(self) -> bool:
        return not self.record.live and not self._on_wire

    async def _arrive(self, call: telephony.Incoming) -> None:
        """Rows N2 and N3: the call is on record before anything is decided about it."""
        self._on_wire.add(self._a)
        await self._commit(self.record.take())
        self._at_us = self._world.clock.now_us()
        if call.blocked is not None:
            self._end_all(reason_of_refusal(call.blocked, Direction.INCOMING), call.detail)
        elif self._flow is None:
            self._end_all(Reason.NO_FLOW)
        else:
            self._begin_flow(answered=False)
        await self._finish_turn()

    async def _take(self, message: Message) -> None:
        self._at_us = message.at_us if isinstance(message, telephony.Event) else self._world.clock.now_us()
        self._reason_header = ""
        self._just_answered = False
        match message:
            case telephony.Event():
                self._heard(message)
            case Asked():
                self._asked(message)
            case Dial():
                self._dial_first()
            case Due(timer=timer, turn=turn):
                self._due(timer, turn)
            case Fetched():
                self._fetched(message)
            case Finishing(reason=reason, detail=detail):
                self._end_all(reason, detail)
        await self._finish_turn()
        if isinstance(message, Asked) and not message.done.done():
            message.done.set_result(None)

    async def _finish_turn(self) -> None:
        """Commit, then let the engine act: an intent is on disk before it is on the wire."""
        change = self.record.take()
        commands, self._commands = self._commands, []
        if change.writes:
            await self._commit(change)
        for command in commands:
            self._submit(command)
        if not self.record.live:
            self._cancel_timers()
            if self._on_wire:
                self._start_timer("linger", self._world.settings.linger)

    async def _commit(self, change: Change) -> None:
        """Wait for the database. Sound goes on meanwhile; when it stays away too long the legs are let go."""
        clock = self._world.clock
        give_up_ns = clock.mono_ns() + round(self._world.settings.store_patience * 1e9)
        while True:
            try:
                await self._world.store.commit(change)
            except StoreUnavailable as error:
                if self._on_wire and clock.mono_ns() > give_up_ns:
                    _log.error("store_unavailable", call=self.record.call.id, error=error)
                    for leg in tuple(self._on_wire):
                        self._submit(telephony.HangUp(**self._address(leg)))
                    give_up_ns = clock.mono_ns() + round(self._world.settings.store_patience * 1e9)
                await clock.sleep(0.5)
            else:
                return

    def _submit(self, command: Command) -> None:
        try:
            self._world.engine.submit(command)
        except CommandRefused as refused:
            # The leg ended on the wire a moment ago, and its last event is in the mailbox; or it cannot be placed.
            _log.debug("command_refused", call=command.call, command=type(command).__name__, why=refused)
            if isinstance(command, telephony.Originate):
                self._on_wire.discard(command.leg)
                self.put(
                    telephony.Refused(
                        leg=command.leg,
                        seq=1,
                        at_us=self._world.clock.now_us(),
                        mono_ns=self._world.clock.mono_ns(),
                        cause=telephony.Cause.MEDIA_CAPACITY,
                        detail=str(refused),
                    )
                )

    async def _give_up(self) -> None:
        """Something in here failed: end the call on the record and on the wire rather than leave a ghost."""
        self._commands = []
        for leg in self.record.legs:
            if leg.live:
                self.record.end_leg(leg.id, Reason.INTERNAL, self._world.clock.now_us())
        for leg_id in tuple(self._on_wire):
            self._submit(telephony.HangUp(**self._address(leg_id)))
        try:
            await self._commit(self.record.take())
        except Exception:
            _log.exception("call_not_closed", call=self.record.call.id)

    # events of the engine -----------------------------------------------------------------------------------------

    def _heard(self, event: telephony.Event) -> None:
        leg = self.record.leg(event.leg)
        if leg is None:
            return
        if isinstance(event, (telephony.Refused, telephony.Ended)):
            self._on_wire.discard(leg.id)
            self._last_word(leg, event)
        elif not leg.live:
            self._note(journal.Ignored(leg=leg.id, event=type(event).__name__))
        else:
            self._progress(leg, event)

    def _progress(self, leg: Leg, event: telephony.Event) -> None:
        match event:
            case telephony.Ringing():
                self._rings(leg, early_media=False)
            case telephony.EarlyMedia():
                self._rings(leg, early_media=self._world.settings.early_media)
            case telephony.Answered(sip_call_id=sip_call_id):
                self.record.learn(leg.id, self._at_us, sip_call_id=sip_call_id)
                self._answered(leg)
            case telephony.Digit(digit=digit, duration_ms=duration_ms, means=means):
                self._note(journal.DigitPressed(leg=leg.id, digit=digit, duration_ms=duration_ms, means=means))
            case telephony.PlayFinished(play=play, outcome=outcome, detail=detail) if play == self._play:
                self._play = None
                failed = outcome is telephony.PlayOutcome.FAILED
                self._advance(PlayEnded(detail or "the sound could not be played" if failed else ""))
            case telephony.Bridged(other=other, how=how):
                self._note(journal.Bridged(leg=leg.id, other=other, how=how))
            case telephony.Held(direction=direction):
                self._note(journal.Held(leg=leg.id, direction=direction))
            case telephony.Silent():
                self._silent.add(leg.id)
                if all(other.id in self._silent for other in self.record.legs if other.live):
                    self._end_all(Reason.MEDIA_TIMEOUT)

    def _last_word(self, leg: Leg, event: telephony.Refused | telephony.Ended) -> None:
        """A leg is over on the wire; rows P3 to P7, A3 to A5, B1 to B5."""
        self._note(
            journal.LegLast(
                leg=leg.id,
                cause=event.cause.value,
                sip_code=event.sip_code,
                sip_phrase=event.sip_phrase if isinstance(event, telephony.Refused) else "",
                reason=event.reason,
                detail=event.detail,
                counters=event.counters,
            )
        )
        if not leg.live:
            if isinstance(event, telephony.Ended) and event.late_answer:
                self._note(journal.LateAnswerReleased(leg=leg.id))
            self.record.learn(leg.id, self._at_us, sip_code=None if event.sip_code == 200 else event.sip_code)
            return
        self._reason_header = event.reason
        if isinstance(event, telephony.Ended) and leg.status is LegStatus.ONGOING:
            reason = reason_of_end(event.cause, leg.direction)
            sip_code = None
        else:
            reason = reason_of_refusal(event.cause, leg.direction)
            sip_code = event.sip_code
        detail = event.detail
        if isinstance(event, telephony.Refused) and event.sip_code and not detail:
            detail = f"{event.sip_code} {event.sip_phrase}".strip()
        if end_of(leg.direction, leg.status, reason) is None:
            reason = Reason.INTERNAL
        self.record.end_leg(leg.id, reason, self._at_us, detail=detail, sip_code=sip_code)
        if leg.id == self._a or reason in TAKES_ALL:
            self._end_all(reason if reason in TAKES_ALL else Reason.PEER_GONE)
        elif leg.id == self._b:
            self._b_over(leg, reason)

    def _rings(self, leg: Leg, *, early_media: bool) -> None:
        """Row P1: B rings, so A is told, or hears it."""
        self.record.rings(leg.id, self._at_us)
        if leg.id != self._b:
            return
        a = self._leg(self._a)
        if a.status is LegStatus.ONGOING:
            if early_media:
                self._join()
            else:
                self._ring_back()
        elif early_media and not self._joined:
            self.record.rings(a.id, self._at_us)
            self._command(telephony.Ring, a.id, early_media=True)
            self._join()
        elif a.status is LegStatus.STARTING:
            self.record.rings(a.id, self._at_us)
            self._command(telephony.Ring, a.id)

    def _answered(self, leg: Leg) -> None:
        """Rows P2 and A2."""
        if leg.id == self._a and leg.direction is Direction.INCOMING and leg.intent != ANSWERING:
            self._note(journal.Ignored(leg=leg.id, event="Answered"))
            return
        self.record.answered(leg.id, self._at_us)
        self._just_answered = True
        if "max_duration" not in self._timers:
            self._start_timer("max_duration", self._longest())
        if leg.id == self._b:
            self._cancel_timer("ring")
            self._advance(PeerAnswered())
        elif leg.direction is Direction.INCOMING:
            self._advance(interpreter.Answered())
        else:
            self._cancel_timer("ring")
            self._begin_flow(answered=True)

    def _b_over(self, leg: Leg, reason: Reason) -> None:
        """Rows B2 and B4: the flow goes on with A."""
        self._cancel_timer("ring")
        self._stop_ringing_back()
        self._b = None
        self._joined = False
        self._advance(PeerGone() if leg.status is LegStatus.ONGOING else PeerFailed(reason))

    # what others ask, and timers ----------------------------------------------------------------------------------

    def _asked(self, asked: Asked) -> None:
        """Rows C1, C2, C4 and R3."""
        leg = None if asked.leg is None else self.record.leg(asked.leg)
        if not self.record.live or (leg is not None and not leg.live):
            return
        self._note(journal.Asked(what=asked.what.name.lower(), leg=asked.leg))
        reason: Reason = asked.what.value
        if leg is None:
            self._end_all(reason)
        elif leg.id == self._a:
            self._end_leg(leg, reason)
            self._end_all(Reason.PEER_GONE)
        else:
            self._end_leg(leg, reason)
            if leg.id == self._b:
                self._b_over(leg, reason)

    def _due(self, timer: str, turn: int) -> None:
        if timer == "sleep" and turn == self._turn:
            self._advance(Slept())
        elif timer == "ring":
            ringing = self._leg(self._b or self._a)
            if ringing.status in (LegStatus.STARTING, LegStatus.RINGING):
                self._end_leg(ringing, Reason.RING_TIMEOUT)
                if self._b is not None:
                    self._b_over(ringing, Reason.RING_TIMEOUT)
        elif timer == "max_duration":
            self._end_all(Reason.MAX_DURATION)
        elif timer == "linger" and not self.record.live:
            _log.warning("leg_without_last_word", call=self.record.call.id, legs=len(self._on_wire))
            self._on_wire.clear()

    def _dial_first(self) -> None:
        """Rows N5 and N6: place the leg an API call begins with."""
        if not self.record.live:
            return
        leg = self._leg(self._a)
        try:
            target = self._world.route(leg.destination)
        except NoRoute as no_route:
            self.record.end_leg(leg.id, no_route.reason, self._at_us, detail=str(no_route))
            return
        self.record.start(self._at_us)
        self._originate(leg, target, self._world.settings.ring_timeout)

    # the flow -----------------------------------------------------------------------------------------------------

    def _begin_flow(self, *, answered: bool) -> None:
        if self._flow_entry is not None:
            self._note(self._flow_entry)
        self._advance(Begin(answered))

    def _advance(self, happened: interpreter.Input) -> None:
        """Feed the flow and carry out what it wants; that may feed it again."""
        if self._flow is None or not self._leg(self._a).live:
            return
        self._flow, effects = interpreter.step(self._flow, happened)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: interpreter.Effect) -> None:
        match effect:
            case interpreter.Enter(step=step, action=action):
                self._turn += 1
                self._note(journal.StepStarted(step=step, action=action))
            case interpreter.Leave(step=step, outcome=outcome, detail=detail):
                self._note(journal.StepEnded(step=step, outcome=outcome, detail=detail))
            case interpreter.Answer():
                self.record.intend_answer(self._a, self._at_us)
                self._command(telephony.Answer, self._a)
            case interpreter.Play(urls=urls):
                self._spawn(self._fetch(self._turn, urls))
            case interpreter.Sleep(seconds=seconds):
                self._start_timer("sleep", seconds)
            case interpreter.Dial(destination=destination, mask=mask, ring_timeout=ring_timeout):
                self._transfer(destination, mask=mask, ring_timeout=ring_timeout)
            case interpreter.Connect():
                self._stop_ringing_back()
                self._join()
            case interpreter.Finish(reason=reason, detail=detail) if self._just_answered:
                self.put(Finishing(reason, detail))
            case interpreter.Finish(reason=reason, detail=detail):
                self._end_all(reason, detail)

    def _transfer(self, destination: str, *, mask: bool, ring_timeout: int | None) -> None:
        """Rows N7 and N8."""
        call = self.record.call
        masked = call.destination if self._leg(self._a).direction is Direction.INCOMING else call.source
        leg_id = self._world.new_id(self._at_us)
        self.record.add_transfer(leg_id, masked if mask else call.source, destination, self._at_us)
        self._b = leg_id
        leg = self._leg(leg_id)
        try:
            target = self._world.route(destination)
            if not self._world.allow_leg():
                raise NoRoute(Reason.LIMIT, "too many new legs in this second (sip.new_legs_per_second)")
        except NoRoute as no_route:
            self.record.end_leg(leg_id, no_route.reason, self._at_us, detail=str(no_route))
            self._b_over(leg, no_route.reason)
            return
        self._originate(leg, target, ring_timeout or self._world.settings.ring_timeout)

    def _originate(self, leg: Leg, target: Target, ring_timeout: float) -> None:
        self._on_wire.add(leg.id)
        self._command(
            telephony.Originate,
            leg.id,
            caller=leg.source,
            target=target,
            hops=self._hops,
            max_forwards=self._max_forwards,
        )
        self._start_timer("ring", ring_timeout)

    async def _fetch(self, turn: int, urls: tuple[str, ...]) -> None:
        files: list[str] = []
        fetches: list[journal.MediaFetched] = []
        fault = ""
        try:
            for url in urls:
                sound = await self._world.sounds.fetch(url)
                files.append(str(sound.path))
                fetches.append(journal.MediaFetched(url=url, status=sound.status))
        except SoundUnavailable as error:
            fault = str(error)
            fetches.append(journal.MediaFetched(url=url, status=error.status, error=fault))
        self.put(Fetched(turn, tuple(files), tuple(fetches), fault))

    def _fetched(self, fetched: Fetched) -> None:
        for entry in fetched.fetches:
            self._note(entry)
        if fetched.turn != self._turn or not self._leg(self._a).live:
            return
        if fetched.fault:
            self._advance(PlayEnded(fetched.fault))
        else:
            self._play = self._command(telephony.Play, self._a, files=fetched.files)

    # sound between legs -------------------------------------------------------------------------------------------

    def _join(self) -> None:
        if self._b is not None and not self._joined:
            self._joined = True
            self._command(telephony.Bridge, self._a, other=self._b)

    def _ring_back(self) -> None:
        if not self._ringing_back and self._world.settings.ringback:
            self._ringing_back = True
            self._command(telephony.Play, self._a, files=(self._world.settings.ringback,), repeat=0)

    def _stop_ringing_back(self) -> None:
        if self._ringing_back:
            self._ringing_back = False
            self._command(telephony.Stop, self._a)

    # endings ------------------------------------------------------------------------------------------------------

    def _end_all(self, reason: Reason, detail: str = "") -> None:
        """End every live leg. A leg the tables do not let end for `reason` ends because its peer did."""
        for leg in self.record.legs:
            if leg.live:
                self._end_leg(leg, reason, detail if leg.id == self._a else "")

    def _end_leg(self, leg: Leg, reason: Reason, detail: str = "") -> None:
        """End a leg by our own decision, on the record now and on the wire after the commit."""
        if end_of(leg.direction, leg.status, reason) is None:
            reason = Reason.PEER_GONE if leg.status is LegStatus.ONGOING else Reason.CALLER_GONE
        self.record.end_leg(leg.id, reason, self._at_us, detail=detail)
        if leg.id not in self._on_wire:
            return
        if leg.direction is Direction.INCOMING and leg.status is not LegStatus.ONGOING and leg.intent is None:
            code, phrase = rejection(reason)
            self._command(telephony.Reject, leg.id, code=code, phrase=phrase, reason=self._reason_header)
        else:
            self._command(telephony.HangUp, leg.id, reason=self._reason_header)

    # small things -------------------------------------------------------------------------------------------------

    def _leg(self, leg_id: UUID) -> Leg:
        leg = self.record.leg(leg_id)
        assert leg is not None
        return leg

    def _note(self, entry: journal.Entry) -> None:
        self.record.note(entry, self._at_us)

    def _longest(self) -> float:
        longest = self._world.settings.max_duration
        if self._flow is not None and self._flow.flow.max_duration is not None:
            return min(longest, self._flow.flow.max_duration)
        return longest

    def _address(self, leg_id: UUID) -> dict[str, Any]:
        self._command_id += 1
        return {"id": self._command_id, "call": self.record.call.id, "leg": leg_id}

    def _command(self, kind: Callable[..., Command], leg_id: UUID, **fields: Any) -> int:
        """Queue a command for after the commit and return its id."""
        address = self._address(leg_id)
        self._commands.append(kind(**address, **fields))
        return int(address["id"])

    def _start_timer(self, timer: str, seconds: float) -> None:
        self._cancel_timer(timer)
        due = Due(timer, self._turn)
        self._timers[timer] = self._world.clock.call_later(seconds, lambda: self.put(due))

    def _cancel_timer(self, timer: str) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _cancel_timers(self) -> None:
        for timer in ("ring", "sleep", "max_duration"):
            self._cancel_timer(timer)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
