"""Webhooks and deliveries as rows: every statement about these tables is built or read here."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from callwright.calls.events import Event
from callwright.store import Row, Store, Transaction, Write
from callwright.webhooks.model import Delivery, Endpoint, Scope, State, Webhook
from callwright.webhooks.scopes import Receiver


def insert_webhook(webhook: Webhook) -> Write:
    return Write(
        "webhooks.insert_webhook",
        (
            webhook.world_id.bytes,
            webhook.id.bytes,
            None if webhook.number_id is None else webhook.number_id.bytes,
            webhook.url,
            webhook.target,
            webhook.token,
            webhook.created_us,
            webhook.updated_us,
        ),
    )


def update_webhook(webhook: Webhook) -> Write:
    return Write(
        "webhooks.update_webhook",
        (webhook.url, webhook.target, webhook.token, webhook.updated_us, webhook.world_id.bytes, webhook.id.bytes),
    )


def delete_webhook(world_id: UUID, webhook_id: UUID) -> Write:
    return Write("webhooks.delete_webhook", (world_id.bytes, webhook_id.bytes))


def find_webhook(source: Store | Transaction, world_id: UUID, webhook_id: UUID) -> Webhook | None:
    return _first(source.read("webhooks.find_webhook", (world_id.bytes, webhook_id.bytes)))


def webhook_of_number(source: Store | Transaction, world_id: UUID, number_id: UUID) -> Webhook | None:
    return _first(source.read("webhooks.find_of_number", (world_id.bytes, number_id.bytes)))


def count_of_world(source: Store | Transaction, world_id: UUID) -> int:
    ((total,),) = source.read("webhooks.count_of_world", (world_id.bytes,))
    return int(total or 0)


def webhooks_of_world(store: Store, world_id: UUID, *, limit: int = -1, offset: int = 0) -> list[Webhook]:
    """A world's own webhooks, newest first. The rooms above bound their number, so all of them may be asked for."""
    return [_webhook(row) for row in store.read("webhooks.list_of_world", (world_id.bytes, limit, offset))]


def fanned_out(store: Store) -> int:
    """The position of the last event that was turned into deliveries."""
    ((pos,),) = store.read("webhooks.fanned_out")
    return int(pos or 0)


def set_fanned_out(pos: int) -> Write:
    return Write("webhooks.set_fanned_out", (pos,))


def insert_delivery(event: Event, receiver: Receiver, body: bytes, now_us: int) -> Write:
    return Write(
        "webhooks.insert_delivery",
        (
            event.world_id.bytes,
            event.id.bytes,
            event.call_id.bytes,
            event.seq,
            event.kind,
            receiver.scope.value,
            receiver.url,
            receiver.endpoint,
            None if receiver.webhook_id is None else receiver.webhook_id.bytes,
            receiver.token,
            body,
            now_us,
        ),
    )


def settle(
    delivery: Delivery, state: State, now_us: int, *, attempts: int, status: int | None, error: str | None
) -> tuple[Write, Write]:
    """End a delivery and make the next of its lane the head."""
    return (
        Write("webhooks.settle_delivery", (state.value, attempts, now_us, status, error, delivery.pos)),
        Write("webhooks.promote_lane", (now_us, delivery.world_id.bytes, delivery.call_id.bytes, delivery.url)),
    )


def retry(delivery: Delivery, next_at_us: int, *, attempts: int, status: int | None, error: str) -> Write:
    return Write("webhooks.retry_delivery", (attempts, next_at_us, status, error, delivery.pos))


def find_delivery(store: Store, pos: int) -> Delivery | None:
    for row in store.read("webhooks.find_delivery", (pos,)):
        return _delivery(row)
    return None


def deliveries_of(store: Store, world_id: UUID, call_id: UUID, *, limit: int = 1000) -> list[Delivery]:
    """A call's deliveries in the order of its events."""
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


def _first(rows: list[Row]) -> Webhook | None:
    return _webhook(rows[0]) if rows else None


def _webhook(row: Any) -> Webhook:
    world, id_, number, url, target, token, created_us, updated_us = row
    return Webhook(
        id=UUID(bytes=id_),
        world_id=UUID(bytes=world),
        number_id=None if number is None else UUID(bytes=number),
        url=url,
        target=target,
        token=token,
        created_us=created_us,
        updated_us=updated_us,
    )


def _delivery(row: Any) -> Delivery:
    (pos, world, event, call, seq, kind, scope, url, token, body, state, *rest) = row
    (attempts, created_us, next_at_us, settled_us, last_status, last_error, withdrawn) = rest
    return Delivery(
        pos=pos,
        world_id=UUID(bytes=world),
        event_id=UUID(bytes=event),
        call_id=UUID(bytes=call),
        seq=seq,
        kind=kind,
        scope=Scope(scope),
        url=url,
        token=token,
        body=body,
        state=State(state),
        attempts=attempts,
        created_us=created_us,
        next_at_us=next_at_us,
        settled_us=settled_us,
        last_status=last_status,
        last_error=last_error,
        withdrawn=bool(withdrawn),
    )
