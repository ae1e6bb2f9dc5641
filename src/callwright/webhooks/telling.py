"""What the log says of attempts that fail: of each endpoint the first in full, then a line a minute with how many came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from callwright.clock import Clock
from callwright.log import Log
from callwright.webhooks.model import Endpoint

FAILED, EXHAUSTED = "delivery_failed", "delivery_exhausted"
QUIET_S = 60.0
# Endpoints remembered at once; beyond, the one that was told of first is forgotten.
MOST = 10_000

_log = Log("webhooks")


class _Untold:
    """Of one endpoint: how many came since its last line, and what the latest of them was."""

    __slots__ = ("bad", "count", "latest", "next_ns")

    def __init__(self) -> None:
        self.count = 0
        self.latest: Mapping[str, Any] = {}
        self.next_ns = 0
        self.bad = False  # the log has said that it fails, and not that it is good again


class Telling:
    """Writes at most one line a minute of each kind for each endpoint, and one when it takes something again.

    A receiver that is down for a night would otherwise fill the log and hide in it what happened to others.
    """

    def __init__(self, clock: Clock, known: Callable[[Endpoint], UUID | None]) -> None:
        """`known` gives the id that an endpoint has once it has failed; it is asked when a line is written."""
        self._clock = clock
        self._known = known
        self._all: dict[tuple[str, Endpoint], _Untold] = {}

    def note(self, event: str, endpoint: Endpoint, fields: Mapping[str, Any]) -> None:
        """Something of the kind `event`, `delivery_failed` or `delivery_exhausted`, happened at an endpoint."""
        key = event, endpoint
        if (untold := self._all.get(key)) is None:
            if len(self._all) >= MOST:
                self._forget(next(iter(self._all)))
            untold = self._all[key] = _Untold()
        untold.count += 1
        untold.latest = fields
        if self._clock.mono_ns() >= untold.next_ns:
            self._tell(key, untold)

    def good(self, endpoint: Endpoint) -> None:
        """It has taken something. What failed meanwhile and is not told of is counted in the line that says so."""
        if not self._all or (untold := self._all.get((FAILED, endpoint))) is None or not untold.bad:
            return
        counted = {"count": untold.count} if untold.count else {}
        untold.bad, untold.count = False, 0
        _log.info("endpoint_good", endpoint=self._known(endpoint), host=endpoint.host, **counted)

    async def run(self) -> None:
        """Tell what is left of minutes that are over, until cancelled; then tell the rest."""
        try:
            while True:
                await self._clock.sleep(QUIET_S)
                self._look_through()
        finally:
            for key in tuple(self._all):
                self._forget(key)

    def _look_through(self) -> None:
        now_ns = self._clock.mono_ns()
        for key, untold in tuple(self._all.items()):
            if now_ns < untold.next_ns:
                continue
            if untold.count:
                self._tell(key, untold)
            elif not untold.bad:
                del self._all[key]

    def _forget(self, key: tuple[str, Endpoint]) -> None:
        untold = self._all.pop(key)
        if untold.count:
            self._tell(key, untold)

    def _tell(self, key: tuple[str, Endpoint], untold: _Untold) -> None:
        event, endpoint = key
        counted = {"count": untold.count} if untold.count > 1 else {}
        untold.count, untold.bad = 0, event == FAILED
        untold.next_ns = self._clock.mono_ns() + round(QUIET_S * 1e9)
        _log.warning(event, endpoint=self._known(endpoint), host=endpoint.host, **untold.latest, **counted)
