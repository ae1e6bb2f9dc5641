"""Numbers: who owns which, and what runs when it is called (contract §2.4).

A number is its digits. It is unique in its world; a number of a live world, which the network can call, belongs to
that world alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright import ids
from callwright.accounts.worlds import World
from callwright.clock import Clock
from callwright.errors import Invalid, NotFound
from callwright.store import ConstraintViolated, Store, Transaction, Write
from callwright.store.blocks import CountedList

# ITU-T E.164 allows 15 digits; short codes start at three.
_DIGITS = re.compile(r"[0-9]{3,15}")
_SEPARATORS = re.compile(r"[\s().\-/]")


class Number(msgspec.Struct, frozen=True):
    id: UUID
    world_id: UUID
    number: str
    flow_id: UUID | None
    created_us: int
    updated_us: int


class Page(NamedTuple):
    total: int
    numbers: list[Number]


_ALL = CountedList("numbers", "numbers.list", "numbers.count")
_OF_FLOW = CountedList("numbers_of_flow", "numbers.list_of_flow", "numbers.count_of_flow")


def normalised(text: str) -> str | None:
    """Reduce a number as people write it to its digits; None when it is not a number.

    ``+``, ``00``, ``tel:`` and separators go (RFC 3966 §5.1.1).

    >>> normalised("tel:+31 (20) 555-0100")
    '31205550100'
    """
    text = text.strip()
    if text[:4].lower() == "tel:":
        text = text[4:].partition(";")[0]
    text = _SEPARATORS.sub("", text)
    if text.startswith("+"):
        text = text[1:]
    elif text.startswith("00"):
        text = text[2:]
    return text if _DIGITS.fullmatch(text) else None


class Numbers:
    """The numbers of all worlds. `claim` ``listed`` means that only an operator makes new ones."""

    def __init__(self, store: Store, clock: Clock, *, claim: str = "open") -> None:
        self._store = store
        self._clock = clock
        self._claim = claim

    def find_live(self, number: str) -> Number | None:
        """Who the network reaches by this number."""
        return _first(self._store.read("numbers.find_live", (number,)))

    def find(self, world_id: UUID, number: str) -> Number | None:
        return _first(self._store.read("numbers.find", (world_id.bytes, number)))

    def get(self, world_id: UUID, number_id: UUID) -> Number:
        found = _first(self._store.read("numbers.get", (world_id.bytes, number_id.bytes)))
        if found is None:
            raise NotFound(f"No number found for ID `{number_id}`.")
        return found

    def page(self, world_id: UUID, *, limit: int, offset: int, flow_id: UUID | None = None) -> Page:
        """A page, newest first; with `flow_id` only the numbers bound to that flow."""
        listed = _ALL if flow_id is None else _OF_FLOW
        total, rows = listed.page(self._store, world_id, parent_id=flow_id, limit=limit, offset=offset)
        return Page(total, [_number(row) for row in rows])

    async def make(self, world: World, number: str, flow_id: UUID | None = None) -> Number:
        """Register a number, or bind one that is there to a flow. Raises `Invalid` when another live world owns it."""
        numbers = await self._bind(world, [number], flow_id, replace=False, may_create=True)
        return numbers[0]

    async def claim(self, world: World, number: str) -> Number:
        """Find a world's number, making it where the settings let customers do that."""
        digits = _checked(number)
        found = self.find(world.id, digits)
        if found is not None:
            return found
        numbers = await self._bind(world, [digits], None, replace=False, may_create=self._claim == "open")
        return numbers[0]

    async def assign(self, world: World, flow_id: UUID, numbers: Sequence[str], *, replace: bool) -> list[Number]:
        """Bind numbers to a flow; with `replace` those bound to it before and not named are let go."""
        return await self._bind(world, numbers, flow_id, replace=replace, may_create=self._claim == "open")

    async def remove(self, world: World, number: str) -> None:
        digits = _checked(number)

        def run(transaction: Transaction) -> int:
            return transaction.write(Write("numbers.delete", (world.id.bytes, digits)))

        if not await self._store.transact(run):
            raise NotFound(f"The {world.kind} world has no number {digits}.")

    async def _bind(
        self, world: World, numbers: Sequence[str], flow_id: UUID | None, *, replace: bool, may_create: bool
    ) -> list[Number]:
        wanted = list(dict.fromkeys(_checked(number) for number in numbers))
        now = self._clock.now_us()
        flow = None if flow_id is None else flow_id.bytes

        def run(transaction: Transaction) -> list[Number]:
            if replace and flow_id is not None:
                transaction.write(unbind_flow(world.id, flow_id, now))
            bound = []
            for number in wanted:
                row = transaction.read("numbers.find", (world.id.bytes, number))
                if not row:
                    if not may_create:
                        raise Invalid(
                            f"The number {number} is not one of yours; the operator registers numbers here "
                            "(setting numbers.claim is listed).",
                            parameter="numbers",
                        )
                    id_ = ids.uuid7(now)
                    transaction.write(
                        Write("numbers.insert", (world.id.bytes, id_.bytes, number, int(world.live), flow, now, now))
                    )
                elif flow is not None:
                    transaction.write(Write("numbers.bind", (flow, now, world.id.bytes, number)))
                bound.append(_number(transaction.read("numbers.find", (world.id.bytes, number))[0]))
            return bound

        try:
            return await self._store.transact(run)
        except ConstraintViolated as error:
            raise Invalid("A number in the list belongs to another account.", parameter="numbers") from error


def unbind_flow(world_id: UUID, flow_id: UUID, at_us: int) -> Write:
    """Let go of every number that a flow was bound to."""
    return Write("numbers.unbind_flow", (at_us, world_id.bytes, flow_id.bytes))


def _checked(number: str) -> str:
    digits = normalised(number)
    if digits is None:
        raise Invalid(
            f"{number[:40]!r} is not a telephone number: 3 to 15 digits, with or without + or 00.", parameter="number"
        )
    return digits


def _first(rows: Sequence[Any]) -> Number | None:
    return _number(rows[0]) if rows else None


def _number(row: Any) -> Number:
    world, id_, number, flow, created_us, updated_us = row
    flow_id = None if flow is None else UUID(bytes=flow)
    return Number(UUID(bytes=id_), UUID(bytes=world), number, flow_id, created_us, updated_us)
