"""Endpoints as operators see them: what is known of a receiver's program, its limits, and whether it is sent to.

An endpoint is a URL without its query. It has a row once it has failed, or was given limits.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from callwright import ids
from callwright.clock import Clock
from callwright.egress import BadUrl, parse
from callwright.errors import Conflict, Invalid, NotFound, Unavailable
from callwright.store import Store, Write
from callwright.webhooks.health import Health
from callwright.webhooks.lanes import Live
from callwright.webhooks.model import Endpoint, State

MOST_AT_ONCE = 1_000
# Nothing, or next to nothing, is sent to an endpoint in one of these for some time.
PAUSING = frozenset({Health.RESTING, Health.BROKEN})
LEAST_A_SECOND, MOST_A_SECOND = 0.01, 100_000.0


class KnownEndpoint(msgspec.Struct, array_like=True, frozen=True):
    """`failing_us` is when the first of `failures` attempts failed of which none since was good; `concurrency` and `rate` are
    None where the settings hold.
    """

    id: UUID
    url: str
    concurrency: int | None
    rate: float | None
    failures: int
    failing_us: int | None
    disabled_us: int | None
    disabled_why: str | None
    created_us: int
    updated_us: int


class Sender(Protocol):
    """The running deliverer."""

    def refresh(self, endpoint: Endpoint) -> None: ...

    def live(self, world_id: UUID, url: str) -> Live | None: ...

    def end_pauses(self, world_id: UUID, url: str) -> None: ...

    async def enable(self, world_id: UUID, url: str) -> bool: ...

    async def disable(self, world_id: UUID, url: str) -> bool: ...


class Page(NamedTuple):
    """`after` is the id of the last where more follow, else None."""

    endpoints: list[KnownEndpoint]
    after: UUID | None


class Endpoints:
    def __init__(self, store: Store, clock: Clock, sender: Sender | None = None) -> None:
        """`sender` is None where no server runs."""
        self._store = store
        self._clock = clock
        self._sender = sender

    def page(self, world_id: UUID, *, limit: int, after: UUID | None = None) -> Page:
        """By URL, from the one after an endpoint's on; raises `NotFound` where there is no such endpoint."""
        url = "" if after is None else self.get(world_id, after).url
        found = [_known(row) for row in self._store.read("webhooks.list_endpoints", (world_id.bytes, url, limit + 1))]
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def find(self, world_id: UUID, url: str) -> KnownEndpoint | None:
        for row in self._store.read("webhooks.endpoint_by_url", (world_id.bytes, url)):
            return _known(row)
        return None

    def get(self, world_id: UUID, endpoint_id: UUID) -> KnownEndpoint:
        """Raises `NotFound`."""
        for row in self._store.read("webhooks.endpoint_by_id", (world_id.bytes, endpoint_id.bytes)):
            return _known(row)
        raise NotFound(f"No endpoint found for ID `{endpoint_id}`.")

    def waiting(self, world_id: UUID, url: str, state: State, most: int) -> int:
        """How many deliveries are in a state there, counted no further than `most`."""
        ((count,),) = self._store.read("webhooks.count_at_endpoint", (world_id.bytes, url, state.value, most))
        return int(count or 0)

    def live(self, world_id: UUID, url: str) -> Live | None:
        """How it does at this moment; None where no server runs, or nothing was sent there for some time."""
        return None if self._sender is None else self._sender.live(world_id, url)

    def held(self, world_id: UUID, url: str) -> Live | None:
        """How it does, where that is why nothing is sent there for some time yet."""
        live = self.live(world_id, url)
        if live is None or live.health not in PAUSING or (live.until_us or 0) <= self._clock.now_us():
            return None
        return live

    async def limit(self, world_id: UUID, url: str, concurrency: int | None, rate: float | None) -> KnownEndpoint:
        """Give an endpoint limits of its own, in place of those it had; None stands for that of the settings."""
        _check_limits(concurrency, rate)
        now_us = self._clock.now_us()
        write = Write("webhooks.limit_endpoint", (world_id.bytes, url, ids.uuid7(now_us).bytes, concurrency, rate, now_us))
        await self._store.transact(lambda transaction: transaction.write(write))
        if self._sender is not None:
            self._sender.refresh(Endpoint(world_id, url))
        known = self.find(world_id, url)
        assert known is not None
        return known

    async def enable(self, world_id: UUID, endpoint_id: UUID) -> KnownEndpoint:
        """Send there again from now on; what was given up is resent only when that is asked for.

        One that is not disabled, but rests or has its host left alone, is tried at once. Raises `Conflict` for any other.
        """
        known, sender = self.get(world_id, endpoint_id), self._running()
        if known.disabled_us is not None:
            await sender.enable(world_id, known.url)
            return self.get(world_id, endpoint_id)
        live = sender.live(world_id, known.url)
        if live is None or live.health not in PAUSING:
            raise Conflict(f"The endpoint {known.url} is not disabled, and it is not left alone for a while either.")
        sender.end_pauses(world_id, known.url)
        return self.get(world_id, endpoint_id)

    async def disable(self, world_id: UUID, endpoint_id: UUID) -> KnownEndpoint:
        """Send nothing there until it is enabled; what is pending is given up, and kept."""
        known, sender = self.get(world_id, endpoint_id), self._running()
        if known.disabled_us is not None:
            raise Conflict(f"The endpoint {known.url} is disabled already ({known.disabled_why}).")
        await sender.disable(world_id, known.url)
        return self.get(world_id, endpoint_id)

    def _running(self) -> Sender:
        if self._sender is None:
            raise Unavailable("No server runs on this data folder, so nothing is sent.", remedy="Start it: callwright serve")
        return self._sender


def endpoint_of(url: str, parameter: str = "url") -> str:
    """The endpoint that a URL belongs to, however it is spelt. Raises `Invalid`."""
    try:
        return parse(url).text.partition("?")[0]
    except BadUrl as error:
        raise Invalid(f"{parameter} is not a URL that anything could be sent to: {error}.", parameter=parameter) from None


def _check_limits(concurrency: int | None, rate: float | None) -> None:
    if concurrency is not None and not 1 <= concurrency <= MOST_AT_ONCE:
        raise Invalid(
            f"concurrency must be a whole number from 1 to {MOST_AT_ONCE}, or null for webhooks.per_endpoint; "
            f"it was {concurrency}.",
            parameter="concurrency",
        )
    if rate is not None and not LEAST_A_SECOND <= rate <= MOST_A_SECOND:
        raise Invalid(
            f"rate must be requests a second, from {LEAST_A_SECOND} to {MOST_A_SECOND:.0f}, or null for webhooks.rate; "
            f"it was {rate}. To send nothing, disable the endpoint.",
            parameter="rate",
        )


def _known(row: Any) -> KnownEndpoint:
    return msgspec.convert(row, KnownEndpoint, strict=False)
