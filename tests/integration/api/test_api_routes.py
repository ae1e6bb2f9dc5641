"""Every route, by every spelling of its path, and what becomes of requests that have none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from callwright.api.app import ROUTES
from callwright.store import Change, Write
from callwright.transcriptions import rows as transcription_rows
from callwright.transcriptions.model import Content, Transcription, TranscriptionStatus
from callwright.webhooks.rows import webhook_of_number
from support.rest import Rest

ABSENT = "00000000-0000-7000-8000-000000000000"
STEPS = [{"action": "hangup"}]
PLACE = {"source": "31205550100", "destination": "31205550123", "callFlow": {"steps": STEPS}}
HOOK = {"url": "https://hooks.example.test/voice", "token": "t"}
NUMBERS = {"numbers": ["31205550123"]}
OF_LEG = "/calls/{call}/legs/{leg}/recordings"
FILES = {".wav": "audio/wav", ".txt": "text/plain; charset=utf-8"}
MAKE_THEIR_NUMBER = ("/numbers/{number}/webhook", "/numbers/{number}/call-flow")

# Route, body, status when all is well, and the code of the error where it is not.
ANSWERS: list[tuple[str, str, Any, int, int | None]] = [
    ("GET", "/calls", b"", 200, None),
    ("POST", "/calls", PLACE, 201, None),
    ("GET", "/calls/{call}", b"", 200, None),
    ("PUT", "/calls/{call}", {"callFlow": {"steps": STEPS}}, 200, None),
    ("DELETE", "/calls/{call}", {}, 204, None),
    ("GET", "/calls/{call}/legs", b"", 200, None),
    ("GET", "/calls/{call}/legs/{leg}", b"", 200, None),
    ("POST", "/calls/{call}/{destination}", b"", 201, None),
    ("DELETE", "/legs/{leg}", {}, 204, None),
    ("POST", "/legs/{leg}/hold", b"", 200, None),
    ("POST", "/legs/{leg}/unhold", b"", 200, None),
    ("GET", f"{OF_LEG}", b"", 200, None),
    *(
        row
        for path in (f"{OF_LEG}/{{recording}}", "/recordings/{recording}")
        for row in (
            ("GET", path, b"", 200, None),
            ("DELETE", path, {}, 204, None),
            ("GET", f"{path}.wav", b"", 200, None),
            ("POST", f"{path}.wav", b"", 200, None),
            ("GET", f"{path}/transcriptions", b"", 200, None),
            ("POST", f"{path}/transcriptions", {}, 201, None),
        )
    ),
    *(
        row
        for path in (f"{OF_LEG}/{{recording}}/transcriptions/{{transcription}}", "/transcriptions/{transcription}")
        for row in (("GET", path, b"", 200, None), ("GET", f"{path}.txt", b"", 200, None))
    ),
    ("GET", "/call-flows", b"", 200, None),
    ("POST", "/call-flows", {"steps": STEPS}, 201, None),
    ("GET", "/call-flows/{flow}", b"", 200, None),
    ("PUT", "/call-flows/{flow}", {"steps": STEPS}, 200, None),
    ("DELETE", "/call-flows/{flow}", {}, 204, None),
    ("GET", "/call-flows/{flow}/numbers", b"", 200, None),
    ("POST", "/call-flows/{flow}/numbers", NUMBERS, 201, None),
    ("PUT", "/call-flows/{flow}/numbers", NUMBERS, 200, None),
    ("GET", "/numbers", b"", 200, None),
    ("GET", "/numbers/{number}", b"", 200, None),
    ("POST", "/numbers/{number}/webhook", HOOK, 201, None),
    ("POST", "/numbers/{number}/call-flow", {"steps": STEPS}, 201, None),
    ("GET", "/webhooks", b"", 200, None),
    ("POST", "/webhooks", HOOK, 201, None),
    ("GET", "/webhooks/{webhook}", b"", 200, None),
    ("PUT", "/webhooks/{webhook}", HOOK, 200, None),
    ("PATCH", "/webhooks/{webhook}", {}, 200, None),
    ("DELETE", "/webhooks/{webhook}", {}, 204, None),
]


async def names(rest: Rest, kind: str = "live") -> dict[str, str]:
    """One of everything, by the name its routes give it."""
    world = rest.accounts.world(kind)
    record = await rest.inbound_call(kind=kind)
    flow = await rest.flows.make(world.id, {"steps": STEPS})
    webhook = await rest.webhooks.create(world.id, url="https://hooks.example.test/")
    recording = await rest.recording(record)
    transcription = await rest.transcriptions.make(recording, "nl-NL")
    await rest.store.commit(Change((written_down(transcription),)))
    return {
        "recording": str(recording.id),
        "transcription": str(transcription.id),
        "call": str(record.call.id),
        "leg": str(record.legs[0].id),
        "flow": str(flow.id),
        "webhook": str(webhook.id),
        "number": "31205550123",
        "destination": "31205550144",
    }


def written_down(transcription: Transcription) -> Write:
    content = msgspec.json.encode(Content("Hello."))
    return transcription_rows.update(replace(transcription, status=TranscriptionStatus.DONE), content=content)


def test_no_route_goes_untested() -> None:
    assert sorted((method, path) for method, path, *_ in ANSWERS) == sorted((route.method, route.path) for route in ROUTES)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(("method", "path", "body", "status", "code"), ANSWERS)
async def test_a_route(
    rest: Rest, method: str, path: str, body: Any, status: int, code: int | None, prefix: str, slash: str
) -> None:
    reply = await rest.live(method, prefix + path.format(**await names(rest)) + slash, body)
    assert reply.status == status
    if status == 204:
        assert (reply.body, set(reply.headers)) == (b"", set())
        return
    if kind := FILES.get(path[-4:]):
        assert (reply.headers["content-type"], reply.headers["content-length"]) == (kind, str(len(reply.body)))
        assert reply.headers["content-disposition"].startswith("attachment; filename=")
        return
    assert reply.headers == {"content-type": "application/json", "content-length": str(len(reply.body))}
    if code is None:
        assert list(reply.json) == ["data", "_links", "pagination"]
        assert all(link.startswith("/") and not link.startswith("/v1") for link in reply.json["_links"].values())
    else:
        assert [error["code"] for error in reply.json["errors"]] == [code]
        assert reply.json["errors"][0]["message"].startswith("not_supported_yet: ")


@pytest.mark.parametrize("named", [ABSENT, "no-id-at-all", "31205550999"])
@pytest.mark.parametrize(
    ("method", "path", "body"), [row[:3] for row in ANSWERS if "{" in row[1] and row[1] not in MAKE_THEIR_NUMBER]
)
async def test_what_is_not_there_is_not_found(rest: Rest, method: str, path: str, body: Any, named: str) -> None:
    target = re.sub(r"\{\w+\}", named, path)
    reply = await rest.live(method, target, body)
    assert (reply.status, [error["code"] for error in reply.json["errors"]]) == (404, [13])


@pytest.mark.parametrize(("method", "path", "body"), [row[:3] for row in ANSWERS if "{" in row[1]])
async def test_a_world_does_not_see_the_other(rest: Rest, method: str, path: str, body: Any) -> None:
    target = path.format(**await names(rest, "live"))
    if path in MAKE_THEIR_NUMBER:
        reply = await rest.test(method, target, body)
        assert reply.status == 201
        number = rest.numbers.find(rest.accounts.world("live").id, "31205550123")
        assert number is not None
        assert webhook_of_number(rest.store, rest.accounts.world("live").id, number.id) is None
        return
    reply = await rest.test(method, target, body)
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)


@pytest.mark.parametrize("path", ["/calls", "/call-flows", "/numbers", "/webhooks"])
async def test_a_list_is_of_one_world(rest: Rest, path: str) -> None:
    await names(rest, "live")
    assert (await rest.test("GET", path)).json["data"] == []
    assert (await rest.test("GET", path)).json["pagination"] == {
        "totalCount": 0,
        "pageCount": 0,
        "currentPage": 1,
        "perPage": 10,
    }
    assert len((await rest.live("GET", path)).json["data"]) == 1


async def test_a_leg_is_found_only_under_its_own_call(rest: Rest) -> None:
    first, second = await rest.inbound_call(), await rest.inbound_call()
    reply = await rest.live("GET", f"/calls/{first.call.id}/legs/{second.legs[0].id}")
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/v1", "/v1/", "//", "/calls//", "//calls", "/v1/v1/calls", "/v2/calls", "/Calls", "/legs", "/api/health"),
        *("/calls/x/y/z/w", "/recordings", "/transcriptions", "/recordings/.wav", "/numbers/1/flow"),
    ],
)
async def test_a_path_that_does_not_exist(rest: Rest, path: str) -> None:
    reply = await rest.live("GET", path)
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 98)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/calls", "GET, HEAD, POST"),
        ("PATCH", "/calls/x", "DELETE, GET, HEAD, PUT"),
        ("POST", "/calls/x", "DELETE, GET, HEAD, PUT"),
        ("POST", "/calls/x/legs", "GET, HEAD"),
        ("GET", "/calls/x/31205550144", "POST"),
        ("GET", "/legs/x/hold", "POST"),
        ("PATCH", "/call-flows/x", "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", "/v1/webhooks/", "GET, HEAD, POST"),
        ("POST", "/webhooks/x?_method=MKCOL", "DELETE, GET, HEAD, PATCH, PUT"),
    ],
)
async def test_a_method_the_path_does_not_know(rest: Rest, method: str, path: str, allow: str) -> None:
    reply = await rest.live(method, path)
    assert (reply.status, reply.json["errors"][0]["code"], reply.headers["allow"]) == (405, 98, allow)


@pytest.mark.parametrize("key", [None, "", "live_", "test_unknown"])
@pytest.mark.parametrize("path", ["/calls", "/v1/calls/", "/nowhere", "/legs/x/hold"])
async def test_without_a_key_nothing_is_told(rest: Rest, key: str | None, path: str) -> None:
    headers = {} if key is None else {"authorization": f"AccessKey {key}"}
    reply = await rest.anonymous("GET", path, headers=headers)
    assert (reply.status, reply.json["errors"][0]["code"]) == (401, 15)
    assert reply.headers["www-authenticate"] == "AccessKey"


async def test_a_revoked_key_opens_nothing(rest: Rest) -> None:
    (key,) = [key for key in rest.accounts.keys() if key.kind == "live"]  # noqa: SIM118
    assert (await rest.live("GET", "/calls")).status == 200
    await rest.accounts.revoke_key(key.id)
    assert (await rest.live("GET", "/calls")).status == 401


async def test_the_query_puts_another_method_in_the_place_of_post(rest: Rest) -> None:
    flow = (await rest.live("POST", "/call-flows", {"title": "One", "steps": STEPS})).json["data"][0]["id"]
    reply = await rest.live("POST", f"/call-flows/{flow}?_method=PUT", {"title": "Two", "steps": STEPS})
    assert (reply.status, reply.json["data"][0]["title"]) == (200, "Two")
    assert (await rest.live("GET", f"/call-flows/{flow}?_method=DELETE")).status == 200
    assert (await rest.live("POST", f"/call-flows/{flow}?page=1&_method=delete")).status == 204
    assert (await rest.live("GET", f"/call-flows/{flow}")).status == 404


async def test_head_is_get_without_the_body(rest: Rest) -> None:
    got, head = await rest.live("GET", "/calls"), await rest.live("HEAD", "/calls")
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")


async def test_hanging_up_is_asked_of_the_switch(rest: Rest) -> None:
    record = await rest.inbound_call()
    call, leg = record.call.id, record.legs[1].id
    await rest.live("DELETE", f"/calls/{call}")
    await rest.live("DELETE", f"/legs/{str(leg).upper()}", {})
    assert rest.switch.asked == [("hang up call", call), ("hang up leg", leg)]


def test_the_reference_page_names_every_route() -> None:
    page = Path(__file__).parents[3].joinpath("docs/compatible-api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `(\S+)` \| (?:(\d+)|the same)", page, re.MULTILINE)
    promised = {(method, path): int(status) for method, path, status in named if status}
    assert {(method, path) for method, path, _ in named} == {(route.method, route.path) for route in ROUTES}
    assert promised.items() <= {(method, path): status for method, path, _, status, _ in ANSWERS}.items()
