"""Tags and metadata of a call over the native interface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callwright import ids
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call
from callwright.native import Authority
from support.described import native_app
from support.native_room import NOW_US, NativeRoom

PLACE = {
    "source": "+31205550100",
    "destination": "31612345678",
    "callFlow": {"steps": [{"action": "hangup"}]},
    "tags": ["vip", "new"],
    "metadata": {"customer": "42"},
}


async def placed(room: NativeRoom) -> Call:
    record = CallRecord.requested(
        call_id=ids.uuid7(NOW_US),
        leg_id=ids.uuid7(NOW_US),
        world_id=room.accounts.world("live").id,
        source="31205550100",
        destination="31612345678",
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        tags=("vip", "new"),
        metadata={"customer": "42"},
        at_us=NOW_US,
        node="here",
    )
    await room.store.commit(record.take())
    return record.call


async def test_a_call_is_placed_with_labels_and_shows_them() -> None:
    room = await NativeRoom.open()
    reply = await room.customer("POST", "/calls", PLACE)
    assert (reply.status, reply.content["tags"], reply.content["metadata"]) == (201, ["vip", "new"], {"customer": "42"})
    shown = await room.customer("GET", f"/calls/{reply.content['id']}")
    assert shown.content == reply.content


async def test_labels_that_are_not_set_are_none() -> None:
    room = await NativeRoom.open()
    reply = await room.customer("POST", "/calls", {**PLACE, "tags": None, "metadata": None})
    assert (reply.status, reply.content["tags"], reply.content["metadata"]) == (201, [], {})


@pytest.mark.parametrize(
    ("body", "tags", "metadata"),
    [
        ({"tags": ["only"]}, ["only"], {"customer": "42"}),
        ({"tags": []}, [], {"customer": "42"}),
        ({"addTags": ["paid", "vip"], "removeTags": ["new", "never"]}, ["vip", "paid"], {"customer": "42"}),
        ({"metadata": {"order": "7", "customer": None}}, ["vip", "new"], {"order": "7"}),
        ({"metadata": {"customer": "43"}, "removeTags": ["vip"]}, ["new"], {"customer": "43"}),
        ({"metadata": {}}, ["vip", "new"], {"customer": "42"}),
        # null is as if it was not there, as where a call is placed
        ({"tags": None, "addTags": ["paid"], "metadata": None}, ["vip", "new", "paid"], {"customer": "42"}),
        ({"tags": ["only"], "addTags": None, "removeTags": None}, ["only"], {"customer": "42"}),
    ],
)
@pytest.mark.parametrize("server", [True, False], ids=["with a server", "without"])
async def test_labels_are_changed(server: bool, body: dict[str, Any], tags: list[str], metadata: dict[str, str]) -> None:
    room = await NativeRoom.open()
    call = await placed(room)
    if not server:
        room._apps[Authority.SOCKET] = native_app(replace(room.parts, calling=None), Authority.SOCKET)
    reply = await room.operator("PATCH", f"/calls/{call.id}", body)
    assert (reply.status, reply.content["tags"], reply.content["metadata"]) == (200, tags, metadata)
    assert reply.content == (await room.customer("GET", f"/calls/{call.id}")).content
    kinds = [entry["kind"] for entry in (await room.customer("GET", f"/calls/{call.id}/journal")).content["data"]]
    changed = (tags, metadata) != (["vip", "new"], {"customer": "42"})
    assert kinds == ["call_made", "leg_made"] + ["call_labelled"] * changed


@pytest.mark.parametrize(
    ("body", "parameter", "message"),
    [
        ({}, "tags", "There is nothing to change. Send tags, addTags, removeTags, metadata, such as {"),
        ({"status": "ended"}, "status", "status cannot be changed; of a call there are tags, addTags, removeTags, metadata."),
        ({"tags": ["a"], "addTags": ["b"]}, "addTags", "addTags cannot stand beside tags, which takes the place of all tags."),
        ({"addTags": ["a"], "removeTags": [" a "]}, "removeTags", "'a' cannot be both added and removed."),
        ({"addTags": ["ok", "x" * 65]}, "addTags[1]", "addTags[1] must have 1 to 64 characters; it has 65."),
        ({"tags": None, "metadata": None}, "tags", "There is nothing to change."),
        ({"tags": "", "metadata": []}, "tags", "There is nothing to change."),
        ({"tags": "vip"}, "tags", "tags must be an array of texts"),
        ({"metadata": ["vip"]}, "metadata", "metadata must be an object of texts"),
        (
            {"metadata": {"customer": 42}},
            "metadata.customer",
            'metadata.customer must be a text, such as "42"; it was the number',
        ),
        ({"metadata": {"customer": ""}}, "metadata.customer", "metadata.customer must have 1 to 500 characters; it has 0."),
        ({"addTags": [f"t{n}" for n in range(19)]}, "addTags", "A call may have 20 tags; it would have 21. Remove some"),
        ({"metadata": {f"m{n}": "x" for n in range(50)}}, "metadata", "A call may have 50 metadata; this would make it more."),
    ],
)
@pytest.mark.parametrize("server", [True, False], ids=["with a server", "without"])
async def test_what_cannot_be_changed_is_named(server: bool, body: dict[str, Any], parameter: str, message: str) -> None:
    room = await NativeRoom.open()
    call = await placed(room)
    if not server:
        room._apps[Authority.SOCKET] = native_app(replace(room.parts, calling=None), Authority.SOCKET)
    reply = await room.operator("PATCH", f"/calls/{call.id}", body)
    assert (reply.status, reply.error["parameter"]) == (400, parameter)
    assert reply.error["message"].startswith(message)
    shown = (await room.customer("GET", f"/calls/{call.id}")).content
    assert (shown["tags"], shown["metadata"]) == (["vip", "new"], {"customer": "42"})


async def test_half_a_character_is_named() -> None:
    room = await NativeRoom.open()
    call = await placed(room)
    reply = await room.operator("PATCH", f"/calls/{call.id}", rb'{"addTags": ["\ud800"]}')
    assert (reply.status, reply.error["code"]) == (400, 21)
    assert reply.error["message"] == r"The body is not valid JSON: \ud800 is half of a character."


async def test_a_call_that_is_not_there_has_no_labels() -> None:
    room = await NativeRoom.open()
    call = await placed(room)
    for app in (room.parts, replace(room.parts, calling=None)):
        room._apps[Authority.SOCKET] = native_app(app, Authority.SOCKET)
        for path, world in ((f"/calls/{ids.uuid7(NOW_US)}", "live"), (f"/calls/{call.id}", "test"), ("/calls/x", "live")):
            reply = await room.operator("PATCH", path, {"addTags": ["a"]}, world=world)
            assert (reply.status, reply.error["code"]) == (404, 13)
