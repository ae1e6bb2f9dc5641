"""Secrets and their replacement over the native interface."""

from __future__ import annotations

import base64

import pytest

from support.native_room import NOW_US, NativeRoom

SOMEWHERE = "01890000-0000-7000-8000-000000000000"
URL = "https://a.test/hook"
DAY_US = 86_400_000_000
TOMORROW = "2023-11-15T22:13:20.123456Z"
IN_A_MINUTE = "2023-11-14T22:14:20.123456Z"


def whsec(secret: str) -> str:
    return "whsec_" + base64.b64encode(secret.encode()).decode()


async def webhook(room: NativeRoom, token: str | None = "first") -> str:
    world = room.accounts.world("live")
    return str((await room.parts.calling.webhooks.create(world.id, url=URL, token=token)).id)


async def test_each_world_has_a_signing_key():
    room = await NativeRoom.open()
    keys = {world: (await room.operator("GET", "/keys/signing", world=world)).content for world in ("live", "test")}
    alone = {"oldSigningKey": None, "oldSecret": None, "oldUntil": None}
    assert keys == {
        kind: {"kind": kind, "signingKey": key, "secret": whsec(key), **alone}
        for kind, key in ((kind, room.accounts.world(kind).signing_key) for kind in ("live", "test"))
    }
    assert keys["live"]["signingKey"] != keys["test"]["signingKey"]


async def test_a_signing_key_is_rotated_and_the_old_one_goes_by_itself():
    room = await NativeRoom.open()
    before = {world: (await room.operator("GET", "/keys/signing", world=world)).content for world in ("live", "test")}
    rotated = await room.operator("POST", "/keys/signing/rotate", world="test")
    old, new = before["test"]["signingKey"], rotated.content["signingKey"]
    assert rotated == (
        200,
        {
            "kind": "test",
            "signingKey": new,
            "secret": whsec(new),
            "oldSigningKey": old,
            "oldSecret": whsec(old),
            "oldUntil": TOMORROW,
        },
    )
    assert new != old
    assert len(new) == 43
    assert (await room.operator("GET", "/keys/signing", world="test")).content == rotated.content
    assert (await room.operator("GET", "/keys/signing", world="live")).content == before["live"]
    room.clock.us = NOW_US + DAY_US
    alone = {"oldSigningKey": None, "oldSecret": None, "oldUntil": None}
    assert (await room.operator("GET", "/keys/signing", world="test")).content == rotated.content | alone


async def test_a_rotation_is_finished_by_hand_as_often_as_one_likes():
    room = await NativeRoom.open()
    rotated = await room.operator("POST", "/keys/signing/rotate", {"overlap": 60})
    assert rotated.content["oldUntil"] == IN_A_MINUTE
    alone = rotated.content | {"oldSigningKey": None, "oldSecret": None, "oldUntil": None}
    for finished in (True, False):
        expected = alone | {"finished": finished}
        assert await room.operator("POST", "/keys/signing/rotate/finish") == (200, expected)


async def test_a_second_rotation_is_refused_with_the_way_out():
    room = await NativeRoom.open()
    first = (await room.operator("POST", "/keys/signing/rotate", world="test")).content
    refused = await room.operator("POST", "/keys/signing/rotate", {"overlap": 5}, world="test")
    assert refused.status == 409
    assert "2023-11-15T22:13:20Z" in refused.error["message"]
    assert "callwright keys rotate-signing --finish --test" in refused.error["remedy"]
    assert (await room.operator("GET", "/keys/signing", world="test")).content == first
    at_once = (await room.operator("POST", "/keys/signing/rotate", {"overlap": 0}, world="test")).content
    assert (at_once["signingKey"] != first["signingKey"], at_once["oldSigningKey"], at_once["oldUntil"]) == (True, None, None)


async def test_the_way_out_names_the_test_world():
    room = await NativeRoom.open()
    made = (await room.operator("POST", "/webhooks", {"url": "https://one.test/", "token": "a"}, world="test")).content["id"]
    assert (await room.operator("POST", f"/webhooks/{made}/rotate", world="test")).status == 200
    refused = await room.operator("POST", f"/webhooks/{made}/rotate", world="test")
    assert f"callwright webhooks rotate {made} --finish --test." in refused.error["remedy"]


async def test_a_token_is_shown_rotated_and_finished():
    room = await NativeRoom.open()
    path = f"/webhooks/{await webhook(room)}"
    shown = await room.customer("GET", f"{path}/secret")
    alone = {"oldToken": None, "oldSecret": None, "oldUntil": None}
    assert shown == (200, {"webhookId": path[10:], "token": "first", "secret": whsec("first"), **alone})
    rotated = await room.customer("POST", f"{path}/rotate", {"token": "second", "overlap": 60})
    assert rotated == (
        200,
        {
            "webhookId": path[10:],
            "token": "second",
            "secret": whsec("second"),
            "oldToken": "first",
            "oldSecret": whsec("first"),
            "oldUntil": IN_A_MINUTE,
        },
    )
    assert (await room.customer("GET", f"{path}/secret")).content == rotated.content
    refused = await room.customer("POST", f"{path}/rotate")
    assert refused.status == 409
    assert f"callwright webhooks rotate {path[10:]} --finish" in refused.error["remedy"]
    assert await room.customer("POST", f"{path}/rotate/finish") == (200, rotated.content | alone | {"finished": True})
    assert (await room.customer("POST", f"{path}/rotate/finish")).content["finished"] is False
    generated = (await room.customer("POST", f"{path}/rotate")).content
    assert (len(generated["token"]), generated["oldToken"], generated["oldUntil"]) == (43, "second", TOMORROW)


async def test_a_webhook_without_a_token_does_not_give_the_signing_key_away():
    room = await NativeRoom.open()
    path = f"/webhooks/{await webhook(room, None)}"
    shown = (await room.customer("GET", f"{path}/secret")).content
    assert (shown["token"], shown["secret"]) == (None, None)
    rotated = (await room.customer("POST", f"{path}/rotate", {"token": "first"})).content
    assert (rotated["token"], rotated["oldToken"], rotated["oldSecret"], rotated["oldUntil"]) == ("first", None, None, TOMORROW)
    assert [(await room.customer("POST", f"{path}/rotate/finish")).content["finished"] for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("body", "parameter", "words"),
    [
        ({"overlap": "1d"}, "overlap", "number of seconds; it was '1d'"),
        ({"overlap": True}, "overlap", "number of seconds"),
        ({"overlap": -1}, "overlap", "from 0 to 2592000"),
        ({"overlap": 2_592_001}, "overlap", "it was 2592001"),
        ({"token": 7}, "token", "must be a text"),
        ({"token": ""}, "token", "leave it out"),
        ({"token": "first"}, "token", "has already"),
        ({"token": "t" * 1_001}, "token", "at most 1000"),
        ({"token": "whsec_!!"}, "token", "after whsec_ comes the key in base64, and this is none"),
        ({"token": "whsec_"}, "token", "and this is none"),
        ({"token": "second "}, "token", "begins or ends with a space"),
        ({"token": "sec\x00ond"}, "token", "has a control character"),
        ([], None, "JSON object"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(body, parameter, words):
    room = await NativeRoom.open()
    path = f"/webhooks/{await webhook(room)}"
    before = (await room.customer("GET", f"{path}/secret")).content
    refused = await room.customer("POST", f"{path}/rotate", body)
    assert (refused.status, refused.error["parameter"]) == (400, parameter)
    assert words in refused.error["message"]
    if parameter != "token":
        assert (await room.operator("POST", "/keys/signing/rotate", body)).error == refused.error
    assert (await room.customer("GET", f"{path}/secret")).content == before


async def test_a_key_of_another_world_does_not_reach_a_webhook():
    room = await NativeRoom.open()
    path = f"/webhooks/{await webhook(room)}"
    foreign = (await room.accounts.make_key("test")).secret
    for method, end in (("GET", "secret"), ("POST", "rotate"), ("POST", "rotate/finish")):
        assert (await room.customer(method, f"{path}/{end}", key=foreign)).status == 404
        assert (await room.customer(method, f"/webhooks/{SOMEWHERE}/{end}")).status == 404
        assert (await room.customer(method, f"/webhooks/seven/{end}")).status == 404
    assert (await room.customer("GET", f"{path}/secret")).content["token"] == "first"
