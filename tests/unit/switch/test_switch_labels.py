"""Tags and metadata of calls: given with the call, written by its flow, changed by programs, and lost by nobody."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from callwright import telephony
from callwright.calls import journal, rows
from callwright.calls.events import LABELLED, Event
from callwright.calls.labels import MOST_TAGS, Relabelling
from callwright.calls.model import Call
from callwright.errors import Invalid, NotFound, Unavailable
from support.invariants import check_record
from support.scripted import B, Stage, pause, tell, transfer
from support.steps import tag

TAGGED = {"action": "tag", "options": {"tags": ["menu-{{choice}}"], "remove": ["new"], "metadata": {"choice": "{{choice}}"}}}


def call_of(stage: Stage) -> Call:
    found = rows.find_call(stage.store, stage.world.id, stage.calls()[-1].id)
    assert found is not None
    return found


def labels(stage: Stage) -> tuple[tuple[str, ...], dict[str, str]]:
    return call_of(stage).tags, call_of(stage).metadata


async def label(stage: Stage, *added: str, call: Call | None = None, **change: object) -> Call:
    call = call or call_of(stage)
    return await stage.switch.label_call(call.world_id, call.id, Relabelling(added=added, **change))  # type: ignore[arg-type]


def heard(stage: Stage) -> list[Event]:
    """What those who follow calls in the native interface are told of labels."""
    return [event for event in rows.events_after(stage.store, 0, 1_000) if event.kind == LABELLED]


async def ended(stage: Stage) -> Call:
    """A call that is over, on the wire too."""
    a = await stage.arrive([pause(60)])
    await stage.answer(a)
    stage.script.ended(a)
    await stage.tick()
    assert call_of(stage).id not in stage.switch.live_call_ids
    return call_of(stage)


# with the call, and by its flow


def test_a_call_is_placed_with_labels() -> None:
    async def story(stage: Stage) -> None:
        placed = await stage.place(B, [pause(1)], tags=("vip",), metadata={"customer": "42"})
        assert (placed.tags, placed.metadata) == (("vip",), {"customer": "42"})
        assert labels(stage) == (("vip",), {"customer": "42"})
        assert heard(stage) == [], "the call itself is news enough"
        await stage.tick()
        await stage.answer(stage.placed()[0])
        await stage.after(2)
        assert labels(stage) == (("vip",), {"customer": "42"})
        assert [event.snapshot.call.tags for event in stage_events(stage)] == [("vip",)] * len(stage_events(stage))
        stage.sound()

    tell(story)


def stage_events(stage: Stage) -> list[Event]:
    return rows.events_of(stage.store, stage.world.id, call_of(stage).id)


def test_a_flow_writes_what_was_keyed_in() -> None:
    async def story(stage: Stage) -> None:
        menu = {"action": "pause", "options": {"length": 9}, "onKeypressVar": "choice"}
        a = await stage.arrive([tag("new"), menu, TAGGED, pause(9)])
        await stage.answer(a)
        assert labels(stage) == (("new",), {})
        stage.script.say(telephony.Digit, a, digit="7", duration_ms=80, means="rfc4733")
        await stage.tick()
        assert labels(stage) == (("menu-7",), {"choice": "7"})
        noted = [entry for entry in stage.entries() if isinstance(entry, journal.CallLabelled)]
        assert noted == [
            journal.CallLabelled(tags=("new",), metadata={}),
            journal.CallLabelled(tags=("menu-7",), metadata={"choice": "7"}),
        ]
        assert [(event.seq, event.snapshot.call.tags) for event in heard(stage)] == [(None, ("new",)), (None, ("menu-7",))]
        stage.sound()

    tell(story)


def test_a_flow_writes_as_much_as_fits_and_goes_on() -> None:
    async def story(stage: Stage) -> None:
        first = [tag(*(f"t{step}-{n}" for n in range(9))) for step in range(3)]
        a = await stage.arrive([*first, transfer()])
        assert len(stage.placed()) == 1
        kept, _ = labels(stage)
        assert kept == tuple(f"t{step}-{n}" for step in range(3) for n in range(9))[:MOST_TAGS]
        (last,) = [entry for entry in stage.entries() if isinstance(entry, journal.CallLabelled) and entry.left_out]
        assert last.left_out == tuple(f"tag t2-{n}: a call may have 20" for n in range(2, 9))
        stage.script.refused(a, telephony.Cause.CANCELLED, 487)
        await stage.tick()
        stage.sound()

    tell(story)


def test_a_step_that_changes_nothing_writes_nothing() -> None:
    async def story(stage: Stage) -> None:
        await stage.arrive([tag("vip"), tag("vip"), tag(remove=["other"]), tag(metadata={"a": None}), transfer()])
        assert len([entry for entry in stage.entries() if isinstance(entry, journal.CallLabelled)]) == 1
        assert len(heard(stage)) == 1

    tell(story)


# by programs, of calls that are up


def test_a_live_call_is_labelled_by_whoever_carries_it() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        before = stage.legs()
        labelled = await label(stage, "vip", "new", metadata={"customer": "42", "none": None})
        assert labelled == call_of(stage)
        assert labels(stage) == (("vip", "new"), {"customer": "42"})
        await label(stage, "paid", removed=("new",), metadata={"customer": None})
        assert labels(stage) == (("vip", "paid"), {})
        await label(stage, tags=("only",))
        assert labels(stage) == (("only",), {})
        assert stage.legs() == before
        assert stage.script.to(b)[-1] != "HangUp"
        kinds = [event.kind for event in rows.events_of(stage.store, stage.world.id, call_of(stage).id)]
        stage.script.ended(a)
        await stage.tick()
        assert len(stage_events(stage)) == len(kinds) + 1, "callbacks count no labels"
        assert stage_events(stage)[-1].snapshot.call.tags == ("only",)
        stage.sound()

    tell(story)


def test_what_would_be_too_many_is_refused_and_changes_nothing() -> None:
    async def story(stage: Stage) -> None:
        await stage.talking()
        for call in (call_of(stage), await ended(stage)):
            await label(stage, *(f"t{n}" for n in range(MOST_TAGS)), metadata={f"m{n}": "x" for n in range(50)}, call=call)
            with pytest.raises(Invalid, match="A call may have 20 tags; it would have 21"):
                await label(stage, "more", metadata={"m0": None}, call=call)
            with pytest.raises(Invalid, match="A call may have 50 metadata"):
                await label(stage, "other", removed=("t0",), metadata={"m50": "x"}, call=call)
            await label(stage, "more", removed=("t0",), metadata={"m50": "x", "m0": None}, call=call)
            found = rows.find_call(stage.store, stage.world.id, call.id)
            assert found is not None
            assert found.tags == (*(f"t{n}" for n in range(1, MOST_TAGS)), "more")
            assert list(found.metadata) == [f"m{n}" for n in range(1, 51)]
            check_record(stage.store, stage.world.id, call.id, over=not found.live)

    tell(story)


# of calls that are over


def test_a_call_that_is_over_is_labelled_too() -> None:
    async def story(stage: Stage) -> None:
        call = await ended(stage)
        await stage.after(60)
        labelled = await label(stage, "vip")
        assert labelled == call_of(stage)
        assert labelled.updated_us > call.updated_us
        assert (labelled.ended_us, labelled.status) == (call.ended_us, call.status)
        assert [event.snapshot.call.tags for event in heard(stage)] == [("vip",)]
        assert await label(stage, "vip") == labelled, "the same again is no news"
        assert len(heard(stage)) == 1
        stage.sound()

    tell(story)


def test_changes_at_once_lose_nothing() -> None:
    async def story(stage: Stage) -> None:
        over = await ended(stage)
        await stage.arrive([pause(60)])
        for call in (over, call_of(stage)):
            stage.disk.seconds = 0.01
            await asyncio.gather(*(label(stage, f"t{n}", metadata={f"m{n}": "x"}, call=call) for n in range(10)))
            stage.disk.seconds = 0.0
            found = rows.find_call(stage.store, stage.world.id, call.id)
            assert found is not None
            assert (set(found.tags), set(found.metadata)) == ({f"t{n}" for n in range(10)}, {f"m{n}" for n in range(10)})
            check_record(stage.store, stage.world.id, call.id, over=not found.live)

    tell(story)


@pytest.mark.parametrize("after_ms", range(12))
def test_a_call_that_ends_meanwhile_keeps_both(after_ms: int) -> None:
    """Asked before its end, in the commit of its end, while the engine has its last word, and after it was put away."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.seconds = 0.002
        stage.script.ended(a)
        await stage.after(0.004)
        asyncio.get_running_loop().call_later(0.002, lambda: stage.script.ended(b, who=telephony.Who.US))
        await stage.after(after_ms / 1000)
        asked = [label(stage, f"t{n}") for n in range(3)]
        labelled = await asyncio.gather(*asked)
        assert set(labelled[-1].tags) >= {"t2"}
        await stage.after(1)
        assert stage.switch.live_calls == 0
        assert labels(stage) == (("t0", "t1", "t2"), {})
        assert stage.outcome()[0] == "ended"
        last_words = [entry.leg for entry in stage.entries() if isinstance(entry, journal.LegLast)]
        assert last_words == [a, b], "the journal has one writer"
        stage.sound()

    tell(story)


def test_calls_of_others_and_of_nobody_are_not_there() -> None:
    async def story(stage: Stage) -> None:
        await stage.talking()
        call = call_of(stage)
        for world_id, call_id in ((UUID(int=1), call.id), (call.world_id, UUID(int=1))):
            with pytest.raises(NotFound, match="No call found"):
                await stage.switch.label_call(world_id, call_id, Relabelling(added=("vip",)))
        assert labels(stage) == ((), {})

    tell(story)


def test_no_call_ends_because_its_labels_wait_for_the_disk() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        stage.disk.full = True
        with pytest.raises(Unavailable):
            await label(stage, "vip")
        await stage.after(60)
        assert "HangUp" not in (*stage.script.to(a), *stage.script.to(b))
        stage.disk.comes_back()
        await stage.after(1)
        assert labels(stage) == (("vip",), {}), "what was asked is done, as the answer said"
        assert stage.outcome()[0] == "ongoing"
        stage.sound()

    tell(story)
