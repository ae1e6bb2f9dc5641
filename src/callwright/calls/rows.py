"""Calls, legs, journal and events as rows: every statement about these tables is built or read here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.calls import journal
from callwright.calls.events import LABELLED, Event, Snapshot, encode_snapshot
from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, Leg, LegStatus
from callwright.errors import Unreadable
from callwright.reasons import Reason
from callwright.store import Row, Store, Transaction, Write

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode
_metadata = msgspec.json.Decoder(dict[str, str]).decode
_unpack_called = msgspec.msgpack.Decoder(CalledNumber).decode


Key = tuple[bytes, bytes]  # of a call: its world and its id


def key_of(call: Call) -> Key:
    return call.world_id.bytes, call.id.bytes


def _bytes(id_: UUID | None) -> bytes | None:
    return None if id_ is None else id_.bytes


def insert_call(call: Call, node: str) -> Write:
    return Write(
        "calls.insert_call",
        (
            call.world_id.bytes,
            call.id.bytes,
            call.status.value,
            call.direction.value,
            call.source,
            call.destination,
            _bytes(call.number_id),
            None if call.called is None else _pack(call.called),
            _bytes(call.flow_id),
            call.webhook_url,
            call.webhook_token,
            node,
            *_labels(call),
            call.created_us,
            call.updated_us,
            *_outcome(call),
        ),
    )


def update_call(call: Call) -> Write:
    return Write("calls.update_call", (call.status.value, call.updated_us, *_outcome(call), *key_of(call)))


def label_call(call: Call) -> Write:
    """Write its tags and metadata; `update_call` leaves them as they are."""
    return Write("calls.label_call", (*_labels(call), call.updated_us, *key_of(call)))


def insert_leg(call: Key, leg: Leg, dialog: bytes | None) -> Write:
    return Write(
        "calls.insert_leg",
        (
            *call,
            leg.n,
            leg.id.bytes,
            leg.direction.value,
            leg.source,
            leg.destination,
            leg.created_us,
            dialog,
            *_changing(leg),
        ),
    )


def update_leg(call: Key, leg: Leg) -> Write:
    return Write("calls.update_leg", (*_changing(leg), *call, leg.n))


def keep_dialog(call: Key, leg: Leg, dialog: bytes | None) -> Write:
    """Keep what the engine needs to end the leg after a death of the core; None when it needs that no more."""
    return Write("calls.keep_dialog", (dialog, *call, leg.n))


def forget_dialog(world_id: UUID, leg_id: UUID) -> Write:
    """The far end of a leg is gone: nobody will have to end its dialog."""
    return Write("calls.forget_dialog", (world_id.bytes, leg_id.bytes))


def forget_unanswered(node: str) -> Write:
    """Forget the dialogs of a node's live legs that were never answered, nor about to be: no BYE can end them."""
    return Write("calls.forget_unanswered", (node,))


def dialogs_left(store: Store, node: str) -> list[tuple[UUID, bytes]]:
    """Legs of a node, with their dialogs, that are not known to be over on the wire."""
    return [_dialog(row) for row in store.read("calls.dialogs_left", (node,))]


def _labels(call: Call) -> Row:
    return (_json(call.tags).decode() if call.tags else None, _json(call.metadata).decode() if call.metadata else None)


def _outcome(call: Call) -> Row:
    return None if call.reason is None else call.reason.value, call.answered_us, call.ended_us


def _changing(leg: Leg) -> Row:
    return (
        leg.status.value,
        leg.intent,
        None if leg.reason is None else leg.reason.value,
        leg.detail,
        leg.sip_code,
        leg.sip_call_id,
        leg.updated_us,
        leg.answered_us,
        leg.ended_us,
    )


def insert_entry(call: Key, seq: int, at_us: int, entry: journal.Entry) -> Write:
    return Write("calls.insert_entry", (*call, seq, at_us, journal.encode(entry)))


def append_entry(store: Store | Transaction, world_id: UUID, call_id: UUID, at_us: int, entry: journal.Entry) -> Write:
    """A further entry of a call that is over, and that nobody else writes of now."""
    key = (world_id.bytes, call_id.bytes)
    ((journal_seq, _),) = store.read("calls.last_seqs", (*key, *key))
    return insert_entry(key, int(journal_seq or 0) + 1, at_us, entry)


def insert_event(event_id: UUID, seq: int, kind: str, snapshot: Snapshot) -> Write:
    call = snapshot.call
    return Write(
        "calls.insert_event",
        (call.world_id.bytes, event_id.bytes, call.id.bytes, seq, kind, call.updated_us, encode_snapshot(snapshot)),
    )


def insert_other_event(world_id: UUID, event_id: UUID, call_id: UUID, kind: str, at_us: int, content: bytes) -> Write:
    """An event that is no change of a call's own row or legs; `call_id` is the world's id where it belongs to no call."""
    return Write("calls.insert_event", (world_id.bytes, event_id.bytes, call_id.bytes, None, kind, at_us, content))


def insert_labelled(event_id: UUID, snapshot: Snapshot) -> Write:
    """The event of new labels, which is no change that callbacks count."""
    call = snapshot.call
    return insert_other_event(call.world_id, event_id, call.id, LABELLED, call.updated_us, encode_snapshot(snapshot))


def heartbeat(node: str, at_us: int) -> Write:
    return Write("calls.heartbeat", (node, at_us))


def find_call(store: Store | Transaction, world_id: UUID, call_id: UUID) -> Call | None:
    for row in store.read("calls.find_call", (world_id.bytes, call_id.bytes)):
        return call_of(row)
    return None


def legs_of(store: Store | Transaction, world_id: UUID, call_id: UUID) -> list[Leg]:
    """A call's legs, oldest first. A call has few: one for each party and transfer."""
    return [_leg(row) for row in store.read("calls.legs_of", (world_id.bytes, call_id.bytes))]


def page_of_legs(store: Store, world_id: UUID, call_id: UUID, *, limit: int, offset: int) -> tuple[int, list[Leg]]:
    """How many legs a call has, and those of a page, newest first. They are numbered from 1 without a gap."""
    key = (world_id.bytes, call_id.bytes)
    with store.snapshot():
        ((last,),) = store.read("calls.last_leg", key)
        total = int(last or 0)
        if offset >= total:
            return total, []
        return total, [_leg(row) for row in store.read("calls.page_of_legs", (*key, total - offset, limit))]


def find_leg(store: Store, world_id: UUID, leg_id: UUID) -> Leg | None:
    for row in store.read("calls.find_leg", (world_id.bytes, leg_id.bytes)):
        return _leg(row)
    return None


class Told(NamedTuple):
    """One line of a call's journal."""

    seq: int
    at_us: int
    entry: journal.AnyEntry


def journal_of(store: Store, world_id: UUID, call_id: UUID) -> list[Told]:
    rows: list[Any] = store.read("calls.journal_of", (world_id.bytes, call_id.bytes))
    return [Told(seq, at_us, _entry(call_id, seq, entry)) for seq, at_us, entry in rows]


def _entry(call_id: UUID, seq: int, entry: bytes) -> journal.AnyEntry:
    try:
        return journal.decode(entry)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"entry {seq} of the journal of call {call_id}") from error


def events_of(store: Store, world_id: UUID, call_id: UUID, *, after_seq: int = 0, limit: int = 1000) -> list[Event]:
    """A call's events in order, from the one after `after_seq`."""
    return [_event(row) for row in store.read("calls.events_of", (world_id.bytes, call_id.bytes, after_seq, limit))]


def events_after(store: Store, pos: int, limit: int) -> list[Event]:
    """Events of all worlds in the order of their commits, from the one after `pos`."""
    return [_event(row) for row in store.read("calls.events_after", (pos, limit))]


def events_of_call_after(store: Store, world_id: UUID, call_id: UUID, pos: int, limit: int) -> list[Event]:
    """Whatever is told of a call in the order of the commits, from the one after `pos`."""
    return [_event(row) for row in store.read("calls.events_of_call_after", (world_id.bytes, call_id.bytes, pos, limit))]


class EventTime(NamedTuple):
    pos: int
    at_us: int


def first_event_after(store: Store, pos: int) -> EventTime | None:
    rows: list[Any] = store.read("calls.first_event_after", (pos,))
    return EventTime(*rows[0]) if rows else None


def newest_event_ever(store: Store) -> int:
    """The position of the newest event there ever was, also when it is gone. Positions are given without a hole."""
    rows: list[Any] = store.read("calls.newest_event_ever")
    return int(rows[0][0]) if rows else 0


def last_event_pos(store: Store) -> int:
    ((pos,),) = store.read("calls.last_event_pos")
    return int(pos or 0)


def live_calls(store: Store, node: str, passed_over: Callable[[Unreadable], None]) -> list[tuple[Call, list[Leg], int, int]]:
    """What a node left alive: call, legs oldest first, last journal seq, last event seq; without those that cannot be read."""
    found = []
    for row in store.read("calls.live_calls", (node,)):
        try:
            call = call_of(row)
            legs = legs_of(store, call.world_id, call.id)
        except Unreadable as error:
            passed_over(error)
            continue
        key = (call.world_id.bytes, call.id.bytes)
        ((journal_seq, event_seq),) = store.read("calls.last_seqs", (*key, *key))
        found.append((call, legs, int(journal_seq or 0), int(event_seq or 0)))
    return found


def last_line(store: Store, call: Call) -> int:
    """When a call's journal was written last."""
    for (at_us,) in store.read("calls.last_line", (call.world_id.bytes, call.id.bytes)):
        return int(at_us or 0)
    return call.updated_us


def last_heartbeat(store: Store, node: str) -> int | None:
    for (at_us,) in store.read("calls.last_heartbeat", (node,)):
        return int(at_us or 0)
    return None


# What `call_of` reads. Lists leave out what none of them shows: `called` and the webhook.
COLUMNS = (
    "world_id, id, status, direction, source, destination, number_id, called, flow_id, webhook_url, webhook_token, "
    "reason, tags, metadata, created_us, updated_us, answered_us, ended_us"
)
LISTED = COLUMNS.replace("called, ", "NULL, ").replace("webhook_url, webhook_token", "NULL, NULL")


class _CallRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The columns of a call in the order of the queries; msgspec makes ids and statuses of them faster than Python does."""

    world_id: UUID
    id: UUID
    status: CallStatus
    direction: Direction
    source: str
    destination: str
    number_id: UUID | None
    called: bytes | None
    flow_id: UUID | None
    webhook_url: str | None
    webhook_token: str | None
    reason: Reason | None
    tags: str | None
    metadata: str | None
    created_us: int
    updated_us: int
    answered_us: int | None
    ended_us: int | None


class _LegRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The columns of a leg in the order of the queries."""

    call_id: UUID
    n: int
    id: UUID
    direction: Direction
    source: str
    destination: str
    created_us: int
    status: LegStatus
    intent: str | None
    reason: Reason | None
    detail: str
    sip_code: int | None
    sip_call_id: str
    updated_us: int
    answered_us: int | None
    ended_us: int | None


def call_of(row: Row) -> Call:
    """Read a row of `COLUMNS`. Raises `Unreadable`."""
    try:
        return _call(row)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"call {_named(row[1])}") from error


def _named(id_: Any) -> str:
    return str(UUID(bytes=id_)) if isinstance(id_, bytes) and len(id_) == 16 else repr(id_)[:40]


def _call(row: Row) -> Call:
    columns = msgspec.convert(row, _CallRow)
    return Call(
        id=columns.id,
        world_id=columns.world_id,
        status=columns.status,
        direction=columns.direction,
        source=columns.source,
        destination=columns.destination,
        number_id=columns.number_id,
        called=None if columns.called is None else _unpack_called(columns.called),
        flow_id=columns.flow_id,
        webhook_url=columns.webhook_url,
        webhook_token=columns.webhook_token,
        reason=columns.reason,
        tags=() if columns.tags is None else _tags(columns.tags),
        metadata={} if columns.metadata is None else _metadata(columns.metadata),
        created_us=columns.created_us,
        updated_us=columns.updated_us,
        answered_us=columns.answered_us,
        ended_us=columns.ended_us,
    )


_CONTENTS = {"called": _unpack_called, "tags": _tags, "metadata": _metadata}


def unreadable_call(row: Row) -> str | None:
    """What is wrong with a row of `COLUMNS` that `call_of` cannot read; None when it can."""
    return _unreadable(row, _call, _CallRow)


def unreadable_leg(row: Row) -> str | None:
    """As `unreadable_call`, of a row of a leg."""
    return _unreadable(row, _read_leg, _LegRow)


def _unreadable(row: Row, read_all: Callable[[Row], Call | Leg], kind: type[_CallRow | _LegRow]) -> str | None:
    with suppress(msgspec.MsgspecError, ValueError):
        read_all(row)
        return None
    for field, value in zip(msgspec.structs.fields(kind), row, strict=True):
        try:
            read = msgspec.convert(value, field.type)
            if read is not None and field.name in _CONTENTS:
                _CONTENTS[field.name](read)
        except (msgspec.MsgspecError, ValueError) as error:
            return f"{field.name} is {str(value)[:40]!r} ({error})"
    return "it cannot be read"


def _dialog(row: Any) -> tuple[UUID, bytes]:
    id_, dialog = row
    return UUID(bytes=id_), dialog


def _leg(row: Row) -> Leg:
    try:
        return _read_leg(row)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"leg {row[1]!r} of call {_named(row[0])}") from error


def _read_leg(row: Row) -> Leg:
    columns = msgspec.convert(row, _LegRow)
    return Leg(
        id=columns.id,
        call_id=columns.call_id,
        n=columns.n,
        direction=columns.direction,
        source=columns.source,
        destination=columns.destination,
        status=columns.status,
        intent=columns.intent,
        reason=columns.reason,
        detail=columns.detail,
        sip_code=columns.sip_code,
        sip_call_id=columns.sip_call_id,
        created_us=columns.created_us,
        updated_us=columns.updated_us,
        answered_us=columns.answered_us,
        ended_us=columns.ended_us,
    )


def _event(row: Any) -> Event:
    pos, world, id_, call, seq, kind, at_us, content = row
    return Event(pos, UUID(bytes=world), UUID(bytes=id_), UUID(bytes=call), seq, kind, at_us, content)
