"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that rows made together lie together in an index."""

from __future__ import annotations

import os
from collections import deque
from uuid import UUID

_pool: deque[int] = deque()


def _random() -> int:
    """80 bits that nobody can guess. Asking the kernel for each would take longer than all the rest of an id."""
    try:
        return _pool.popleft()
    except IndexError:
        drawn = os.urandom(5_120)
        _pool.extend(int.from_bytes(drawn[at : at + 10]) for at in range(10, len(drawn), 10))
        return int.from_bytes(drawn[:10])


def uuid7(at_us: int) -> UUID:
    """Make an id whose first 48 bits are the wall time in milliseconds; the rest is random."""
    value = (at_us // 1000 & (1 << 48) - 1) << 80 | _random()
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def parse(text: str) -> UUID | None:
    """Read an id as clients send it (any case, 36 characters); None when it is none of ours."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
