"""The list of calls over the native interface, and its export."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright import ids
from callwright.calls import export as exporting
from callwright.calls import search
from callwright.calls.model import Call, CallStatus, Direction
from callwright.clock import VirtualClock, VirtualLoop
from callwright.native import Authority, Exports, native_app
from callwright.native import exporting as sending
from callwright.native.cursors import seal
from callwright.reasons import Reason
from support.call_rows import change, put, remove
from support.native_room import NOW, NOW_US, NativeRoom

NUMBER, FLOW = UUID(int=11), UUID(int=21)
KEYS = [
    "id",
    "world",
    "status",
    "direction",
    "source",
    "destination",
    "numberId",
    "flowId",
    "reason",
    "tags",
    "metadata",
    "duration",
    "createdAt",
    "updatedAt",
    "answeredAt",
    "endedAt",
]


async def made(room: NativeRoom, n: int, *, world: str = "live", **fields: Any) -> Call:
    """A call that was made n seconds after now, and lasted a minute."""
    at_us = NOW_US + n * 1_000_000
    given: dict[str, Any] = {"status": CallStatus.ENDED, "source": f"3161234567{n}", "destination": "31205550100"}
    times = {"created_us": at_us, "updated_us": at_us, "answered_us": at_us + 1, "ended_us": at_us + 60_000_000}
    call = Call(id=ids.uuid7(at_us), world_id=room.accounts.world(world).id, **times | given | fields)
    await put(room.store, call)
    return call


def sources(reply: Any) -> list[str]:
    return [call["source"] for call in reply.content["data"]]


async def test_a_call_of_a_list_has_all_but_its_legs():
    room = await NativeRoom.open()
    call = await made(
        room,
        0,
        direction=Direction.INCOMING,
        number_id=NUMBER,
        flow_id=FLOW,
        reason=Reason.CALLEE_HANGUP,
        tags=("vip", "=1"),
        metadata={"customer": "42"},
    )
    reply = await room.customer("GET", "/calls")
    world = room.accounts.world("live")
    (shown,) = reply.content["data"]
    assert shown == {
        "id": str(call.id),
        "world": "live",
        "status": "ended",
        "direction": "incoming",
        "source": "31612345670",
        "destination": "31205550100",
        "numberId": str(NUMBER),
        "flowId": str(FLOW),
        "reason": "callee_hangup",
        "tags": ["vip", "=1"],
        "metadata": {"customer": "42"},
        "duration": 60,
        "createdAt": NOW,
        "updatedAt": NOW,
        "answeredAt": "2023-11-14T22:13:20.123457Z",
        "endedAt": "2023-11-14T22:14:20.123456Z",
    }
    assert list(shown) == KEYS
    refresh = reply.content.pop("refresh")
    assert reply.content == {"data": [shown], "next": None, "prev": None, "total": {"count": 1, "exact": True}, "limit": 100}
    assert refresh == seal(world, "calls newest []", 2)
    alone = (await room.customer("GET", f"/calls/{call.id}")).content
    assert {name: alone[name] for name in KEYS} == shown


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_pages_go_on_back_and_to_what_is_new(sort: str):
    room = await NativeRoom.open()
    for n in range(5):
        await made(room, n)
    order = "43210" if sort == "newest" else "01234"
    base = f"/calls?limit=2&sort={sort}"

    async def at(cursor: str) -> Any:
        reply = await room.customer("GET", f"{base}&cursor={quote(cursor)}")
        return reply.content, "".join(source[-1] for source in sources(reply))

    first = (await room.customer("GET", base)).content
    second, shown = await at(first["next"])
    assert (shown, second["total"]["count"]) == (order[2:4], 5)
    third, shown = await at(second["next"])
    assert (shown, third["next"]) == (order[4], None)
    back, shown = await at(third["prev"])
    assert shown == order[2:4]
    back, shown = await at(back["prev"])
    assert (shown, back["prev"]) == (order[:2], None)
    # three more are made
    for n in (5, 6, 7):
        await made(room, n)
    assert (await at(third["refresh"]))[1] == (await at(first["refresh"]))[1]
    new, shown = await at(first["refresh"])
    assert (shown, new["prev"], new["total"]["count"]) == ("76" if sort == "newest" else "56", None, 8)
    rest, shown = await at(new["next"])
    assert (shown, rest["next"]) == ("5" if sort == "newest" else "7", None)
    assert (await at(new["refresh"]))[0]["data"] == []
    # the list that was begun before them has none of them
    assert (await at(second["next"]))[1] == order[4]


async def test_every_filter_is_asked_of_the_search():
    room = await NativeRoom.open()
    number = await room.numbers.make(room.accounts.world("live"), "31205550199")
    one = await made(
        room,
        0,
        status=CallStatus.BUSY,
        direction=Direction.INCOMING,
        number_id=number.id,
        flow_id=FLOW,
        reason=Reason.BUSY,
        tags=("two words", "a+b"),
        metadata={"customer": "42"},
    )
    await made(room, 1, world="test")
    await made(room, 2, destination="31205550101", answered_us=None)
    await made(room, 9)
    for query in (
        "status=busy,failed",
        "direction=incoming",
        "source=%2B31612345670",
        "source=+31612345670",
        "source=*5670",
        "source=*45670*&createdFrom=2023-11-14T00:00:00Z&createdTo=2023-11-15T00:00:00Z",
        "number=%2B31205550199",
        f"number={number.id}",
        f"flow={FLOW}",
        "reason=busy",
        "tag=two%20words&tag=a+b",
        "metadata.customer=42",
        f"createdTo={quote('2023-11-14T22:13:21Z')}",
        "endedTo=2023-11-14T22:14:21Z",
    ):
        reply = await room.customer("GET", f"/calls?{query}")
        assert [shown["id"] for shown in reply.content["data"]] == [str(one.id)], query
        assert reply.content["total"] == {"count": 1, "exact": True}
    assert sources(await room.customer("GET", "/calls?durationTo=0")) == ["31612345672"]
    assert sources(await room.customer("GET", "/calls?destination=312055501*&durationFrom=60&sort=oldest")) == [
        "31612345670",
        "31612345679",
    ]
    assert sources(await room.operator("GET", "/calls", world="test")) == ["31612345671"]


async def test_a_cursor_is_of_one_list_in_one_world():
    room = await NativeRoom.open()
    for n in range(3):
        await made(room, n)
        await made(room, n, world="test")
    page = (await room.operator("GET", "/calls?limit=1&status=ended&tag=")).content
    assert page["error"]["parameter"] == "tag"
    page = (await room.operator("GET", "/calls?limit=1&status=ended")).content
    for cursor in (page["next"], page["refresh"]):
        # another limit is no other list, nor are the same filters in other words
        assert (await room.operator("GET", f"/calls?status=ended,ended&cursor={cursor}")).status == 200
        for query, world in (
            (f"status=ended&cursor={cursor}", "test"),
            (f"cursor={cursor}", "live"),
            (f"status=busy&cursor={cursor}", "live"),
            (f"status=ended&direction=outgoing&cursor={cursor}", "live"),
            (f"status=ended&sort=oldest&cursor={cursor}", "live"),
            (f"status=ended&cursor=A{cursor}", "live"),
            (f"status=ended&cursor={cursor[:-1]}", "live"),
            (f"status=ended&cursor={cursor[:8]}", "live"),
            ("status=ended&cursor=", "live"),
            ("status=ended&cursor=%C3%A9", "live"),
        ):
            reply = await room.operator("GET", f"/calls?{query}", world=world)
            assert (reply.status, reply.error["parameter"]) == (422, "cursor"), query
            assert "none of this list" in reply.error["message"]
            assert reply.error["example"] is not None
    of_others = seal(room.accounts.world("live"), "calls newest []", 1, 2)
    assert (await room.operator("GET", f"/calls?cursor={of_others}")).error["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("path", "parameter", "said"),
    [
        ("/calls?sort=up", "sort", "must be newest or oldest"),
        ("/calls?limit=1001", "limit", "from 1 to 1000"),
        ("/calls?offset=1", "offset", "is not known here"),
        ("/calls?format=csv", "format", "is not known here"),
        ("/calls/export?format=xlsx", "format", "must be csv or ndjson"),
        ("/calls/export?limit=1", "limit", "is not known here"),
        ("/calls/export?cursor=1", "cursor", "is not known here"),
    ],
)
async def test_what_cannot_be_asked(path: str, parameter: str, said: str):
    room = await NativeRoom.open()
    reply = await room.customer("GET", path)
    assert (reply.status, reply.error["parameter"]) == (422, parameter)
    assert said in reply.error["message"]
