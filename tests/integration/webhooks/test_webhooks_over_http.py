"""The deliverer over a real socket and a real database file."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

from aiohttp import web

from callwright.calls.events import CREATED, TOPIC, UPDATED, Event, Snapshot
from callwright.calls.model import Call, CallStatus
from callwright.calls.rows import insert_event
from callwright.clock import SystemClock
from callwright.egress import EgressSettings
from callwright.egress.post import HttpDoor
from callwright.ids import uuid7
from callwright.store import Change, Store, Wake
from callwright.webhooks import ledger, signature
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.model import State
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signing import Signer
from callwright.webhooks.webhooks import Webhooks

WORLD = UUID(int=1)
KEY = "a signing key of more than 112 bits"
# An attempt that is given up on a busy machine would be told of twice.
FAST = WebhookSettings(retry=(0.02, 0.05), then_every=0.1, poll=0.2, drain=0.2, timeout=60.0)


@asynccontextmanager
async def receiver(answer: Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    async def take(request: web.Request) -> web.StreamResponse:
        return await answer(request, await request.read())

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(store: Store, settings: WebhookSettings = FAST) -> AsyncIterator[Deliverer]:
    clock = SystemClock()
    door = HttpDoor(EgressSettings(), clock, allow=["127.0.0.0/8"])
    deliverer = Deliverer(
        store,
        door,
        clock,
        settings,
        render=body_of,
        sign=Signer(lambda world: KEY).headers,
        counted=lambda result: None,
    )
    store.on(TOPIC, lambda wake: deliverer.wake(wake.world_id, wake.subject_id))
    running = asyncio.get_running_loop().create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await door.close()


def body_of(event: Event) -> bytes:
    return f'{{"call": {event.call_id.int}, "seq": {event.seq}}}'.encode()


async def happen(store: Store, call: int, seq: int) -> UUID:
    at_us = SystemClock().now_us()
    made = Call(
        id=UUID(int=call),
        world_id=WORLD,
        status=CallStatus.ONGOING,
        source="1",
        destination="2",
        created_us=at_us,
        updated_us=at_us,
    )
    event_id = uuid7(at_us)
    write = insert_event(event_id, seq, CREATED if seq == 1 else UPDATED, Snapshot(made, ()))
    await store.commit(Change((write,), (Wake(TOPIC, WORLD, made.id),)))
    return event_id


async def settled(store: Store, calls: int, events: int) -> None:
    """Wait until every event of every call is delivered."""
    for _ in range(3000):
        states = [row.state for call in range(1, calls + 1) for row in ledger.deliveries_of(store, WORLD, UUID(int=call))]
        if len(states) == calls * events and set(states) == {State.DELIVERED}:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not delivered within 60 s: {states}")


async def test_every_event_arrives_signed_and_in_order_at_a_receiver_that_fails_at_random(tmp_path: Path) -> None:
    chance = random.Random(7)
    arrived: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    wrong: list[str] = []

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        at_s = int(request.headers["MessageBird-Request-Timestamp"])
        checks = {
            "X-MessageBird-Signature": signature.token_signature("t0ken", body),
            "MessageBird-Signature": signature.request_signature(KEY, at_s, request.query_string, body),
        }
        wrong.extend(name for name, value in checks.items() if request.headers[name] != value)
        what = chance.random()
        if what < 0.1:
            request.transport.abort()  # type: ignore[union-attr]
        if what < 0.2:
            return web.Response(status=503)
        event = await request.json()
        arrived[event["call"]].append((event["seq"], request.headers["webhook-id"]))
        return web.Response(status=204)

    store = Store.open(tmp_path / "callwright.db", SystemClock())
    async with receiver(answer) as url:
        await Webhooks(store, SystemClock(), lambda url: None).create(WORLD, url=f"{url}/hook?b=2&a=1", token="t0ken")
        async with delivering(store):
            ids: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)

            async def live(call: int) -> None:
                for seq in range(1, 6):
                    ids[call].append((seq, str(await happen(store, call, seq))))
                    await asyncio.sleep(chance.random() / 100)

            await asyncio.gather(*(live(call) for call in range(1, 41)))
            await settled(store, 40, 5)
    store.close()
    assert wrong == []
    assert arrived == ids


async def test_what_was_not_delivered_before_the_end_is_delivered_after_it(tmp_path: Path) -> None:
    up = False
    told = asyncio.Event()
    arrived: list[tuple[int, str, bytes]] = []

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        arrived.append((int(request.headers["webhook-sequence"]), request.headers["webhook-id"], body))
        told.set()
        return web.Response(status=200 if up else 500)

    async with receiver(answer) as url:
        store = Store.open(tmp_path / "callwright.db", SystemClock())
        await Webhooks(store, SystemClock(), lambda url: None).create(WORLD, url=url)
        async with delivering(store, WebhookSettings(retry=(1.0,), poll=0.2)):
            ids = [str(await happen(store, 1, seq)) for seq in (1, 2)]
            await told.wait()
        ids.append(str(await happen(store, 1, 3)))
        store.close()
        before, up = len(arrived), True
        store = Store.open(tmp_path / "callwright.db", SystemClock())
        async with delivering(store):
            await settled(store, 1, 3)
        store.close()
    assert {(seq, id_) for seq, id_, _ in arrived[:before]} == {(1, ids[0])}
    assert [(seq, id_) for seq, id_, _ in arrived[before:]] == [(1, ids[0]), (2, ids[1]), (3, ids[2])]
    assert len({body for seq, _, body in arrived if seq == 1}) == 1


async def test_a_receiver_that_answers_and_then_talks_for_ever_has_been_told(tmp_path: Path) -> None:
    count = 0

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal count
        count += 1
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(bytes(65_536))
        return response

    store = Store.open(tmp_path / "callwright.db", SystemClock())
    async with receiver(answer) as url:
        await Webhooks(store, SystemClock(), lambda url: None).create(WORLD, url=url)
        async with delivering(store):
            await happen(store, 1, 1)
            await settled(store, 1, 1)
    store.close()
    assert count == 1
