"""What any live call is, whatever it does: a mailbox, one message at a time, and disk before wire.

The first message in the mailbox wins every race. What a message changes is committed before any command it leads to
goes to the engine; a command that waits longer for the database than the operator's patience dies, and the call is let go.
Facts that need no command wait as long as it takes, and sound goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from callwright import telephony
from callwright.calls.lifecycle import CallRecord
from callwright.clock import Clock
from callwright.errors import Conflict, StoreUnavailable, Unavailable
from callwright.log import Log
from callwright.reasons import Reason
from callwright.store import Change, Store
from callwright.telephony import Command, CommandRefused, Engine

M = TypeVar("M")
# Past this many messages, those that no call depends on are dropped.
MAILBOX = 1_000
STORE_RETRY_S = 0.5
NOTHING = Change(())
_SPARED = (
    telephony.Digit,
    telephony.Held,
    telephony.Refreshed,
    telephony.Forked,
    telephony.Ringing,
    telephony.EarlyMedia,
    telephony.Bridged,
    telephony.Unbridged,
    telephony.PlayStarted,
    telephony.Silent,
)

_log = Log("switch")


class Ask(Enum):
    """What others ask of a call; the value is the reason its legs end with."""

    HANG_UP = Reason.API_HANGUP
    SHUT_DOWN = Reason.SHUTDOWN
    FORGET = Reason.STORE_UNAVAILABLE


class Wish(NamedTuple):
    """What others want of a live call besides its end: `kind` is a word for the journal, `leg` the one it is about.

    `carry_out` changes the call, returns what is to be answered, or raises `Problem` and changes nothing. With `of_record`
    it is about the record alone: it is done when the call is over too, and no call is let go because it waits for the disk.
    """

    kind: str
    carry_out: Callable[[Any], Any]
    leg: UUID | None = None
    of_record: bool = False


class Asked:
    """A request from outside; `done` is set, to `answer`, once it is committed. Without `leg` it means the whole call."""

    def __init__(self, what: Ask | Wish, leg: UUID | None) -> None:
        self.what = what
        self.leg = leg
        self.answer: Any = None
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(self, error: Exception | None = None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(self.answer)
            else:
                self.done.set_exception(error)
                self.done.exception()  # whoever asked may be gone

    def too_late(self) -> None:
        """The call is over: its end was what most ask for, the rest cannot be done any more."""
        self.settle(over() if isinstance(self.what, Wish) else None)


class Over(Conflict):
    """The call is over."""


def over() -> Over:
    return Over()


def _of_record(what: Ask | Wish) -> bool:
    return isinstance(what, Wish) and what.of_record


class Due(NamedTuple):
    """A timer fired. One that was cancelled or set again since is another, and is passed over.

    `due_us` is the wall time it was to fire at, as counted from the message that set it.
    """

    timer: str
    due_us: int


class Mailbox(ABC, Generic[M]):
    """The machinery of a live call; `CallActor` says what a message means.

    It queues commands in `commands` and leaves changes in `record`; `at_us` is the time of the message at hand.
    """

    def __init__(
        self, record: CallRecord, engine: Engine, store: Store, clock: Clock, patience_s: float, retired: Callable[[Any], None]
    ) -> None:
        self.record = record
        self.at_us = record.call.created_us
        self.on_wire: set[UUID] = set()
        self.errands = 0  # work that goes on when the call is over, and ends with a message
        self.commands: list[Command] = []
        self._engine = engine
        self._store = store
        self._clock = clock
        self._patience_s = patience_s
        self._retired = retired
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._asked: list[Asked] = []
        self._timers: dict[str, tuple[Due, asyncio.TimerHandle]] = {}
        self._command_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = NOTHING  # taken off the record, and not yet given to the database
        self._closed = False
        self._overflowed = False

    # what others call

    def put(self, message: M | telephony.Event | Asked | Due) -> None:
        """Leave a message. When too many wait for the database, those that only inform are dropped."""
        if self._messages.qsize() >= MAILBOX and isinstance(message, _SPARED):
            if not self._overflowed:
                self._overflowed = True
                _log.error("mailbox_full", call=self.record.call.id, dropped=type(message).__name__)
            return
        self._messages.put_nowait(message)

    async def ask(self, what: Ask | Wish, leg: UUID | None = None) -> Any:
        """Ask for something and return the answer when it is committed; a call that is over has nothing left to end.

        Raises `Unavailable` when the database keeps it waiting too long, and what a wish raises.
        """
        asked = Asked(what, leg)
        if self._closed:
            asked.too_late()
        else:
            self.put(asked)
        try:
            async with self._clock.timeout(self._patience_s):
                return await asyncio.shield(asked.done)
        except TimeoutError:
            raise Unavailable("The database does not accept writes; what was asked is done when it does again.") from None

    def abandon(self) -> None:
        """The process ends and the database is away: let go on the wire what only a successor can put on record."""
        if self.record.live:
            self._let_go(Reason.SHUTDOWN)

    async def run(self) -> None:
        """Live until the call is over and the engine has said its last word on every leg."""
        try:
            await self._finish_turn()
            while self.record.live or self.on_wire or self.errands:
                message = await self._messages.get()
                if isinstance(message, Asked):
                    self._asked.append(message)
                self._now(message)
                self.take(message)
                await self._finish_turn()
                while self._asked:
                    self._asked.pop().settle()
            self.closing()
            if (last := self.record.take()).writes:
                await self._write(last)
        except Exception:
            _log.exception("call_failed", call=self.record.call.id)
            await self._break_off()
        finally:
            self._close()

    # what a subclass says

    @abstractmethod
    def take(self, message: M | telephony.Event | Asked | Due) -> None:
        """Change the record and queue commands as the message asks."""

    @abstractmethod
    def carry_on(self) -> bool:
        """Do what the change of this message leads to, which has an event of its own; say whether there was anything."""

    @abstractmethod
    def let_go(self, reason: Reason) -> None:
        """End every leg on the record, and queue the commands that end them on the wire."""

    @abstractmethod
    def closing(self) -> None:
        """No event of the engine is heard any more: put on record what waits for one."""

    @abstractmethod
    def refused(self, command: Command, why: str) -> None:
        """The engine would not take a command."""

    @abstractmethod
    def taken(self, due: Due) -> None:
        """A timer is over, as its time has come or as nobody waits for it any more."""

    @abstractmethod
    def idle(self) -> None:
        """The message is dealt with, its commands are given."""

    # timers, tasks, commands

    def start_timer(self, timer: str, seconds: float, from_us: int | None = None) -> None:
        """Set a timer, or set it anew; the seconds count from the message at hand, or from a wall time."""
        self.cancel_timer(timer)
        due = Due(timer, (self.at_us if from_us is None else from_us) + round(seconds * 1e6))
        self._timers[timer] = (due, self._clock.call_later(seconds, lambda: self.put(due)))

    def cancel_all_timers(self, *, but: str) -> None:
        self.cancel_timer(*(timer for timer in self._timers if timer != but))

    def cancel_timer(self, *timers: str) -> None:
        for timer in timers:
            if (running := self._timers.pop(timer, None)) is not None:
                due, handle = running
                handle.cancel()
                self.taken(due)

    def runs(self, timer: str) -> bool:
        return timer in self._timers

    def is_due(self, due: Due) -> bool:
        """Whether a timer's message is of its present setting; it is over then."""
        running = self._timers.get(due.timer)
        if running is None or running[0] is not due:
            return False
        del self._timers[due.timer]
        self.taken(due)
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def command(self, kind: Callable[..., Command], leg_id: UUID, **fields: Any) -> int:
        """Queue a command for after the commit and return its id."""
        self._command_id += 1
        self.commands.append(kind(id=self._command_id, call=self.record.call.id, leg=leg_id, **fields))
        return self._command_id

    def _now(self, message: Any) -> None:
        self.at_us = message.at_us if isinstance(message, telephony.Event) else self._clock.now_us()

    def submit(self) -> None:
        """Give the queued commands to the engine."""
        commands, self.commands = self.commands, []
        for command in commands:
            try:
                self._engine.submit(command)
            except CommandRefused as refused:
                _log.debug("command_refused", call=command.call, command=type(command).__name__, why=refused)
                self.refused(command, str(refused))

    # disk before wire

    async def _finish_turn(self) -> None:
        """Commit what the message changed, and what that leads to at once, then give the commands.

        Each of the two tells its own event; they become durable together.
        """
        self._taken = self.record.take()
        if self.carry_on():
            self._taken += self.record.take()
        change, self._taken = self._taken, NOTHING
        if change.writes:
            await self._commit(change)
            late = self.record.take()
            if late.writes:
                await self._write(late)
        self.submit()
        self.idle()

    async def _commit(self, change: Change) -> None:
        """Wait for the database. An intent that has waited too long dies: its commands are dropped, the call let go."""
        urgent = self.commands or any(not _of_record(asked.what) for asked in self._asked)
        dying = self._clock.call_later(self._patience_s, self._die) if urgent else None
        try:
            await self._write(change)
        finally:
            if dying is not None:
                dying.cancel()

    def _die(self) -> None:
        _log.error("store_unavailable", call=self.record.call.id, waited_s=self._patience_s)
        for asked in self._asked:
            asked.settle(Unavailable("The database does not accept writes; the call is let go."))
        self._let_go(Reason.STORE_UNAVAILABLE)

    def _let_go(self, reason: Reason) -> None:
        self.commands = []
        self.at_us = self._clock.now_us()
        try:
            self.let_go(reason)
            self.submit()
        except Exception:
            _log.exception("call_not_released", call=self.record.call.id)

    async def _write(self, change: Change) -> None:
        while True:
            try:
                await self._store.commit(change)
            except StoreUnavailable:
                await self._clock.sleep(STORE_RETRY_S)
            else:
                return

    async def _break_off(self) -> None:
        """Something in here failed: end the call on the record and on the wire rather than leave a ghost."""
        self._let_go(Reason.INTERNAL)
        try:
            self.closing()
        except Exception:
            _log.exception("call_not_put_away", call=self.record.call.id)
        await self._write(self._taken + self.record.take())

    def _close(self) -> None:
        self._closed = True
        self.cancel_timer(*tuple(self._timers))
        for task in self._tasks:
            task.cancel()
        while not self._messages.empty():
            left = self._messages.get_nowait()
            if isinstance(left, Asked):
                left.too_late()
        while self._asked:
            self._asked.pop().too_late()
        self._retired(self)
