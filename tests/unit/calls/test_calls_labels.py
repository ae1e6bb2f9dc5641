"""Labels of calls: what is kept of a change, on the record, in the journal, and where they are looked for."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from callwright import ids
from callwright.calls import rows
from callwright.calls.labelling import label_stored
from callwright.calls.labels import (
    MOST_TAGS,
    Relabelling,
    checked_metadata,
    checked_tags,
    relabelled,
    relabelled_as_far_as_fits,
)
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call
from callwright.clock import SystemClock
from callwright.errors import Invalid
from callwright.reasons import Reason
from callwright.store import Store
from support.invariants import check_record

T0 = 1_700_000_000_000_000
WORLD = ids.uuid7(T0)
TAGS = ["vip", "new", "paid", "Größe", "a b", "'", '"', "x" * 64]
NAMES = ["customer", "order", "A.b-c_d", "n" * 40]

tags = st.lists(st.sampled_from(TAGS), max_size=5).map(lambda found: checked_tags(found, "tags"))
values = st.none() | st.sampled_from(["1", "2", "é", '{"a":1}'])
metadata = st.dictionaries(st.sampled_from(NAMES), values).map(lambda found: checked_metadata(found, "metadata"))
changes = st.builds(Relabelling, tags=st.none() | tags, added=tags, removed=tags, metadata=metadata)
deeds = st.lists(st.tuples(st.sampled_from(["label", "flow", "commit", "end", "elsewhere"]), changes), max_size=12)


def placed(tags: tuple[str, ...] = (), metadata: dict[str, str] | None = None) -> tuple[CallRecord, UUID]:
    leg_id = ids.uuid7(T0)
    record = CallRecord.requested(
        call_id=ids.uuid7(T0),
        leg_id=leg_id,
        world_id=WORLD,
        source="31205550100",
        destination="31205550123",
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        tags=tags,
        metadata=metadata,
        at_us=T0,
        node="test",
    )
    return record, leg_id


def naive(call: tuple[set[str], dict[str, str]], change: Relabelling) -> tuple[set[str], dict[str, str]]:
    """What a change makes of labels, as the documentation says it."""
    found = (set(call[0] if change.tags is None else change.tags) - set(change.removed)) | set(change.added)
    merged: dict[str, Any] = {**call[1], **change.metadata}
    return found, {name: value for name, value in merged.items() if value is not None}


@settings(max_examples=150)
@given(tags, metadata, deeds)
def test_labels_are_found_by_what_a_call_has_whatever_became_of_it(
    first: tuple[str, ...], given_: dict[str, str | None], story: list[tuple[str, Relabelling]]
) -> None:
    async def tell() -> None:
        store, clock = Store.in_memory(), SystemClock()
        start = {name: value for name, value in given_.items() if value is not None}
        record, leg = placed(first, start)
        expected: tuple[set[str], dict[str, str]] = (set(first), start)
        await store.commit(record.take())
        over = False
        for number, (deed, change) in enumerate(story, 1):
            match deed:
                case "elsewhere" if over:
                    found = await label_stored(store, clock, WORLD, record.call.id, change)
                    assert found == rows.find_call(store, WORLD, record.call.id)
                case "label" | "flow" if not over:
                    change_it = record.label if deed == "label" else record.label_as_far_as_fits
                    change_it(change, T0 + number)
                case "end" if not over:
                    record.end_leg(leg, Reason.API_HANGUP, T0 + number)
                    await store.commit(record.take())
                    over = True
                    continue
                case "commit":
                    await store.commit(record.take())
                    continue
                case _:
                    continue
            expected = naive(expected, change)
        await store.commit(record.take())
        call = rows.find_call(store, WORLD, record.call.id)
        assert call is not None
        assert (set(call.tags), call.metadata) == expected
        check_record(store, WORLD, call.id, over=over)
        store.close()

    asyncio.run(tell())


def test_a_change_that_changes_nothing_leaves_the_very_same_call() -> None:
    record, _ = placed(("vip",), {"customer": "42"})
    call = record.call
    for change in (
        Relabelling(),
        Relabelling(added=("vip",), removed=("other",), metadata={"customer": "42", "none": None}),
        Relabelling(tags=("vip",)),
    ):
        assert relabelled(call, change) is call
    record.take()
    record.label(Relabelling(added=("vip",)), T0 + 5)
    assert record.take().writes == ()


def test_room_is_made_before_it_is_counted() -> None:
    record, _ = placed(tuple(f"t{n}" for n in range(MOST_TAGS)), {f"m{n}": "x" for n in range(50)})
    change = Relabelling(added=("new",), removed=("t3",), metadata={"new": "x", "m3": None, "m4": "y"})
    call = relabelled(record.call, change)
    assert (len(call.tags), call.tags[-1], len(call.metadata), call.metadata["new"]) == (20, "new", 50, "x")
    after = relabelled_as_far_as_fits(call, Relabelling(added=("a", "b"), metadata={"m4": "z", "a": "x"}))
    assert after.left_out == ("tag a: a call may have 20", "tag b: a call may have 20", "metadata a: a call may have 50")
    assert (after.call.tags, after.call.metadata["m4"]) == (call.tags, "z")


async def test_two_changes_of_a_call_that_is_over_lose_nothing(tmp_path: Any) -> None:
    """On a file with its writer's thread."""
    store, clock = Store.open(tmp_path / "calls.db", SystemClock()), SystemClock()
    record, leg = placed()
    record.end_leg(leg, Reason.API_HANGUP, T0 + 1)
    await store.commit(record.take())
    id_ = record.call.id
    wanted = [Relabelling(added=(f"t{n}",), metadata={f"m{n}": "x"}) for n in range(MOST_TAGS)]
    found = await asyncio.gather(*(label_stored(store, clock, WORLD, id_, change) for change in wanted))
    assert all(isinstance(call, Call) for call in found)
    refused = [label_stored(store, clock, WORLD, id_, Relabelling(added=(f"u{n}",))) for n in range(3)]
    assert all(isinstance(error, Invalid) for error in await asyncio.gather(*refused, return_exceptions=True))
    call = rows.find_call(store, WORLD, id_)
    assert call is not None
    assert (set(call.tags), set(call.metadata)) == ({f"t{n}" for n in range(20)}, {f"m{n}" for n in range(20)})
    check_record(store, WORLD, id_, over=True)
    assert await label_stored(store, clock, UUID(int=1), id_, Relabelling(added=("x",))) is None
    store.close()
