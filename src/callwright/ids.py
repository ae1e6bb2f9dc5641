"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that rows made together lie together in an index."""

from __future__ import annotations

import os
from uuid import UUID


def uuid7(at_us: int) -> UUID:
    """Make an id whose first 48 bits are the wall time in milliseconds; the rest is random."""
    value = (at_us // 1000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
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
