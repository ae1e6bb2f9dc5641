"""The switch: takes calls in and out, finds their flow, and keeps the actors of the live ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from callwright import ids, telephony
from callwright.accounts.worlds import World
from callwright.calls import journal, rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call, CalledNumber
from callwright.clock import Clock
from callwright.errors import NotFound, StoreUnavailable, Unavailable
from callwright.flows.flows import Flows, StoredFlow
from callwright.flows.schema import Flow
from callwright.log import Log, OncePerSecond, masked
from callwright.numbers.numbers import Number, Numbers, normalised
from callwright.reasons import Refusal
from callwright.store import Store
from callwright.switch.actor import CallActor
from callwright.switch.admission import Admission, Pace
from callwright.switch.control import LiveControl
from callwright.switch.mailbox import Ask
from callwright.switch.messages import Dial
from callwright.switch.plan import Plan, Supplies, Surroundings, plan_for
from callwright.switch.recovery import Releases
from callwright.switch.settings import CallSettings
from callwright.telephony import Engine, Target

MAX_HOPS = 5
RETRY_AFTER_S = 5
HEARTBEAT_S = 1.0
LAST_WORDS_S = 2.0
SHUT_DOWN_WITHIN_S = 8.0  # what the database does not take by then is left to a successor; the unit gives 15 s in all

_log = Log("switch")


class Counters(Protocol):
    """What is counted of calls."""

    def call_started(self, direction: str, world: str) -> None: ...

    def call_ended(self, status: str, world: str) -> None: ...

    def invite_refused(self, reason: str) -> None: ...


class Line(NamedTuple):
    """How a world reaches the telephone network; `unhealthy` says what is wrong besides what the engine knows.

    `own_hosts` are names and addresses of this server in the URIs of far ends.
    """

    world: World
    engine: Engine
    route: Callable[[str], Target]
    unhealthy: Callable[[], str | None] = lambda: None
    own_hosts: frozenset[str] = frozenset()


class Switch(LiveControl):
    """Live calls of all worlds on this node."""

    def __init__(
        self,
        *,
        lines: Mapping[UUID, Line],
        store: Store,
        clock: Clock,
        numbers: Numbers,
        flows: Flows,
        supplies: Supplies,
        settings: CallSettings,
        counters: Counters,
        node: str,
        new_id: Callable[[int], UUID] = ids.uuid7,
    ) -> None:
        self._lines = lines
        self._store = store
        self._clock = clock
        self._numbers = numbers
        self._flows = flows
        self._supplies = supplies
        self._settings = settings
        self._counters = counters
        self._node = node
        self._new_id = new_id
        self._pace = Pace(clock, settings.new_legs_per_second)
        self._by_call: dict[UUID, CallActor] = {}
        self._by_leg: dict[UUID, CallActor] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._placing = 0
        self._turned_away: OncePerSecond[Refusal, tuple[telephony.Incoming, str]] = OncePerSecond(clock, _log_refusals)
        self._heart: asyncio.Task[None] | None = None
        self._releases = Releases(store, clock)
        self.admission = Admission(settings.max_live, lambda: len(self._by_call), store.unhealthy)
        for line in lines.values():
            line.engine.attach(self._listener(line))

    # for the API

    async def place_call(
        self,
        world: World,
        *,
        source: str,
        destination: str,
        flow: Flow,
        flow_body: dict[str, Any],
        webhook_url: str | None,
        webhook_token: str | None,
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> Call:
        """Row N4: put a call on record and in the queue of the dialler; returns once it is committed."""
        line = self._lines[world.id]
        if (refused := self.admission.refusal() or self._engine_down(line)) is not None:
            refusal, seen = refused
            raise Unavailable(f"No call can be placed now. {refusal.sentence} {seen}".strip())
        owned = self._numbers.find(world.id, source)
        now = self._clock.now_us()
        record = CallRecord.requested(
            call_id=self._new_id(now),
            leg_id=self._new_id(now),
            world_id=world.id,
            source=source,
            destination=destination,
            number_id=None if owned is None else owned.id,
            webhook_url=webhook_url,
            webhook_token=webhook_token,
            tags=tags,
            metadata=dict(metadata or {}),
            at_us=now,
            node=self._node,
        )
        plan = Plan(flow, journal.FlowStarted(flow_id=None, flow=flow_body))
        placing = asyncio.get_running_loop().create_task(self._put_on_record(line, record, plan))
        self._keep(placing)
        self._placing += 1
        try:
            async with self._clock.timeout(self._settings.store_patience):
                call = await asyncio.shield(placing)
        except (StoreUnavailable, TimeoutError) as error:
            placing.add_done_callback(self._forget)
            raise Unavailable(
                f"The call was not placed: the database does not accept writes. {error}".strip(),
                remedy="See to the database, then ask again.",
            ) from error
        except asyncio.CancelledError:
            placing.add_done_callback(self._forget)  # nobody will learn of this call
            raise
        finally:
            self._placing -= 1
        placed = call.record.call
        self._counters.call_started("outgoing", world.kind)
        self._pace.when_free(lambda: call.put(Dial()))
        return placed

    async def _put_on_record(self, line: Line, record: CallRecord, plan: Plan) -> CallActor:
        await self._store.commit(record.take())
        return self._start(line, record, plan)

    def _forget(self, placing: asyncio.Task[CallActor]) -> None:
        """End a call whose commit came after its customer was told that there is none; it was never dialled."""
        if not placing.cancelled() and placing.exception() is None:
            self._keep(asyncio.get_running_loop().create_task(placing.result().ask(Ask.FORGET)))

    async def hang_up_call(self, world_id: UUID, call_id: UUID) -> None:
        """Rows C1 to C3. Raises `NotFound` for a call the world does not have."""
        live = self._by_call.get(call_id)
        if live is not None and live.record.call.world_id == world_id:
            await live.ask(Ask.HANG_UP)
        elif rows.find_call(self._store, world_id, call_id) is None:
            raise NotFound(f"No call found for ID `{call_id}`.")

    async def hang_up_leg(self, world_id: UUID, leg_id: UUID) -> None:
        """Row C4. Raises `NotFound` for a leg the world does not have."""
        leg = rows.find_leg(self._store, world_id, leg_id)
        if leg is None:
            raise NotFound(f"No leg found for ID `{leg_id}`.")
        if (live := self._by_call.get(leg.call_id)) is not None:
            await live.ask(Ask.HANG_UP, leg_id)

    def _live(self, call_id: UUID) -> CallActor | None:
        return self._by_call.get(call_id)

    @property
    def live_calls(self) -> int:
        return len(self._by_call)

    @property
    def live_call_ids(self) -> list[UUID]:
        return list(self._by_call)

    @property
    def live_legs(self) -> int:
        return sum(1 for call in self._by_call.values() for leg in call.record.legs if leg.live)

    # life of the switch

    async def start(self) -> None:
        self._heart = asyncio.get_running_loop().create_task(self._beat())

    async def drain(self, seconds: float) -> None:
        """Row R3: take no new calls, give the live ones so long, then end them."""
        self.admission.draining = True
        try:
            async with self._clock.timeout(seconds):
                while self._by_call or self._placing:
                    await self._clock.sleep(0.1)
        except TimeoutError:
            _log.info("drain_over", calls=len(self._by_call))
            asked: dict[CallActor, asyncio.Task[None]] = {}
            try:
                async with self._clock.timeout(SHUT_DOWN_WITHIN_S):
                    while self._placing or any(call.record.live for call in self._by_call.values()):
                        for call in tuple(self._by_call.values()):
                            if call not in asked:
                                asked[call] = asyncio.get_running_loop().create_task(call.ask(Ask.SHUT_DOWN))
                        await self._clock.sleep(0.05)
                    await asyncio.gather(*asked.values(), return_exceptions=True)
            except TimeoutError:
                _log.error("calls_abandoned", calls=len(self._by_call), why=self._store.unhealthy() or "the database is slow")
                for call in tuple(self._by_call.values()):
                    call.abandon()
            with suppress(TimeoutError):  # the far ends' last words belong to the journal
                async with self._clock.timeout(LAST_WORDS_S):
                    while self._by_call:
                        await self._clock.sleep(0.05)

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._heart] if self._heart else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._releases.stop()

    async def _beat(self) -> None:
        """Stamp the time of day on disk while calls live, so that a successor knows when this node was last there.

        The first stamp finds out whether the disk takes writes at all, before a call has to wait for it.
        """
        first = True
        while True:
            if first or self._by_call or self._store.unhealthy():  # the last to find out whether it is back
                first = False
                with suppress(StoreUnavailable):  # the store has told
                    await self._store.transact(
                        lambda transaction: transaction.write(rows.heartbeat(self._node, self._clock.now_us()))
                    )
            self._turned_away.flush()
            await self._clock.sleep(HEARTBEAT_S)

    # events of the engines

    def _listener(self, line: Line) -> Callable[[telephony.Event], None]:
        def heard(event: telephony.Event) -> None:
            if isinstance(event, telephony.Incoming):
                self._arrived(line, event)
            elif isinstance(event, telephony.Released):
                self._releases.note(line.world.id, event.leg)
            elif (call := self._by_leg.get(event.leg)) is not None:
                call.put(event)

        return heard

    def _arrived(self, line: Line, event: telephony.Incoming) -> None:
        """Rows N1 and N2."""
        destination = normalised(event.destination) or event.destination
        number = None
        refused = self.admission.refusal() or self._engine_down(line)
        if refused is None and event.hops > MAX_HOPS:
            refused = Refusal.LOOP, f"{event.hops} hops"
        if refused is None:
            number = self._owner(line.world, destination)
        if number is None:
            self._turn_away(line, event, *(refused or (Refusal.UNKNOWN_NUMBER, self._why_unknown(destination))))
            return
        flow = self._flow_of(number)
        plan = plan_for(flow, event)
        called = CalledNumber(number.id, number.number, None if flow is None else flow.id, number.created_us, number.updated_us)
        record = CallRecord.incoming(
            call_id=self._new_id(event.at_us),
            leg_id=event.leg,
            world_id=number.world_id,
            source=normalised(event.source) or event.source,
            destination=destination,
            called=called,
            sip_call_id=event.sip_call_id,
            dialog=event.dialog,
            at_us=event.at_us,
            node=self._node,
        )
        self._counters.call_started("incoming", line.world.kind)
        self._start(line, record, plan, event)

    def _owner(self, world: World, number: str) -> Number | None:
        return self._numbers.find_live(number) if world.live else self._numbers.find(world.id, number)

    def _why_unknown(self, number: str) -> str:
        for line in self._lines.values():
            if not line.world.live and self._numbers.find(line.world.id, number) is not None:
                return "only a test world has this number; register it in the live world"
        return "no world has this number; register it with: callwright numbers add"

    def _flow_of(self, number: Number) -> StoredFlow | None:
        """The number's own flow, else the world's default."""
        bound = None if number.flow_id is None else self._flows.find(number.world_id, number.flow_id)
        return bound or self._flows.default(number.world_id)

    def _turn_away(self, line: Line, event: telephony.Incoming, refusal: Refusal, seen: str) -> None:
        self._counters.invite_refused(refusal.value)
        self._turned_away.note(refusal, (event, seen))
        line.engine.submit(
            telephony.Reject(
                id=1,
                call=event.leg,
                leg=event.leg,
                code=refusal.sip_code,
                phrase=refusal.sip_phrase,
                retry_after_s=RETRY_AFTER_S if refusal.sip_code == 503 else None,
            )
        )

    def _engine_down(self, line: Line) -> tuple[Refusal, str] | None:
        part = line.engine.unhealthy() or line.unhealthy()
        return None if part is None else (Refusal.UNHEALTHY, part)

    # actors

    def _start(self, line: Line, record: CallRecord, plan: Plan, first: telephony.Incoming | None = None) -> CallActor:
        around = Surroundings(
            engine=line.engine,
            route=line.route,
            store=self._store,
            clock=self._clock,
            supplies=self._supplies,
            settings=self._settings,
            new_leg_id=self._leg_id_for(record.call.id),
            allow_leg=self._pace.take,
            over=self._over,
            own_hosts=line.own_hosts,
        )
        call = CallActor(record, around, plan, self._retire, first)
        self._by_call[record.call.id] = call
        self._by_leg[record.legs[0].id] = call
        self._keep(asyncio.get_running_loop().create_task(call.run()))
        return call

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _leg_id_for(self, call_id: UUID) -> Callable[[int], UUID]:
        """Make leg ids of a call known here before the engine can speak of them."""

        def new_leg_id(at_us: int) -> UUID:
            leg_id = self._new_id(at_us)
            self._by_leg[leg_id] = self._by_call[call_id]
            return leg_id

        return new_leg_id

    def _retire(self, call: CallActor) -> None:
        self._by_call.pop(call.record.call.id, None)
        for leg in call.record.legs:
            self._by_leg.pop(leg.id, None)

    def _over(self, record: CallRecord) -> None:
        """A call has ended on the record; the wire may take longer."""
        ended = record.call
        self._counters.call_ended(ended.status.value, self._lines[ended.world_id].world.kind)
        first = record.legs[0]
        _log.info(
            "call_ended",
            call=ended.id,
            status=ended.status.value,
            reason="" if first.reason is None else first.reason.value,
            source=masked(ended.source),
            destination=masked(ended.destination),
            legs=len(record.legs),
            seconds=max(leg.duration_s for leg in record.legs),
        )


def _log_refusals(refusal: Refusal, count: int, last: tuple[telephony.Incoming, str]) -> None:
    event, seen = last
    _log.info(
        "invite_refused",
        reason=refusal.value,
        code=refusal.sip_code,
        count=count,
        source=masked(event.source),
        destination=masked(event.destination),
        address=event.address,
        seen=seen,
    )
