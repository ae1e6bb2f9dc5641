"""The only place that reads time.

Wall time is an ``int`` of microseconds since the epoch in UTC (``*_us``); it stamps records and goes on the wire.
Monotonic time is an ``int`` of nanoseconds (``*_ns``); it measures spans. Everything that waits takes a `Clock` by
constructor, so that a test, a flow test or a replay can put `VirtualClock` in its place.
"""

from __future__ import annotations

import asyncio
import re
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 3339 §5.6, with the space that its note allows for the T.
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


class Clock(Protocol):
    def now_us(self) -> int: ...

    def mono_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        """Raise `TimeoutError` out of the ``async with`` block after so many seconds (None: never)."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle: ...


class _LoopClock:
    """What both clocks share: waiting is the running event loop's business."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        return asyncio.timeout(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, callback)


class SystemClock(_LoopClock):
    def now_us(self) -> int:
        return time.time_ns() // 1000

    def mono_ns(self) -> int:
        return time.monotonic_ns()


class VirtualClock(_LoopClock):
    """The time of a `VirtualLoop`: it stands still while anything can run, then jumps to the next timer."""

    def __init__(self, loop: VirtualLoop, start_us: int = 1_700_000_000 * SECOND_US) -> None:
        self._loop = loop
        self._start_us = start_us

    def now_us(self) -> int:
        return self._start_us + round(self._loop.time() * SECOND_US)

    def mono_ns(self) -> int:
        return round(self._loop.time() * 1_000_000_000)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers cost no real time.

    Where the ordinary loop would sleep until its next timer, this one moves its time there. Nothing outside the loop
    (threads, sockets) is waited for while a timer is pending, except within `outside`.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._outside = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds

    @contextmanager
    def outside(self) -> Iterator[None]:
        """While this lasts something outside the loop is waited for, and time passes here as it does there."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    async def shutdown_default_executor(self, *arguments: Any) -> None:
        with self.outside():  # its threads end in their own time
            await super().shutdown_default_executor(*arguments)

    @property
    def waits_outside(self) -> bool:
        return self._outside > 0


def outside() -> AbstractContextManager[None]:
    """Within, the running loop waits for what is outside of it, as any but a `VirtualLoop` always does."""
    loop = asyncio.get_running_loop()
    return loop.outside() if isinstance(loop, VirtualLoop) else nullcontext()


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._loop.waits_outside and (timeout is None or timeout > 0):
            return self._wait(timeout)
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for another: nothing can run and no timer is set")
        self._loop.advance(timeout)
        return []

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began_ns = time.monotonic_ns()
        ready = super().select(timeout)
        passed = (time.monotonic_ns() - began_ns) / 1e9
        # A timer that was waited for is due, however the two clocks round.
        self._loop.advance(passed if ready or timeout is None else max(passed, timeout))
        return ready


def rfc3339(at_us: int) -> str:
    """Write a wall time as the wire has it: UTC, ``Z``, floored to whole seconds (contract §1.6).

    >>> rfc3339(1_488_023_999_999_999)
    '2017-02-25T11:59:59Z'
    """
    return _second(at_us // SECOND_US)


def from_rfc3339(text: str) -> int:
    """A wall time with its zone, floored to whole microseconds. Raises `ValueError` for other forms of ISO 8601 too.

    >>> from_rfc3339("2017-02-25t12:59:59.5+01:00")
    1488023999500000
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no time as RFC 3339 has it")
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    day, rest = divmod(second, 86_400)
    return f"{_day(day)}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * 86_400, UTC).strftime("%Y-%m-%d")
