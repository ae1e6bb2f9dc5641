from __future__ import annotations

import json

import pytest

from callwright.api.parts import Limits
from callwright.errors import Conflict, StoreUnavailable, Unavailable
from callwright.store import Store
from support.asgi import Client
from support.rest import SECOND_US, Rest

PLACE = {
    "source": "+31 20 555 0100",
    "destination": "31205550123",
    "callFlow": {"steps": [{"action": "say", "options": {"payload": "Hello.", "repeat": "2"}}]},
    "webhook": {"url": "https://hooks.example.test/voice", "token": "s3cr3t"},
}


async def test_a_placed_call_is_answered_as_it_was_committed(rest: Rest) -> None:
    reply = await rest.live("POST", "/calls", PLACE)
    (call,) = reply.json["data"]
    assert (reply.status, list(reply.json.items())) == (
        201,
        [
            (
                "data",
                [
                    {
                        "id": call["id"],
                        "status": "queued",
                        "createdAt": "2024-05-02T10:00:00Z",
                        "updatedAt": "2024-05-02T10:00:00Z",
                        "endedAt": None,
                        "source": "31205550100",
                        "destination": "31205550123",
                    }
                ],
            ),
            ("_links", {"self": f"/calls/{call['id']}"}),
            ("pagination", {"totalCount": 0, "pageCount": 0, "currentPage": 0, "perPage": 0}),
        ],
    )
    steps = [{"action": "say", "options": {"payload": "Hello.", "repeat": 2}, "id": "step-1"}]
    assert rest.switch.asked == [
        ("place", "live", "31205550100", "31205550123", 1, {"steps": steps}, "https://hooks.example.test/voice", "s3cr3t")
    ]
    shown = await rest.live("GET", f"/calls/{call['id']}")
    assert shown.json["data"] == [call]
    assert shown.json["_links"] == {"self": f"/calls/{call['id']}", "legs": f"/calls/{call['id']}/legs"}
    assert b"s3cr3t" not in reply.body + shown.body


async def test_labels_are_taken_and_never_shown(rest: Rest) -> None:
    """What other software reads has the same bytes as without them."""
    plain = await rest.live("POST", "/calls", PLACE)
    labelled = await rest.live("POST", "/calls", {**PLACE, "tags": ["vip"], "metadata": {"customer": "42"}})
    ids = [reply.json["data"][0]["id"] for reply in (plain, labelled)]
    assert labelled.body.replace(ids[1].encode(), ids[0].encode()) == plain.body
    for path in ("/calls/{}", "/calls/{}/legs"):
        bodies = [(await rest.live("GET", path.format(id_))).body.replace(id_.encode(), b"") for id_ in ids]
        assert b"vip" not in bodies[1]
        assert b"tags" not in bodies[1]
        assert len(bodies[0]) == len(bodies[1])
    shown = (await rest.live("GET", "/calls")).json["data"]
    assert [set(call) for call in shown] == [set(shown[0])] * 2
    assert not {"tags", "metadata"} & set(shown[0])
    reply = await rest.live("POST", "/calls", {**PLACE, "tags": ["vip", "x" * 65]})
    assert (reply.status, reply.json["errors"][0]["code"], reply.json["errors"][0]["parameter"]) == (422, 10, "tags[1]")


async def test_a_call_of_a_test_key_belongs_to_the_test_world(rest: Rest) -> None:
    reply = await rest.test("POST", "/calls", PLACE)
    assert rest.switch.asked[0][1] == "test"
    assert (await rest.live("GET", f"/calls/{reply.json['data'][0]['id']}")).status == 404


async def test_the_list_of_calls(rest: Rest) -> None:
    first = (await rest.inbound_call()).call
    rest.clock.at_us += 60 * SECOND_US
    second = (await rest.inbound_call()).call
    reply = await rest.live("GET", "/calls?perPage=20&currentPage=1&status=ended")
    assert list(reply.json.items()) == [
        (
            "data",
            [
                {
                    "id": str(call.id),
                    "status": "ended",
                    "numberId": str(call.number_id),
                    "createdAt": f"2024-05-02T10:0{minute}:00Z",
                    "updatedAt": f"2024-05-02T10:0{minute}:15Z",
                    "endedAt": f"2024-05-02T10:0{minute}:15Z",
                    "source": "31205550177",
                    "destination": "31205550123",
                    "_links": {"self": f"/calls/{call.id}", "legs": f"/calls/{call.id}/legs"},
                }
                for call, minute in ((second, 1), (first, 0))
            ],
        ),
        ("_links", {"self": "/calls?page=1"}),
        ("pagination", {"totalCount": 2, "pageCount": 1, "currentPage": 1, "perPage": 20}),
    ]


async def test_the_legs_of_a_call_newest_first(rest: Rest) -> None:
    record = await rest.inbound_call()
    call, (first, second) = record.call, record.legs
    times = {
        "updatedAt": "2024-05-02T10:00:15Z",
        "answeredAt": "2024-05-02T10:00:09Z",
        "endedAt": "2024-05-02T10:00:15Z",
        "cost": 0,
        "currency": "EUR",
        "duration": 6,
        "sipResponseCode": 200,
    }
    expected = [
        {
            "id": str(leg.id),
            "callId": str(call.id),
            "source": "31205550177",
            "destination": destination,
            "status": "hangup",
            "direction": direction,
            "createdAt": created,
            **times,
            "_links": {"self": f"/calls/{call.id}/legs/{leg.id}"},
        }
        for leg, destination, direction, created in (
            (second, "31205550199", "outgoing", "2024-05-02T10:00:01Z"),
            (first, "31205550123", "incoming", "2024-05-02T10:00:00Z"),
        )
    ]
    reply = await rest.live("GET", f"/calls/{call.id}/legs")
    assert reply.json == {
        "data": expected,
        "_links": {"self": f"/calls/{call.id}/legs?page=1"},
        "pagination": {"totalCount": 2, "pageCount": 1, "currentPage": 1, "perPage": 10},
    }
    paged = await rest.live("GET", f"/calls/{call.id}/legs?page=2&perPage=1")
    assert paged.json == {
        "data": [expected[1]],
        "_links": {"self": f"/calls/{call.id}/legs?page=2"},
        "pagination": {"totalCount": 2, "pageCount": 2, "currentPage": 2, "perPage": 1},
    }
    alone = await rest.live("GET", f"/calls/{call.id}/legs/{first.id}")
    links = expected[1].pop("_links")
    assert (alone.json["data"], alone.json["_links"]) == ([expected[1]], links)


# How each library walks through a list of 25: the queries it sends and the rows it gets.
WALKS = {
    "python": (["page=1", "page=2", "page=3"], [10, 10, 5]),
    "python, flows": (["limit=10&offset=0", "limit=10&offset=10", "limit=10&offset=20"], [10, 10, 5]),
    "php": (["offset=0&limit=100"], [25]),
    "go, which asks for one more": (["page=1", "page=2", "page=3", "page=4"], [10, 10, 5, 0]),
    "ruby": (["perPage=20&currentPage=1", "perPage=20&currentPage=2"], [20, 5]),
    "java": (["page=1&perPage=15", "page=2&perPage=15", ""], [15, 10, 10]),
    "java, its own tests": (["offset=0&limit=0"], [10]),
    "csharp, which counts from 0": (["limit=20&page=0"], [20]),
    "node": ([""], [10]),
    "node, flows": (["page=2&perPage=20"], [5]),
    "dart": (["page=2&perpage=20", "limit=20&offset=20"], [5, 5]),
}


@pytest.mark.parametrize("library", WALKS)
async def test_every_library_walks_through_a_list(rest: Rest, library: str) -> None:
    made = []
    for _ in range(25):
        rest.clock.at_us += SECOND_US
        made.append((await rest.live("POST", "/calls", PLACE)).json["data"][0]["id"])
    queries, counts = WALKS[library]
    pages = [(await rest.live("GET", f"/calls?{query}")).json for query in queries]
    assert [len(page["data"]) for page in pages] == counts
    assert {page["pagination"]["totalCount"] for page in pages} == {25}
    first = pages[0]
    if first["pagination"]["currentPage"] == 1:
        assert [call["id"] for call in first["data"]] == made[::-1][: counts[0]]


async def test_a_page_past_the_end(rest: Rest) -> None:
    await rest.inbound_call()
    reply = await rest.live("GET", "/calls?page=99999999999999")
    assert (reply.status, reply.json["data"]) == (200, [])
    assert reply.json["pagination"] == {"totalCount": 1, "pageCount": 1, "currentPage": 99999999999999, "perPage": 10}


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        (b"not json", 21, None),
        (b"[]", 11, "source"),
        (b"[7]", 21, None),
        (PLACE | {"source": None}, 11, "source"),
        (PLACE | {"source": {"number": "31205550100"}}, 10, "source"),
        (PLACE | {"destination": "nowhere"}, 10, "destination"),
        (PLACE | {"callFlow": None}, 11, "callFlow"),
        (PLACE | {"callFlow": "greet"}, 10, "callFlow"),
        (PLACE | {"callFlow": {"steps": "none"}}, 10, "callFlow.steps"),
        (PLACE | {"callFlow": {"steps": [{"action": "dance"}]}}, 10, "callFlow.steps[0].action"),
        (PLACE | {"callFlow": {"steps": [{"action": "hangup"}, {"action": "hangup"}]}}, 10, "callFlow.steps[1]"),
        (PLACE | {"webhook": {"url": "ftp://a.test/"}}, 10, "webhook.url"),
        (PLACE | {"webhook": {"url": "nonsense"}}, 10, "webhook.url"),
        (PLACE | {"webhook": {"url": "https://a.test/", "token": "whsec_not base64"}}, 10, "webhook.token"),
        (PLACE | {"callFlow": {"steps": [{"action": "say", "options": {"payload": "x" * 40_000}}]}}, 10, "callFlow"),
    ],
)
async def test_a_call_that_cannot_be_placed(rest: Rest, body: object, code: int, parameter: str | None) -> None:
    reply = await rest.live("POST", "/calls", body)
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error.get("parameter")) == (422, code, parameter)
    assert error["message"] == error["description"]
    assert (reply.json["data"], "pagination" in reply.json) == (None, False)
    assert rest.switch.asked == []


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large(rest: Rest, announced: bool) -> None:
    body = b'{"source":"' + b"x" * 65_536 + b'"}'
    headers = {"content-length": str(len(body))} if announced else {}
    reply = await rest.live("POST", "/calls", body, headers=headers, chunk=1000)
    assert (reply.status, reply.json["errors"][0]["code"], reply.headers["connection"]) == (413, 21, "close")


async def test_a_body_of_just_the_limit_is_read(rest: Rest) -> None:
    body = b'{"source":""}'.ljust(65_536)
    reply = await rest.live("POST", "/calls", body, headers={"content-length": "65536"}, chunk=999)
    assert reply.json["errors"][0]["code"] == 11


async def test_the_limits_are_settings() -> None:
    store = Store.in_memory()
    rest = await Rest(store, limits=Limits(body=200, flow=50)).prepare()
    assert (await rest.live("POST", "/call-flows", b" " * 201)).status == 413
    flow = {"steps": [{"action": "transfer", "options": {"destination": "31205550199"}}]}
    assert (await rest.live("POST", "/call-flows", flow)).json["errors"][0]["code"] == 10
    store.close()


@pytest.mark.parametrize("refusal", [Unavailable("No call can be placed now."), StoreUnavailable("disk is full")])
async def test_a_switch_that_can_place_no_call_now(rest: Rest, refusal: Exception) -> None:
    rest.switch.refusal = refusal
    reply = await rest.live("POST", "/calls", PLACE)
    assert (reply.status, reply.json["errors"][0]["code"], reply.headers["retry-after"]) == (503, 99, "5")


async def test_a_fault_of_ours_is_logged_and_not_shown(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    rest.switch.refusal = RuntimeError("the secret is 42")
    reply = await rest.live("POST", "/calls", PLACE)
    assert (reply.status, reply.json["errors"][0]["code"]) == (500, 99)
    assert b"42" not in reply.body
    (record,) = caplog.records
    assert (record.message, record.fields) == ("request_failed", {"method": "POST", "path": "/calls"})
    assert record.exc_info is not None
    assert "the secret is 42" in str(record.exc_info[1])


async def test_a_row_that_cannot_be_read_is_named_and_logged(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    call = (await rest.inbound_call()).call
    await rest.store.transact(lambda transaction: transaction._connection.execute("UPDATE calls SET status = 'zombie'"))
    reply = await rest.live("GET", "/calls")
    assert (reply.status, reply.json["errors"][0]["code"]) == (500, 99)
    assert f"On record call {call.id} cannot be read" in reply.json["errors"][0]["message"]
    assert [record.message for record in caplog.records] == ["request_failed"]


async def test_a_client_that_leaves_in_the_middle_gets_no_answer(rest: Rest) -> None:
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    headers = [(b"authorization", f"AccessKey {rest.live_key}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/calls", "query_string": b"", "headers": headers}
    await rest.app(scope, receive, send)
    assert sent == []
    assert rest.switch.asked == []


@pytest.mark.parametrize("scheme", ["AccessKey", "accesskey", "ACCESSKEY"])
async def test_the_scheme_is_matched_whatever_its_case(rest: Rest, scheme: str) -> None:
    client = Client(rest.app, None)
    assert (await client("GET", "/calls", headers={"authorization": f"{scheme} {rest.live_key}"})).status == 200


async def test_a_call_that_is_up_is_changed(rest: Rest) -> None:
    record = await rest.inbound_call()
    call, leg = record.call.id, record.legs[0].id
    steps = [{"action": "hangup"}]
    changed = await rest.live("PUT", f"/calls/{call}", {"callflow": json.dumps({"steps": steps})})
    assert (changed.status, changed.json["data"][0]["id"]) == (200, str(call))
    assert set(changed.json["_links"]) == {"self", "legs"}
    added = await rest.live("POST", f"/calls/{call}/sip%3Aagent%40pbx.test", {"source": "+31205550100"})
    assert (added.status, added.json["data"][0]["callId"]) == (201, str(call))
    for what in ("hold", "unhold"):
        held = await rest.live("POST", f"/legs/{leg}/{what}")
        assert (held.status, held.json["data"][0]["id"]) == (200, str(leg))
    assert [asked[0] for asked in rest.switch.asked] == ["replace flow", "add party", "hold", "unhold"]
    assert rest.switch.asked[1][2:] == ("sip:agent@pbx.test", "31205550100")


async def test_what_a_call_cannot_have_now_is_said_in_words(rest: Rest) -> None:
    record = await rest.inbound_call()
    call, leg = record.call.id, record.legs[0].id
    rest.switch.refusal = Conflict("The call is over.")
    flow = {"callFlow": {"steps": [{"action": "hangup"}]}}
    for method, path, body in (
        ("PUT", f"/calls/{call}", flow),
        ("POST", f"/calls/{call}/31205550144", None),
        ("POST", f"/legs/{leg}/hold", None),
    ):
        reply = await rest.live(method, path, body)
        assert (reply.status, reply.json["errors"][0]["message"]) == (422, "The call is over.")
    wrong = await rest.live("POST", f"/calls/{call}/nowhere", None)
    assert (wrong.status, wrong.json["errors"][0]["parameter"]) == (422, "destination")
