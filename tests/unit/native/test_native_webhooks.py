"""Webhooks of a world and its numbers, and endpoints, over the native interface."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from callwright.native.routes import ENTRIES
from callwright.webhooks.health import Health
from support.native_room import NOW, NOW_US, NativeRoom

ONE = "https://one.test/hook"
SOMEWHERE = "01890000-0000-7000-8000-000000000000"


async def test_a_webhook_is_made_changed_and_removed():
    room = await NativeRoom.open()
    made = await room.customer("POST", "/webhooks", {"url": f"{ONE}?a=1", "token": "secret", "events": ["recording", "leg"]})
    webhook_id = made.content["id"]
    assert tuple(made) == (
        201,
        {
            "id": webhook_id,
            "scope": "account",
            "number": None,
            "url": f"{ONE}?a=1",
            "endpoint": ONE,
            "events": ["call", "leg", "recording"],
            "hasToken": True,
            "oldTokenUntil": None,
            "createdAt": NOW,
            "updatedAt": NOW,
        },
    )
    assert (await room.customer("GET", f"/webhooks/{webhook_id}")).content == made.content
    path = f"/webhooks/{webhook_id}"
    assert (await room.customer("PATCH", path, {"events": None})).content == made.content | {"events": None}
    assert (await room.customer("PATCH", path, {"url": ONE})).content == made.content | {"events": None, "url": ONE}
    assert (await room.customer("PATCH", path, {"events": []})).content["events"] == ["call"]
    assert (await room.customer("PATCH", path, {"token": None})).content["hasToken"] is False
    assert (await room.customer("PATCH", path, {})).content["hasToken"] is False
    assert (await room.customer("DELETE", path)).status == 204
    assert (await room.customer("DELETE", path)).status == 404


async def test_those_of_numbers_stand_in_the_list_too():
    room = await NativeRoom.open()
    own = (await room.customer("POST", "/webhooks", {"url": ONE})).content
    body = {"url": "https://n.test/", "token": "secret", "events": ["leg"]}
    of_number = await room.customer("PUT", "/numbers/%2B31205550100/webhook", body)
    assert (of_number.status, of_number.content["scope"], of_number.content["number"]) == (200, "number", "31205550100")
    again = await room.customer("PUT", "/numbers/31205550100/webhook", {"url": "https://m.test/"})
    assert (again.content["id"], again.content["events"]) == (of_number.content["id"], ["call", "leg"])
    assert (await room.customer("GET", f"/webhooks/{again.content['id']}")).content == again.content
    reply = await room.customer("GET", "/webhooks")
    assert reply.content == {"data": [again.content, own], "total": 2, "limit": 100, "offset": 0}
    assert "secret" not in json.dumps(reply.content)
    assert (await room.customer("GET", "/webhooks?limit=1&offset=1")).content["data"] == [own]
    assert (await room.operator("GET", "/webhooks", world="test")).content["data"] == []


async def test_the_operator_makes_numbers_where_customers_may_not():
    room = await NativeRoom.open(claim="listed")
    refused = await room.customer("PUT", "/numbers/31205550100/webhook", {"url": ONE})
    assert refused.status == 400
    assert (await room.operator("PUT", "/numbers/31205550100/webhook", {"url": ONE})).status == 200
    assert (await room.customer("PUT", "/numbers/31205550100/webhook", {"url": ONE})).status == 200


@pytest.mark.parametrize(
    ("body", "code", "parameter", "said"),
    [
        ({}, 11, "url", "url is required"),
        ({"url": "http://10.0.0.1/"}, 10, "url", "10.0.0.1 is a private address"),
        ({"url": 7}, 10, "url", "must be a text"),
        ({"url": ONE, "token": 7}, 10, "token", "must be a text"),
        ({"url": ONE, "token": "whsec_!!"}, 10, "token", "comes the key in base64"),
        ({"url": ONE, "events": "leg"}, 10, "events", "a list of types"),
        ({"url": ONE, "events": ["legs"]}, 10, "events", "'legs', which is no type of event; there are call, leg,"),
        ({"url": ONE, "title": "x"}, 10, "title", "a webhook has url, token and events"),
    ],
)
async def test_webhooks_that_cannot_be(body, code, parameter, said):
    room = await NativeRoom.open()
    for method, path in (("POST", "/webhooks"), ("PUT", "/numbers/31205550100/webhook")):
        reply = await room.customer(method, path, body)
        assert (reply.status, reply.error["code"], reply.error["parameter"]) == (400, code, parameter)
        assert said in reply.error["message"]
    assert (await room.customer("GET", "/numbers")).content["total"] == 0


async def test_a_test_event():
    room = await NativeRoom.open()
    made = (await room.customer("POST", "/webhooks", {"url": f"{ONE}?a=1"})).content
    sent = await room.customer("POST", f"/webhooks/{made['id']}/test")
    assert (sent.status, sent.content["test"], sent.content["event"], sent.content["callId"]) == (
        202,
        True,
        "callCreated",
        None,
    )
    other = await room.customer("POST", f"/webhooks/{made['id']}/test", {"event": "recordingUpdated"})
    told = (await room.customer("GET", f"/deliveries/{other.content['id']}")).content
    assert told["body"]["items"][0]["event"] == "recordingUpdated"
    assert [endpoint.url for endpoint in room.offered] == [ONE, ONE]
    refused = await room.customer("POST", f"/webhooks/{made['id']}/test", {"event": "ring"})
    assert (refused.status, refused.error["parameter"]) == (400, "event")
    assert "callCreated, callUpdated" in refused.error["message"]
    assert (await room.customer("POST", f"/webhooks/{SOMEWHERE}/test")).status == 404


async def test_an_endpoint_gets_limits():
    room = await NativeRoom.open()
    made = await room.customer("POST", "/endpoints", {"url": "HTTPS://One.test:443/hook?a=1", "rate": 2.5})
    assert tuple(made) == (
        201,
        {
            "id": made.content["id"],
            "url": ONE,
            "concurrency": None,
            "rate": 2.5,
            "failures": 0,
            "failingSince": None,
            "disabledAt": None,
            "disabledWhy": None,
            "createdAt": NOW,
            "updatedAt": NOW,
            "pending": 0,
            "exhausted": 0,
            "countedTo": 10_000,
            "live": {
                "health": "resting",
                "until": NOW,
                "inFlight": 3,
                "unanswered": 1,
                "concurrency": 16,
                "rate": None,
            },
        },
    )
    path = f"/endpoints/{made.content['id']}"
    changed = await room.customer("PATCH", path, {"concurrency": 4})
    assert (changed.content["concurrency"], changed.content["rate"]) == (4, 2.5)
    again = await room.customer("POST", "/endpoints", {"url": ONE, "rate": None})
    assert (again.status, again.content["id"]) == (200, made.content["id"])
    assert (again.content["concurrency"], again.content["rate"]) == (4, None)
    assert (await room.customer("GET", path)).content == again.content
    assert [endpoint.url for endpoint in room.deliverer.refreshed] == [ONE] * 3
    assert (await room.customer("GET", f"/endpoints?url={quote(ONE + '?x', safe='')}")).content["data"] == [again.content]
    assert (await room.customer("GET", "/endpoints?url=https://two.test/")).content["data"] == []
    assert (await room.customer("GET", "/endpoints")).content["data"] == [again.content | {"countedTo": 100}]


async def test_an_endpoint_is_disabled_and_enabled():
    room = await NativeRoom.open()
    webhook = (await room.customer("POST", "/webhooks", {"url": ONE})).content["id"]
    await room.customer("POST", f"/webhooks/{webhook}/test")
    made = (await room.customer("POST", "/endpoints", {"url": ONE})).content
    assert (made["pending"], made["exhausted"]) == (1, 0)
    path = f"/endpoints/{made['id']}"
    room.deliverer.health = Health.HEALTHY
    assert (await room.customer("POST", f"{path}/enable")).status == 409
    disabled = (await room.customer("POST", f"{path}/disable")).content
    assert (disabled["disabledAt"], disabled["disabledWhy"]) == (NOW, "asked")
    assert (await room.customer("POST", f"{path}/disable")).error["message"].endswith("is disabled already (asked).")
    refused = await room.customer("POST", f"/webhooks/{webhook}/test")
    assert (refused.status, refused.error["remedy"]) == (409, f"Once it is mended: callwright endpoints enable {ONE}")
    assert (await room.customer("POST", f"{path}/enable")).content["disabledAt"] is None


@pytest.mark.parametrize("health", [Health.RESTING, Health.BROKEN])
async def test_one_that_is_left_alone_is_tried_at_once_when_it_is_enabled(health):
    room = await NativeRoom.open()
    made = (await room.customer("POST", "/endpoints", {"url": ONE})).content
    room.deliverer.health = health
    reply = await room.customer("POST", f"/endpoints/{made['id']}/enable")
    assert (reply.status, reply.content["live"]["health"], room.deliverer.tried) == (200, "probation", [ONE])
    refused = await room.customer("POST", f"/endpoints/{made['id']}/enable")
    assert (refused.status, room.deliverer.tried) == (409, [ONE])
    assert "is not disabled, and it is not left alone" in refused.error["message"]


@pytest.mark.parametrize(
    ("body", "parameter", "said"),
    [
        ({"concurrency": 0}, "concurrency", "from 1 to 1000, or null for webhooks.per_endpoint; it was 0"),
        ({"concurrency": 1001}, "concurrency", "from 1 to 1000"),
        ({"concurrency": 1.5}, "concurrency", "a whole number"),
        ({"concurrency": True}, "concurrency", "a whole number"),
        ({"rate": 0}, "rate", "from 0.01 to 100000"),
        ({"rate": 0.00001}, "rate", "it was 1e-05. To send nothing, disable the endpoint."),
        ({"rate": "fast"}, "rate", "a number of requests a second"),
        ({"rate": 100_001}, "rate", "to 100000"),
        ({"speed": 1}, "speed", "the limits of an endpoint are concurrency and rate"),
    ],
)
async def test_limits_that_cannot_be(body, parameter, said):
    room = await NativeRoom.open()
    made = (await room.customer("POST", "/endpoints", {"url": ONE})).content
    for method, path, sent in (("POST", "/endpoints", {"url": ONE, **body}), ("PATCH", f"/endpoints/{made['id']}", body)):
        reply = await room.customer(method, path, sent)
        assert (reply.status, reply.error["parameter"]) == (400, parameter)
        assert said in reply.error["message"]
    assert (await room.customer("GET", f"/endpoints/{made['id']}")).content == made


@pytest.mark.parametrize("body", [{}, {"url": "nonsense"}, {"url": "http://10.0.0.1/"}, {"url": 7}])
async def test_endpoints_that_cannot_be(body):
    room = await NativeRoom.open()
    reply = await room.customer("POST", "/endpoints", body)
    assert (reply.status, reply.error["parameter"]) == (400, "url")


async def test_what_is_of_the_other_world_is_said_to_the_operator_alone():
    room = await NativeRoom.open()
    of_test = (await room.operator("POST", "/webhooks", {"url": ONE}, world="test")).content["id"]
    of_live = (await room.operator("POST", "/webhooks", {"url": ONE})).content["id"]
    sent = (await room.operator("POST", f"/webhooks/{of_test}/test", world="test")).content["id"]
    for path in (
        f"/webhooks/{of_test}",
        f"/webhooks/{of_test}/secret",
        f"/deliveries/{sent}",
        f"/deliveries/{sent}/attempts/1",
    ):
        refused = await room.operator("GET", path)
        assert (refused.status, refused.error["remedy"]) == (404, "It is of the test world: add --test.")
        assert (await room.customer("GET", path)).error["remedy"] is None
    assert (await room.operator("POST", f"/deliveries/{sent}/resend")).error["remedy"].endswith("add --test.")
    refused = await room.operator("POST", f"/webhooks/{of_live}/test", world="test")
    assert refused.error["remedy"] == "It is of the live world: leave --test out."
    assert (await room.operator("GET", "/webhooks/nonsense")).error["remedy"] is None
    assert (await room.operator("GET", f"/deliveries/{sent}/attempts/9", world="test")).error["remedy"] is None


async def test_worlds_are_apart():
    room = await NativeRoom.open()
    room.clock.us = NOW_US + 5
    ids = {
        "webhooks": (await room.operator("POST", "/webhooks", {"url": ONE}, world="test")).content["id"],
        "endpoints": (await room.operator("POST", "/endpoints", {"url": ONE}, world="test")).content["id"],
    }
    tried = 0
    for entry in ENTRIES:
        name = entry.path.split("/")[1]
        if name in ids and "{id}" in entry.path:
            reply = await room.customer(entry.method, entry.path.replace("{id}", ids[name]), {})
            assert reply.status == 404, entry.path
            tried += 1
    assert tried == 11
    for name in ids:
        assert (await room.customer("GET", f"/{name}")).content["data"] == []
        assert len((await room.operator("GET", f"/{name}", world="test")).content["data"]) == 1


async def test_endpoints_are_paged_by_url():
    room = await NativeRoom.open()
    urls = [f"https://app.example.com/{n}" for n in (3, 1, 5, 2, 4)]
    for url in urls:
        assert (await room.customer("POST", "/endpoints", {"url": url, "rate": 5})).status == 201
    found, query = [], ""
    while query is not None:
        page = (await room.customer("GET", f"/endpoints?limit=2{query}")).content
        assert len(page["data"]) == 2 or page["next"] is None
        found += [one["url"] for one in page["data"]]
        query = page["next"] and f"&cursor={page['next']}"
    assert found == sorted(urls)
    one = (await room.customer("GET", f"/endpoints?url={urls[0]}?a=b")).content
    assert ([shown["url"] for shown in one["data"]], one["next"]) == ([urls[0]], None)


@pytest.mark.parametrize("cursor", ["nonsense", "018c3a4e-0000-7000-8000-000000000000"])
async def test_a_cursor_of_no_page_of_endpoints_is_refused(cursor):
    room = await NativeRoom.open()
    refused = await room.customer("GET", f"/endpoints?cursor={cursor}")
    assert (refused.status, refused.error["parameter"]) == (422, "cursor")
