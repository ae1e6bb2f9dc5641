"""Webhooks and deliveries as values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from uuid import UUID

import msgspec


class Scope(Enum):
    """What a webhook speaks for, the narrowest first."""

    CALL = "call"
    NUMBER = "number"
    ACCOUNT = "account"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of a world, or of a number where `number_id` is set (contract §2.7).

    `url` is as the customer wrote it, `target` as it is requested.
    """

    id: UUID
    world_id: UUID
    number_id: UUID | None = None
    url: str
    target: str
    token: str | None = None
    created_us: int
    updated_us: int

    @property
    def scope(self) -> Scope:
        return Scope.ACCOUNT if self.number_id is None else Scope.NUMBER


class State(Enum):
    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"  # given up; the row is kept


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one receiver.

    `body` is what every attempt sends. `next_at_us` is set only at the head of a lane, while pending. `last_error` is a
    `Fault`'s value, ``webhook_deleted`` or ``internal``.
    """

    pos: int
    world_id: UUID
    event_id: UUID
    call_id: UUID
    seq: int
    kind: str
    scope: Scope
    url: str
    token: str | None
    body: bytes
    state: State
    attempts: int
    created_us: int
    next_at_us: int | None
    settled_us: int | None
    last_status: int | None
    last_error: str | None
    withdrawn: bool = False


class Endpoint(NamedTuple):
    """A receiver's program in a world: the URL without its query. Limits and fairness go by it."""

    world_id: UUID
    url: str
