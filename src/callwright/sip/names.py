"""Host names of targets to IPv4 addresses, without blocking and without asking twice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import AddressValueError, IPv4Address

from callwright.clock import Clock
from callwright.errors import CallwrightError

LOOKUP_S = 5.0
KEPT_S = 60.0
MAX_KEPT = 1024

Lookup = Callable[[str], Awaitable[str]]


class NameNotFound(CallwrightError):
    """The host name has no IPv4 address."""


def literal(host: str) -> str | None:
    """The address when `host` is one already; raise `NameNotFound` for an IPv6 address."""
    if ":" in host or host.startswith("["):
        raise NameNotFound(f"{host}: IPv6 is not supported; use an IPv4 address or a name that has one")
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        return None


async def system_lookup(host: str) -> str:
    """Ask the system's resolver; raise `OSError` when it does not know."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])


class Names:
    """Look-ups in flight are shared, and what was found is kept for a minute; failures are not kept."""

    def __init__(self, clock: Clock, lookup: Lookup = system_lookup) -> None:
        self._clock = clock
        self._lookup = lookup
        self._kept: dict[str, tuple[int, str]] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}

    def known(self, host: str) -> str | None:
        """The address, if it can be told at once; raise `NameNotFound` for an IPv6 address."""
        kept = self._kept.get(host)
        if kept is not None and kept[0] > self._clock.mono_ns():
            return kept[1]
        return literal(host)

    def ask(self, host: str, found: Callable[[str], None], failed: Callable[[str], None]) -> None:
        """Call `found` with the address or `failed` with a sentence, later."""
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.get_running_loop().create_task(self._ask(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))

        def done(task: asyncio.Task[str]) -> None:
            if task.cancelled():
                return
            error = task.exception()
            if error is None:
                found(task.result())
            else:
                failed(str(error))

        task.add_done_callback(done)

    def close(self) -> None:
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, host: str) -> str:
        try:
            async with self._clock.timeout(LOOKUP_S):
                address = await self._lookup(host)
        except TimeoutError:
            raise NameNotFound(f"{host}: no answer from the resolver within {LOOKUP_S:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NameNotFound(f"{host}: {error}") from error
        if len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[host] = (self._clock.mono_ns() + round(KEPT_S * 1e9), address)
        return address
