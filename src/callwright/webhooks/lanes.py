"""Who is sent to next: every endpoint in turn, each within its limit, all within one limit.

A lane is a call and a URL, and its order is kept in the database: only its head can be due. So what is held here is
small and can be lost: for each endpoint with work the positions of a few heads, read from the table when they run out.
Whoever replaces the database or adds nodes replaces the two functions given to the constructor.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from callwright.clock import Clock
from callwright.log import Log
from callwright.webhooks.model import Endpoint

READ_AHEAD = 64

_log = Log("webhooks")


class _Queue:
    """What is known of one endpoint."""

    __slots__ = ("heads", "held", "maybe_more", "queued", "under_way")

    def __init__(self) -> None:
        self.heads: deque[int] = deque()
        self.held: set[int] = set()  # heads and those under way
        self.under_way = 0
        self.maybe_more = True
        self.queued = False


class Lanes:
    def __init__(
        self,
        due: Callable[[Endpoint, int], list[int]],
        attempt: Callable[[int], Awaitable[bool]],
        clock: Clock,
        *,
        concurrency: int,
        per_endpoint: int,
        endpoints: int,
    ) -> None:
        """`due` reads up to so many positions of due heads, the longest due first; `attempt` sends one and commits what came
        of it, or returns False when nothing did, so that it is not offered again at once.
        """
        self._due = due
        self._attempt = attempt
        self._clock = clock
        self._concurrency = concurrency
        self._per_endpoint = per_endpoint
        self._endpoints = endpoints
        self._queues: dict[Endpoint, _Queue] = {}
        self._turns: deque[Endpoint] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, endpoint: Endpoint) -> bool:
        """Something may be due there. False when too many endpoints have work: it stays in the table until asked for."""
        queue = self._queues.get(endpoint)
        if queue is None:
            if self._closed or len(self._queues) >= self._endpoints:
                return False
            queue = self._queues[endpoint] = _Queue()
        queue.maybe_more = True
        self._line_up(endpoint, queue)
        self._start()
        return True

    async def close(self, drain: float) -> None:
        """Start nothing more, give what is under way `drain` seconds to be answered, then cut it off."""
        self._closed = True
        self._turns.clear()
        try:
            async with self._clock.timeout(drain):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _line_up(self, endpoint: Endpoint, queue: _Queue) -> None:
        if not queue.queued and not self._closed and queue.under_way < self._per_endpoint:
            queue.queued = True
            self._turns.append(endpoint)

    def _start(self) -> None:
        """Start attempts, one for each endpoint in turn, while there is room."""
        while self._turns and len(self._tasks) < self._concurrency:
            endpoint = self._turns.popleft()
            queue = self._queues[endpoint]
            queue.queued = False
            if not queue.heads and queue.maybe_more:
                self._read(endpoint, queue)
            if queue.heads:
                pos = queue.heads.popleft()
                queue.under_way += 1
                task = asyncio.get_running_loop().create_task(self._run(endpoint, queue, pos))
                self._tasks.add(task)
                self._line_up(endpoint, queue)
            elif not queue.under_way:
                del self._queues[endpoint]

    def _read(self, endpoint: Endpoint, queue: _Queue) -> None:
        limit = READ_AHEAD + len(queue.held)
        found = self._due(endpoint, limit)
        queue.maybe_more = len(found) == limit
        for pos in found:
            if pos not in queue.held:
                queue.held.add(pos)
                queue.heads.append(pos)

    async def _run(self, endpoint: Endpoint, queue: _Queue, pos: int) -> None:
        try:
            if await self._attempt(pos):
                queue.held.discard(pos)
        except Exception:
            # It stays held, so that the rest can go on; once the queue is empty the next look at the table finds it again.
            _log.exception("delivery_stuck", endpoint=endpoint.url, pos=pos)
        finally:
            self._tasks.discard(asyncio.current_task())
            queue.under_way -= 1
            queue.maybe_more = True  # the next of the lane may be its head now
            self._line_up(endpoint, queue)
            self._start()
