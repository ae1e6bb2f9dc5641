"""Webhooks as rows: every statement about them is built or read here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from callwright.store import Row, Store, Transaction, Write
from callwright.store.blocks import NEWEST, CountedList
from callwright.webhooks.model import Webhook

_OF_WORLD = CountedList("webhooks_of_world", "webhooks.list_of_world", "webhooks.count_of_world")
_ALL = CountedList("webhooks", "webhooks.list_all_webhooks", "webhooks.count_all_webhooks")


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
            _joined(webhook.events),
            webhook.created_us,
            webhook.updated_us,
        ),
    )


def update_webhook(webhook: Webhook) -> Write:
    return Write(
        "webhooks.update_webhook",
        (
            webhook.url,
            webhook.target,
            webhook.token,
            _joined(webhook.events),
            webhook.old_token,
            webhook.old_until_us,
            webhook.updated_us,
            webhook.world_id.bytes,
            webhook.id.bytes,
        ),
    )


def _joined(events: tuple[str, ...] | None) -> str | None:
    return None if events is None else ",".join(events)


def delete_webhook(world_id: UUID, webhook_id: UUID) -> Write:
    return Write("webhooks.delete_webhook", (world_id.bytes, webhook_id.bytes))


def find_webhook(source: Store | Transaction, world_id: UUID, webhook_id: UUID) -> Webhook | None:
    return _first(source.read("webhooks.find_webhook", (world_id.bytes, webhook_id.bytes)))


def webhook_of_number(source: Store | Transaction, world_id: UUID, number_id: UUID) -> Webhook | None:
    return _first(source.read("webhooks.find_of_number", (world_id.bytes, number_id.bytes)))


def count_of_world(source: Store | Transaction, world_id: UUID) -> int:
    ((total,),) = source.read("webhooks.count_of_world", (world_id.bytes,))
    return int(total or 0)


def webhooks_of_call(source: Store | Transaction, world_id: UUID, number_id: UUID | None) -> list[Webhook]:
    """A world's own webhooks, newest first, and that of a call's number. The rooms above bound how many a world has, so all
    of them may be asked for.
    """
    found = [_webhook(row) for row in source.read("webhooks.list_of_world", (world_id.bytes, NEWEST, -1, 0))]
    if number_id is not None and (own := webhook_of_number(source, world_id, number_id)):
        found.append(own)
    return found


def page_of_world(store: Store, world_id: UUID, *, limit: int, offset: int) -> tuple[int, list[Webhook]]:
    """How many webhooks of its own a world has, and those of a page, newest first."""
    total, rows = _OF_WORLD.page(store, world_id, limit=limit, offset=offset)
    return total, [_webhook(row) for row in rows]


def page_of_all(store: Store, world_id: UUID, *, limit: int, offset: int) -> tuple[int, list[tuple[Webhook, str | None]]]:
    """How many webhooks a world and its numbers have, and those of a page with their numbers, newest first."""
    total, rows = _ALL.page(store, world_id, limit=limit, offset=offset)
    return total, [_of_number(row) for row in rows]


def _of_number(row: Any) -> tuple[Webhook, str | None]:
    return _webhook(row[:-1]), row[-1]


def _first(rows: list[Row]) -> Webhook | None:
    return _webhook(rows[0]) if rows else None


def _webhook(row: Any) -> Webhook:
    world, id_, number, url, target, token, events, old_token, old_until_us, created_us, updated_us = row
    return Webhook(
        id=UUID(bytes=id_),
        world_id=UUID(bytes=world),
        number_id=None if number is None else UUID(bytes=number),
        url=url,
        target=target,
        token=token,
        events=None if events is None else tuple(filter(None, events.split(","))),
        old_token=old_token,
        old_until_us=old_until_us,
        created_us=created_us,
        updated_us=updated_us,
    )
