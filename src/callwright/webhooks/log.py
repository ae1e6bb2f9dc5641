"""The log of deliveries as customers see it: looked through newest first, read one by one, and sent again.

Every look is bounded: it goes along one index and sees at most `EXAMINED` rows, so a page may have fewer entries than were
asked for, even none, and yet a place to go on from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright import ids
from callwright.clock import SECOND_US, Clock
from callwright.egress import Header
from callwright.errors import Conflict, NotFound
from callwright.store import Param, Row, Store, Transaction, Write
from callwright.webhooks import ledger
from callwright.webhooks.heirs import Heirs
from callwright.webhooks.model import Endpoint, Scope, State, Webhook

EXAMINED = 2_000
RESENT_AT_ONCE = 500
MOST_ATTEMPTS = 1_000
# What a time is looked up with in an order that is not that of time: clocks are set right by a little now and then.
CLOCK_MARGIN_US = 60 * SECOND_US
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are asked for: all that is given must be true of them.

    `kind` is an event's name, or with `kind_is_type` what it begins with (``call`` of ``callCreated``). `from_us` is in the
    span, `to_us` is not.
    """

    endpoint: str | None = None
    url: str | None = None
    webhook_id: UUID | None = None
    call_id: UUID | None = None
    message_id: UUID | None = None
    kind: str | None = None
    kind_is_type: bool = False
    states: tuple[State, ...] = tuple(State)
    test: bool | None = None
    from_us: int = _FIRST
    to_us: int = _LAST


class Place(NamedTuple):
    """A place in the log. Pages begin after it."""

    created_us: int
    pos: int


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """A delivery in the log, without its body; its fields are those of `Delivery`."""

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
    webhook_id: UUID | None
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


class LogPage(NamedTuple):
    """`after` is where the next page begins, None at the end."""

    entries: list[Entry]
    after: Place | None


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """An attempt: number `n` of its delivery. Spans are microseconds, None where the phase did not happen."""

    n: int
    at_us: int
    status: int | None
    error: str | None
    detail: str
    whole: bool
    dns_us: int | None
    connect_us: int | None
    tls_us: int | None
    head_us: int | None
    total_us: int
    next_at_us: int | None


class Exchange(NamedTuple):
    """What went to and fro in an attempt; the body that was sent is the delivery's."""

    attempt: Attempt
    headers: list[Header]
    answer_headers: list[Header] | None
    answer: bytes | None


class Unsendable(Enum):
    """Why a delivery is not sent again."""

    WAITING = "waiting"  # for an earlier one of its lane
    ENDPOINT_DISABLED = "endpoint_disabled"
    WITHDRAWN = "withdrawn"
    EMPTIED = "emptied"  # what it said is not kept any more
    UNKNOWN = "unknown"


class Resent(NamedTuple):
    """How many are on their way again, and how many are not, by why.

    `pending` of the `number` were so before, and are due now. `endpoints` are those that they go to.
    """

    number: int
    skipped: dict[Unsendable, int]
    pending: int = 0
    endpoints: frozenset[str] = frozenset()


class _Walk(NamedTuple):
    """A way along an index; `by_time` says whether it is in the order of time, or of position alone."""

    query: str
    further: Row = ()
    by_time: bool = False


class DeliveryLog:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        offer: Callable[[Endpoint], object] = lambda endpoint: None,
        otherwise: Collection[str] = (),
    ) -> None:
        """`offer` hears of an endpoint that has something to send again (`Deliverer.offer`); `otherwise` are the types of
        events for webhooks that do not say theirs.
        """
        self._store = store
        self._otherwise = otherwise
        self._clock = clock
        self._offer = offer

    def page(self, world_id: UUID, wanted: Filter, *, limit: int, after: Place | None = None) -> LogPage:
        """Deliveries newest first."""
        walks = self._walks(world_id, wanted)
        order = _order(walks[0])
        places: list[Place] = []
        reached: Place | None = None
        for walk in walks:
            found, end = self._look(world_id, wanted, walk, after, limit + 1)
            places += found
            if end is not None and (reached is None or order(end) > order(reached)):
                reached = end
        if reached is not None:
            places = [place for place in places if order(place) >= order(reached)]
        places.sort(key=order, reverse=True)
        if len(places) > limit:
            places = places[:limit]
            reached = places[-1]
        entries = [entry for place in places if (entry := self._entry(place.pos)) is not None]
        return LogPage(entries, reached)

    def get(self, world_id: UUID, delivery_id: UUID) -> Entry:
        """Raises `NotFound`."""
        for (pos,) in self._store.read("webhooks.log_pos", (world_id.bytes, delivery_id.bytes)):
            if (entry := self._entry(pos)) is not None:
                return entry
        raise _not_found(delivery_id)

    def body(self, entry: Entry) -> bytes:
        for (body,) in self._store.read("webhooks.log_body", (entry.pos,)):
            assert isinstance(body, bytes)
            return body
        raise _not_found(entry.id)

    def attempts(self, entry: Entry) -> list[Attempt]:
        """The last `MOST_ATTEMPTS`, oldest first."""
        rows = self._store.read("webhooks.log_attempts", (entry.world_id.bytes, entry.id.bytes, MOST_ATTEMPTS))
        return [msgspec.convert(row, Attempt, strict=False) for row in reversed(rows)]

    def exchange(self, entry: Entry, n: int) -> Exchange:
        """Raises `NotFound`."""
        rows: list[Any] = self._store.read("webhooks.log_attempt", (entry.world_id.bytes, entry.id.bytes, n))
        for *attempt, headers, answer_headers, answer in rows:
            return Exchange(
                msgspec.convert(attempt, Attempt, strict=False),
                _pairs(headers),
                None if answer_headers is None else _pairs(answer_headers),
                answer,
            )
        raise NotFound(f"No attempt {n} found for the delivery `{entry.id}`; it has had {entry.attempts}.")

    async def resend(self, world_id: UUID, delivery_id: UUID) -> Entry:
        """Send a delivery again from now on, under its own id; raises `NotFound` or `Conflict`."""
        entry = self.get(world_id, delivery_id)
        now_us = self._clock.now_us()
        outcome = await self._store.transact(partial(_resend, world_id, [entry.pos], self._otherwise, now_us))
        for why in outcome.skipped:
            raise _refused(why, entry, option_of(self._store, world_id))
        self._offer(Endpoint(world_id, entry.endpoint))
        return self.get(world_id, delivery_id)

    async def resend_these(self, world_id: UUID, delivery_ids: Iterable[UUID]) -> Resent:
        positions: list[int | None] = []
        for delivery_id in dict.fromkeys(delivery_ids):
            rows: list[Any] = self._store.read("webhooks.log_pos", (world_id.bytes, delivery_id.bytes))
            positions.append(rows[0][0] if rows else None)
        return await self._resend_batch(world_id, [pos for pos in positions if pos is not None], positions.count(None))

    async def resend_all(
        self, world_id: UUID, *, endpoint: str | None, state: State, from_us: int = _FIRST, to_us: int = _LAST
    ) -> Resent:
        """Send again what was given up, or was delivered, at an endpoint or (given up alone) at all; in small batches.

        What comes to be so meanwhile is left. Raises `Conflict` for an endpoint that is disabled.
        """
        assert state is State.EXHAUSTED or (state is State.DELIVERED and endpoint is not None)
        if endpoint is not None:
            self._refuse_disabled(world_id, endpoint)
        ((last,),) = self._store.read("webhooks.resend_last")
        pos: Any = self._since(world_id, from_us) - 1 if from_us > _FIRST else _FIRST
        total = Resent(0, {})
        while True:
            batch = self._batch(world_id, endpoint, state, pos, last)
            if batch:
                pos = batch[-1][0]
                wanted = [found for found, created_us in batch if from_us <= created_us < to_us]
                total = _sum(total, await self._resend_batch(world_id, wanted, 0))
            if len(batch) < RESENT_AT_ONCE:
                return total

    async def test(self, webhook: Webhook, kind: str, body: bytes) -> Entry:
        """Send a webhook an example, in a lane of its own; raises `Conflict` where its endpoint is disabled."""
        endpoint = webhook.target.partition("?")[0]
        self._refuse_disabled(webhook.world_id, endpoint)
        now_us = self._clock.now_us()
        made = ids.uuid7(now_us)
        write = Write(
            "webhooks.insert_test",
            (
                webhook.world_id.bytes,
                made.bytes,
                ids.uuid7(now_us).bytes,
                ids.uuid7(now_us).bytes,
                kind,
                webhook.scope.value,
                webhook.target,
                endpoint,
                webhook.id.bytes,
                body,
                now_us,
            ),
        )
        await self._store.transact(lambda transaction: transaction.write(write))
        self._offer(Endpoint(webhook.world_id, endpoint))
        return self.get(webhook.world_id, made)

    def _walks(self, world_id: UUID, wanted: Filter) -> list[_Walk]:
        """The narrowest way that shows all that is wanted; several where each state has its own."""
        if wanted.message_id is not None:
            return [_Walk("webhooks.log_of_message", (wanted.message_id.bytes,))]
        if wanted.call_id is not None:
            return [_Walk("webhooks.log_of_call", (wanted.call_id.bytes,))]
        endpoint = wanted.endpoint if wanted.url is None else wanted.url.partition("?")[0]
        if endpoint is not None or State.DELIVERED not in wanted.states:
            query = "webhooks.log_of_state" if endpoint is None else "webhooks.log_of_endpoint"
            lowest = _FIRST if wanted.from_us == _FIRST else self._since(world_id, wanted.from_us)
            return [_Walk(query, (endpoint, state.value, lowest)) for state in wanted.states]
        return [_Walk("webhooks.log_by_time", by_time=True)]

    def _look(
        self, world_id: UUID, wanted: Filter, walk: _Walk, after: Place | None, most: int
    ) -> tuple[list[Place], Place | None]:
        """The first places along a way of what is wanted, and how far was looked unless that was all of it."""
        examined = most if _shows_only_wanted(walk, wanted) else max(EXAMINED, most)
        after = after or self._beginning(world_id, wanted, walk)
        params: tuple[Param, ...] = (
            world_id.bytes,
            *after,
            wanted.from_us,
            examined,
            _glob(wanted),
            None if wanted.webhook_id is None else wanted.webhook_id.bytes,
            wanted.test,
            wanted.url,
            wanted.endpoint,
            ",".join(state.value for state in wanted.states),
            wanted.to_us,
        )
        rows: list[Any] = self._store.read(walk.query, (*params, *walk.further))
        found: list[Place] = []
        for pos, created_us, matches in rows:
            if matches:
                found.append(Place(created_us, pos))
                if len(found) == most:
                    return found, found[-1]
        if len(rows) < examined:
            return found, None
        pos, created_us, _ = rows[-1]
        return found, Place(created_us, pos)

    def _beginning(self, world_id: UUID, wanted: Filter, walk: _Walk) -> Place:
        if wanted.to_us == _LAST:
            return Place(_LAST, _LAST)
        if walk.by_time:
            return Place(wanted.to_us, _FIRST)
        return Place(_LAST, self._since(world_id, wanted.to_us + CLOCK_MARGIN_US, margin_us=0))

    def _since(self, world_id: UUID, at_us: int, margin_us: int = CLOCK_MARGIN_US) -> int:
        """The position of the first row made then or later."""
        rows: list[Any] = self._store.read("webhooks.log_first_since", (world_id.bytes, at_us - margin_us))
        return int(rows[0][0]) if rows else _LAST

    def _entry(self, pos: Param) -> Entry | None:
        for row in self._store.read("webhooks.log_entry", (pos,)):
            return msgspec.convert(row, Entry, strict=False)
        return None

    def _batch(self, world_id: UUID, endpoint: str | None, state: State, pos: Any, last: Param) -> list[tuple[int, int]]:
        if endpoint is None:
            rows: list[Any] = self._store.read(
                "webhooks.resend_of_state", (world_id.bytes, state.value, pos, last, RESENT_AT_ONCE)
            )
        else:
            params = (world_id.bytes, endpoint, state.value, pos, last, RESENT_AT_ONCE)
            rows = self._store.read("webhooks.resend_of_endpoint", params)
        return [(found, created_us) for found, created_us in rows]

    async def _resend_batch(self, world_id: UUID, positions: Sequence[int], unknown: int) -> Resent:
        now_us = self._clock.now_us()
        outcome = await self._store.transact(partial(_resend, world_id, positions, self._otherwise, now_us))
        for url in outcome.endpoints:
            self._offer(Endpoint(world_id, url))
        return _sum(outcome, Resent(0, {Unsendable.UNKNOWN: unknown} if unknown else {}))

    def _refuse_disabled(self, world_id: UUID, endpoint: str) -> None:
        rows: list[Any] = self._store.read("webhooks.disabled", (world_id.bytes, endpoint))
        for _, why in rows:
            raise Conflict(
                f"Nothing is sent to {endpoint}: the endpoint is disabled ({why}).",
                remedy=_enable_remedy(endpoint, option_of(self._store, world_id)),
            )


def option_of(store: Store, world_id: UUID) -> str:
    """What a command needs to be about this world."""
    rows: list[Any] = store.read("webhooks.world_kind", (world_id.bytes,))
    return " --test" if rows == [("test",)] else ""


def _enable_remedy(endpoint: str, option: str) -> str:
    return f"Once it is mended: callwright endpoints enable {endpoint}{option}"


def _resend(
    world_id: UUID, positions: Sequence[int], otherwise: Collection[str], now_us: int, transaction: Transaction
) -> Resent:
    """Send again what may be; those of one lane go out one after another, in the order of their sequences."""
    number = pending = 0
    skipped: dict[Unsendable, int] = {}
    endpoints: set[str] = set()
    lanes: dict[tuple[bytes, str], None] = {}
    heirs = Heirs(transaction, otherwise)
    for pos in positions:
        rows: list[Any] = transaction.read("webhooks.resend_facts", (pos,))
        if (why := _why_not(rows, world_id, heirs)) is not None:
            skipped[why] = skipped.get(why, 0) + 1
            continue
        state, endpoint, call_id, url, *_ = rows[0]
        transaction.write(Write("webhooks.resend_delivery", (now_us, pos)))
        number += 1
        pending += state == State.PENDING.value
        endpoints.add(endpoint)
        lanes[call_id, url] = None
    for call_id, url in lanes:
        transaction.write(Write("webhooks.hold_resent", (world_id.bytes, call_id, url)))
        transaction.write(ledger.release_passed(world_id, call_id, url, now_us))
    return Resent(number, skipped, pending, frozenset(endpoints))


def _why_not(rows: list[Any], world_id: UUID, heirs: Heirs) -> Unsendable | None:
    if not rows:
        return Unsendable.UNKNOWN
    state, _, call_id, url, kind, emptied, may_be_sent, disabled, withdrawn = rows[0]
    if emptied:
        return Unsendable.EMPTIED
    if disabled:
        return Unsendable.ENDPOINT_DISABLED
    if withdrawn and heirs.of(world_id, UUID(bytes=call_id), url, kind) is None:
        return Unsendable.WITHDRAWN
    return Unsendable.WAITING if state == State.PENDING.value and not may_be_sent else None


def _refused(why: Unsendable, entry: Entry, option: str) -> Conflict | NotFound:
    match why:
        case Unsendable.UNKNOWN:
            return _not_found(entry.id)
        case Unsendable.WAITING:
            return Conflict(
                f"The delivery `{entry.id}` is pending: it goes out after the earlier ones of its call.",
                remedy=f"Resend the first of them: callwright deliveries list --call {entry.call_id} --state pending{option}",
            )
        case Unsendable.EMPTIED:
            return Conflict(
                f"The delivery `{entry.id}` is not sent: it was settled so long ago that its body is not kept any more.",
                remedy="Longer is kept with webhooks.keep and webhooks.keep_exhausted.",
            )
        case Unsendable.ENDPOINT_DISABLED:
            return Conflict(
                f"The delivery `{entry.id}` is not sent: its endpoint {entry.endpoint} is disabled.",
                remedy=_enable_remedy(entry.endpoint, option),
            )
        case Unsendable.WITHDRAWN:
            return Conflict(
                f"The delivery `{entry.id}` is not sent: no webhook asks for it any more.",
                remedy=f"Make the webhook again, then resend: callwright webhooks create {entry.url}{option}",
            )


def _shows_only_wanted(walk: _Walk, wanted: Filter) -> bool:
    """Whether a way shows nothing else, so that no more rows need be looked at than are asked for."""
    if wanted.kind is not None or wanted.webhook_id is not None or wanted.test is not None or wanted.url is not None:
        return False
    return wanted.states == tuple(State) if walk.by_time else len(walk.further) > 1


def _order(walk: _Walk) -> Callable[[Place], tuple[int, ...]]:
    return (lambda place: tuple(place)) if walk.by_time else (lambda place: (place.pos,))


def _glob(wanted: Filter) -> str:
    if wanted.kind is None:
        return "*"
    return f"{wanted.kind}[A-Z]*" if wanted.kind_is_type else wanted.kind


def _sum(one: Resent, other: Resent) -> Resent:
    skipped = dict(one.skipped)
    for why, count in other.skipped.items():
        skipped[why] = skipped.get(why, 0) + count
    return Resent(one.number + other.number, skipped, one.pending + other.pending, one.endpoints | other.endpoints)


def _pairs(text: str) -> list[Header]:
    return msgspec.json.decode(text, type=list[tuple[str, str]])


def _not_found(delivery_id: UUID) -> NotFound:
    return NotFound(f"No delivery found for ID `{delivery_id}`.")
