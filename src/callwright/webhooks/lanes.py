"""Who is sent to next: every endpoint in turn, within its limits and its health, all within two budgets.

A lane is a call and a URL, and its order is kept in the database: only its head can be due. So what is held here is
small and can be lost: for each endpoint with work the positions of a few heads, read from the table when they run out, and
the time of the next that is not due yet. An endpoint that may not be sent to is not read: a backlog there costs nothing.
Whoever replaces the database or adds nodes replaces the functions given to the constructor.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

from callwright.clock import SECOND_US, Clock
from callwright.log import Log
from callwright.webhooks.alarms import Alarms
from callwright.webhooks.flights import Flight, Flights
from callwright.webhooks.health import GOOD, NOTHING, Breaker, Circuit, Happening, Health, Hosts, Peer, Verdict
from callwright.webhooks.model import Delivery, Endpoint
from callwright.webhooks.settings import WebhookSettings

READ_AHEAD = 64
STUCK_S = 5.0
# Requests that begin in one turn of the event loop: while the outcomes of some are written, others are sent, and calls do
# not wait for long.
LAUNCHED_TOGETHER = 64
# Endpoints whose next head is due later are held as a time alone; of those there may be so many times more.
ASLEEP_PER_PLACE = 10
_EVICTION_TRIES = 64

_log = Log("webhooks")


class Look(NamedTuple):
    """What there is to send at an endpoint: positions of heads that are due, and when the next will be."""

    due: list[int]
    next_at_us: int | None


class Limits(NamedTuple):
    """What the table says of an endpoint; None where it says nothing."""

    concurrency: int | None = None
    rate: float | None = None
    failures: int = 0
    failing_us: int | None = None
    disabled: bool = False
    failed_us: int | None = None


class Live(NamedTuple):
    """How an endpoint does at this moment. `until_us` is the end of its rest or of its host's pause."""

    health: Health
    until_us: int | None
    in_flight: int
    unanswered: int  # of these, for longer than `slow_after`
    concurrency: int
    rate: float


class Ground(Protocol):
    """What the lanes stand on: the table, the attempt, and what is to be done about an endpoint that is disabled."""

    def look(self, endpoint: Endpoint, limit: int) -> Look:
        """Read up to so many positions of due heads, the longest due first."""
        ...

    def limits(self, endpoint: Endpoint) -> Limits: ...

    def read(self, positions: Sequence[int]) -> Mapping[int, Delivery]:
        """Read what is sent next, as it is now."""
        ...

    async def attempt(self, delivery: Delivery, peer: Peer) -> Verdict | None:
        """Send one and commit what came of it; None when nothing did, so that it is not offered again at once."""
        ...

    def disabled(self, endpoint: Endpoint) -> None:
        """There is something pending at a disabled endpoint."""
        ...

    def happened(self, what: str) -> None: ...

    async def close(self) -> None:
        """Return when what came of attempts is committed, even of those that were cut off."""
        ...


class _Queue:
    """What is known of the work for one endpoint."""

    __slots__ = ("answered_ns", "heads", "held", "late", "lined_up", "maybe_more", "peer", "silent", "under_way")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.heads: deque[int] = deque()
        self.held: set[int] = set()  # heads and those under way
        self.under_way = 0
        self.late = 0
        self.answered_ns = 0  # when it last said anything
        self.silent = False  # an attempt is late, and nothing was answered since it began
        self.maybe_more = True
        self.lined_up = False


class Lanes:
    def __init__(self, ground: Ground, clock: Clock, settings: WebhookSettings) -> None:
        self._ground = ground
        self._clock = clock
        self._settings = settings
        self._hosts = Hosts(settings.break_after, settings.break_first, settings.break_longest)
        self._queues: OrderedDict[Endpoint, _Queue] = OrderedDict()  # the longest unused first
        self._turns: deque[_Queue] = deque()
        self._slow_turns: deque[_Queue] = deque()
        self._alarms: Alarms[Endpoint | Breaker] = Alarms(clock, self._woken)
        self._flights: Flights[_Queue] = Flights(clock, settings, self._late, self._start)
        self._launching: list[Flight[_Queue]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    # What others say.

    def offer(self, endpoint: Endpoint) -> bool:
        """Something may be due there. False when too many endpoints have work: it stays in the table until asked for."""
        queue = self._queue(endpoint)
        if queue is None:
            return False
        queue.maybe_more = True
        self._line_up(queue)
        self._start()
        return True

    def expect(self, endpoint: Endpoint, at_us: int) -> None:
        """Something will be due there."""
        if len(self._alarms) < self._settings.endpoints * ASLEEP_PER_PLACE:
            self._alarms.set(at_us, endpoint)

    def refresh(self, endpoint: Endpoint) -> None:
        """What the table says of an endpoint is different now."""
        queue = self._queues.get(endpoint)
        if queue is not None:
            self._read_limits(queue.peer)
            self._line_up(queue)
            self._start()

    def switch_off(self, endpoint: Endpoint) -> None:
        """The endpoint is disabled: start nothing more there."""
        queue = self._queues.get(endpoint)
        if queue is not None:
            queue.peer.move(Happening.SWITCHED_OFF)
            self._forget_heads(queue)

    def switch_on(self, endpoint: Endpoint) -> None:
        """The endpoint is enabled: begin with one attempt, whatever was known of it and of its host."""
        queue = self._queues.get(endpoint)
        if queue is not None:
            peer = queue.peer
            peer.switch_on()
            peer.breaker.let_probe(self._clock.now_us())
        self.offer(endpoint)

    def end_pauses(self, endpoint: Endpoint) -> None:
        """Try the endpoint at once, though it rests or its host is left alone."""
        queue = self._queues.get(endpoint)
        if queue is not None:
            queue.peer.end_rest()
            queue.peer.breaker.let_probe(self._clock.now_us())
        self.offer(endpoint)

    def live(self, endpoint: Endpoint) -> Live | None:
        """How an endpoint does; None when there was nothing to send to it for some time."""
        queue = self._queues.get(endpoint)
        return None if queue is None else self._described(queue)

    async def close(self, drain: float) -> None:
        """Start nothing more, give what is under way `drain` seconds to be answered, then cut it off."""
        self._closed = True
        self._turns.clear()
        self._slow_turns.clear()
        self._alarms.close()
        self._flights.close()
        try:
            async with self._clock.timeout(drain):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ground.close()

    # Queues.

    def _queue(self, endpoint: Endpoint) -> _Queue | None:
        queue = self._queues.get(endpoint)
        if queue is not None:
            self._queues.move_to_end(endpoint)
            return queue
        if self._closed or (len(self._queues) >= self._settings.endpoints and not self._make_room()):
            return None
        peer = Peer(endpoint, self._hosts.of(endpoint.url), concurrency=self._settings.per_endpoint)
        self._read_limits(peer)
        queue = self._queues[endpoint] = _Queue(peer)
        return queue

    def _make_room(self) -> bool:
        """Forget an endpoint that was not used for long and has nothing in hand; its work stays in the table."""
        for endpoint, queue in islice(self._queues.items(), _EVICTION_TRIES):
            if not queue.lined_up and not queue.under_way:
                queue.peer.breaker.waiting.pop(endpoint, None)
                del self._queues[endpoint]
                return True
        return False

    def _read_limits(self, peer: Peer) -> None:
        known = self._ground.limits(peer.endpoint)
        peer.limit(known.concurrency or self._settings.per_endpoint, self._settings.rate if known.rate is None else known.rate)
        peer.failures, peer.failing_us, peer.failed_us = known.failures, known.failing_us, known.failed_us
        if known.disabled:
            peer.move(Happening.SWITCHED_OFF)
        elif peer.health is Health.DISABLED:
            peer.move(Happening.SWITCHED_ON)

    def _described(self, queue: _Queue) -> Live:
        peer = queue.peer
        health = peer.health_at(self._clock.now_us())
        until = {Health.RESTING: peer.until_us, Health.BROKEN: peer.breaker.until_us}.get(health)
        rate = peer.pace.rate if peer.pace else 0.0
        return Live(health, until, queue.under_way, queue.late, peer.concurrency, rate)

    def _woken(self, sleeper: Endpoint | Breaker) -> None:
        if isinstance(sleeper, Breaker):
            self._send_for_a_probe(sleeper)
            self._start()
            return
        queue = self._queue(sleeper)
        if queue is None:
            self._alarms.set(self._clock.now_us() + SECOND_US, sleeper)
            return
        if not queue.heads:
            queue.maybe_more = True
        self._line_up(queue)
        self._start()

    # Turns.

    def _line_up(self, queue: _Queue) -> None:
        if queue.lined_up or self._closed or not (queue.heads or queue.maybe_more):
            return
        turns = self._turns_for(queue)
        if turns is not None:
            queue.lined_up = True
            turns.append(queue)

    def _turns_for(self, queue: _Queue) -> deque[_Queue] | None:
        """Where it may wait for its turn. None where it may not: whatever ends that lines it up."""
        peer = queue.peer
        if peer.well:
            busy = queue.silent or queue.under_way >= peer.concurrency
            return None if busy or not self._in_pace(peer) else self._turns
        now_us = self._clock.now_us()
        health = peer.health_at(now_us)
        if health is Health.PROBATION:
            return None if queue.under_way or not self._in_pace(peer) else self._slow_turns
        if health is Health.BROKEN:
            return self._turns_under_breaker(queue, now_us)
        if health is Health.RESTING:
            self._alarms.set(peer.until_us, peer.endpoint)
        if health is Health.DISABLED:
            self._forget_heads(queue)
            self._ground.disabled(peer.endpoint)
        return None

    def _turns_under_breaker(self, queue: _Queue, now_us: int) -> deque[_Queue] | None:
        breaker = queue.peer.breaker
        if queue.under_way:
            return None
        if breaker.may_probe(now_us):
            return self._slow_turns
        breaker.waiting[queue.peer.endpoint] = None
        if breaker.circuit is Circuit.OPEN:
            self._alarms.set(breaker.until_us, breaker)
        return None

    def _in_pace(self, peer: Peer) -> bool:
        if peer.pace is None or not (wait_ns := peer.pace.wait_ns(self._clock.mono_ns())):
            return True
        self._alarms.set(self._clock.now_us() + wait_ns // 1000 + 1, peer.endpoint)
        return False

    def _send_for_a_probe(self, breaker: Breaker) -> None:
        """Line up the first of those that wait for a host whose pause is over; see that it is done when it is not yet."""
        now_us = self._clock.now_us()
        while breaker.waiting and breaker.may_probe(now_us):
            endpoint = next(iter(breaker.waiting))
            del breaker.waiting[endpoint]
            queue = self._queues.get(endpoint)
            if queue is not None:
                self._line_up(queue)
                if queue.lined_up:
                    return
        if breaker.waiting and breaker.circuit is Circuit.OPEN:
            self._alarms.set(breaker.until_us, breaker)

    def _release(self, breaker: Breaker) -> None:
        waiting = tuple(breaker.waiting)
        breaker.waiting.clear()
        for endpoint in waiting:
            if (queue := self._queues.get(endpoint)) is not None:
                self._line_up(queue)

    # Attempts.

    def _start(self) -> None:
        """Start attempts, one for each endpoint in turn, while there is room."""
        while self._turns and self._flights.has_room(slow=False):
            self._start_next(self._turns.popleft(), self._turns)
        while self._slow_turns and self._flights.has_room(slow=True):
            self._start_next(self._slow_turns.popleft(), self._slow_turns)

    def _start_next(self, queue: _Queue, turns: deque[_Queue]) -> None:
        queue.lined_up = False
        peer = queue.peer
        if not queue.heads and queue.maybe_more:
            self._read(queue)
        if not queue.heads:
            self._send_for_a_probe(peer.breaker)  # it may have been lined up as one
            return
        if self._turns_for(queue) is not turns:  # much can happen before a turn comes
            self._line_up(queue)
            return
        probe = peer.health is Health.BROKEN
        if probe:
            peer.breaker.probe()
        if peer.pace is not None:
            peer.pace.take(self._clock.mono_ns())
        flight = Flight(queue, queue.heads.popleft(), slow=turns is self._slow_turns, probe=probe)
        queue.under_way += 1
        self._flights.start(flight)
        if not self._launching:
            asyncio.get_running_loop().call_soon(self._launch)
        self._launching.append(flight)
        self._line_up(queue)

    def _launch(self) -> None:
        """Read the first of what was started in this turn of the event loop together, and send it."""
        flights, self._launching = self._launching[:LAUNCHED_TOGETHER], self._launching[LAUNCHED_TOGETHER:]
        if self._closed:
            return
        if self._launching:
            asyncio.get_running_loop().call_soon(self._launch)
        self._send(flights)

    def _send(self, flights: Sequence[Flight[_Queue]]) -> None:
        try:
            found = self._ground.read([flight.pos for flight in flights])
        except Exception:
            if len(flights) > 1:
                for flight in flights:
                    self._send([flight])  # one that cannot be read keeps no other from being sent
                return
            (flight,) = flights
            _log.exception("delivery_stuck", host=flight.queue.peer.endpoint.host, pos=flight.pos)
            self._end(flight, None)
            return
        loop = asyncio.get_running_loop()
        for flight in flights:
            delivery = found.get(flight.pos)
            if delivery is None:
                self._end(flight, NOTHING)
            else:
                self._tasks.add(loop.create_task(self._run(flight, delivery)))

    def _read(self, queue: _Queue) -> None:
        limit = READ_AHEAD + len(queue.held)
        look = self._ground.look(queue.peer.endpoint, limit)
        queue.maybe_more = len(look.due) == limit
        for pos in look.due:
            if pos not in queue.held:
                queue.held.add(pos)
                queue.heads.append(pos)
        if look.next_at_us is not None:
            self.expect(queue.peer.endpoint, look.next_at_us)

    def _forget_heads(self, queue: _Queue) -> None:
        queue.held.difference_update(queue.heads)
        queue.heads.clear()
        queue.maybe_more = True

    async def _run(self, flight: Flight[_Queue], delivery: Delivery) -> None:
        verdict = None
        try:
            verdict = await self._ground.attempt(delivery, flight.queue.peer)
        except Exception:
            _log.exception("delivery_stuck", host=flight.queue.peer.endpoint.host, pos=flight.pos)
        finally:
            self._tasks.discard(asyncio.current_task())
            self._end(flight, verdict)

    def _end(self, flight: Flight[_Queue], verdict: Verdict | None) -> None:
        if verdict is None:
            # It stays held for a while, so that the rest can go on.
            self._clock.call_later(STUCK_S, partial(self._let_go, flight.queue, flight.pos))
        else:
            flight.queue.held.discard(flight.pos)
        self._land(flight, verdict or NOTHING)

    def _let_go(self, queue: _Queue, pos: int) -> None:
        queue.held.discard(pos)
        queue.maybe_more = True
        self._line_up(queue)
        self._start()

    def _land(self, flight: Flight[_Queue], verdict: Verdict) -> None:
        queue = flight.queue
        queue.under_way -= 1
        queue.late -= flight.late
        self._flights.end(flight)
        if verdict.happening is not Happening.HUNG:
            if verdict is not NOTHING:
                queue.answered_ns, queue.silent = self._clock.mono_ns(), False
        elif queue.answered_ns > flight.started_ns:
            verdict = verdict._replace(happening=Happening.ERRED)  # one request hangs there, and not all of it
        queue.silent = queue.silent and queue.under_way > 0
        self._take_in(queue.peer, verdict, probe=flight.probe)
        queue.maybe_more = True  # the next of the lane may be its head now
        self._line_up(queue)
        self._start()

    def _late(self, flight: Flight[_Queue]) -> None:
        queue = flight.queue
        queue.late += 1
        if queue.answered_ns <= flight.started_ns:
            queue.silent = True  # so it starts nothing more until it says something

    def _take_in(self, peer: Peer, verdict: Verdict, *, probe: bool) -> None:
        breaker = peer.breaker
        if verdict is GOOD and peer.well and not breaker.failures:
            return
        now_us = self._clock.now_us()
        before = breaker.circuit
        changed = breaker.note(verdict.against_host, now_us, probe=probe)
        peer.note(verdict)
        if not changed:
            return
        if breaker.circuit is Circuit.CLOSED:
            _log.info("host_back", host=breaker.name)
            self._ground.happened("breaker_closed")
            self._release(breaker)
            return
        self._alarms.set(breaker.until_us, breaker)
        if before is Circuit.CLOSED:
            _log.warning(
                "host_left_alone",
                host=breaker.name,
                failures=breaker.failures,
                probe_in_s=breaker.pause_s,
                remedy="nothing is lost: what is due is sent when a probe is answered; see that the host answers",
            )
            self._ground.happened("breaker_opened")
