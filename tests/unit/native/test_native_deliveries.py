"""The delivery log over the native interface."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote
from uuid import UUID

import pytest
from msgspec.structs import replace

from callwright import ids
from callwright.egress import Answer, Fault, Timings
from callwright.native.cursors import seal, unseal
from callwright.store import Change
from callwright.webhooks import ledger
from callwright.webhooks.health import Health
from callwright.webhooks.model import Message, Scope, State
from callwright.webhooks.scopes import Receiver
from support.native_room import NOW, NOW_US, NativeRoom

ONE, TWO = "https://one.test/hook", "https://two.test/hook?shop=2"
SOMEWHERE = "01890000-0000-7000-8000-000000000000"


async def put(
    room: NativeRoom,
    *,
    url: str = ONE,
    state: State = State.PENDING,
    kind: str = "callCreated",
    world: str = "live",
    call: int = 9,
) -> UUID:
    """A delivery on record, each a second after the last."""
    room.clock.us += 1_000_000
    world_id, made = room.accounts.world(world).id, ids.uuid7(room.clock.us)
    message = Message(ids.uuid7(room.clock.us), kind, b'{"items":[{"n":1}]}')
    receiver = Receiver(url, url.partition("?")[0], Scope.CALL, None, None)
    arrival = ledger.Arrival(world_id, UUID(int=call), message, receiver, made)
    await room.store.transact(partial(ledger.insert, arrivals=(arrival,), now_us=room.clock.us))
    if state is not State.PENDING:
        pos = room.log.get(world_id, made).pos
        delivery = ledger.find_deliveries(room.store, (pos,), ())[pos]
        settled = ledger.settle(delivery, state, room.clock.us, made=1, status=500, error="http_error")
        await room.store.commit(Change(settled))
    return made


async def test_a_delivery_is_told_with_its_body():
    room = await NativeRoom.open()
    made = await put(room, url=TWO, state=State.EXHAUSTED)
    reply = await room.customer("GET", f"/deliveries/{made}")
    at = NOW.replace("20.", "21.")
    entry = room.log.get(room.accounts.world("live").id, made)
    assert tuple(reply) == (
        200,
        {
            "id": str(made),
            "messageId": str(entry.event_id),
            "callId": str(UUID(int=9)),
            "sequence": 1,
            "event": "callCreated",
            "test": False,
            "scope": "call",
            "webhookId": None,
            "url": TWO,
            "endpoint": "https://two.test/hook",
            "state": "exhausted",
            "passed": False,
            "attempts": 1,
            "lastStatus": 500,
            "lastError": "http_error",
            "createdAt": at,
            "sinceAt": at,
            "nextAttemptAt": None,
            "settledAt": at,
            "body": {"items": [{"n": 1}]},
            "rawBody": '{"items":[{"n":1}]}',
            "attemptLog": [],
        },
    )
    assert "pos" not in reply.content


async def test_an_attempt_is_told_whole():
    room = await NativeRoom.open()
    made = await put(room)
    entry = room.log.get(room.accounts.world("live").id, made)
    delivery = ledger.find_deliveries(room.store, (entry.pos,), ())[entry.pos]
    answer = Answer(
        ONE, status=503, headers=[("Server", "x")], body=b"\xff\x00", whole=True, fault=Fault.HTTP_ERROR, detail="it said 503",
        timings=Timings(dns_us=1_000, connect_us=2_500, tls_us=None, head_us=10, total_us=99_000),
    )  # fmt: skip
    sent = [("webhook-id", "m")]
    silent = Answer(ONE, fault=Fault.TIMEOUT, detail="no answer within 10 s", timings=Timings(total_us=10_000_000))
    first_attempt = ledger.insert_attempt(delivery, NOW_US, sent, answer, "http_error", NOW_US + 5_000_000)
    second_attempt = ledger.insert_attempt(replace(delivery, attempts=1), NOW_US, sent, silent, "timeout", None)
    await room.store.commit(Change((first_attempt, second_attempt)))
    first = {
        "n": 1, "at": NOW, "status": 503, "error": "http_error", "detail": "it said 503", "dnsMs": 1.0, "connectMs": 2.5,
        "tlsMs": None, "firstByteMs": 0.01, "totalMs": 99.0, "whole": True, "nextAttemptAt": NOW.replace("20.", "25."),
    }  # fmt: skip
    told = (await room.customer("GET", f"/deliveries/{made}")).content["attemptLog"]
    assert (told[0], [one["n"] for one in told]) == (first, [1, 2])
    reply = await room.customer("GET", f"/deliveries/{made}/attempts/1")
    assert reply.content == first | {
        "deliveryId": str(made),
        "request": {
            "method": "POST", "url": ONE, "headers": [["webhook-id", "m"]], "body": {"items": [{"n": 1}]},
            "rawBody": '{"items":[{"n":1}]}',
        },
        "answer": {"status": 503, "headers": [["Server", "x"]], "body": "/wA=", "encoding": "base64"},
    }  # fmt: skip
    unanswered = (await room.customer("GET", f"/deliveries/{made}/attempts/2")).content
    assert (unanswered["error"], unanswered["answer"]) == ("timeout", None)
    for n in ("3", "0", "x", "-1", "9" * 12):
        assert (await room.customer("GET", f"/deliveries/{made}/attempts/{n}")).status == 404


async def listed(room: NativeRoom, query: str = "", **options) -> list[str]:
    """Every page of a list."""
    found, cursor = [], ""
    while True:
        reply = await room.operator("GET", f"/deliveries?{query}{cursor}", **options)
        assert reply.status == 200, reply.content
        found += [one["id"] for one in reply.content["data"]]
        if reply.content["next"] is None:
            return found
        cursor = f"&cursor={quote(reply.content['next'], safe='')}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1, 0]),
        ("state=exhausted&state=delivered", [5, 4, 1]),
        ("state=exhausted,pending", [5, 3, 2, 1, 0]),
        (f"endpoint={quote(TWO)}", [4, 2]),
        (f"url={quote(TWO, safe='')}", [4, 2]),
        (f"url={quote('https://two.test/hook')}", []),
        ("event=call", [5, 4, 2, 1, 0]),
        ("event=callUpdated", [5]),
        ("event=leg", [3]),
        (f"call={UUID(int=8)}", [5]),
        ("test=false", [5, 4, 3, 2, 1, 0]),
        ("test=true", []),
        ("from=2023-11-14T22:13:23.123456Z&to=2023-11-14T23:13:25.123456%2B01:00", [3, 2]),
        (f"webhook={SOMEWHERE}", []),
        ("limit=1000", [5, 4, 3, 2, 1, 0]),
    ],
)
async def test_filters(query, expected):
    room = await NativeRoom.open()
    made = [
        await put(room),
        await put(room, state=State.EXHAUSTED),
        await put(room, url=TWO),
        await put(room, kind="legCreated"),
        await put(room, url=TWO, state=State.DELIVERED),
        await put(room, kind="callUpdated", state=State.EXHAUSTED, call=8),
    ]
    foreign = await put(room, world="test")
    wanted = [str(made[n]) for n in expected]
    assert await listed(room, query) == wanted
    assert await listed(room, query.replace("limit=1000", "") + "&limit=1") == wanted
    assert await listed(room, "limit=1", world="test") == [str(foreign)]


async def test_an_endpoint_and_a_message_by_their_ids():
    room = await NativeRoom.open()
    made = str(await put(room, url=TWO))
    endpoint = (await room.operator("POST", "/endpoints", {"url": TWO})).content
    assert await listed(room, f"endpoint={endpoint['id']}") == [made]
    message = (await room.operator("GET", f"/deliveries/{made}")).content["messageId"]
    assert await listed(room, f"message={message}") == [made]
    assert await listed(room, f"message={made}") == []


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("status=failed", "status", "status is not known here: the nearest is state; there are endpoint, url,"),
        ("limit=1001", "limit", "from 1 to 1000"),
        ("limit=0", "limit", "from 1 to 1000"),
        ("offset=10", "offset", "is not known here"),
        ("call=1&call=2", "call", "more than once"),
        ("call=nonsense", "call", "an id of 36 characters; it was 'nonsense'"),
        ("message=1", "message", "an id"),
        ("webhook=1", "webhook", "an id"),
        (f"call={SOMEWHERE}&message={SOMEWHERE}", "message", "name one"),
        ("endpoint=https://a.test/&url=https://a.test/", "url", "name one"),
        ("endpoint=ftp://a.test/", "endpoint", "not a URL that anything could be sent to"),
        ("endpoint=nonsense", "endpoint", "an id"),
        ("url=ftp://a.test/", "url", "not a URL"),
        ("event=ring", "event", "callCreated, callUpdated"),
        ("state=failed", "state", "of pending, delivered, exhausted; it was 'failed'"),
        ("test=yes", "test", "true or false"),
        ("from=yesterday", "from", "such as 2026-05-04T10:00:00Z; it was 'yesterday'"),
        ("to=2026-05-04T10:00:00", "to", "such as"),
        ("from=2026-05-04T10:00:00Z&to=2026-05-04T10:00:00Z", "to", "from must be before to"),
        ("cursor=AAAA", "cursor", "none of this list"),
        ("cursor=%C3%A4", "cursor", "none of this list"),
    ],
)
async def test_filters_that_cannot_be(query, parameter, said):
    room = await NativeRoom.open()
    reply = await room.operator("GET", f"/deliveries?{query}")
    assert (reply.status, reply.error["code"], reply.error["parameter"]) == (422, 10, parameter)
    assert said in reply.error["message"]


async def test_a_cursor_is_of_one_list_in_one_world():
    room = await NativeRoom.open()
    for world in ("live", "live", "test", "test"):
        await put(room, world=world)
    cursor = (await room.operator("GET", "/deliveries?limit=1")).content["next"]
    assert (await room.operator("GET", f"/deliveries?cursor={cursor}")).status == 200
    for query, world in (
        (f"cursor={cursor}", "test"),
        (f"cursor={cursor}&state=pending", "live"),
        (f"cursor=A{cursor}", "live"),
    ):
        assert (await room.operator("GET", f"/deliveries?cursor={query}", world=world)).error["parameter"] == "cursor"


async def test_cursors_are_opaque_and_sealed():
    room = await NativeRoom.open()
    live, test = room.accounts.world("live"), room.accounts.world("test")
    cursor = seal(live, "a", -1, 7)
    assert unseal(live, "a", cursor) == (-1, 7)
    assert seal(live, "a", -1, 8)[12:] != cursor[12:]
    assert [unseal(test, "a", cursor), unseal(live, "b", cursor), unseal(live, "a", cursor[:-2]), unseal(live, "a", "")] == [
        None
    ] * 4
    assert unseal(live, "a", cursor.swapcase()) is None


async def test_one_is_resent():
    room = await NativeRoom.open()
    made = await put(room, state=State.EXHAUSTED)
    reply = await room.customer("POST", f"/deliveries/{made}/resend")
    assert (reply.status, reply.content["state"], reply.content["passed"]) == (202, "pending", True)
    assert [endpoint.url for endpoint in room.offered] == [ONE]
    assert (reply.content["was"], reply.content["held"]) == ("exhausted", [])
    again = (await room.customer("POST", f"/deliveries/{made}/resend")).content
    assert (again["was"], again["state"]) == ("pending", "pending")
    waiting = [await put(room, call=5), await put(room, call=5)][1]
    refused = await room.customer("POST", f"/deliveries/{waiting}/resend")
    assert (refused.status, refused.error["code"]) == (409, 10)
    await room.operator("POST", "/endpoints", {"url": ONE})
    endpoint = (await room.operator("GET", "/endpoints")).content["data"][0]["id"]
    await room.operator("POST", f"/endpoints/{endpoint}/disable")
    for path, body in ((f"/deliveries/{made}/resend", None), ("/deliveries/resend", {"endpoint": ONE})):
        refused = await room.customer("POST", path, body)
        assert (refused.status, refused.error["remedy"]) == (409, f"Once it is mended: callwright endpoints enable {ONE}")


async def test_what_to_do_names_the_test_world():
    room = await NativeRoom.open()
    made = await put(room, world="test", state=State.EXHAUSTED)
    await room.operator("POST", "/endpoints", {"url": ONE}, world="test")
    endpoint = (await room.operator("GET", "/endpoints", world="test")).content["data"][0]["id"]
    await room.operator("POST", f"/endpoints/{endpoint}/disable", world="test")
    for path, body in ((f"/deliveries/{made}/resend", None), ("/deliveries/resend", {"endpoint": ONE})):
        refused = await room.operator("POST", path, body, world="test")
        assert refused.error["remedy"] == f"Once it is mended: callwright endpoints enable {ONE} --test"
    await room.operator("POST", f"/endpoints/{endpoint}/enable", world="test")
    waiting = [await put(room, world="test", call=5), await put(room, world="test", call=5)][1]
    refused = await room.operator("POST", f"/deliveries/{waiting}/resend", world="test")
    assert refused.error["remedy"].endswith("--state pending --test")


async def test_where_what_is_resent_waits_is_told():
    room = await NativeRoom.open()
    made = [await put(room, state=State.EXHAUSTED, call=1), await put(room, url=TWO, state=State.EXHAUSTED, call=2)]
    room.deliverer.health, room.deliverer.until_us = Health.BROKEN, NOW_US + 3_600_000_000
    held = [
        {"endpoint": url, "health": "broken", "until": "2023-11-14T23:13:20.123456Z"} for url in (ONE, TWO.partition("?")[0])
    ]
    reply = await room.customer("POST", f"/deliveries/{made[0]}/resend")
    assert reply.content["held"] == held[:1]
    reply = await room.customer("POST", "/deliveries/resend", {"ids": [str(one) for one in made]})
    assert reply.content["held"] == held
    room.deliverer.health = Health.PROBATION
    reply = await room.customer("POST", f"/deliveries/{made[0]}/resend")
    assert reply.content["held"] == []


async def test_many_are_resent():
    room = await NativeRoom.open()
    made = [await put(room, state=State.EXHAUSTED, call=n) for n in range(4)]
    foreign = await put(room, state=State.EXHAUSTED, world="test")
    done = await put(room, url=TWO, state=State.DELIVERED)
    reply = await room.customer("POST", "/deliveries/resend", {"ids": [str(made[0]), str(foreign)]})
    assert tuple(reply) == (202, {"resent": 1, "wasPending": 0, "skipped": {"unknown": 1}, "held": []})
    reply = await room.customer(
        "POST", "/deliveries/resend", {"since": "2023-11-14T22:13:23Z", "until": "2023-11-14T22:13:24Z"}
    )
    assert tuple(reply) == (202, {"resent": 1, "wasPending": 0, "skipped": {}, "held": []})
    again = await room.customer("POST", "/deliveries/resend", {"ids": [str(made[0])]})
    assert again.content == {"resent": 1, "wasPending": 1, "skipped": {}, "held": []}
    assert await listed(room, "state=pending") == [str(made[2]), str(made[0])]
    assert (await room.customer("POST", "/deliveries/resend", {"endpoint": ONE})).content["resent"] == 2
    assert (await room.customer("POST", "/deliveries/resend", {"url": TWO, "state": "delivered"})).content["resent"] == 1
    assert await listed(room, "state=pending") == [str(done), *[str(one) for one in reversed(made)]]
    assert await listed(room, "state=exhausted", world="test") == [str(foreign)]


@pytest.mark.parametrize(
    ("body", "parameter", "said"),
    [
        ({}, "since", "all that was ever given up"),
        ({"state": "exhausted"}, "since", "all that was ever given up"),
        ({"state": "delivered"}, "endpoint", "What was delivered is resent to one endpoint at a time: name it."),
        ({"ids": []}, "ids", "1 to 1000 ids"),
        ({"ids": "x"}, "ids", "1 to 1000 ids"),
        ({"ids": [7]}, "ids", "an id of 36 characters"),
        ({"ids": [SOMEWHERE], "endpoint": ONE}, "endpoint", "nothing else can be given beside it"),
        ({"endpoint": ONE, "call": SOMEWHERE}, "call", "goes by ids, endpoint, state, since and until"),
        ({"endpoint": ONE, "url": ONE}, "url", "name one"),
        ({"endpoint": ONE, "state": "pending"}, "state", "exhausted or delivered; it was 'pending'"),
        ({"endpoint": ONE, "state": 7}, "state", "must be a text"),
        ({"since": "2023-11-14T22:13:23Z", "state": "delivered"}, "endpoint", "one endpoint at a time"),
        ({"since": "2h"}, "since", "such as"),
        ({"since": "2023-11-14T22:13:23Z", "until": "2023-11-14T22:13:22Z"}, "until", "since must be before until"),
    ],
)
async def test_what_cannot_be_resent(body, parameter, said):
    room = await NativeRoom.open()
    reply = await room.operator("POST", "/deliveries/resend", body)
    assert (reply.status, reply.error["parameter"]) == (400, parameter)
    assert said in reply.error["message"]


async def test_worlds_are_apart():
    room = await NativeRoom.open()
    made = await put(room, world="test", state=State.EXHAUSTED)
    endpoint = (await room.operator("POST", "/endpoints", {"url": ONE}, world="test")).content["id"]
    for method, path in (
        ("GET", f"/deliveries/{made}"),
        ("GET", f"/deliveries/{made}/attempts/1"),
        ("POST", f"/deliveries/{made}/resend"),
        ("GET", f"/deliveries?endpoint={endpoint}"),
    ):
        assert (await room.customer(method, path)).status == 404, path
    assert room.offered == []
