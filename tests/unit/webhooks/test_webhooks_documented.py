"""The programs in Python of docs/webhooks.md, as they stand there, against what the server sends."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from callwright.clock import SystemClock
from callwright.egress import EgressSettings, parse
from callwright.egress.post import HttpDoor
from callwright.webhooks import signature
from callwright.webhooks.signature import Encoding

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
KEY = "a signing key of more than 112 bits"
TOKEN = "foobar"
ID = "b7c0a6c2-6a7e-4b1f-9d1b-0e5a3f2c4d11"
BODY = b'{"timestamp":"2024-05-02T10:00:00Z","items":[]}'
URL = "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y&flag"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """All snippets of the page, run in its order in one namespace."""
    names: dict[str, Any] = {"__name__": "page"}
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(snippets) == 5
    for snippet in snippets:
        exec(snippet, names)
    return names


def sent(url: str = URL, body: bytes = BODY, *, late_s: float = 0, **more: Any) -> dict[str, str]:
    now_us = SystemClock().now_us() - round(late_s * 1e6)
    standard = signature.standard_headers(ID, body, ["the token before", TOKEN], now_us)
    legacy = signature.headers(url=parse(url), body=body, signing_key=KEY, token=TOKEN, now_us=now_us, jti=uuid4(), **more)
    return dict([("webhook-id", ID), *standard, *legacy])


Check = Callable[[dict[str, Any], dict[str, str], str, bytes, str], bool]


def by_standard(page: dict[str, Any], headers: dict[str, str], url: str, body: bytes, key: str) -> bool:
    right: bool = page["signature_is_right"](headers, body, TOKEN if key == KEY else key)
    return right


def by_token(page: dict[str, Any], headers: dict[str, str], url: str, body: bytes, key: str) -> bool:
    right: bool = page["token_signature_is_right"](headers, body, TOKEN if key == KEY else key)
    return right


def by_request(page: dict[str, Any], headers: dict[str, str], url: str, body: bytes, key: str) -> bool:
    right: bool = page["request_signature_is_right"](headers, url.partition("?")[2], body, key)
    return right


def by_jwt(page: dict[str, Any], headers: dict[str, str], url: str, body: bytes, key: str) -> bool:
    right: bool = page["jwt_is_right"](headers, url, body, key)
    return right


@pytest.mark.parametrize("check", [by_standard, by_token, by_request, by_jwt])
@pytest.mark.parametrize("body", [BODY, b""])
def test_a_snippet_takes_what_we_sign_and_nothing_else(page: dict[str, Any], check: Check, body: bytes) -> None:
    headers = sent(body=body)
    assert check(page, headers, URL, body, KEY)
    assert not check(page, headers, URL, body + b" ", KEY)
    assert not check(page, headers, URL, body, "another key that is long enough")
    assert not check(page, {}, URL, body, KEY)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("check", "late_s"), [(by_standard, 330), (by_request, 90), (by_jwt, 90)])
def test_a_snippet_refuses_what_is_old_or_from_the_future(page: dict[str, Any], check: Check, late_s: float, sign: int) -> None:
    assert not check(page, sent(late_s=sign * late_s), URL, BODY, KEY)


@pytest.mark.parametrize(
    ("check", "other"),
    [
        (by_request, "https://hooks.example.test:8443/voice/cb?b=2&a=x%20z&flag"),
        (by_jwt, "https://hooks.example.test:8443/voice/other?b=2&a=x%20y&flag"),
        (by_jwt, "https://hooks.example.test/voice/cb?b=2&a=x%20y&flag"),
    ],
)
def test_a_snippet_refuses_another_url(page: dict[str, Any], check: Check, other: str) -> None:
    assert not check(page, sent(), other, BODY, KEY)


@pytest.mark.parametrize("jwt", ["", "a.b", "a.b.c", "....", "é.é.é", "e30.e30.e30"])
def test_the_jwt_snippet_refuses_rubbish(page: dict[str, Any], jwt: str) -> None:
    assert not page["jwt_is_right"]({"MessageBird-Signature-JWT": jwt}, URL, BODY, KEY)


def test_the_line_for_hexadecimal(page: dict[str, Any]) -> None:
    (line,) = re.findall(r"`(made = .*hexdigest\(\))`", PAGE.read_text(encoding="utf-8"))
    names = {**page, "token": TOKEN, "body": BODY}
    exec(line, names)
    assert names["made"] == sent(encoding=Encoding.HEX)["X-MessageBird-Signature"]


@pytest.mark.parametrize("signatures", ["", "v1", "v1,", "v2,{}", "{}", "é"])
def test_the_standard_snippet_refuses_rubbish(page: dict[str, Any], signatures: str) -> None:
    headers = sent()
    right = headers["webhook-signature"].split(",")[-1]
    assert not by_standard(page, {**headers, "webhook-signature": signatures.format(right)}, URL, BODY, KEY)


@pytest.fixture
def receiver(page: dict[str, Any]) -> Iterator[str]:
    """The page's own receiver, listening."""
    page["SECRET"] = TOKEN
    page["Receiver"].log_message = lambda self, *words: None
    server = HTTPServer(("127.0.0.1", 0), page["Receiver"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?z=1&a=%20"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_receiver_of_the_page_takes_a_callback_once(receiver: str, capsys: pytest.CaptureFixture[str]) -> None:
    door = HttpDoor(EgressSettings(), SystemClock(), allow=["127.0.0.0/8"])
    body = b'{"timestamp":"x","items":[{"type":"call","event":"callUpdated","payload":{"id":"7","status":"ongoing"}}]}'
    headers = [("webhook-sequence", "2"), *sent(receiver, body).items()]
    answers = [await door.post(receiver, headers, body, 60) for _ in range(2)]
    forged = await door.post(receiver, [*sent(receiver, b"x").items()], body, 60)
    await door.close()
    assert [answer.status for answer in (*answers, forged)] == [204, 204, 403]
    assert capsys.readouterr().out == "2 callUpdated 7\n"
