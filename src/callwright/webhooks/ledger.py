"""Deliveries, their attempts and the endpoints as rows, as far as delivery itself needs them.

`log` reads and resends them as the record that customers see, and `endpoints` lists and limits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from callwright.egress import Answer, Header
from callwright.store import Store, Transaction, Write
from callwright.webhooks import record
from callwright.webhooks.heirs import Heirs
from callwright.webhooks.lanes import Look
from callwright.webhooks.model import Delivery, Endpoint, Message, State
from callwright.webhooks.scopes import Receiver

# SQLite takes no more than some thousand parameters in a statement.
INSERTED_TOGETHER = 100

_text = msgspec.json.Encoder().encode


def fanned_out(store: Store) -> int:
    """The position of the last event that was turned into deliveries."""
    ((pos,),) = store.read("webhooks.fanned_out")
    return int(pos or 0)


def set_fanned_out(pos: int) -> Write:
    return Write("webhooks.set_fanned_out", (pos,))


class Arrival(NamedTuple):
    """A message that is to be put at the end of its receiver's lane."""

    world_id: UUID
    call_id: UUID
    message: Message
    receiver: Receiver
    delivery_id: UUID


def insert(transaction: Transaction, arrivals: Sequence[Arrival], now_us: int) -> None:
    """Put messages at the ends of their lanes, in the order given.

    One is the head of its lane, unless an earlier one is waited for there. Where the endpoint is disabled it is given up at
    once, and kept.
    """
    ends = _ends_of_lanes(transaction, arrivals)
    for first in range(0, len(arrivals), INSERTED_TOGETHER):
        together = arrivals[first : first + INSERTED_TOGETHER]
        transaction.write_all(tuple(_insert(arrival, ends[_lane(arrival)], now_us) for arrival in together))


class _End:
    """Where a lane ends while rows are added to it."""

    __slots__ = ("refused", "sequence", "waited_for")

    def __init__(self, sequence: int, waited_for: bool, refused: bool) -> None:
        self.sequence = sequence
        self.waited_for = waited_for
        self.refused = refused


def _lane(arrival: Arrival) -> tuple[UUID, UUID, str]:
    return arrival.world_id, arrival.call_id, arrival.receiver.url


def _ends_of_lanes(transaction: Transaction, arrivals: Sequence[Arrival]) -> dict[tuple[UUID, UUID, str], _End]:
    lanes = {_lane(arrival): arrival.receiver.endpoint for arrival in arrivals}
    asked = [(world_id.hex, call_id.hex, url, endpoint) for (world_id, call_id, url), endpoint in lanes.items()]
    rows: list[Any] = transaction.read("webhooks.ends_of_lanes", (_text(asked).decode(),))
    ends = {number: _End(*end) for number, *end in rows}
    return {lane: ends[number] for number, lane in enumerate(lanes)}


def _insert(arrival: Arrival, end: _End, now_us: int) -> Write:
    message, receiver = arrival.message, arrival.receiver
    end.sequence += 1
    is_head = not end.waited_for and not end.refused
    end.waited_for = end.waited_for or is_head
    return Write(
        "webhooks.insert_delivery",
        (
            arrival.world_id.bytes,
            arrival.delivery_id.bytes,
            message.id.bytes,
            arrival.call_id.bytes,
            end.sequence,
            message.kind,
            receiver.scope.value,
            receiver.url,
            receiver.endpoint,
            None if receiver.webhook_id is None else receiver.webhook_id.bytes,
            receiver.token,
            message.body,
            now_us,
            now_us,
            State.EXHAUSTED.value if end.refused else State.PENDING.value,
            now_us if end.refused else None,
            "endpoint_disabled" if end.refused else None,
            now_us if is_head else None,
        ),
    )


def settle(
    delivery: Delivery, state: State, now_us: int, *, made: int, status: int | None, error: str | None
) -> tuple[Write, ...]:
    """End a delivery after `made` further attempts, and make the next of its lane the head. One that the receiver has already,
    and that was only sent again, ends as delivered.
    """
    return (
        Write("webhooks.settle_delivery", (state.value, made, now_us, status, error, delivery.pos)),
        promote(delivery.world_id, delivery.call_id.bytes, delivery.url, now_us),
        release_passed(delivery.world_id, delivery.call_id.bytes, delivery.url, now_us),
    )


def retry(
    delivery: Delivery, next_at_us: int, now_us: int, *, passed: bool, ours: bool, status: int | None, error: str
) -> tuple[Write, ...]:
    """One more attempt has failed; the next is due at `next_at_us`. `passed`: its lane waits for it no longer. `ours`: the
    receiver had no part in the failure, which does not begin the lane's wait.
    """
    write = Write("webhooks.retry_delivery", (next_at_us, passed, status, error, delivery.pos, None if ours else now_us))
    released = release_passed(delivery.world_id, delivery.call_id.bytes, delivery.url, now_us)
    if not passed or delivery.passed:
        return write, released
    return write, promote(delivery.world_id, delivery.call_id.bytes, delivery.url, now_us), released


def settle_delivered(by_status: Mapping[int, Sequence[int]], now_us: int) -> list[Write]:
    """End deliveries that were taken by one attempt more, given by status and position, and make the next of their lanes
    heads.
    """
    writes = [
        Write("webhooks.settle_delivered", (now_us, status, _text(positions).decode()))
        for status, positions in by_status.items()
    ]
    every = _text([pos for positions in by_status.values() for pos in positions]).decode()
    return [*writes, Write("webhooks.promote_lanes", (now_us, every)), Write("webhooks.release_lanes", (now_us, every))]


def promote(world_id: UUID, call_id: bytes, url: str, now_us: int) -> Write:
    """Make the first of a lane that is waited for its head, unless it is already."""
    return Write("webhooks.promote_lane", (now_us, world_id.bytes, call_id, url))


def release_passed(world_id: UUID, call_id: bytes, url: str, now_us: int) -> Write:
    """Let the next of a lane go that is sent again, unless one of these is on its way. It is the same after every attempt, as
    it may have been resent while that was made.
    """
    return Write("webhooks.release_passed", (now_us, world_id.bytes, call_id, url))


def find_deliveries(store: Store, positions: Sequence[int], otherwise: Collection[str]) -> dict[int, Delivery]:
    """Deliveries by their positions; `otherwise` are the types of events for webhooks that do not say theirs. Many at once
    cost a fraction of what they cost one by one.
    """
    rows: list[Any] = store.read("webhooks.find_deliveries", (_text(positions).decode(),))
    heirs = Heirs(store, otherwise)
    return {row[0]: _inherited(_delivery(row), heirs) for row in rows}


def _inherited(delivery: Delivery, heirs: Heirs) -> Delivery:
    if not delivery.withdrawn:
        return delivery
    heir = heirs.of(delivery.world_id, delivery.call_id, delivery.url, delivery.kind)
    return delivery if heir is None else replace(delivery, withdrawn=False, **heir._asdict())


def deliveries_of(store: Store, world_id: UUID, call_id: UUID, *, limit: int = 1000) -> list[Delivery]:
    """A call's deliveries in the order of their lanes' making."""
    return [_delivery(row) for row in store.read("webhooks.deliveries_of", (world_id.bytes, call_id.bytes, limit))]


def undelivered_before(store: Store, delivery: Delivery, limit: int) -> list[int]:
    """The sequences before it in its lane that were not delivered, the latest first."""
    key = (delivery.world_id.bytes, delivery.call_id.bytes, delivery.url, delivery.sequence)
    rows: list[Any] = store.read("webhooks.undelivered_before", (*key, limit))
    return [sequence for (sequence,) in rows]


def waits_behind(store: Store, delivery: Delivery) -> bool:
    """Whether something comes after it in its lane."""
    key = (delivery.world_id.bytes, delivery.call_id.bytes, delivery.url, delivery.sequence)
    return bool(store.read("webhooks.waits_behind", key))


def look(store: Store, endpoint: Endpoint, now_us: int, limit: int) -> Look:
    """What may be sent to an endpoint, the longest due first, and when there will be more."""
    rows: list[Any] = store.read("webhooks.look_at_endpoint", (endpoint.world_id.bytes, endpoint.url, now_us, limit))
    if rows and rows[-1][0] > now_us:
        return Look([pos for _, pos in rows[:-1]], rows[-1][0])
    return Look([pos for _, pos in rows], None)


class Work(NamedTuple):
    """An endpoint with something that may be sent, and when the first and the last of it are due."""

    endpoint: Endpoint
    next_at_us: int
    last_at_us: int


def endpoints_with_work(store: Store, after: Endpoint | None, limit: int) -> list[Work]:
    """Up to so many endpoints, in their order, from the one after `after`. Costs two steps into an index for each."""
    key: tuple[bytes, str] = (b"", "") if after is None else (after.world_id.bytes, after.url)
    found: list[Work] = []
    while len(found) < limit:
        rows: list[Any] = store.read("webhooks.endpoint_after", key)
        if not rows:
            break
        ((world, url, next_at_us, last_at_us),) = rows
        key = (world, url)
        found.append(Work(Endpoint(UUID(bytes=world), url), next_at_us, last_at_us))
    return found


class Standing(NamedTuple):
    """An endpoint's row."""

    id: UUID
    concurrency: int | None
    rate: float | None
    failures: int
    failing_us: int | None
    disabled_us: int | None
    disabled_why: str | None
    failed_us: int | None


def find_endpoint(source: Store | Transaction, endpoint: Endpoint) -> Standing | None:
    rows: list[Any] = source.read("webhooks.find_endpoint", (endpoint.world_id.bytes, endpoint.url))
    return Standing(UUID(bytes=rows[0][0]), *rows[0][1:]) if rows else None


def endpoint_id(source: Store | Transaction, endpoint: Endpoint) -> UUID | None:
    """What an endpoint is called in logs; None while it has no row."""
    known = find_endpoint(source, endpoint)
    return None if known is None else known.id


def note_failure(endpoint: Endpoint, new_id: UUID, now_us: int, since_us: int) -> Write:
    """Count a failed attempt, as the first where the one before it was before `since_us`; `new_id` is for an endpoint that
    has no row yet.
    """
    return Write("webhooks.note_failure", (endpoint.world_id.bytes, endpoint.url, new_id.bytes, now_us, since_us))


def note_success(endpoint: Endpoint, now_us: int) -> Write:
    return Write("webhooks.note_success", (now_us, endpoint.world_id.bytes, endpoint.url))


def disable(endpoint: Endpoint, new_id: UUID, why: str, now_us: int) -> Write:
    return Write("webhooks.disable_endpoint", (endpoint.world_id.bytes, endpoint.url, new_id.bytes, now_us, why))


def enable(endpoint: Endpoint, now_us: int) -> Write:
    return Write("webhooks.enable_endpoint", (now_us, endpoint.world_id.bytes, endpoint.url))


def oldest_pending_us(store: Store, endpoint: Endpoint) -> int | None:
    """When the first of what is pending at an endpoint was made."""
    rows: list[Any] = store.read("webhooks.first_pending", (endpoint.world_id.bytes, endpoint.url))
    return int(rows[0][1]) if rows else None


def exhaust_disabled(endpoint: Endpoint, now_us: int, limit: int) -> Write:
    """Give up so many of what is pending at an endpoint, if it is disabled."""
    return Write("webhooks.exhaust_disabled", (endpoint.world_id.bytes, endpoint.url, now_us, limit))


def bring_forward(
    endpoint: Endpoint, failed_since_us: int, after_pos: int, now_us: int, limit: int, transaction: Transaction
) -> int | None:
    """Make due up to so many rows of an endpoint that wait to be tried again and first failed since then, by position;
    return the last, None when there are no more.
    """
    key = (endpoint.world_id.bytes, endpoint.url, now_us, failed_since_us, after_pos, limit)
    rows: list[Any] = transaction.read("webhooks.waiting_since", key)
    for (pos,) in rows:
        transaction.write(Write("webhooks.bring_forward", (now_us, pos)))
    return int(rows[-1][0]) if rows else None


def bring_near(endpoint: Endpoint, far_us: int, now_us: int, limit: int, transaction: Transaction) -> int:
    """Make due up to so many rows of an endpoint that wait for a time after `far_us`; return how many there were. What is
    said of them, and of the endpoint, to have been in the future was now: waits are counted from there.
    """
    key = (endpoint.world_id.bytes, endpoint.url, now_us)
    near = transaction.write(Write("webhooks.bring_near", (*key, far_us, limit)))
    if near:
        transaction.write(Write("webhooks.failed_before", key))
    return near


def remove_settled(store: Store, state: State, until_us: int, limit: int) -> tuple[Write, ...]:
    """What removes up to `limit` of the deliveries that were settled until then, with their attempts; nothing when there are
    none. The newest of each lane stays without body and token, as its sequence goes on from it.
    """
    rows: list[Any] = store.read("webhooks.settled_until", (state.value, until_us, limit))
    writes: list[Write] = []
    for pos, world, id_, call_id, url, sequence, settled_us, newest in rows:
        writes.append(Write("webhooks.delete_attempts", (world, id_, pos, settled_us)))
        if newest:
            writes.append(Write("webhooks.empty_delivery", (pos, settled_us)))
            writes.append(Write("webhooks.delete_emptied_before", (world, call_id, url, sequence)))
        else:
            writes.append(Write("webhooks.delete_delivery", (pos, settled_us)))
    return tuple(writes)


def _delivery(row: Any) -> Delivery:
    return msgspec.convert(row, Delivery, strict=False)


def insert_attempt(
    delivery: Delivery, at_us: int, headers: Sequence[Header], answer: Answer, error: str | None, next_at_us: int | None
) -> Write:
    """Attempt number `delivery.attempts + 1`: what was sent beside the body, what came back, and when the next will be."""
    spans = answer.timings
    answer = record.kept(answer, delivery.attempts + 1)
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
