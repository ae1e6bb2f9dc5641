"""Deliveries, their attempts and the endpoints as rows: every statement about them is built or read here.

`log` reads them as the record that customers see; this is what delivery itself needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.egress import Answer, Header
from callwright.store import Store, Write
from callwright.webhooks.model import Delivery, Endpoint, Message, Scope, State
from callwright.webhooks.scopes import Receiver

_text = msgspec.json.Encoder().encode


def fanned_out(store: Store) -> int:
    """The position of the last event that was turned into deliveries."""
    ((pos,),) = store.read("webhooks.fanned_out")
    return int(pos or 0)


def set_fanned_out(pos: int) -> Write:
    return Write("webhooks.set_fanned_out", (pos,))


def insert(world_id: UUID, call_id: UUID, message: Message, receiver: Receiver, delivery_id: UUID, now_us: int) -> Write:
    """Put a message at the end of its receiver's lane; where the endpoint is disabled it is given up at once, and kept."""
    return Write(
        "webhooks.insert_delivery",
        (
            world_id.bytes,
            delivery_id.bytes,
            message.id.bytes,
            call_id.bytes,
            message.kind,
            receiver.scope.value,
            receiver.url,
            receiver.endpoint,
            None if receiver.webhook_id is None else receiver.webhook_id.bytes,
            receiver.token,
            message.body,
            now_us,
        ),
    )


def settle(
    delivery: Delivery, state: State, now_us: int, *, made: int, status: int | None, error: str | None
) -> tuple[Write, Write]:
    """End a delivery after `made` further attempts, and make the next of its lane the head."""
    return (
        Write("webhooks.settle_delivery", (state.value, made, made, now_us, status, error, delivery.pos)),
        Write("webhooks.promote_lane", (now_us, delivery.world_id.bytes, delivery.call_id.bytes, delivery.url)),
    )


def retry(delivery: Delivery, next_at_us: int, *, status: int | None, error: str) -> Write:
    """One more attempt has failed; the next is due at `next_at_us`."""
    return Write("webhooks.retry_delivery", (next_at_us, status, error, delivery.pos))


def find_delivery(store: Store, pos: int) -> Delivery | None:
    for row in store.read("webhooks.find_delivery", (pos,)):
        return _delivery(row)
    return None


def deliveries_of(store: Store, world_id: UUID, call_id: UUID, *, limit: int = 1000) -> list[Delivery]:
    """A call's deliveries in the order of their lanes' making."""
    return [_delivery(row) for row in store.read("webhooks.deliveries_of", (world_id.bytes, call_id.bytes, limit))]


def due_at(store: Store, endpoint: Endpoint, now_us: int, limit: int) -> list[int]:
    """Positions of the lane heads that may be sent to an endpoint, the longest due first."""
    rows: list[Any] = store.read("webhooks.due_at_endpoint", (endpoint.world_id.bytes, endpoint.url, now_us, limit))
    return [pos for (pos,) in rows]


class Due(NamedTuple):
    next_at_us: int
    pos: int
    endpoint: Endpoint


def due_after(store: Store, next_at_us: int, pos: int, now_us: int, limit: int) -> list[Due]:
    """Lane heads of all endpoints that have come due, in the order they did, from the one after the position given."""
    rows: list[Any] = store.read("webhooks.due_after", (next_at_us, pos, now_us, limit))
    return [Due(at_us, found, Endpoint(UUID(bytes=world), url)) for at_us, found, world, url in rows]


def next_due_us(store: Store, now_us: int) -> int | None:
    """When the next lane head will come due, of those that have not yet."""
    ((at_us,),) = store.read("webhooks.next_due", (now_us,))
    return None if at_us is None else int(at_us)


class _DeliveryRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The columns of a delivery in the order of the queries."""

    pos: int
    world_id: UUID
    id: UUID
    event_id: UUID
    call_id: UUID
    sequence: int
    kind: str
    test: bool
    scope: Scope
    url: str
    endpoint: str
    token: str | None
    old_token: str | None
    old_until_us: int | None
    body: bytes
    state: State
    passed: bool
    attempts: int
    tries: int
    created_us: int
    since_us: int
    next_at_us: int | None
    settled_us: int | None
    last_status: int | None
    last_error: str | None
    withdrawn: bool


def _delivery(row: Any) -> Delivery:
    columns = msgspec.convert(row, _DeliveryRow, strict=False)
    return Delivery(**msgspec.structs.asdict(columns))


def insert_attempt(
    delivery: Delivery, at_us: int, headers: Sequence[Header], answer: Answer, error: str | None, next_at_us: int | None
) -> Write:
    """Attempt number `delivery.attempts + 1`: what was sent beside the body, what came back, and when the next will be."""
    spans = answer.timings
    return Write(
        "webhooks.insert_attempt",
        (
            delivery.world_id.bytes,
            delivery.id.bytes,
            delivery.attempts + 1,
            at_us,
            _text(headers).decode(),
            answer.status or None,
            error,
            answer.detail,
            _text(answer.headers).decode() if answer.status else None,
            answer.body or None,
            answer.whole,
            spans.dns_us,
            spans.connect_us,
            spans.tls_us,
            spans.head_us,
            spans.total_us,
            next_at_us,
        ),
    )
