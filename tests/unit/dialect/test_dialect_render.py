from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, Leg, LegStatus
from callwright.dialect import envelope, render
from callwright.dialect.paging import Page
from callwright.errors import Invalid, NotFound, Problem
from callwright.flows.flows import StoredFlow
from callwright.numbers.numbers import Number
from callwright.reasons import Reason

AT = 1_714_644_000_000_000  # 2024-05-02T10:00:00Z
SECOND = 1_000_000
WORLD = UUID("00000000-0000-7000-8000-000000000001")
CALL = UUID("c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101")
IN = UUID("b4f1d3e7-2a68-4c9d-8e05-7f9b1a3c8808")
OUT = UUID("7d0b6f92-4b3a-4c55-9f0e-51c2a8d7e202")
NUMBER = UUID("8e4c0a2b-5d7f-4b9e-a3c1-1d3f5b7e7707")
FLOW = UUID("2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303")
HOOK = UUID("6c2a9e7d-3f1b-4d5e-8a9c-0b2d4f6e6606")

call = Call(
    id=CALL,
    world_id=WORLD,
    status=CallStatus.ENDED,
    source="31205550177",
    destination="31205550123",
    number_id=NUMBER,
    called=CalledNumber(NUMBER, "31205550123", FLOW, AT - 60 * SECOND, AT - 30 * SECOND),
    created_us=AT + 999_999,
    updated_us=AT + 15 * SECOND,
    ended_us=AT + 15 * SECOND,
)
incoming = Leg(
    id=IN,
    call_id=CALL,
    n=1,
    direction=Direction.INCOMING,
    source="31205550177",
    destination="31205550123",
    status=LegStatus.HANGUP,
    reason=Reason.CALLER_HANGUP,
    sip_code=200,
    sip_call_id="secret@host",
    created_us=AT,
    updated_us=AT + 15 * SECOND,
    answered_us=AT + 9 * SECOND - 1,
    ended_us=AT + 15 * SECOND,
)
outgoing = replace(
    incoming,
    id=OUT,
    n=2,
    direction=Direction.OUTGOING,
    status=LegStatus.STARTING,
    sip_code=None,
    answered_us=None,
    ended_us=None,
)


def shown(item: msgspec.Struct) -> list[tuple[str, Any]]:
    """Keys and values in the order they are written."""
    return list(msgspec.json.decode(msgspec.json.encode(item)).items())


# The keys of the vendor's first published examples, in their order.
SEED_CALL = ["id", "status", "numberId", "createdAt", "updatedAt", "endedAt"]
SEED_LEG = [
    *("id", "callId", "source", "destination", "status", "direction", "createdAt", "updatedAt", "answeredAt", "endedAt")
]


def test_a_call_in_a_list() -> None:
    assert shown(render.call_item(call, linked=True)) == [
        ("id", str(CALL)),
        ("status", "ended"),
        ("numberId", str(NUMBER)),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:15Z"),
        ("endedAt", "2024-05-02T10:00:15Z"),
        ("source", "31205550177"),
        ("destination", "31205550123"),
        ("_links", {"self": f"/calls/{CALL}", "legs": f"/calls/{CALL}/legs"}),
    ]


def test_a_call_alone_has_no_links_and_leaves_out_a_number_that_is_not_ours() -> None:
    alone = render.call_item(replace(call, number_id=None, ended_us=None, webhook_url="https://a.test/"), linked=False)
    keys = [key for key, _ in shown(alone)]
    assert keys == ["id", "status", "createdAt", "updatedAt", "endedAt", "source", "destination"]
    assert dict(shown(alone))["endedAt"] is None


def test_a_leg_in_a_list() -> None:
    assert shown(render.leg_item(incoming, "EUR", linked=True)) == [
        ("id", str(IN)),
        ("callId", str(CALL)),
        ("source", "31205550177"),
        ("destination", "31205550123"),
        ("status", "hangup"),
        ("direction", "incoming"),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:15Z"),
        ("answeredAt", "2024-05-02T10:00:08Z"),
        ("endedAt", "2024-05-02T10:00:15Z"),
        ("cost", 0),
        ("currency", "EUR"),
        ("duration", 7),
        ("sipResponseCode", 200),
        ("_links", {"self": f"/calls/{CALL}/legs/{IN}"}),
    ]


def test_a_leg_that_was_never_answered() -> None:
    keys = [key for key, _ in shown(render.leg_item(outgoing, "USD", linked=False))]
    assert keys == [*SEED_LEG, "cost", "currency", "duration"]
    shape = dict(shown(render.leg_item(outgoing, "USD", linked=False)))
    assert (shape["answeredAt"], shape["endedAt"], shape["duration"], shape["currency"]) == (None, None, 0, "USD")


def test_the_keys_of_the_first_examples_come_first_and_in_their_order() -> None:
    assert [key for key, _ in shown(render.call_item(call, linked=False))][: len(SEED_CALL)] == SEED_CALL
    assert [key for key, _ in shown(render.leg_item(incoming, "EUR", linked=False))][: len(SEED_LEG)] == SEED_LEG


@pytest.mark.parametrize(
    ("code", "appears"),
    [
        *((code, True) for code in (200, 403, 404, 408, 410, 480, 484, 486, 488, 500, 501, 502, 503)),
        *((code, False) for code in (None, 180, 401, 407, 487, 504, 600, 603)),
    ],
)
def test_only_the_codes_a_library_can_read_appear(code: int | None, appears: bool) -> None:
    shape = dict(shown(render.leg_item(replace(incoming, sip_code=code), "EUR", linked=False)))
    assert shape.get("sipResponseCode") == (code if appears else None)
    assert ("sipResponseCode" in shape) == appears


def test_a_number() -> None:
    number = Number(NUMBER, WORLD, "31205550123", FLOW, AT, AT + SECOND)
    assert shown(render.number_item(number, linked=True)) == [
        ("id", str(NUMBER)),
        ("number", "31205550123"),
        ("callFlowId", str(FLOW)),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:01Z"),
        ("_links", {"self": f"/numbers/{NUMBER}"}),
    ]
    assert "callFlowId" not in dict(shown(render.number_item(replace(number, flow_id=None), linked=False)))


def test_a_flow() -> None:
    steps = [{"action": "say", "options": {"payload": "Hello."}, "id": "a", "custom": 1}]
    flow = StoredFlow(FLOW, WORLD, {"title": "T", "record": True, "maxDuration": 60, "steps": steps}, AT, AT)
    assert shown(render.flow_item(flow, linked=True)) == [
        ("id", str(FLOW)),
        ("title", "T"),
        ("record", True),
        ("default", False),
        ("maxDuration", 60),
        ("steps", steps),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:00Z"),
        ("_links", {"self": f"/call-flows/{FLOW}"}),
    ]
    bare = render.flow_item(replace(flow, body={"steps": steps}), linked=False)
    assert [key for key, _ in shown(bare)] == ["id", "record", "default", "steps", "createdAt", "updatedAt"]


def test_a_webhook() -> None:
    item = render.webhook_item(HOOK, "https://a.test/", "t", AT, AT + SECOND, linked=True)
    assert shown(item) == [
        ("id", str(HOOK)),
        ("url", "https://a.test/"),
        ("token", "t"),
        ("createdAt", "2024-05-02T10:00:00Z"),
        ("updatedAt", "2024-05-02T10:00:01Z"),
        ("_links", {"self": f"/webhooks/{HOOK}"}),
    ]
    assert "token" not in dict(shown(render.webhook_item(HOOK, "https://a.test/", None, AT, AT, linked=False)))


@pytest.mark.parametrize(
    ("page", "total", "pagination"),
    [
        (Page(1, 10), 0, (0, 0, 1, 10)),
        (Page(1, 10), 1, (1, 1, 1, 10)),
        (Page(1, 10), 10, (10, 1, 1, 10)),
        (Page(2, 10), 11, (11, 2, 2, 10)),
        # past the end
        (Page(7, 10), 11, (11, 2, 7, 10)),
    ],
)
def test_the_envelope_of_a_list(page: Page, total: int, pagination: tuple[int, ...]) -> None:
    found = msgspec.json.decode(envelope.listing([], "/calls", page, total))
    assert list(found.items()) == [
        ("data", []),
        ("_links", {"self": f"/calls?page={page.number}"}),
        ("pagination", dict(zip(("totalCount", "pageCount", "currentPage", "perPage"), pagination, strict=True))),
    ]


def test_the_envelope_of_one_thing() -> None:
    item = render.webhook_item(HOOK, "https://a.test/", None, AT, AT, linked=False)
    found = msgspec.json.decode(envelope.single(item, {"self": f"/webhooks/{HOOK}"}))
    assert list(found) == ["data", "_links", "pagination"]
    assert [one["id"] for one in found["data"]] == [str(HOOK)]
    assert found["_links"] == {"self": f"/webhooks/{HOOK}"}
    assert found["pagination"] == {"totalCount": 0, "pageCount": 0, "currentPage": 0, "perPage": 0}


@pytest.mark.parametrize(
    ("problem", "body"),
    [
        (
            NotFound("No call found."),
            b'{"data":null,"errors":[{"code":13,"message":"No call found.","description":"No call found."}]}',
        ),
        (
            Invalid("Too long.", parameter="callFlow", remedy="Shorten it."),
            b'{"data":null,"errors":[{"code":10,"message":"Too long. Shorten it.","description":"Too long. Shorten it.",'
            b'"parameter":"callFlow"}]}',
        ),
    ],
)
def test_the_envelope_of_an_error(problem: Problem, body: bytes) -> None:
    assert envelope.failure(problem) == body
