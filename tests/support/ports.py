"""UDP ports that nobody has: below those the kernel gives to whoever asks for any, and apart for tests side by side."""

from __future__ import annotations

import os
import random
from pathlib import Path

FIRST, LAST = 12_000, 32_400
LANES = 3


def ports_in_use() -> set[int]:
    """The UDP ports of this machine that are bound, as the kernel has it."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {int(line.split()[1].partition(":")[2], 16) for line in lines}


def free_ports(count: int) -> int:
    """The first, an even one, of so many in a row; if there are none, of those that fewest are taken of."""
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % LANES
    width = (LAST - FIRST) // LANES
    first = FIRST + lane * width
    taken = ports_in_use()
    chance = random.SystemRandom()
    tried = {chance.randrange(first, first + width - count, 2) for _ in range(200)}
    return min(tried, key=lambda found: len(taken.intersection(range(found, found + count))))
