"""What holds the interface against its description notices when one of them is wrong."""

from __future__ import annotations

import json

import pytest

from support.asgi import Client
from support.described import Proven, faults

HEALTH = {"status": "ok", "parts": {"store": "ok"}}


def answering(status=200, content=HEALTH, media="application/json"):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", media.encode())] if media else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return Client(Proven(app), None)


FAILURE = {"error": {"code": 99, "message": "No.", "parameter": None, "remedy": None, "example": None}}


@pytest.mark.parametrize(
    ("method", "target", "sent", "answer"),
    [
        ("GET", "/health", b"", {}),
        ("GET", "/health", b"", {"status": 500, "content": FAILURE}),
        ("HEAD", "/health", b"", {"content": b""}),
        ("GET", "/nowhere", b"", {"status": 404, "content": FAILURE}),  # a path that is not described
        ("DELETE", "/keys/01a218c7-4436-7cd0-91e2-d6b22fa76cbf", b"", {"status": 204, "content": b"", "media": ""}),
        ("GET", "/numbers?limit=1000", b"", {"content": {"data": [], "total": 0, "limit": 1000, "offset": 0}}),
        (
            "GET",
            "/listen?url=http://a",
            b"",
            {"content": b'{"type":"ready"}\n{"type":"alive"}\n', "media": "application/x-ndjson"},
        ),
    ],
)
async def test_what_is_as_described(method, target, sent, answer):
    await answering(**answer)(method, target, sent)


@pytest.mark.parametrize(
    ("method", "target", "sent", "answer", "said"),
    [
        ("GET", "/health", b"", {"content": {"status": "ok"}}, "'parts' is a required property"),
        ("GET", "/health", b"", {"content": {**HEALTH, "more": 1}}, "'more' was unexpected"),
        ("GET", "/health", b"", {"content": {**HEALTH, "status": "fine"}}, "'fine' is not one of"),
        ("GET", "/health", b"", {"status": 418, "content": FAILURE}, "418, which is not described"),
        ("GET", "/health", b"", {"media": "text/plain"}, "with text/plain"),
        ("GET", "/health", b"", {"status": 500, "content": {"error": {"code": 1}}}, "required property"),
        ("GET", "/event-types", b"", {"content": {"data": [{}]}}, "'event' is a required property"),
        ("GET", "/nowhere", b"", {}, "is not described"),
        ("DELETE", "/keys/01a218c7-4436-7cd0-91e2-d6b22fa76cbf", b"", {"status": 204}, "with a body, and none is described"),
        ("GET", "/listen", b"", {"content": b'{"type":"what"}\n', "media": "application/x-ndjson"}, "'what' is not one of"),
        (
            "GET",
            "/numbers?page=2",
            b"",
            {"content": {"data": [], "total": 0, "limit": 9, "offset": 0}},
            "took page, which is not described",
        ),
        ("GET", "/numbers?limit=0", b"", {"content": {"data": [], "total": 0, "limit": 9, "offset": 0}}, "took limit=0"),
        ("POST", "/keys/signing/rotate", {"overlap": "long"}, {"content": {}}, "required property"),
        (
            "POST",
            "/webhooks/01a218c7-4436-7cd0-91e2-d6b22fa76cbf/test",
            {"sound": 1},
            {"status": 202, "content": {}},
            "required",
        ),
    ],
)
async def test_what_is_not(method, target, sent, answer, said):
    with pytest.raises(AssertionError, match=said):
        await answering(**answer)(method, target, sent)


@pytest.mark.parametrize(
    ("value", "shape", "right"),
    [
        ("2026-05-04T10:00:00.000000Z", {"type": "string", "format": "date-time"}, True),
        ("2026-05-04T10:00:00", {"type": "string", "format": "date-time"}, False),  # no zone
        ("yesterday", {"type": "string", "format": "date-time"}, False),
        ("01a218c7-4436-7cd0-91e2-d6b22fa76cbf", {"type": "string", "format": "uuid"}, True),
        ("01a218c7", {"type": "string", "format": "uuid"}, False),
    ],
)
def test_formats_are_looked_at(value, shape, right):
    assert (faults(value, shape) == []) is right


async def test_a_body_that_was_taken_and_is_not_described():
    key = {
        "id": "01a218c7-4436-7cd0-91e2-d6b22fa76cbf",
        "kind": "live",
        "label": "",
        "ending": "abcd",
        "createdAt": "2026-05-04T10:00:00.000000Z",
        "revokedAt": None,
        "key": "live_x",
    }
    ask = answering(status=201, content=key)
    await ask("POST", "/keys", {"kind": "live"})
    with pytest.raises(AssertionError, match="took a body that is not described"):
        await ask("POST", "/keys", {"kind": "live", "colour": "red"})
