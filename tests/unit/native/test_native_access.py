"""Who may ask what, and how a refusal looks."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import msgspec
import pytest

from callwright.cli.control import call_asgi
from callwright.errors import StoreUnavailable
from callwright.native import Authority, ChildState, ServerState
from callwright.native.routes import ENTRIES, Who
from support.asgi import Client
from support.described import native_app
from support.native_room import NOW_US, NativeRoom

SOMEWHERE = "01890000-0000-7000-8000-000000000000"


def path_of(entry):
    return entry.path.replace("{id}", SOMEWHERE).replace("{number}", "31205550100")


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.who is Who.OPERATOR], ids=lambda e: f"{e.method} {e.path}"
)
async def test_the_operators_paths_are_closed_on_the_network(entry):
    room = await NativeRoom.open()
    reply = await room.customer(entry.method, path_of(entry), {"kind": "live"})
    assert (reply.status, reply.error["code"]) == (403, 2)
    assert "Run callwright there" in reply.error["remedy"]
    assert len(room.accounts.keys()) == 1


def test_keys_and_settings_are_the_operators():
    closed = {entry.path for entry in ENTRIES if entry.who is Who.OPERATOR}
    signing = {"/keys/signing", "/keys/signing/rotate", "/keys/signing/rotate/finish"}
    assert closed == {"/calls/{id}/record", "/keys", *signing, "/keys/{id}", "/recordings/rewrap", "/settings", "/state"}
    assert [entry.path for entry in ENTRIES if entry.who is Who.ANYONE] == [
        "/health",
        "/schemas/flow.json",
        "/schemas/events.json",
        "/event-types",
    ]


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.who is Who.WORLD], ids=lambda e: f"{e.method} {e.path}")
@pytest.mark.parametrize("key", ["", "live_unknown"])
async def test_a_world_needs_a_known_key_on_the_network(entry, key):
    room = await NativeRoom.open()
    reply = await room.customer(entry.method, path_of(entry), {"number": "31205550100", "steps": []}, key=key)
    assert (reply.status, reply.error["code"]) == (401, 15)


async def test_the_world_of_the_operator_is_named_by_a_header():
    room = await NativeRoom.open()
    await room.operator("POST", "/numbers", {"number": "31205550100"}, world="test")
    worlds = ("test", "Test", "live", None)
    totals = [(await room.operator("GET", "/numbers", world=world)).content["total"] for world in worlds]
    assert totals == [1, 1, 0, 0]
    reply = await room.operator("GET", "/numbers", world="moon")
    assert (reply.status, reply.error["parameter"]) == (400, "Callwright-World")


async def test_that_header_means_nothing_beside_a_key():
    room = await NativeRoom.open()
    test_key = (await room.accounts.make_key("test")).secret
    await room.customer("POST", "/numbers", {"number": "31205550100"}, key=test_key)
    assert (await room.customer("GET", "/numbers")).content["total"] == 0
    assert (await room.customer("GET", "/numbers", key=test_key)).content["total"] == 1


@pytest.mark.parametrize(
    ("lacking", "customers", "operators"),
    [
        (
            {"store": None, "sip": None},
            (200, {"status": "ok", "parts": {"store": "ok", "sip": "ok"}}),
            (200, {"status": "ok", "parts": {"store": "ok", "sip": "ok"}, "why": {}}),
        ),
        (
            {"store": "FullError: disk is full", "sip": None},
            (503, {"status": "unhealthy", "parts": {"store": "unhealthy", "sip": "ok"}}),
            (
                503,
                {
                    "status": "unhealthy",
                    "parts": {"store": "unhealthy", "sip": "ok"},
                    "why": {"store": "FullError: disk is full"},
                },
            ),
        ),
    ],
)
async def test_health_is_open_and_gives_nothing_away(lacking, customers, operators):
    room = await NativeRoom.open()
    room.lacking = lacking
    assert tuple(await room.customer("GET", "/health", key="")) == customers
    assert tuple(await room.operator("GET", "/health")) == operators


async def test_settings_for_the_operator():
    room = await NativeRoom.open()
    reply = await room.operator("GET", "/settings")
    assert tuple(reply) == (200, {"data": [{"key": "http.port", "value": "8080", "origin": "default"}]})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", None, 404, 98),
        ("GET", "/keys/", None, 404, 98),
        ("PATCH", "/keys", None, 405, 98),
        ("PATCH", "/calls/export?bogus=1", None, 405, 98),
        ("PUT", "/flows/check", {"steps": [{"action": "hangup"}]}, 405, 98),
        ("GET", "/deliveries/resend", None, 405, 98),
        ("POST", "/keys", b"{", 400, 21),
        ("POST", "/keys", b"[]", 400, 21),
        ("POST", "/keys", {}, 400, 11),
        ("POST", "/keys", {"kind": 7}, 400, 10),
        ("POST", "/keys", {"kind": "live", "colour": "red"}, 400, 10),
        ("POST", "/keys/signing/rotate", {"overlap": 1, "colour": "red"}, 400, 10),
        ("POST", "/numbers", {"number": "31205550100", "colour": "red"}, 400, 10),
        ("POST", f"/webhooks/{SOMEWHERE}/rotate", {"colour": "red"}, 400, 10),
        ("POST", f"/webhooks/{SOMEWHERE}/test", {"colour": "red"}, 400, 10),
        ("POST", "/keys", {"kind": "both"}, 400, 10),
        ("POST", "/keys", {"kind": "live", "label": "two\nlines"}, 400, 10),
        ("POST", "/keys", {"kind": "live", "label": "x" * 101}, 400, 10),
        ("DELETE", f"/keys/{SOMEWHERE}", None, 404, 13),
        ("DELETE", "/keys/not-an-id", None, 404, 13),
        ("POST", "/keys", b'"' + b"x" * 70_000 + b'"', 413, 21),
        ("POST", "/keys", b'{"kind": "\xff"}', 400, 21),
        ("POST", "/keys", b"[" * 60_000, 400, 21),
        ("GET", "/numbers?limit=0", None, 422, 10),
        ("GET", "/numbers?limit=1001", None, 422, 10),
        ("GET", "/numbers?offset=-1", None, 422, 10),
        ("GET", "/numbers?offset=99999999999999999999", None, 422, 10),
        ("POST", "/numbers", {"number": "12"}, 400, 10),
        ("POST", "/numbers", {"number": "31205550100", "flowId": SOMEWHERE}, 400, 10),
        ("POST", "/numbers", {"number": "31205550100", "flowId": 7}, 400, 10),
        ("DELETE", "/numbers/31205550100", None, 404, 13),
        ("POST", "/flows", {"steps": [{"action": "dance"}]}, 400, 10),
        ("POST", "/flows", {}, 400, 11),
        ("PUT", f"/flows/{SOMEWHERE}", {"steps": [{"action": "hangup"}]}, 404, 13),
        ("POST", f"/flows/{SOMEWHERE}/default", None, 404, 13),
        ("POST", f"/flows/{SOMEWHERE}/numbers", {"numbers": ["31205550100"]}, 404, 13),
        ("GET", f"/calls/{SOMEWHERE}", None, 404, 13),
        ("GET", f"/calls/{SOMEWHERE}/journal", None, 404, 13),
        ("GET", "/calls/not-an-id/journal", None, 404, 13),
        ("POST", "/calls", {"source": "31205550100"}, 400, 11),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_in_one_form(method, path, body, status, code):
    room = await NativeRoom.open()
    reply = await room.operator(method, path, body)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert list(reply.error) == ["code", "message", "parameter", "remedy", "example"]
    assert reply.error["message"].endswith((".", ")"))
    assert len(room.accounts.keys()) == 1
    assert room.numbers.page(room.accounts.world("live").id, limit=10, offset=0).total == 0
    assert room.switchboard.asked == []


async def test_a_database_that_does_not_write_is_said_so(monkeypatch):
    room = await NativeRoom.open()

    async def refuse(*_):
        raise StoreUnavailable("FullError: disk is full")

    monkeypatch.setattr(room.store, "transact", refuse)
    reply = await room.operator("POST", "/keys", {"kind": "live"})
    assert reply.status == 503
    assert "disk is full" in reply.error["message"]


async def test_a_fault_of_ours_is_logged_and_not_shown(monkeypatch, caplog):
    room = await NativeRoom.open()
    monkeypatch.setattr(room.accounts, "keys", lambda: 1 / 0)
    reply = await room.operator("GET", "/keys")
    assert (reply.status, reply.error["code"]) == (500, 99)
    assert "division" not in reply.error["message"]
    assert [record.getMessage() for record in caplog.records] == ["request_failed"]


async def test_the_state_is_told_where_a_server_runs():
    room = await NativeRoom.open()
    reply = await room.operator("GET", "/state")
    assert (reply.status, reply.error["remedy"]) == (503, "Start it: callwright serve")
    child = ChildState(name="media-1", state="up", pid=12, epoch=1, trouble=None)
    told = ServerState(
        version="1",
        pid=11,
        now_us=NOW_US,
        clock_stepped_us=0,
        http="127.0.0.1:8080",
        sip="127.0.0.1:5060",
        sip_receive_buffer=4096,
        live_calls=[UUID(SOMEWHERE)],
        children=[child],
        unhealthy={"admission": "draining"},
    )
    room.parts = dataclasses.replace(room.parts, state=lambda: told)
    app = native_app(room.parts, Authority.SOCKET)
    status, received = await call_asgi(app, "GET", "/state", {}, b"")
    assert (status, msgspec.json.decode(received)) == (
        200,
        {
            "version": "1",
            "pid": 11,
            "nowUs": NOW_US,
            "clockSteppedUs": 0,
            "http": "127.0.0.1:8080",
            "sip": "127.0.0.1:5060",
            "sipReceiveBuffer": 4096,
            "liveCalls": [SOMEWHERE],
            "children": [{"name": "media-1", "state": "up", "pid": 12, "epoch": 1, "trouble": None, "essential": True}],
            "unhealthy": {"admission": "draining"},
        },
    )


async def test_what_is_not_known_is_named_with_what_is():
    room = await NativeRoom.open()
    reply = await room.operator("POST", "/keys", {"kind": "live", "colour": "red"})
    assert reply.error["parameter"] == "colour"
    assert reply.error["message"] == "'colour' is not known here: the body may have kind, label."
    assert len(room.accounts.keys()) == 1


async def test_a_wrong_method_is_told_the_right_ones():
    room = await NativeRoom.open()
    for path, allowed in (
        ("/calls/export", "GET, HEAD"),
        ("/flows/check", "POST"),
        (f"/calls/{SOMEWHERE}", "GET, HEAD, PATCH"),
    ):
        status, headers = await _status_and_headers(room, "PUT", path)
        assert (status, headers["allow"]) == (405, allowed)


async def _status_and_headers(room, method, path):
    client = Client(native_app(room.parts, Authority.NETWORK), None)
    reply = await client(method, path)
    return reply.status, reply.headers
