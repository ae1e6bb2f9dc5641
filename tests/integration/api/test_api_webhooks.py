from __future__ import annotations

import pytest

from support.rest import SECOND_US, Rest

URL = "https://hooks.example.test/voice"


async def test_a_webhook_from_making_to_deleting(rest: Rest) -> None:
    made = await rest.live("POST", "/webhooks", {"title": "Mine", "url": URL, "token": "t"})
    (webhook,) = made.json["data"]
    assert (made.status, list(webhook.items())) == (
        201,
        [
            ("id", webhook["id"]),
            ("url", URL),
            ("token", "t"),
            ("createdAt", "2024-05-02T10:00:00Z"),
            ("updatedAt", "2024-05-02T10:00:00Z"),
        ],
    )
    path = f"/webhooks/{webhook['id']}"
    assert made.json["_links"] == {"self": path}
    assert (await rest.live("GET", path)).json == made.json
    assert (await rest.live("GET", "/webhooks")).json["data"] == [webhook | {"_links": {"self": path}}]
    deleted = await rest.live("DELETE", path, {})
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await rest.live("GET", path)).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("change", "url", "token"),
    [
        # Python's library leaves the URL out
        ({"title": "New", "token": "u"}, URL, "u"),
        ({"url": "https://other.example.test/", "token": "u"}, "https://other.example.test/", "u"),
        ({"url": "https://other.example.test/", "token": None}, "https://other.example.test/", "t"),
        ({"url": "", "token": ""}, URL, "t"),
        ({}, URL, "t"),
    ],
)
async def test_a_change_leaves_what_it_does_not_name(rest: Rest, method: str, change: object, url: str, token: str) -> None:
    webhook = (await rest.live("POST", "/webhooks", {"url": URL, "token": "t"})).json["data"][0]
    rest.clock.at_us += SECOND_US
    reply = await rest.live(method, f"/webhooks/{webhook['id']}", change)
    expected = webhook | {"url": url, "token": token, "updatedAt": "2024-05-02T10:00:01Z"}
    assert (reply.status, reply.json["data"]) == (200, [expected])


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        ({"token": "t"}, 11, "url"),
        ({"url": "example.test"}, 10, "url"),
        ({"url": "ftp://example.test/"}, 10, "url"),
        ({"url": "https://user:pass@example.test/"}, 10, "url"),
        ({"url": ["https://example.test/"]}, 10, "url"),
        ({"url": URL, "token": {"a": 1}}, 10, "token"),
        ({"url": URL, "token": "whsec_!!"}, 10, "token"),
        ({"url": URL, "token": "secret\n"}, 10, "token"),
        (b'{"url": ', 21, None),
    ],
)
async def test_a_webhook_that_cannot_be_made(rest: Rest, body: object, code: int, parameter: str | None) -> None:
    for path in ("/webhooks", "/numbers/31205550123/webhook"):
        reply = await rest.live("POST", path, body)
        (error,) = reply.json["errors"]
        assert (reply.status, error["code"], error.get("parameter")) == (422, code, parameter)
    assert (await rest.live("GET", "/webhooks")).json["data"] == []
    assert (await rest.live("GET", "/numbers")).json["data"] == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_token_that_cannot_be_verified_by_changes_nothing(rest: Rest, method: str) -> None:
    webhook = (await rest.live("POST", "/webhooks", {"url": URL, "token": "t"})).json["data"][0]
    reply = await rest.live(method, f"/webhooks/{webhook['id']}", {"token": "whsec_"})
    assert (reply.status, reply.json["errors"][0]["parameter"]) == (422, "token")
    assert (await rest.live("GET", f"/webhooks/{webhook['id']}")).json["data"][0]["token"] == "t"


async def test_a_world_has_five(rest: Rest) -> None:
    statuses = [(await rest.live("POST", "/webhooks", {"url": f"{URL}/{n}"})).status for n in range(6)]
    assert statuses == [201] * 5 + [422]
    sixth = await rest.live("POST", "/webhooks", {"url": URL})
    assert sixth.json["errors"][0]["code"] == 10
    assert (await rest.test("POST", "/webhooks", {"url": URL})).status == 201


async def test_the_webhook_of_a_number(rest: Rest) -> None:
    first = await rest.live("POST", "/numbers/+31205550123/webhook", {"url": URL, "token": "foobar"})
    (webhook,) = first.json["data"]
    assert (first.status, list(webhook)) == (201, ["id", "url", "token", "createdAt", "updatedAt"])
    assert first.json["pagination"] == {"totalCount": 0, "pageCount": 0, "currentPage": 0, "perPage": 0}
    rest.clock.at_us += SECOND_US
    second = await rest.live("POST", "/numbers/31205550123/webhook", {"url": f"{URL}/2"})
    expected = {"id": webhook["id"], "url": f"{URL}/2", "createdAt": webhook["createdAt"], "updatedAt": "2024-05-02T10:00:01Z"}
    assert (second.status, second.json["data"]) == (201, [expected])
    assert (await rest.live("GET", second.json["_links"]["self"])).json == second.json
    assert (await rest.live("GET", "/webhooks")).json["data"] == []
    assert [one["number"] for one in (await rest.live("GET", "/numbers")).json["data"]] == ["31205550123"]


async def test_a_number_that_is_none(rest: Rest) -> None:
    reply = await rest.live("POST", "/numbers/nobody/webhook", {"url": URL})
    assert (reply.status, reply.json["errors"][0]["code"], reply.json["errors"][0]["parameter"]) == (422, 10, "number")
