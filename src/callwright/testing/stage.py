"""A rehearsal that a test drives from outside: while the test thinks, its time stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from callwright.clock import VirtualLoop
from callwright.rehearsal.delivering import Deliveries, real_door
from callwright.rehearsal.platform import A_MOMENT_S, Rehearsal, simulated
from callwright.settings import Settings

__tracebackhide__ = True

T = TypeVar("T")


class Stage:
    """One platform and the loop it lives on. `close` it when it is needed no more."""

    def __init__(self, settings: Settings, *, real_web: bool = False) -> None:
        """With `real_web`, URLs that nobody here answers for are really asked."""
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        self._aside: ThreadPoolExecutor | None = None
        self._closed = False
        # What a program of the test raised while it was asked: the test is to fail of it, not the call.
        self.raised: BaseException | None = None
        door = (lambda clock: real_door(clock, settings)) if real_web else None
        self.rehearsal: Rehearsal = self.do(lambda: simulated(settings, door))
        self._deliveries: Deliveries | None = None

    @property
    def deliveries(self) -> Deliveries:
        """Who posts the callbacks, where they are posted."""
        self._deliveries = self._deliveries or Deliveries(self.rehearsal)
        return self._deliveries

    def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have something done there; raises what a program of the test has raised meanwhile."""
        done = self._without_a_loop(lambda: self._runner.run(work()))
        if self.raised is not None:
            error, self.raised = self.raised, None
            raise error
        return done

    def _without_a_loop(self, call: Callable[[], T]) -> T:
        """Where the test is a coroutine itself, its loop stands still while it waits for another thread."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            within = False  # and what is raised now is not raised because of that
        else:
            within = True
        if not within:
            return call()
        self._aside = self._aside or ThreadPoolExecutor(1, "callwright-simulated")
        return self._aside.submit(call).result()

    def settle(self) -> None:
        """Let all happen that can happen now."""
        self.do(lambda: asyncio.sleep(A_MOMENT_S))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.raised = None
        try:
            if self._deliveries is not None:
                self.do(self._deliveries.close)
            self.do(self.rehearsal.stop)
        finally:
            self._without_a_loop(self._runner.close)
            if self._aside is not None:
                self._aside.shutdown()
