"""What a writer says over its pipe: what it is about to commit, and then that it is durable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.lifecycle import CallRecord

GONE = "gone"  # in place of a status: the call and all that belongs to it is deleted


class State(NamedTuple):
    """A call after one of its commits, as its row and the ends of its journal and events must have it."""

    journal_seq: int
    event_seq: int
    status: str
    tags: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...]

    @property
    def gone(self) -> bool:
        return self.status == GONE


def state_of(record: CallRecord) -> State:
    """What is on disk once all changes of a record are."""
    call = record.call
    return State(record._journal_seq, record._event_seq, call.status.value, call.tags, tuple(sorted(call.metadata.items())))


DELETED = State(0, 0, GONE, (), ())


class Intent(NamedTuple):
    """One commit is about to be made: the calls it changes, and how each is to be then. `number` tells commits apart."""

    number: int
    calls: tuple[tuple[str, State], ...]

    @property
    def ids(self) -> list[UUID]:
        return [UUID(call) for call, _ in self.calls]

    @property
    def deletes(self) -> bool:
        return all(state.gone for _, state in self.calls)


class Line(NamedTuple):
    """`done` is the number of the commit that is durable now, `intent` the next of the same writer."""

    done: int | None
    intent: Intent | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class Mouth:
    """The writer's end of the pipe; what was written before a death is read after it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, line: Line) -> None:
        left = memoryview(_encode(line) + b"\n")
        while left:
            left = left[os.write(self._descriptor, left) :]


class Known:
    """What the parent may expect on disk: of each call the last acknowledged state, and the one that was on its way."""

    def __init__(self) -> None:
        self.acknowledged: dict[UUID, State] = {}
        self.under_way: dict[int, Intent] = {}
        self.commits = 0

    def hear(self, lines: Iterable[bytes]) -> None:
        for text in lines:
            self.take(_decode(text))

    def take(self, line: Line) -> None:
        if line.done is not None:
            self._acknowledge(self.under_way.pop(line.done))
        if line.intent is not None:
            self.under_way[line.intent.number] = line.intent

    def expected(self) -> dict[UUID, set[State]]:
        """The states of each call that may be found."""
        states = {call: {state} for call, state in self.acknowledged.items()}
        for intent in self.under_way.values():
            for call, state in intent.calls:
                states.setdefault(UUID(call), {DELETED}).add(state)
        return states

    def reached(self, found: Mapping[UUID, State]) -> int:
        """How many of the commits that were under way are there."""
        return sum(
            all(found.get(UUID(call), DELETED) == state for call, state in intent.calls) for intent in self.under_way.values()
        )

    def settle(self, found: Mapping[UUID, State]) -> None:
        """From now on what was found is what is known."""
        self.acknowledged = dict(found)
        self.under_way.clear()

    def _acknowledge(self, intent: Intent) -> None:
        self.commits += 1
        for call, state in intent.calls:
            self.acknowledged[UUID(call)] = state
