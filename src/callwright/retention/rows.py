"""Calls that may go as rows: where they lie, what they wait for, and everything that goes with one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.clock import SECOND_US
from callwright.retention.rules import Rules
from callwright.store import Reader, Row, Store, Transaction, Write
from callwright.store.blocks import blocks_of, positions_of

# An answer to a callback that was given up while it was under way is written down when it comes.
SETTLED_US = 600 * SECOND_US
# What is kept of a call, in an order in which each finds what it goes by.
PARTS = ("attempts", "deliveries", "transcriptions", "recordings", "events", "journal", "legs", "call")

_tags = msgspec.json.Decoder(tuple[str, ...]).decode


class Block(NamedTuple):
    """A block of positions with calls that ended long ago. `n` counts all its calls, `live` those that are not over."""

    world_id: UUID
    block: int
    n: int
    last_end_us: int
    live: int


class Old(NamedTuple):
    """Calls of a block that may go, oldest position first, and when the next of the others may; None for never."""

    call_ids: list[UUID]
    next_us: int | None


class Waits(NamedTuple):
    """Why a call cannot go yet."""

    recorded: bool
    outbox: bool
    callbacks: bool


def blocks(reader: Reader | Store, rules: Rules, now_us: int) -> Iterator[Block]:
    """Where there may be calls old enough, world by world and in order; the newest are never walked over."""
    shortest_us = rules.shortest_us
    if shortest_us is None:
        return
    until_us = now_us - shortest_us
    world: Any = b""  # before every other
    while found := reader.read("retention.next_world", (world,)):
        world = found[0][0]
        for (span,) in reader.read("retention.spans_ended_until", (world, until_us)):
            rows: list[Any] = reader.read("retention.blocks_ended_until", (world, *blocks_of(int(span or 0)), until_us))
            for row in rows:
                yield Block(UUID(bytes=world), *row)


def old(reader: Reader | Store, rules: Rules, block: Block, now_us: int) -> Old:
    """Look at each call of a block that is over."""
    call_ids: list[UUID] = []
    next_us: int | None = None
    rows: list[Any] = reader.read("retention.over_in_block", (block.world_id.bytes, *positions_of(block.block)))
    for id_, ended_us, tags in rows:
        until_us = rules.until_us(ended_us, _tags(tags) if tags else ())
        if until_us is None:
            continue
        if until_us <= now_us:
            call_ids.append(UUID(bytes=id_))
        elif next_us is None or until_us < next_us:
            next_us = until_us
    return Old(call_ids, next_us)


def count_old(reader: Reader | Store, rules: Rules, block: Block, now_us: int) -> int:
    """How many calls of a block may go; by its counter alone, where all of them are old and none has a tag that matters."""
    world = block.world_id.bytes
    whole = rules.until_us(block.last_end_us, ())
    if whole is not None and whole <= now_us and not block.live:
        where = positions_of(block.block)
        if not any(reader.read("retention.has_tag", (world, tag, *where)) == [(1,)] for tag in rules.tags):
            return block.n
    return len(old(reader, rules, block, now_us).call_ids)


def is_old(transaction: Transaction, rules: Rules, world_id: UUID, call_id: UUID, now_us: int) -> bool:
    """Whether a call is there and may go: its tags may have been changed since it was looked at."""
    rows: list[Any] = transaction.read("retention.end_and_tags", (world_id.bytes, call_id.bytes))
    for ended_us, tags in rows:
        until_us = None if ended_us is None else rules.until_us(ended_us, _tags(tags) if tags else ())
        return until_us is not None and until_us <= now_us
    return False


def waits(transaction: Transaction, world_id: UUID, call_id: UUID, now_us: int) -> Waits:
    rows: list[Any] = transaction.read("retention.waits_for", (world_id.bytes, call_id.bytes, now_us - SETTLED_US))
    return Waits(*(one == 1 for one in rows[0]))


def erase(transaction: Transaction, world_id: UUID, call_id: UUID) -> int:
    """Delete a call and all that is kept of it, and have the files of its recordings erased; how many recordings it had."""
    key: Row = (world_id.bytes, call_id.bytes)
    files = transaction.write(Write("retention.erase_files", key))
    for part in PARTS:
        transaction.write(Write(f"retention.delete_{part}", key))
    return files
