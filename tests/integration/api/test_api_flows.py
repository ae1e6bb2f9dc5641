from __future__ import annotations

import pytest

from callwright.store import Store
from support.rest import SECOND_US, Rest

STEPS = [{"id": "a", "action": "say", "options": {"payload": "Hello.", "unknown": 7}}, {"id": "b", "action": "hangup"}]


async def make(rest: Rest, **flow: object) -> str:
    reply = await rest.live("POST", "/call-flows", {"steps": STEPS, **flow})
    assert reply.status == 201
    id_: str = reply.json["data"][0]["id"]
    return id_


async def test_a_flow_is_answered_as_it_was_sent(rest: Rest) -> None:
    reply = await rest.live("POST", "/call-flows", {"title": "T", "record": "false", "maxDuration": "60", "steps": STEPS})
    (flow,) = reply.json["data"]
    assert list(flow.items()) == [
        ("id", flow["id"]),
        ("title", "T"),
        ("record", False),
        ("default", False),
        ("maxDuration", 60),
        ("steps", STEPS),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:00Z"),
    ]
    assert reply.json["_links"] == {"self": f"/call-flows/{flow['id']}"}
    assert (await rest.live("GET", f"/call-flows/{flow['id']}")).json == reply.json
    listed = (await rest.live("GET", "/call-flows")).json["data"]
    assert listed == [flow | {"_links": {"self": f"/call-flows/{flow['id']}"}}]


@pytest.mark.parametrize(
    ("step", "parameter", "code", "told"),
    [
        ({"id": "ask", "action": "dance"}, "steps[1].action", 10, "'dance' is not an action."),
        (
            {"id": "ask", "action": "pause", "options": {"length": -1}},
            "steps[1].options.length",
            10,
            "length must be 0 to 86400",
        ),
        ({"id": "ask", "action": "say", "options": {}}, "steps[1].options.payload", 11, "steps[1].options.payload is missing."),
        (
            {"id": "ask", "action": "pause", "options": {"length": 1}, "onKeypressGoto": "nowhere"},
            "steps[1].onKeypressGoto",
            10,
            "there is no step 'nowhere' to go to.",
        ),
        ({"id": "ask", "action": "hangup"}, "steps[2]", 10, "it is never reached: step 'ask' hangs up"),
    ],
)
async def test_what_is_wrong_with_a_flow_is_told_with_its_step(
    rest: Rest, step: dict[str, object], parameter: str, code: int, told: str
) -> None:
    steps = [{"action": "pause", "options": {"length": 1}}, step, {"id": "last", "action": "hangup"}]
    reply = await rest.live("POST", "/call-flows", {"steps": steps})
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error["parameter"]) == (422, code, parameter)
    named = "last" if parameter == "steps[2]" else "ask"
    assert error["message"].startswith(f"Step {named!r}: {told}")


async def test_put_replaces_all_of_a_flow(rest: Rest) -> None:
    flow = await make(rest, title="T", default=True, maxDuration=60)
    rest.clock.at_us += SECOND_US
    reply = await rest.live("PUT", f"/call-flows/{flow}", {"id": flow, "steps": [{"action": "hangup"}]})
    assert reply.json["data"] == [
        {
            "id": flow,
            "record": False,
            "default": False,
            "steps": [{"action": "hangup", "id": "step-1"}],
            "createdAt": "2024-05-02T10:00:00Z",
            "updatedAt": "2024-05-02T10:00:01Z",
        }
    ]


async def test_there_is_one_default_flow(rest: Rest) -> None:
    first = await make(rest, default=True)
    second = await make(rest, default=True)
    shown = (await rest.live("GET", "/call-flows")).json["data"]
    assert [(flow["id"], flow["default"]) for flow in shown] == [(second, True), (first, False)]


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        ({}, 11, "steps"),
        ({"steps": []}, 10, "steps"),
        ({"steps": [7]}, 10, "steps[0]"),
        ({"steps": [{"action": "play", "options": {"media": "x.wav"}}]}, 10, "steps[0].options.media"),
        ({"steps": [{"action": "say", "options": {"payload": "x", "repeat": 11}}]}, 10, "steps[0].options.repeat"),
        (
            {"steps": [{"action": "hangup", "conditions": [{"variable": "x", "operator": "~", "value": "1"}]}]},
            10,
            "steps[0].conditions[0].operator",
        ),
        ({"steps": [{"action": "hangup", "conditions": [{"variable": "x"}]}]}, 11, "steps[0].conditions[0].operator"),
        ({"steps": [{"id": "a", "action": "hangup"}, {"id": "a", "action": "hangup"}]}, 10, "steps[1].id"),
    ],
)
async def test_a_flow_that_cannot_be_stored(rest: Rest, body: object, code: int, parameter: str) -> None:
    reply = await rest.live("POST", "/call-flows", body)
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error["parameter"]) == (422, code, parameter)
    assert (await rest.live("GET", "/call-flows")).json["data"] == []


async def test_numbers_of_a_flow(rest: Rest) -> None:
    flow = await make(rest)
    path = f"/call-flows/{flow}/numbers"
    added = await rest.live("POST", path, {"numbers": ["+31205550123"]})
    (number,) = added.json["data"]
    assert (added.status, list(number.items())) == (
        201,
        [
            ("id", number["id"]),
            ("number", "31205550123"),
            ("callFlowId", flow),
            ("createdAt", "2024-05-02T10:00:00Z"),
            ("updatedAt", "2024-05-02T10:00:00Z"),
            ("_links", {"self": f"/numbers/{number['id']}"}),
        ],
    )
    more = await rest.live("POST", path, {"numbers": ["31205550124", "31205550123"]})
    assert [one["number"] for one in more.json["data"]] == ["31205550124", "31205550123"]
    replaced = await rest.live("PUT", path, {"numbers": ["31205550125"]})
    assert (replaced.status, [one["number"] for one in replaced.json["data"]]) == (200, ["31205550125"])
    assert (await rest.live("GET", path)).json["_links"] == {"self": f"{path}?page=1"}
    assert (await rest.live("GET", "/numbers")).json["pagination"]["totalCount"] == 3


async def test_an_answer_to_many_numbers_shows_up_to_a_hundred(rest: Rest) -> None:
    flow = await make(rest)
    reply = await rest.live("POST", f"/call-flows/{flow}/numbers", {"numbers": [str(31205550000 + n) for n in range(30)]})
    assert len(reply.json["data"]) == 30
    assert reply.json["pagination"] == {"totalCount": 30, "pageCount": 1, "currentPage": 1, "perPage": 100}


async def test_a_number_moves_to_the_flow_it_is_given_to(rest: Rest) -> None:
    first, second = await make(rest), await make(rest)
    for flow in (first, second):
        await rest.live("POST", f"/call-flows/{flow}/numbers", {"numbers": ["31205550123"]})
    assert (await rest.live("GET", f"/call-flows/{first}/numbers")).json["data"] == []
    assert (await rest.live("GET", "/numbers/31205550123")).json["data"][0]["callFlowId"] == second


async def test_a_number_is_given_a_flow_of_its_own(rest: Rest) -> None:
    old = await make(rest)
    await rest.live("POST", f"/call-flows/{old}/numbers", {"numbers": ["31205550123"]})
    for number in ("+31205550123", "31205550124"):  # one that is there, and one that nobody has yet
        made = await rest.live("POST", f"/numbers/{number}/call-flow", {"title": "T", "steps": STEPS})
        (flow,) = made.json["data"]
        assert (made.status, flow["title"], flow["steps"]) == (201, "T", STEPS)
        assert made.json["_links"] == {"self": f"/call-flows/{flow['id']}"}
        assert (await rest.live("GET", f"/call-flows/{flow['id']}")).json == made.json
        assert (await rest.live("GET", f"/numbers/{number}")).json["data"][0]["callFlowId"] == flow["id"]
    assert (await rest.live("GET", f"/call-flows/{old}/numbers")).json["data"] == []


@pytest.mark.parametrize(
    ("number", "body", "code", "parameter"),
    [
        ("31205550123", {}, 11, "steps"),
        ("31205550123", {"steps": [{"action": "dance"}]}, 10, "steps[0].action"),
        ("31205550123", b'{"steps": ', 21, None),
        ("nobody", {"steps": STEPS}, 10, "number"),
    ],
)
async def test_a_flow_for_a_number_that_cannot_be_made(
    rest: Rest, number: str, body: object, code: int, parameter: str | None
) -> None:
    reply = await rest.live("POST", f"/numbers/{number}/call-flow", body)
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error.get("parameter")) == (422, code, parameter)
    assert (await rest.live("GET", "/call-flows")).json["data"] == (await rest.live("GET", "/numbers")).json["data"] == []


async def test_deleting_a_flow_lets_its_numbers_go(rest: Rest) -> None:
    flow = await make(rest)
    await rest.live("POST", f"/call-flows/{flow}/numbers", {"numbers": ["31205550123"]})
    assert (await rest.live("DELETE", f"/call-flows/{flow}", {})).status == 204
    reply = await rest.live("GET", "/numbers/+31205550123")
    assert "callFlowId" not in reply.json["data"][0]
    assert (await rest.live("GET", reply.json["_links"]["self"])).json == reply.json


async def test_where_numbers_are_listed_only_the_operator_makes_them() -> None:
    store = Store.in_memory()
    rest = await Rest(store, claim="listed").prepare()
    flow = await make(rest)
    for path, body in (
        (f"/call-flows/{flow}/numbers", {"numbers": ["31205550123"]}),
        ("/numbers/31205550123/webhook", {"url": "https://a.test/"}),
        ("/numbers/31205550123/call-flow", {"steps": STEPS}),
    ):
        reply = await rest.live("POST", path, body)
        assert (reply.status, reply.json["errors"][0]["code"]) == (422, 10)
    assert (await rest.live("GET", "/numbers")).json["data"] == []
    assert [one["id"] for one in (await rest.live("GET", "/call-flows")).json["data"]] == [flow]
    store.close()
