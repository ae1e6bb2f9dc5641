"""The vendor's tutorial on retrieving calls: its curl lines, word for word but for host and key, give the shapes it shows."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from callwright.phone.client import Phone
from support.server import EVERY_VOICE, PATIENCE_S, Server, Webserver

HOST = "https://voice.messagebird.com"
KEY = "test_gshuPaZoeEG6ovbc8M79w0QyM"
CALLED, CALLER = "31123456788", "31644556677"

LIST_CALLS = f"""curl -X "GET" "{HOST}/calls" \\
-H "Authorization: AccessKey {KEY}" """
LIST_LEGS = f"""curl -X "GET" "{HOST}/calls/f1aa71c0-8f2a-4fe8-b5ef-9a330454ef58/legs" \\
-H "Authorization: AccessKey {KEY}" """
NUMBER_WEBHOOK = f"""curl -X POST {HOST}/numbers/31123456788/webhook \\
-H "Authorization: AccessKey {KEY}" \\
-H "Content-Type: application/json" \\
-d $'{{"url": "https://example.com/messagebird/callback","token": "foobar"}}'"""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# The keys of the tutorial's samples come first and in their order; what later clients rely on follows.
CALL = ["id", "status", "numberId", "createdAt", "updatedAt", "endedAt", "source", "destination", "_links"]
LEG = [
    "id",
    "callId",
    "source",
    "destination",
    "status",
    "direction",
    "createdAt",
    "updatedAt",
    "answeredAt",
    "endedAt",
    "cost",
    "currency",
    "duration",
    "sipResponseCode",
    "_links",
]
PAYLOAD = ["id", "status", "number", "legs", "createdAt", "updatedAt", "endedAt", "source", "destination"]
PAGE_1_OF_1 = {"pageCount": 1, "currentPage": 1, "perPage": 10}


def run(line: str, server: Server, *, key: str) -> Any:
    """Run a line of the tutorial in a shell, with our host and key in the place of theirs."""
    ours = line.replace(HOST, server.http).replace(KEY, key).replace("curl ", "curl --silent --show-error ", 1)
    done = subprocess.run(["bash", "-c", ours], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def web() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("tutorial") / "one", EVERY_VOICE)
    yield running
    running.stop()


def live_key(server: Server) -> str:
    return server.live._key


def test_the_webhook_of_a_number(server: Server) -> None:
    first = run(NUMBER_WEBHOOK, server, key=live_key(server))
    (made,) = first["data"]
    assert list(made) == ["id", "url", "token", "createdAt", "updatedAt"]
    assert UUID.fullmatch(made["id"])
    assert (made["url"], made["token"]) == ("https://example.com/messagebird/callback", "foobar")
    assert first["_links"] == {"self": f"/webhooks/{made['id']}"}
    again = run(NUMBER_WEBHOOK, server, key=live_key(server))
    assert again["data"][0]["id"] == made["id"]


def test_lists_of_a_world_without_calls(server: Server) -> None:
    assert run(LIST_CALLS, server, key=server.test._key) == {
        "data": [],
        "_links": {"self": "/calls?page=1"},
        "pagination": {"totalCount": 0, "pageCount": 0, "currentPage": 1, "perPage": 10},
    }
    refused = run(LIST_LEGS, server, key=server.test._key)
    assert (refused["data"], [error["code"] for error in refused["errors"]]) == (None, [13])


async def test_a_call_its_legs_and_its_callbacks(server: Server, web: Webserver) -> None:
    key = live_key(server)
    callee = await Phone.start(user="bob")
    caller = await Phone.start(user="alice")
    try:
        flow = server.live.post(
            "/call-flows", {"steps": [{"action": "transfer", "options": {"destination": f"sip:31612345678@{callee.sip}"}}]}
        ).made
        server.live.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [CALLED]})
        body = {"url": web.url("/messagebird/callback"), "token": "foobar"}
        assert server.live.post(f"/numbers/{CALLED}/webhook", body).status == 201
        await caller.call(f"sip:{CALLED}@{server.sip}", caller=CALLER)
        await caller.wait("answered")
        await caller.do("hangup")
        await callee.wait("ended")
    finally:
        await caller.stop()
        await callee.stop()
    call_id = server.call_to(CALLED)
    web.told(call_id)

    listed = run(LIST_CALLS, server, key=key)
    (call,) = listed["data"]
    assert list(call) == CALL
    assert (call["id"], call["status"]) == (call_id, "ended")
    assert UUID.fullmatch(call["numberId"])
    assert all(TIME.fullmatch(call[name]) for name in ("createdAt", "updatedAt", "endedAt"))
    assert call["_links"] == {"self": f"/calls/{call_id}", "legs": f"/calls/{call_id}/legs"}
    assert (listed["_links"], listed["pagination"]) == ({"self": "/calls?page=1"}, {"totalCount": 1, **PAGE_1_OF_1})

    legs = run(LIST_LEGS.replace("f1aa71c0-8f2a-4fe8-b5ef-9a330454ef58", call_id), server, key=key)
    assert [list(leg) for leg in legs["data"]] == [LEG, LEG]
    assert [(leg["direction"], leg["status"]) for leg in legs["data"]] == [("outgoing", "hangup"), ("incoming", "hangup")]
    assert [(leg["source"], leg["destination"]) for leg in legs["data"]] == [
        (CALLER, f"sip:31612345678@{callee.sip}"),
        (CALLER, CALLED),
    ]
    for leg in legs["data"]:
        assert leg["callId"] == call_id
        assert all(TIME.fullmatch(leg[name]) for name in ("createdAt", "updatedAt", "answeredAt", "endedAt"))
        assert leg["createdAt"] <= leg["answeredAt"] <= leg["endedAt"] <= leg["updatedAt"]
        assert leg["_links"] == {"self": f"/calls/{call_id}/legs/{leg['id']}"}
    assert legs["_links"] == {"self": f"/calls/{call_id}/legs?page=1"}
    assert legs["pagination"] == {"totalCount": 2, **PAGE_1_OF_1}

    posted = web.about(call_id)
    assert [one.item["event"] for one in posted] == ["callCreated"] + ["callUpdated"] * (len(posted) - 1)
    told = json.loads(posted[-2].body)
    assert list(told) == ["timestamp", "items"]
    (item,) = told["items"]
    assert (list(item), item["type"], item["event"]) == (["type", "event", "payload"], "call", "callUpdated")
    payload = item["payload"]
    assert list(payload) == PAYLOAD
    assert (payload["status"], payload["endedAt"]) == ("ongoing", None)
    assert told["timestamp"] == payload["updatedAt"]
    assert list(payload["number"]) == ["id", "number", "callFlowId", "createdAt", "updatedAt"]
    assert (payload["number"]["number"], payload["number"]["callFlowId"]) == (CALLED, flow["id"])
    assert [list(leg) for leg in payload["legs"]] == [LEG[:-1]] * 2
    assert [leg["direction"] for leg in payload["legs"]] == ["incoming", "outgoing"]
    assert [leg["endedAt"] for leg in payload["legs"]] == [None, None]
