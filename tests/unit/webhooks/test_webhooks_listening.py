"""Live events for whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import msgspec
import pytest

from callwright.calls.events import TOPIC, Snapshot
from callwright.calls.following import KEEP_ALIVE_S, Position
from callwright.calls.model import Call, CallStatus, Direction, Leg, LegStatus
from callwright.calls.rows import insert_event, insert_other_event
from callwright.egress import parse
from callwright.errors import Unavailable
from callwright.store import Change, Wake
from callwright.webhooks import listening
from callwright.webhooks.listening import Listening, Told
from callwright.webhooks.signing import Signer
from support.webhook_stage import OTHER_WORLD, START_US, WORLD, Stage, on_stage, render

URL = parse("http://localhost:3000/hook?a=1")
EVERYTHING = frozenset({"call", "leg", "recording", "transcription", "webhook"})


def listener(stage: Stage) -> Listening:
    signer = Signer(lambda world: f"signing key of world {world.int}")
    return Listening(stage.store, stage.clock, render=stage.render, sign=signer.headers)


class Ear:
    """Somebody who listens: what was told comes one by one, when it is asked for."""

    def __init__(self, stage: Stage, room: Listening, after: Position | None = None, **wanted: object) -> None:
        self._stage = stage
        world = wanted.get("world", WORLD)
        types = wanted.get("types", frozenset({"call"}))
        assert isinstance(world, UUID)
        assert isinstance(types, frozenset)
        token = wanted.get("token")
        assert token is None or isinstance(token, str)
        self._seat = room.admit(world)
        self._told: AsyncIterator[Told | None] = room.follow(self._seat, URL, token, types, after or room.here())

    async def next(self, within: float = 1.0) -> Told | None:
        async with self._stage.clock.timeout(within):
            return await anext(self._told)

    async def close(self) -> None:
        with self._seat:
            await self._told.aclose()  # type: ignore[attr-defined]


def test_what_is_committed_is_told_at_once_in_order_and_in_this_world_alone() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(11)
        ear = Ear(stage, listener(stage))
        next_one = asyncio.ensure_future(ear.next())
        await stage.sleep(0.1)
        await stage.events(11)
        first = await next_one
        assert first is not None
        assert (first.kind, first.call_id, first.body) == ("callUpdated", UUID(int=11), b"11#2#callUpdated")
        assert (stage.clock.now_us() - START_US) / 1e6 < 0.2
        await stage.events(12, world=OTHER_WORLD)
        await stage.events(13, 2)
        told = [await ear.next() for _ in range(2)]
        assert [one and one.body for one in told] == [b"13#1#callCreated", b"13#2#callUpdated"]
        await ear.close()

    on_stage(play)


def test_it_is_signed_at_that_moment_as_an_attempt_is() -> None:
    async def play(stage: Stage) -> None:
        ear = Ear(stage, listener(stage), token="secret")
        await stage.events(11)
        await stage.sleep(100)
        one = await ear.next()
        assert one is not None
        headers = dict(one.headers)
        assert headers["webhook-id"] == str(one.message_id)
        assert headers["MessageBird-Request-Timestamp"] == headers["webhook-timestamp"] == str(START_US // 1_000_000 + 100)
        assert {"webhook-signature", "X-MessageBird-Signature", "MessageBird-Signature-JWT", "Content-Type"} <= set(headers)
        await stage.webhooks.create(WORLD, url="http://localhost:3000/hook?a=1", token="secret")
        await stage.events(12)
        await stage.sleep(1)
        assert set(headers) == set(stage.receivers.sent[-1].headers) - {"webhook-sequence"}
        await ear.close()

    on_stage(play)


def test_nothing_is_written_for_a_listener_and_nothing_waits_for_it() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url="https://a.test/")
        ear = Ear(stage, listener(stage))
        await stage.events(11, 300)  # more than is read at once, and nobody takes it
        await stage.sleep(1)
        assert len(stage.receivers.sent) == 300
        assert len(stage.deliveries(11)) == 300
        told = [await ear.next() for _ in range(300)]
        assert [one and one.body for one in told] == [sent.body for sent in stage.receivers.sent]
        await ear.close()

    on_stage(play)


def test_silence_is_told_and_is_no_silence_when_something_happens() -> None:
    async def play(stage: Stage) -> None:
        ear = Ear(stage, listener(stage))
        assert await ear.next(KEEP_ALIVE_S + 0.1) is None
        assert await ear.next(KEEP_ALIVE_S + 0.1) is None
        await stage.events(11)
        assert await ear.next() is not None
        await ear.close()

    on_stage(play)


def test_legs_and_others_are_told_to_those_who_ask() -> None:
    async def play(stage: Stage) -> None:
        seat = listener(stage)
        ears = [Ear(stage, seat, types=EVERYTHING), Ear(stage, seat)]
        await _with_two_legs(stage, 11)
        account = insert_other_event(WORLD, UUID(int=99), WORLD, "webhookEnabled", stage.clock.now_us(), b"")
        unknown = insert_other_event(WORLD, UUID(int=98), WORLD, "ofANewerVersion", stage.clock.now_us(), b"")
        await stage.store.commit(Change((unknown, account), (Wake(TOPIC, WORLD, WORLD),)))
        await stage.events(12)
        told = [await ears[0].next() for _ in range(5)]
        kinds = ["callCreated", "legCreated", "legCreated", "webhookEnabled", "callCreated"]
        assert [one and one.kind for one in told] == kinds
        assert told[3] is not None
        assert told[3].call_id is None
        assert len({one and one.message_id for one in told}) == 5
        assert [one and one.kind for one in [await ears[1].next() for _ in range(2)]] == ["callCreated"] * 2
        # From each place on, exactly what follows is told.
        for number, one in enumerate(told):
            assert one is not None
            again = Ear(stage, listener(stage), one.position, types=EVERYTHING)
            rest = [await again.next() for _ in range(len(told) - number - 1)]
            assert [each and each.message_id for each in rest] == [each and each.message_id for each in told[number + 1 :]]
            await again.close()
        for ear in ears:
            await ear.close()

    on_stage(play)


async def _with_two_legs(stage: Stage, call: int) -> None:
    at_us = stage.clock.now_us()
    made = Call(
        id=UUID(int=call), world_id=WORLD, status=CallStatus.ONGOING, source="1", destination="2", created_us=at_us,
        updated_us=at_us,
    )  # fmt: skip
    legs = tuple(
        Leg(
            id=UUID(int=call << 8 | n), call_id=made.id, n=n, direction=Direction.OUTGOING, source="1", destination="2",
            status=LegStatus.STARTING, created_us=at_us, updated_us=at_us,
        )
        for n in (1, 2)
    )  # fmt: skip
    write = insert_event(UUID(int=call << 32), 1, "callCreated", Snapshot(made, legs, made=(1, 2)))
    await stage.store.commit(Change((write,), (Wake(TOPIC, WORLD, made.id),)))


def test_what_cannot_be_told_holds_up_nothing() -> None:
    async def play(stage: Stage) -> None:
        def breaks(event: object) -> bytes:
            if getattr(event, "call_id", None) == UUID(int=12):
                raise msgspec.ValidationError("no such call")
            return render(event)  # type: ignore[arg-type]

        stage.render = breaks
        ear = Ear(stage, listener(stage))
        for call in (11, 12, 13):
            await stage.events(call)
        assert [one and one.body for one in [await ear.next(), await ear.next()]] == [b"11#1#callCreated", b"13#1#callCreated"]
        await ear.close()

    on_stage(play)


def test_listeners_are_so_many_and_go_when_the_server_stops() -> None:
    async def play(stage: Stage) -> None:
        room = listener(stage)
        ears = [Ear(stage, room) for _ in range(listening.MOST_OF_A_WORLD)]
        with pytest.raises(Unavailable, match="10 listen to this world already"):
            room.admit(WORLD)
        others = [room.admit(OTHER_WORLD) for _ in range(listening.MOST_LISTENERS - len(ears))]
        with pytest.raises(Unavailable, match="20 listen to the worlds already"):
            room.admit(UUID(int=77))
        with others[0]:
            pass
        with room.admit(UUID(int=77)):
            waiting = [asyncio.ensure_future(ear.next()) for ear in ears]
            await stage.sleep(0.1)
        room.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {StopAsyncIteration}
        with others[1], pytest.raises(Unavailable, match="stopping"):
            room.admit(OTHER_WORLD)

    on_stage(play)


def test_a_listener_that_goes_leaves_nothing_behind() -> None:
    async def play(stage: Stage) -> None:
        room = listener(stage)
        for _ in range(listening.MOST_LISTENERS + 1):
            with room.admit(WORLD) as seat:
                async with aclosing(room.follow(seat, URL, None, EVERYTHING, room.here())) as told:
                    await stage.events(11)
                    assert await anext(told) is not None

    on_stage(play)
