"""Ports that nobody has: below those the kernel gives to whoever asks for any, and apart for tests side by side."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

# Of sound, and of single ends: above those that SIPp is steered by, from 8888 on.
FIRST, LAST = 12_000, 32_400
FIRST_END, LAST_END = 9_000, 12_000
# Where far ends without sound say that they take it: whatever a server sends there meets nobody.
NOBODYS = 11_000
LANES = 4  # as scripts/test has


def ports_in_use() -> set[int]:
    """The UDP ports of this machine that are bound, as the kernel has it."""
    return set(_bound().values())


def ports_of(pids: Iterable[int]) -> set[int]:
    """The UDP ports that these processes have bound; of one that is gone there are none."""
    bound = _bound()
    found = set()
    for pid in pids:
        # A descriptor may be closed, or the process gone, while this looks.
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/fd/{descriptor}").removeprefix("socket:[").removesuffix("]"))
    return {bound[socket_] for socket_ in found & bound.keys()}


def free_ports(count: int) -> int:
    """The first, an even one, of so many in a row; if there are none, of those that fewest are taken of."""
    lane = _lane(FIRST, LAST)
    first, width = lane.start, len(lane)
    taken = ports_in_use()
    chance = random.SystemRandom()
    tried = {chance.randrange(first, first + width - count, 2) for _ in range(200)}
    return min(tried, key=lambda found: len(taken.intersection(range(found, found + count))))


def free_port() -> int:
    """A port of loopback that nobody has, for UDP and TCP, with the one after it: some peers open all of them.

    None that the kernel gives out: a connection made between the look and the opening would take it. And none that was given
    out lately, which may wait for the peer it is meant for.
    """
    lane = _lane(FIRST_END, LAST_END)
    for port in (next(_single_ends()) for _ in lane[::2]):
        if _is_free(port):
            return port
    raise RuntimeError(f"of the ports {lane.start} to {lane.stop} none is free")


@cache
def _single_ends() -> Iterator[int]:
    """Those of this worker in turn, for ever, from any of them on."""
    ports = [port for port in _lane(FIRST_END, LAST_END)[::2] if port != NOBODYS]
    at = random.SystemRandom().randrange(len(ports))
    while True:
        yield ports[at]
        at = (at + 1) % len(ports)


def _bound() -> dict[str, int]:
    """The UDP ports that are bound, by the inode of their sockets."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {row[9]: int(row[1].partition(":")[2], 16) for row in rows}


def _is_free(port: int) -> bool:
    with ExitStack() as ends:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for one in (port, port + 1):
                try:
                    ends.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", one))
                except OSError:
                    return False
    return True


def _lane(first: int, last: int) -> range:
    """The part of the ports that is this worker's, an even number of them from an even one."""
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % LANES
    width = (last - first) // LANES & ~1
    return range(first + lane * width, first + (lane + 1) * width)
