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

    `url` is as the customer wrote it, `target` as it is requested. `events` are the types it hears of, None for those of
    the settings. `old_token` was replaced and is good until `old_until_us`.
    """

    id: UUID
    world_id: UUID
    number_id: UUID | None = None
    url: str
    target: str
    token: str | None = None
    events: tuple[str, ...] | None = None
    old_token: str | None = None
    old_until_us: int | None = None
    created_us: int
    updated_us: int

    @property
    def scope(self) -> Scope:
        return Scope.ACCOUNT if self.number_id is None else Scope.NUMBER


class State(Enum):
    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"  # given up; the row is kept


class Message(NamedTuple):
    """What receivers are to hear: `id` is the same for all of them and at every attempt, `kind` the event's name."""

    id: UUID
    kind: str
    body: bytes


class Delivery(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One message on its way to one receiver. The fields are in the order of the columns of the queries.

    A lane is a call and a URL; `sequence` counts it from 1. `body` is what every attempt sends. `next_at_us` is set, while
    pending, at the head of a lane and where `passed` says that the lane waits no longer. `attempts` counts all, `tries` those
    since `since_us` (when it was made, or last resent). `last_error` is a `Fault`'s value, ``webhook_deleted``,
    ``endpoint_disabled``, ``expired`` (by a version that gave up what was old untried), ``restored`` (it was pending in a
    backup) or ``internal``. `old_token` is good until `old_until_us`. `gap` says that something before it in its lane was
    not delivered. `failed_us` is when the first of the `tries` failed.
    """

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
    withdrawn: bool = False
    gap: bool = False
    failed_us: int | None = None


class Endpoint(NamedTuple):
    """A receiver's program in a world: the URL without its query. Limits and fairness go by it."""

    world_id: UUID
    url: str

    @property
    def host(self) -> str:
        """Its host, with the port where it is not the scheme's own: what may be logged, as a path is often a secret."""
        return self.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
