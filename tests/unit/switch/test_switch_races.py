"""Rows of the lifecycle walked against an engine that says only what a test lets it say, races and outages included.

The letter and digit in a test's docstring name the row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from callwright import ids, telephony
from callwright.calls import journal, rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Leg
from callwright.clock import VirtualClock, VirtualLoop
from callwright.egress import Transport
from callwright.errors import StoreUnavailable, Unavailable
from callwright.flows import interpreter
from callwright.flows.schema import compile_flow
from callwright.reasons import Reason
from callwright.simulator import engine as simulator
from callwright.simulator.settings import CalleeScript
from callwright.store import Store, Write
from callwright.switch import recovery
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sound, SoundLibrary, SoundUnavailable
from callwright.switch.switch import Line, Switch
from callwright.telephony import Cause, Command, CommandRefused, Event, PlayOutcome, Target, Who
from callwright.trunks.routes import NoRoute
from support.invariants import check_record
from support.platform import Platform, run, write_wav

NUMBER = "31205550123"
B, C = "31205550191", "31205550192"
URL = "http://sounds.test/hello.wav"
RINGBACK = "/sounds/ringback.wav"
HANGUP: dict[str, Any] = {"action": "hangup"}
TICK = 0.001


def transfer(to: str = B, **options: Any) -> dict[str, Any]:
    return {"action": "transfer", "options": {"destination": to, **options}}


def pause(seconds: float) -> dict[str, Any]:
    return {"action": "pause", "options": {"length": seconds}}


def play(url: str = URL) -> dict[str, Any]:
    return {"action": "play", "options": {"media": url}}


class Scripted:
    """An engine that takes every command, does nothing, and says what it is told to say."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._seqs: dict[UUID, int] = {}
        self.sink: Callable[[Event], None] = lambda event: None
        self.commands: list[Command] = []
        self.refuses: Callable[[Command], bool] = lambda command: False
        self.before: Callable[[Command], None] = lambda command: None

    def attach(self, sink: Callable[[Event], None]) -> None:
        self.sink = sink

    def unhealthy(self) -> str | None:
        return None

    def submit(self, command: Command) -> None:
        self.before(command)
        if self.refuses(command):
            raise CommandRefused("not now")
        self.commands.append(command)

    def say(self, kind: Callable[..., Event], leg: UUID, *, at_us: int | None = None, **fields: Any) -> None:
        self._seqs[leg] = self._seqs.get(leg, 0) + 1
        at_us = self._clock.now_us() if at_us is None else at_us
        self.sink(kind(leg=leg, seq=self._seqs[leg], at_us=at_us, mono_ns=self._clock.mono_ns(), **fields))

    def of(self, kind: type[Command], leg: UUID | None = None) -> list[Any]:
        return [command for command in self.commands if type(command) is kind and leg in (None, command.leg)]

    def to(self, leg: UUID) -> list[str]:
        """The names of the commands for a leg, in order."""
        return [type(command).__name__ for command in self.commands if command.leg == leg]

    def ended(self, leg: UUID, cause: Cause = Cause.HANGUP, who: Who = Who.FAR, **fields: Any) -> None:
        self.say(telephony.Ended, leg, cause=cause, who=who, **fields)

    def refused(self, leg: UUID, cause: Cause, sip_code: int | None = None, **fields: Any) -> None:
        self.say(telephony.Refused, leg, cause=cause, sip_code=sip_code, **fields)


class Disk:
    """The store's writer on a disk that can be full, hang, or take its time."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.full = False
        self.hangs = False
        self.seconds = 0.0
        self._held: list[Any] = []

    def put(self, job: Any) -> None:
        if self.full:
            job.error = StoreUnavailable("disk full")
            job.settle()
        elif self.hangs:
            self._held.append(job)
        elif self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, self._inner.put, job)
        else:
            self._inner.put(job)

    def comes_back(self) -> None:
        self.full = self.hangs = False
        held, self._held = self._held, []
        for job in held:
            self._inner.put(job)

    def close(self) -> None:
        self._inner.close()


class Stage(Platform):
    """A platform on the scripted engine. A is the leg that came in first, `b` and `c` those of transfers."""

    script: Scripted
    disk: Disk

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        super().__init__(store, clock)
        self.disk = Disk(store._writer)
        store._writer = self.disk
        self.route: Callable[[str], Target] = simulator.route

    async def start(self, settings: CallSettings, callees: dict[str, CalleeScript]) -> None:
        await self.accounts.prepare()
        self.world = self.accounts.world("live")
        self.script = Scripted(self.clock)
        self.switch = Switch(
            lines={self.world.id: Line(self.world, self.script, lambda destination: self.route(destination))},
            store=self.store,
            clock=self.clock,
            numbers=self.numbers,
            flows=self.flows,
            sounds=self.sounds,
            settings=settings,
            counters=self.counters,
            node="test",
        )

    async def tick(self, seconds: float = TICK) -> None:
        await self.after(seconds)

    async def arrive(self, steps: list[dict[str, Any]] | None = None, **fields: Any) -> UUID:
        """Somebody calls the number, which runs these steps; returns A."""
        if steps is not None:
            await self.number(NUMBER, steps)
        a = ids.uuid7(self.clock.now_us())
        given = {"source": "31600000001", "destination": NUMBER, "address": "198.51.100.7", **fields}
        self.script.say(telephony.Incoming, a, **given)
        await self.tick()
        return a

    def placed(self) -> list[UUID]:
        """The legs the engine was told to place, in order."""
        return [command.leg for command in self.script.of(telephony.Originate)]

    async def answer(self, leg: UUID) -> None:
        self.script.say(telephony.Answered, leg)
        await self.tick()

    async def talking(self, steps: list[dict[str, Any]] | None = None) -> tuple[UUID, UUID]:
        """A caller and a callee who hear each other."""
        a = await self.arrive(steps or [transfer()])
        (b,) = self.placed()
        await self.answer(b)
        await self.answer(a)
        assert self.script.to(a)[-1] == "Bridge"
        return a, b

    def legs(self) -> list[Leg]:
        return rows.legs_of(self.store, self.world.id, self.calls()[-1].id)

    def entries(self) -> list[Any]:
        return [told.entry for told in self.journal()]

    def sound(self) -> Record:
        """Check the record of the last call, that its command ids grow, and return its outcome."""
        call = self.calls()[-1]
        check_record(self.store, self.world.id, call.id, over=not call.live)
        numbers = [command.id for command in self.script.commands if command.call == call.id]
        assert numbers == sorted(set(numbers))
        return self.outcome()


Record = tuple[str, list[tuple[str, str, str]]]


def tell(story: Callable[[Stage], Awaitable[None]], **settings: Any) -> None:
    """Tell a story on a stage of its own, in virtual time."""

    async def told() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.set_exception_handler(lambda loop, context: None)  # what breaks must show on the record, not in a log
        stage = Stage(Store.in_memory(), VirtualClock(loop))
        await stage.start(CallSettings(**settings), {})
        try:
            await story(stage)
        finally:
            await stage.switch.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(told())


# incoming: N1 to N3


def test_the_fifth_pass_is_taken_and_the_next_leg_counts_one_more() -> None:
    """N1, N7: hops up to five; Max-Forwards is decremented across legs."""

    async def story(stage: Stage) -> None:
        await stage.arrive([transfer()], hops=5, max_forwards=17)
        (placed,) = stage.script.of(telephony.Originate)
        assert (placed.hops, placed.max_forwards) == (6, 16)

    tell(story)


@pytest.mark.parametrize(
    ("blocked", "code", "reason"),
    [
        (Cause.NO_COMMON_CODEC, 488, "no_common_codec"),
        (Cause.BAD_SDP, 488, "bad_offer"),
        (Cause.MEDIA_CAPACITY, 503, "media_capacity"),
    ],
)
def test_a_call_that_cannot_be_answered_is_on_record_and_refused(blocked: Cause, code: int, reason: str) -> None:
    """N3"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()], blocked=blocked)
        assert [command.code for command in stage.script.of(telephony.Reject, a)] == [code]
        assert stage.sound() == ("failed", [("incoming", "failed", reason)])
        assert stage.placed() == []

    tell(story)


def test_no_port_for_a_caller_who_was_to_be_answered() -> None:
    """N3: the engine finds out only when it answers; it has sent the 503 itself."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        stage.script.refused(a, Cause.MEDIA_CAPACITY, 503, sip_phrase="Service Unavailable")
        await stage.tick()
        assert stage.sound() == ("failed", [("incoming", "failed", "media_capacity")])
        assert stage.switch.live_calls == 0

    tell(story)


def test_a_stored_flow_that_cannot_be_run_refuses_the_caller_with_bad_flow() -> None:
    """N2, N3: nothing fails in silence, whatever an older version let into the table."""

    async def story(stage: Stage) -> None:
        await stage.number(NUMBER, [pause(1)])
        flow_id = stage.flows.page(stage.world.id, limit=1, offset=0).flows[0].id
        body = b'{"steps": [{"id": "s", "action": "vanished"}]}'
        written = Write("flows.replace", (0, body, 1, stage.world.id.bytes, flow_id.bytes))
        await stage.store.transact(lambda transaction: transaction.write(written))
        a = await stage.arrive()
        assert stage.outcome() == ("failed", [("incoming", "failed", "bad_flow")])
        assert stage.script.to(a) == ["Reject"]

    tell(story)


# the dialler: N5 to N8


def no_way(destination: str) -> Target:
    raise NoRoute(Reason.NO_ROUTE, "no trunk is configured ([[trunks]])")


def test_a_queued_call_without_a_route_fails_without_an_invite() -> None:
    """N6"""

    async def story(stage: Stage) -> None:
        stage.route = no_way
        await stage.place(B, [pause(1)])
        await stage.tick()
        assert stage.sound() == ("failed", [("outgoing", "failed", "no_route")])
        assert stage.script.commands == []
        assert [kind for kind, _, _ in stage.told()] == ["callCreated", "callUpdated"]

    tell(story)


@pytest.mark.parametrize(
    ("reason", "settings"), [("no_route", {}), ("limit", {"new_legs_per_second": 1})], ids=["no route", "too many legs"]
)
def test_a_transfer_that_cannot_be_placed_is_followed_by_the_next_step(reason: str, settings: dict[str, Any]) -> None:
    """N8, B4"""

    async def story(stage: Stage) -> None:
        if reason == "no_route":
            stage.route = lambda to: no_way(to) if to == B else Target(to, "far")
        else:
            await stage.place(C, [pause(1)])
            await stage.tick()
            stage.script.commands.clear()
        a = await stage.arrive([transfer(B), pause(3)])
        assert stage.outcome()[1][1] == ("outgoing", "failed", reason)
        assert stage.script.to(a) == ["Answer"]
        assert stage.placed() == []

    tell(story, **settings)


def test_an_originate_the_engine_refuses_fails_the_leg() -> None:
    """N7, P5: the refusal is no event of the engine, and the leg ends all the same."""

    async def story(stage: Stage) -> None:
        stage.script.refuses = lambda command: isinstance(command, telephony.Originate)
        a = await stage.arrive([transfer()])
        status, legs = stage.sound()
        assert status == "failed"
        assert [leg[1] for leg in legs] == ["failed", "failed"]
        assert stage.script.to(a) == ["Reject"]
        stage.script.refused(a, Cause.REJECTED, 503)
        await stage.tick()
        assert stage.switch.live_calls == 0

    tell(story)


def test_a_long_list_of_dead_transfers_is_walked_to_its_end() -> None:
    """N8, B4: as many steps as a flow of 32 kB holds."""

    async def story(stage: Stage) -> None:
        stage.route = no_way
        await stage.arrive([transfer(f"x:{n}") for n in range(400)])
        status, legs = stage.outcome()
        assert (status, len(legs)) == ("failed", 401)
        assert {leg[2] for leg in legs} == {"no_route"}

    tell(story)


# outgoing: P1 to P8


def test_a_second_180_is_not_told() -> None:
    """P1"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.told()[-1] == ("callUpdated", "starting", ["ringing", "ringing"])
        events = len(stage.told())
        stage.script.say(telephony.Ringing, b)
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.script.to(a) == ["Ring"]
        stage.sound()

    tell(story)


@pytest.mark.parametrize(
    ("first", "then", "commands"),
    [
        (telephony.Ringing, telephony.EarlyMedia, [("Ring", False), ("Ring", True), ("Bridge", None)]),
        (telephony.EarlyMedia, telephony.Ringing, [("Ring", True), ("Bridge", None)]),
    ],
    ids=["180 then 183", "183 then 180"],
)
def test_early_media_reaches_a_caller_who_is_not_answered(
    first: type[Event], then: type[Event], commands: list[tuple[str, bool | None]]
) -> None:
    """P1 with transfer.early_media"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        for kind in (first, then):
            stage.script.say(kind, b)
            await stage.tick()
        assert [(type(c).__name__, getattr(c, "early_media", None)) for c in stage.script.commands if c.leg == a] == commands
        await stage.answer(b)
        await stage.answer(a)
        assert stage.script.to(a).count("Bridge") == 1
        stage.sound()

    tell(story, early_media=True)


def test_ring_back_stops_when_early_media_comes() -> None:
    """P1: an answered caller hears either ring-back or the callee's early media, never both."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Play"]
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Play", "Stop", "Bridge"]

    tell(story, early_media=True, ringback=RINGBACK)


def test_a_180_after_early_media_starts_no_ring_back() -> None:
    """P1: 183 then 180, with a caller who is answered and hears the callee already."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.EarlyMedia, b)
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        assert stage.script.to(a) == ["Answer", "Bridge"]

    tell(story, early_media=True, ringback=RINGBACK)


def test_a_bridge_refused_before_the_answer_is_made_after_it() -> None:
    """P1, P2: a caller whose INVITE had no offer cannot have early media; once answered, both must hear each other."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refuses = lambda command: isinstance(command, telephony.Bridge)
        stage.script.say(telephony.EarlyMedia, b)
        await stage.tick()
        stage.script.refuses = lambda command: False
        await stage.answer(b)
        await stage.answer(a)
        assert stage.script.to(a) == ["Ring", "Answer", "Bridge"]

    tell(story, early_media=True)


def test_the_end_of_ring_back_is_not_the_end_of_a_prompt(tmp_path: Path) -> None:
    """B4: the prompt after a failed transfer plays to its own end."""

    async def story(stage: Stage) -> None:
        stage.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 1)
        a = await stage.arrive([pause(1), transfer(), play()])
        await stage.answer(a)
        await stage.after(1)
        (b,) = stage.placed()
        stage.script.say(telephony.Ringing, b)
        await stage.tick()
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.tick()
        ringback, prompt = stage.script.of(telephony.Play, a)
        assert (ringback.files, ringback.repeat) == ((RINGBACK,), 0)
        assert stage.script.to(a) == ["Answer", "Play", "Stop", "Play"]
        stage.script.say(telephony.PlayFinished, a, play=ringback.id, outcome=PlayOutcome.FAILED)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.PlayFinished, a, play=prompt.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended"), ("outgoing", "busy", "busy")])

    tell(story, ringback=RINGBACK)


@pytest.mark.parametrize(
    ("cause", "sip_code", "leg", "code"),
    [
        (Cause.BUSY, 486, ("busy", "busy"), 486),  # P3
        (Cause.BUSY, 600, ("busy", "busy"), 486),
        (Cause.NO_ANSWER, 408, ("no_answer", "no_answer"), 480),  # P4
        (Cause.NO_ANSWER, 480, ("no_answer", "no_answer"), 480),
        (Cause.CANCELLED, 487, ("no_answer", "no_answer"), 480),
        (Cause.REDIRECTED, 302, ("failed", "redirect_refused"), 503),  # P5
        (Cause.AUTH_FAILED, 407, ("failed", "auth_failed"), 503),
        (Cause.REJECTED, 404, ("failed", "rejected"), 503),
        (Cause.NO_RESPONSE, None, ("failed", "no_response"), 503),
        (Cause.UNREACHABLE, None, ("failed", "unreachable"), 503),
        (Cause.MEDIA_CAPACITY, None, ("failed", "media_capacity"), 503),  # N8
        (Cause.NO_COMMON_CODEC, 200, ("failed", "no_common_codec"), 503),
        (Cause.BAD_SDP, 200, ("failed", "bad_offer"), 503),
    ],
)
@pytest.mark.parametrize("ringing", [False, True], ids=["starting", "ringing"])
def test_a_callee_who_fails_decides_what_the_caller_hears(
    cause: Cause, sip_code: int | None, leg: tuple[str, str], code: int, ringing: bool
) -> None:
    """P3 to P5 with A6: 486 gives 486, a timeout 480, all else 503; the Reason header goes along."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        if ringing:
            stage.script.say(telephony.Ringing, b)
        stage.script.refused(b, cause, sip_code, reason="Q.850;cause=17")
        await stage.tick()
        status, legs = stage.sound()
        assert (status, legs) == (leg[0], [("incoming", *leg), ("outgoing", *leg)])
        (reject,) = stage.script.of(telephony.Reject, a)
        assert (reject.code, reject.reason) == (code, "Q.850;cause=17")
        assert stage.legs()[1].sip_code == sip_code

    tell(story)


def test_a_late_answer_is_released_and_leaves_no_trace_on_the_record() -> None:
    """P7: the engine took the answer that crossed our CANCEL and let it go."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(ringTimeout=5), pause(100)])
        (b,) = stage.placed()
        await stage.after(5)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        events = len(stage.told())
        stage.script.ended(b, Cause.CANCELLED, Who.US, late_answer=True)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.legs()[1].answered_us is None
        assert journal.LateAnswerReleased(leg=b) in stage.entries()
        assert stage.outcome()[1][1] == ("outgoing", "no_answer", "ring_timeout")
        assert stage.script.to(a) == ["Answer"]
        stage.sound()

    tell(story)


def test_an_answer_behind_the_callers_cancel_is_journalled_as_released() -> None:
    """B5, P7: A's CANCEL is first in the mailbox, B's 200 second."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refused(a, Cause.CANCELLED, 487)
        stage.script.say(telephony.Answered, b)
        await stage.tick()
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert stage.sound() == (
            "no_answer",
            [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
        )
        assert stage.legs()[1].answered_us is None
        assert stage.switch.live_calls == 0
        assert journal.LateAnswerReleased(leg=b) in stage.entries()

    tell(story)


def test_what_an_old_transfer_still_says_does_not_touch_the_next() -> None:
    """P4, P7: B's last word comes while C rings."""

    async def story(stage: Stage) -> None:
        await stage.arrive([transfer(B, ringTimeout=5), transfer(C)])
        await stage.after(6)
        b, c = stage.placed()
        stage.script.say(telephony.Ringing, b)
        stage.script.refused(b, Cause.CANCELLED, 487, reason="SIP;cause=200")
        await stage.tick()
        assert stage.outcome()[1][1:] == [("outgoing", "no_answer", "ring_timeout"), ("outgoing", "starting", "")]
        assert stage.script.to(c) == ["Originate"]
        assert stage.legs()[1].sip_code == 487
        stage.sound()

    tell(story)


def late_ring_timer(steps: list[dict[str, Any]]) -> Callable[[Stage], Awaitable[tuple[UUID, UUID]]]:
    """B is busy at 4.9 s and its timer fires at 5 s, both while the commit of B's ringing is under way."""

    async def begin(stage: Stage) -> tuple[UUID, UUID]:
        a = await stage.arrive(steps)
        (b,) = stage.placed()
        await stage.after(4.8 - TICK)
        stage.disk.seconds = 0.4
        stage.script.say(telephony.Ringing, b)
        await stage.after(0.1)
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.after(0.2)
        stage.disk.seconds = 0.0
        await stage.after(1)
        return a, b

    return begin


def test_the_ring_timer_of_one_transfer_does_not_end_the_next() -> None:
    """P4: the timer was in the mailbox behind the refusal of its own leg."""

    async def story(stage: Stage) -> None:
        await late_ring_timer([transfer(B, ringTimeout=5), transfer(C, ringTimeout=60)])(stage)
        assert stage.outcome()[1][1:] == [("outgoing", "busy", "busy"), ("outgoing", "starting", "")]

    tell(story)


def test_the_ring_timer_of_a_transfer_does_not_end_a_caller_who_is_being_answered() -> None:
    """P4, A1: the same timer, with a pause after the transfer."""

    async def story(stage: Stage) -> None:
        a, _ = await late_ring_timer([transfer(B, ringTimeout=5), pause(100)])(stage)
        assert stage.outcome()[1] == [("incoming", "ringing", ""), ("outgoing", "busy", "busy")]
        assert stage.script.to(a) == ["Ring", "Answer"]

    tell(story)


# the caller: A1 to A7


def test_an_intent_is_on_disk_before_it_is_on_the_wire() -> None:
    """A1, N7, B1: what each command does is committed when the engine gets it."""
    seen: list[tuple[str, str, str | None]] = []

    async def story(stage: Stage) -> None:
        def look(command: Command) -> None:
            leg = rows.find_leg(stage.store, stage.world.id, command.leg)
            assert leg is not None
            seen.append((type(command).__name__, leg.status.value, leg.intent))

        stage.script.before = look
        a, b = await stage.talking()
        stage.script.ended(a)
        await stage.tick()
        assert seen == [
            ("Originate", "starting", None),
            ("Answer", "starting", "answering"),
            ("Bridge", "ongoing", None),
            ("HangUp", "hangup", None),
        ]
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert stage.switch.live_calls == 0

    tell(story)


def test_an_intent_to_answer_is_not_told() -> None:
    """A1, A2: nothing is shown before the 200 has left."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        assert [leg.intent for leg in stage.legs()] == ["answering"]
        assert [kind for kind, _, _ in stage.told()] == ["callCreated"]
        await stage.after(3)
        await stage.answer(a)
        (leg,) = stage.legs()
        assert (leg.intent, leg.status.value, leg.sip_code) == (None, "ongoing", 200)
        assert leg.answered_us == leg.updated_us == stage.calls()[-1].updated_us
        assert stage.told()[1:] == [("callUpdated", "ongoing", ["ongoing"])]

    tell(story)


def test_a_caller_who_cancels_while_being_answered_takes_the_callee_along() -> None:
    """A3: the callee has answered and gets a BYE, `caller_gone`; B5 with B's 200 first."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.say(telephony.Answered, b)
        stage.script.refused(a, Cause.CANCELLED, 487, reason="SIP;cause=487")
        await stage.tick()
        assert stage.script.to(a) == ["Answer"]
        assert [command.reason for command in stage.script.of(telephony.HangUp, b)] == ["SIP;cause=487"]
        assert stage.sound() == (
            "ended",
            [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
        )

    tell(story)


@pytest.mark.parametrize("event", ["answered", "cancelled"])
def test_deleting_a_call_while_its_caller_is_being_answered(event: str) -> None:
    """C1 in `answering`: the engine is told to hang up, and what it says later changes nothing."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        assert stage.script.to(a) == ["Answer", "HangUp"]
        events = len(stage.told())
        if event == "answered":
            await stage.answer(a)
            stage.script.ended(a, who=Who.US)
        else:
            stage.script.refused(a, Cause.CANCELLED, 487)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.sound() == ("ended", [("incoming", "hangup", "api_hangup")])
        assert [leg.answered_us for leg in stage.legs()] == [None]
        assert stage.switch.live_calls == 0

    tell(story)


def test_the_longest_duration_reached_while_the_caller_is_being_answered() -> None:
    """C5 in `answering`: it counts from the callee's answer."""

    async def story(stage: Stage) -> None:
        await stage.number(NUMBER, [transfer()], maxDuration=2)
        a = await stage.arrive()
        (b,) = stage.placed()
        await stage.answer(b)
        await stage.after(3)
        assert (stage.script.to(a), stage.script.to(b)) == (["Answer", "HangUp"], ["Originate", "HangUp"])
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "max_duration"), ("outgoing", "hangup", "max_duration")],
        )

    tell(story)


def test_a_callee_who_leaves_while_the_caller_is_being_answered_is_followed_by_the_next() -> None:
    """A2, B2: A's answer leaves while C is dialled; A and C must hear each other."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(B), transfer(C)])
        (b,) = stage.placed()
        await stage.answer(b)
        stage.script.refuses = lambda command: isinstance(command, telephony.Answer)  # a leg is answered once
        stage.script.ended(b)
        await stage.tick()
        await stage.answer(a)
        _, c = stage.placed()
        await stage.answer(c)
        assert [(bridge.leg, bridge.other) for bridge in stage.script.of(telephony.Bridge)] == [(a, c)]

    tell(story)


def test_a_caller_answered_during_a_later_transfer_hears_flow_ended() -> None:
    """A6, B4: the caller was answered, so the end of the flow is a BYE, `flow_ended`, not the callee's status."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(B), transfer(C)])
        (b,) = stage.placed()
        await stage.answer(b)
        stage.script.ended(b)
        await stage.tick()
        await stage.answer(a)
        _, c = stage.placed()
        stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        assert stage.outcome()[1][0] == ("incoming", "hangup", "flow_ended")

    tell(story)


def test_an_answer_that_leaves_in_a_later_step_is_remembered() -> None:
    """A2, in the interpreter alone."""
    steps = [{"id": "b", **transfer(B)}, {"id": "c", **transfer(C)}]
    state = interpreter.State(compile_flow({"steps": steps}))
    done: list[interpreter.Effect] = []
    for happened in (
        interpreter.Begin(False),
        interpreter.PeerAnswered(),
        interpreter.PeerGone(),
        interpreter.Answered(),
        interpreter.PeerAnswered(),
    ):
        state, effects = interpreter.step(state, happened)
        done += effects
    assert [effect for effect in done if not isinstance(effect, interpreter.Enter | interpreter.Leave)] == [
        interpreter.Dial(B, False, None),
        interpreter.Answer(),
        interpreter.Dial(C, False, None),
        interpreter.Connect(),
    ]


def test_a_caller_who_hangs_up_during_a_prompt_hung_up(tmp_path: Path) -> None:
    """B1: an engine settles the prompt just before the leg's last event; that is no end of the step."""

    async def story(stage: Stage) -> None:
        stage.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 5)
        a = await stage.arrive([play(), transfer(B)])
        await stage.answer(a)
        (prompt,) = stage.script.of(telephony.Play, a)
        stage.script.say(telephony.PlayFinished, a, play=prompt.id, outcome=PlayOutcome.STOPPED)
        stage.script.ended(a)
        await stage.tick()
        assert stage.placed() == [], "nobody is rung for a caller who has gone"
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


def test_a_simulated_caller_who_hangs_up_during_the_last_prompt_hung_up(tmp_path: Path) -> None:
    """B1, on the simulator: the reason is the caller's, not the flow's."""

    async def story(platform: Platform) -> None:
        platform.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 5)
        await platform.number(NUMBER, [play()])
        platform.dial(NUMBER, CalleeScript(hangup_after=2))
        await platform.after(60)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])

    run(story)


def test_media_that_arrives_after_the_caller_left_is_not_played(tmp_path: Path) -> None:
    """B1: the fetch is under way when A hangs up; it is journalled if the call is still there, and nothing else."""

    async def story(stage: Stage) -> None:
        class Slow:
            async def fetch(self, url: str) -> Sound:
                await asyncio.sleep(3)
                return Sound(tmp_path / "hello.wav", 200)

        stage.switch._sounds = Slow()
        a, b = await stage.talking([transfer(), play()])
        stage.script.ended(b)
        await stage.tick()
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        await stage.after(5)
        assert stage.script.of(telephony.Play) == []
        assert journal.MediaFetched(url=URL, status=200) in stage.entries()
        stage.script.ended(a, who=Who.US)
        await stage.tick()
        stage.sound()

    tell(story)


def test_a_fetch_that_breaks_ends_the_call() -> None:
    """A7 in spirit: nothing fails in silence, a call that waits for ever least of all."""

    async def story(stage: Stage) -> None:
        class Broken:
            async def fetch(self, url: str) -> Sound:
                raise OSError("File name too long")

        stage.switch._sounds = Broken()
        a = await stage.arrive([play()])
        await stage.answer(a)
        await stage.after(60)
        assert stage.outcome()[0] == "ended"
        assert stage.script.to(a) == ["Answer", "HangUp"]

    tell(story)


async def test_a_sound_with_an_impossible_name_is_unavailable(tmp_path: Path) -> None:
    """`file:` sounds: the name comes from a customer's flow."""
    library = SoundLibrary(Nowhere(), tmp_path, tmp_path)
    for name in ("a" * 300 + ".wav", "../secret.wav", ".hidden.wav", "", "a\0b.wav", "none.wav"):
        with pytest.raises(SoundUnavailable):
            await library.fetch("file:" + name)


class Nowhere(Transport):
    """A door that is never used."""


def test_no_ack_and_a_lost_dialog_end_the_call() -> None:
    """A5 and H2"""
    for cause, reason in ((Cause.NO_ACK, "no_ack"), (Cause.DIALOG_LOST, "dialog_lost")):

        async def story(stage: Stage, cause: Cause = cause, reason: str = reason) -> None:
            a, b = await stage.talking()
            stage.script.ended(a, cause, Who.US)
            await stage.tick()
            assert stage.script.to(b) == ["Originate", "HangUp"]
            assert stage.sound() == ("ended", [("incoming", "hangup", reason), ("outgoing", "hangup", "peer_gone")])

        tell(story)


def test_what_is_not_built_yet_says_501_before_the_answer() -> None:
    """A7"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([{"action": "say", "options": {"payload": "Hello"}}])
        assert [reject.code for reject in stage.script.of(telephony.Reject, a)] == [501]
        assert stage.sound() == ("failed", [("incoming", "failed", "not_supported_yet")])

    tell(story)


def test_the_last_callback_shows_the_legs_as_rest_does() -> None:
    """§2: `sipResponseCode` of a caller we refused stands in the terminal event too, not only in REST afterwards."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.tick()
        stage.script.refused(a, Cause.REJECTED, 486)
        await stage.tick()
        last = rows.events_of(stage.store, stage.world.id, stage.calls()[0].id)[-1]
        assert [leg.sip_code for leg in last.snapshot.legs] == [leg.sip_code for leg in stage.legs()] == [486, 486]

    tell(story)


# bridged: B1 to B5, H1, C5


@pytest.mark.parametrize("first", ["a", "b"])
def test_byes_that_cross_end_each_leg_once(first: str) -> None:
    """B3"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        for leg in (a, b) if first == "a" else (b, a):
            stage.script.ended(leg)
        await stage.tick()
        reasons = ("caller_hangup", "peer_gone") if first == "a" else ("flow_ended", "callee_hangup")
        assert stage.sound() == ("ended", [("incoming", "hangup", reasons[0]), ("outgoing", "hangup", reasons[1])])
        assert [entry.leg for entry in stage.entries() if isinstance(entry, journal.LegLast)] == (
            [a, b] if first == "a" else [b, a]
        )
        assert stage.switch.live_calls == 0

    tell(story)


def test_the_reason_header_goes_both_ways() -> None:
    """B1, B2: RFC 3326"""
    for far in (0, 1):

        async def story(stage: Stage, far: int = far) -> None:
            legs = await stage.talking()
            stage.script.ended(legs[far], reason="Q.850;cause=16")
            await stage.tick()
            assert [command.reason for command in stage.script.of(telephony.HangUp, legs[1 - far])] == ["Q.850;cause=16"]

        tell(story)


def test_hold_and_digits_are_journalled_and_not_told() -> None:
    """H1"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        before = (stage.told(), stage.legs(), stage.calls())
        stage.script.say(telephony.Held, b, direction="sendonly")
        stage.script.say(telephony.Digit, a, digit="5", duration_ms=80, means="rfc4733")
        await stage.tick()
        assert (stage.told(), stage.legs(), stage.calls()) == before
        assert stage.entries()[-2:] == [
            journal.Held(leg=b, direction="sendonly"),
            journal.DigitPressed(leg=a, digit="5", duration_ms=80, means="rfc4733"),
        ]

    tell(story)


def test_one_silent_side_ends_nothing_and_two_end_the_call() -> None:
    """C5"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.script.say(telephony.Silent, a)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.Silent, b)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "media_timeout"), ("outgoing", "hangup", "media_timeout")],
        )

    tell(story)


def test_a_side_that_was_heard_again_is_not_silent() -> None:
    """C5: both ways at the same time. A was silent once, then pressed a key; minutes later B falls silent."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.script.say(telephony.Silent, a)
        await stage.after(30)
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        await stage.after(600)
        stage.script.say(telephony.Silent, b)
        await stage.tick()
        assert stage.outcome()[0] == "ongoing"

    tell(story)


@pytest.mark.parametrize("first", [0, 1], ids=["A first", "B first"])
@pytest.mark.parametrize("cause", [Cause.MEDIA_LOST, Cause.SIGNALLING_LOST])
def test_a_lost_process_takes_both_legs_with_its_own_reason(cause: Cause, first: int) -> None:
    """R1, R2: whichever leg is told first"""

    async def story(stage: Stage) -> None:
        legs = await stage.talking()
        stage.script.refuses = lambda command: True
        stage.script.ended(legs[first], cause, Who.US)
        stage.script.ended(legs[1 - first], cause, Who.US)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", cause.value), ("outgoing", "hangup", cause.value)],
        )
        assert stage.switch.live_calls == 0

    tell(story)


@pytest.mark.parametrize(
    ("cause", "a_is", "call"), [(Cause.MEDIA_LOST, "failed", "failed"), (Cause.SIGNALLING_LOST, "hangup", "ended")]
)
def test_a_lost_process_while_the_caller_is_being_answered(cause: Cause, a_is: str, call: str) -> None:
    """R1, R2: a leg in `answering` hangs up when signalling dies, for its 200 may have left."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        stage.script.refused(a, cause)
        await stage.tick()
        assert stage.sound() == (call, [("incoming", a_is, cause.value)])

    tell(story)


def test_deleting_a_ringing_callee_goes_on_with_the_flow() -> None:
    """C4"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(), pause(5)])
        (b,) = stage.placed()
        await stage.switch.hang_up_leg(stage.world.id, b)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        assert stage.script.to(a) == ["Answer"]
        assert stage.outcome() == ("starting", [("incoming", "starting", ""), ("outgoing", "hangup", "api_hangup")])
        await stage.switch.hang_up_leg(stage.world.id, b)
        await stage.answer(a)
        stage.sound()

    tell(story)


def test_deleting_the_caller_takes_the_callee_along() -> None:
    """C4"""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        await stage.switch.hang_up_leg(stage.world.id, a)
        assert (stage.script.to(a)[-1], stage.script.to(b)[-1]) == ("HangUp", "HangUp")
        assert stage.sound() == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "peer_gone")])

    tell(story)


# C2, drain, retirement


@pytest.mark.parametrize("dialled", [False, True], ids=["behind N5 in one mailbox", "after N5"])
def test_deleting_a_queued_call(dialled: bool) -> None:
    """C2: the dialler's message is first in the mailbox, so the INVITE goes out and is cancelled."""

    async def story(stage: Stage) -> None:
        call = await stage.place(B, [pause(5)])
        if dialled:
            await stage.tick()
        await stage.switch.hang_up_call(stage.world.id, call.id)
        await stage.tick()
        assert stage.sound() == ("ended", [("outgoing", "hangup", "api_hangup")])
        placed = [type(command).__name__ for command in stage.script.commands]
        assert placed == ["Originate", "HangUp"]

    tell(story)


def test_deleting_a_call_that_waits_for_its_turn_dials_nothing() -> None:
    """C2: too many calls in this second, and the DELETE comes before the turn."""

    async def story(stage: Stage) -> None:
        await stage.place(C, [pause(5)])
        call = await stage.place(B, [pause(5)])
        await stage.tick()
        assert call.status.value == "queued"
        await stage.switch.hang_up_call(stage.world.id, call.id)
        await stage.after(5)
        assert stage.sound() == ("ended", [("outgoing", "hangup", "api_hangup")])
        assert [command.target.user for command in stage.script.of(telephony.Originate)] == [C]

    tell(story, new_legs_per_second=1)


def test_a_leg_without_a_last_word_does_not_keep_its_call() -> None:
    """C1: the actor retires after `linger`; what the engine says later finds nobody."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        await stage.after(39)
        assert stage.switch.live_calls == 1
        await stage.after(2)
        assert stage.switch.live_calls == 0
        stage.script.ended(a)
        stage.script.say(telephony.Digit, b, digit="1", duration_ms=80, means="rfc4733")
        await stage.tick()
        stage.sound()

    tell(story, linger=40.0)


def test_draining_refuses_and_ends_unanswered_callers_too() -> None:
    """R3"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        await stage.switch.drain(1)
        assert stage.sound() == ("ended", [("incoming", "hangup", "shutdown"), ("outgoing", "hangup", "shutdown")])
        assert (stage.script.to(a), stage.script.to(b)) == (["Reject"], ["Originate", "HangUp"])

    tell(story)


def test_a_call_being_placed_when_the_drain_is_over_is_ended_too() -> None:
    """R3: its first commit was under way when the others were told."""

    async def story(stage: Stage) -> None:
        stage.disk.seconds = 1.0
        placing = asyncio.ensure_future(stage.place(B, [pause(5)]))
        await stage.tick()
        await stage.switch.drain(0)
        await asyncio.wait([placing])
        stage.disk.seconds = 0.0
        await stage.after(5)
        assert [call.status.value for call in stage.calls() if call.live] == []
        if placing.exception() is None:
            assert stage.outcome()[1][0][2] == "shutdown"

    tell(story)


def test_one_call_that_cannot_listen_does_not_stop_the_drain_of_the_others() -> None:
    """R3"""

    async def story(stage: Stage) -> None:
        await stage.place(B, [pause(5)])
        await stage.place(C, [pause(5)])
        await stage.tick()
        deaf, other = stage.switch._by_call.values()
        stage.disk.hangs = True
        b, _ = stage.placed()
        for _ in range(2):  # the first one is taken out and waits for its commit
            for _ in range(1_000):
                stage.script.say(telephony.Digit, b, digit="1", duration_ms=80, means="rfc4733")
            await stage.tick()
        drained = asyncio.ensure_future(stage.switch.drain(0))
        await stage.after(1)
        stage.disk.comes_back()
        await stage.after(5)
        assert (deaf.record.live, other.record.live) == (False, False)
        assert drained.done()
        assert drained.exception() is None

    tell(story)


def test_asking_a_call_that_breaks_is_answered() -> None:
    """C1: whatever happens inside, a DELETE does not wait for ever."""

    async def story(stage: Stage) -> None:
        await stage.talking()
        broken = iter([True])

        def once(command: Command) -> None:
            if next(broken, False):
                raise RuntimeError("the engine has a bug")

        stage.script.before = once
        async with stage.clock.timeout(60):
            await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)

    tell(story)


# the database stays away


def test_ten_seconds_without_the_database_lose_nothing() -> None:
    """Facts queue and are committed in their order; intents wait."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        for digit in "1234":
            stage.script.say(telephony.Digit, a, digit=digit, duration_ms=80, means="rfc4733")
        await stage.after(5)
        stage.script.ended(a)
        await stage.after(5)
        assert stage.script.to(b) == ["Originate"]
        stage.disk.comes_back()
        await stage.after(1)
        assert stage.script.to(b) == ["Originate", "HangUp"]
        assert [entry.digit for entry in stage.entries() if isinstance(entry, journal.DigitPressed)] == list("1234")
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
        first = stage.legs()[0]
        assert first.ended_us is not None
        assert stage.clock.now_us() - first.ended_us >= 5_000_000, "when it happened, not when it was written"

    tell(story)


def test_nobody_is_dialled_by_an_intent_that_waited_too_long() -> None:
    """N5: intents wait 30 s, then `store_unavailable`."""

    async def story(stage: Stage) -> None:
        await stage.place(B, [pause(5)])
        stage.disk.full = True
        await stage.after(3_600)
        stage.disk.comes_back()
        await stage.after(5)
        assert stage.script.of(telephony.Originate) == [], "an hour later"
        assert stage.outcome() == ("failed", [("outgoing", "failed", "store_unavailable")])

    tell(story)


def let_go(outage: Callable[[Disk], None]) -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1), transfer()])
        await stage.answer(a)
        outage(stage.disk)
        await stage.after(45)
        assert stage.script.to(a) == ["Answer", "HangUp"]
        stage.script.ended(a, who=Who.US)
        await stage.after(10)
        stage.disk.comes_back()
        await stage.after(60)
        assert stage.script.of(telephony.Originate) == [], "the step's intent is dead"
        assert stage.outcome()[1][0] == ("incoming", "hangup", "store_unavailable")

    tell(story)


def test_a_call_whose_intent_waited_too_long_is_let_go_with_its_reason() -> None:
    """N7 with a disk that is full."""

    def full(disk: Disk) -> None:
        disk.full = True

    let_go(full)


def test_a_disk_that_hangs_counts_as_a_database_that_is_away() -> None:
    """N7 with a disk that neither writes nor fails."""

    def hangs(disk: Disk) -> None:
        disk.hangs = True

    let_go(hangs)


def test_a_fact_that_waits_does_not_end_a_bridged_call() -> None:
    """Bridged sound never waits for the database: a key pressed during an outage costs nobody the call."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        await stage.after(120)
        stage.disk.comes_back()
        await stage.after(1)
        assert (stage.script.of(telephony.HangUp, a), stage.script.of(telephony.HangUp, b)) == ([], [])
        assert stage.outcome()[0] == "ongoing"

    tell(story)


def test_a_delete_during_an_outage_is_answered() -> None:
    """C1: the intent waits 30 s, then the API says so."""

    async def story(stage: Stage) -> None:
        await stage.talking()
        stage.disk.full = True
        async with stage.clock.timeout(60):
            with pytest.raises(Unavailable):
                await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)

    tell(story)


def test_the_switch_finds_out_that_the_database_is_back() -> None:
    """N1, N4: one failed commit with no call alive must not refuse calls for ever."""

    async def story(stage: Stage) -> None:
        await stage.switch.start()
        stage.disk.full = True
        with pytest.raises(Unavailable):
            await stage.place(B, [pause(5)])
        stage.disk.comes_back()
        await stage.after(60)
        await stage.place(B, [pause(5)])

    tell(story)


def test_a_full_mailbox_does_not_lose_the_end_of_a_call() -> None:
    """B1: what overflows may cost digits, never the last word of a leg."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        for _ in range(1_100):
            stage.script.say(telephony.Digit, a, digit="1", duration_ms=80, means="rfc4733")
        stage.script.ended(a)
        await stage.after(5)
        stage.disk.comes_back()
        await stage.after(5)
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
        assert stage.script.to(b) == ["Originate", "HangUp"]

    tell(story)


# times and recovery


def test_an_engine_whose_clock_runs_back_does_not_turn_the_record_around() -> None:
    """Times are clamped to the row's previous ones."""

    async def story(stage: Stage) -> None:
        a, _ = await stage.talking()
        past = stage.clock.now_us() - 3_600_000_000
        stage.script.say(telephony.Held, a, at_us=past, direction="sendonly")
        stage.script.say(telephony.Ended, a, at_us=past, cause=Cause.HANGUP, who=Who.FAR)
        await stage.tick()
        stage.sound()
        assert [leg.duration_s for leg in stage.legs()] == [0, 1]

    tell(story)


def left_alive(intent: bool, queued: bool) -> tuple[CallRecord, UUID]:
    leg = ids.uuid7(1)
    record = CallRecord.requested(
        call_id=ids.uuid7(1),
        leg_id=leg,
        world_id=UUID(int=7),
        source=NUMBER,
        destination=B,
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        at_us=50_000_000,
        node="test",
    )
    if not queued:
        record.start(50_000_000)
    if intent:
        record.intend_answer(leg, 50_000_000)
    return record, leg


@pytest.mark.parametrize(
    ("intent", "queued", "call_is", "leg_is"),
    [(False, True, "failed", "failed"), (False, False, "failed", "failed"), (True, False, "ended", "hangup")],
    ids=["queued", "starting", "answering"],
)
async def test_recovery_ends_what_a_node_left(intent: bool, queued: bool, call_is: str, leg_is: str) -> None:
    """R2: `endedAt` is the last heartbeat, but never before the call was made."""
    store = Store.in_memory()
    record, leg_id = left_alive(intent, queued)
    await store.commit(record.take())
    await store.transact(lambda transaction: transaction.write(rows.heartbeat("test", 49_000_000)))
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, start_us=90_000_000_000)  # type: ignore[arg-type]
    assert await recovery.settle(store, clock, "test") == 1
    call = rows.find_call(store, UUID(int=7), record.call.id)
    (leg,) = rows.legs_of(store, UUID(int=7), record.call.id)
    assert call is not None
    assert (call.status.value, leg.status.value, leg.reason) == (call_is, leg_is, Reason.NODE_RESTARTED)
    assert call.ended_us == leg.ended_us == 50_000_000
    assert call.updated_us == leg.updated_us >= 90_000_000_000
    check_record(store, UUID(int=7), record.call.id, over=True)
    assert leg.id == leg_id
