"""Ports that nobody has: below those the kernel gives to whoever asks for any, and apart for tests side by side."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

# Of sound, and of single ends: above those that SIPp is steered by, from 8888 on.
FIRST, LAST = 12_000, 32_400
FIRST_END, LAST_END = 9_000, 12_000
# Where far ends without sound say that they take it (`support.sip_peer`): what a server sends there meets nobody.
NOBODYS = 11_000
LANES = 4  # as scripts/test has


def ports_in_use() -> set[int]:
    """The UDP ports of this machine that are bound, as the kernel has it."""
    return set(_by_socket().values())


def ports_of(pid: int) -> set[int]:
    """The UDP ports that a process has bound; none when it is gone."""
    by_socket = _by_socket()
    found = set()
    # A descriptor may be closed, or the process gone, while this looks.
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(by_socket.get(os.readlink(f"/proc/{pid}/fd/{descriptor}"), 0))
    return found - {0}


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
    out lately, which may still wait for the peer it is meant for.
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
    return itertools.cycle((*ports[at:], *ports[:at]))


def _is_free(port: int) -> bool:
    with ExitStack() as ends:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for one in (port, port + 1):
                try:
                    ends.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", one))
                except OSError:
                    return False
    return True


def _by_socket() -> dict[str, int]:
    """Bound UDP ports by what a descriptor of theirs is called."""
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {f"socket:[{line[9]}]": int(line[1].partition(":")[2], 16) for line in lines}


def _lane(first: int, last: int) -> range:
    """The part of the ports that is this worker's, an even number of them from an even one."""
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % LANES
    width = (last - first) // LANES & ~1
    return range(first + lane * width, first + (lane + 1) * width)
