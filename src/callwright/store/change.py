"""What is to be written, as values."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

Param = int | float | str | bytes | None
Row = tuple[Param, ...]


class Write(NamedTuple):
    """One statement: a query's name and its parameters in order. Ids are given as 16 bytes (`UUID.bytes`)."""

    query: str
    params: Row


class Wake(NamedTuple):
    """Something to tell the rest of the process once the change is durable."""

    topic: str
    world_id: UUID
    subject_id: UUID


class Change(msgspec.Struct, frozen=True):
    """Statements that become durable together, in order, and the wake-ups to fire after that."""

    writes: tuple[Write, ...]
    wakes: tuple[Wake, ...] = ()

    def __add__(self, other: Change) -> Change:
        return Change(self.writes + other.writes, self.wakes + other.wakes)
