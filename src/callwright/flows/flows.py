"""Where call flows are kept. A world has at most one default flow; making another the default takes it from the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright import ids
from callwright.clock import Clock
from callwright.errors import NotFound
from callwright.flows.check import Abilities, Report, check
from callwright.flows.schema import Flow, compile_flow, with_step_ids
from callwright.store import Store, Transaction, Write
from callwright.store.blocks import CountedList

# What a PUT replaces as a whole (contract §3.3).
_FIELDS = ("title", "record", "default", "maxDuration", "steps")
_ALL = CountedList("flows", "flows.list", "flows.count")


class StoredFlow(msgspec.Struct, frozen=True):
    """A flow as a resource: `body` holds ``steps`` and whatever else was sent of title, record, default, maxDuration."""

    id: UUID
    world_id: UUID
    body: dict[str, Any]
    created_us: int
    updated_us: int

    def compiled(self) -> Flow:
        """What runs. Raises `Problem` for a flow that an older program took and this one does not."""
        return _compiled(_encode(self.body))


class Page(NamedTuple):
    total: int
    flows: list[StoredFlow]


class Flows:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        saved: Callable[[Flow], None] = lambda flow: None,
        abilities: Abilities | None = None,
    ) -> None:
        """`saved` is given what will run whenever a flow is made or replaced; `abilities` are what a flow may count on."""
        self._store = store
        self._clock = clock
        self._saved = saved
        self._abilities = abilities or Abilities()

    def find(self, world_id: UUID, flow_id: UUID) -> StoredFlow | None:
        return _first(self._store.read("flows.find", (world_id.bytes, flow_id.bytes)))

    def get(self, world_id: UUID, flow_id: UUID) -> StoredFlow:
        found = self.find(world_id, flow_id)
        if found is None:
            raise NotFound(f"No call flow found for ID `{flow_id}`.")
        return found

    def default(self, world_id: UUID) -> StoredFlow | None:
        return _first(self._store.read("flows.find_default", (world_id.bytes,)))

    def page(self, world_id: UUID, *, limit: int, offset: int) -> Page:
        total, rows = _ALL.page(self._store, world_id, limit=limit, offset=offset)
        return Page(total, [_flow(row) for row in rows])

    def examine(self, body: dict[str, Any]) -> Report:
        """What is to be said about a flow as it was sent; `passed` of it raises what keeps it from running."""
        return check(_known(body), self._abilities)

    async def make(self, world_id: UUID, body: dict[str, Any]) -> StoredFlow:
        """Check and store a flow. Raises `Invalid` or `Missing`."""
        body, compiled = self._checked(body)
        is_default, now = compiled.default, self._clock.now_us()
        flow = StoredFlow(ids.uuid7(now), world_id, body, now, now)

        def run(transaction: Transaction) -> None:
            if is_default:
                transaction.write(Write("flows.clear_default", (world_id.bytes,)))
            transaction.write(Write("flows.insert", (world_id.bytes, flow.id.bytes, int(is_default), _encode(body), now, now)))

        await self._store.transact(run)
        self._saved(compiled)
        return self.get(world_id, flow.id)

    async def replace(self, world_id: UUID, flow_id: UUID, body: dict[str, Any]) -> StoredFlow:
        """Put another body in a flow's place."""
        body, compiled = self._checked(body)
        is_default, now = compiled.default, self._clock.now_us()

        def run(transaction: Transaction) -> int:
            if is_default:
                transaction.write(Write("flows.clear_default", (world_id.bytes,)))
            return transaction.write(
                Write("flows.replace", (int(is_default), _encode(body), now, world_id.bytes, flow_id.bytes))
            )

        if not await self._store.transact(run):
            raise NotFound(f"No call flow found for ID `{flow_id}`.")
        self._saved(compiled)
        return self.get(world_id, flow_id)

    async def remove(self, world_id: UUID, flow_id: UUID, *, also: Write) -> None:
        """Delete a flow and, in the same transaction, do what its numbers need."""

        def run(transaction: Transaction) -> int:
            transaction.write(also)
            return transaction.write(Write("flows.delete", (world_id.bytes, flow_id.bytes)))

        if not await self._store.transact(run):
            raise NotFound(f"No call flow found for ID `{flow_id}`.")

    def _checked(self, body: dict[str, Any]) -> tuple[dict[str, Any], Flow]:
        body = _known(body)
        compiled = check(body, self._abilities, warns=False).passed()
        return with_step_ids(body), compiled


def _known(body: dict[str, Any]) -> dict[str, Any]:
    return {field: body[field] for field in _FIELDS if body.get(field) is not None}


@lru_cache(maxsize=256)
def _compiled(body: bytes) -> Flow:
    """Every call of a number runs the same flow."""
    return compile_flow(msgspec.json.decode(body))


def _encode(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def _first(rows: Sequence[Any]) -> StoredFlow | None:
    return _flow(rows[0]) if rows else None


def _flow(row: Any) -> StoredFlow:
    world, id_, is_default, body, created_us, updated_us = row
    decoded = msgspec.json.decode(body)
    # The column is the truth: another flow may have become the default since this body was sent.
    if "default" in decoded or is_default:
        decoded["default"] = bool(is_default)
    return StoredFlow(UUID(bytes=id_), UUID(bytes=world), decoded, created_us, updated_us)
