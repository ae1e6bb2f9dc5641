"""`callwright.webhooks.verify` as a receiver's program uses it: what it takes, what it refuses, and by which rule."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.datastructures import Headers

import callwright
from callwright.egress import parse
from callwright.webhooks import signature
from callwright.webhooks.signature import Encoding
from callwright.webhooks.verify import BadSignature, Event, verify, verify_jwt, verify_request, verify_token

KEY = "a signing key"
TOKEN = "tökén"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"timestamp":"2024-05-02T10:00:00Z","items":[{"event":"callUpdated","payload":{"id":"é"}}]}'.encode()
URL = "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y&flag"
AT_S = 1_714_644_000
ID = "b7c0a6c2-6a7e-4b1f-9d1b-0e5a3f2c4d11"


def sent(*secrets: str, body: bytes = BODY, encoding: Encoding = Encoding.BASE64, **more: str) -> dict[str, str]:
    """The headers of an attempt at `AT_S`; the token is the last of `secrets`."""
    now_us = AT_S * 1_000_000
    token = secrets[-1] if secrets else TOKEN
    return dict(
        [
            ("webhook-id", ID),
            ("webhook-sequence", "3"),
            *signature.standard_headers(ID, body, secrets or [TOKEN], now_us),
            *signature.headers(
                url=parse(URL),
                body=body,
                signing_key=KEY,
                token=token,
                now_us=now_us,
                jti=UUID(ID),
                encoding=encoding,
            ),
            *((name.replace("_", "-"), value) for name, value in more.items()),
        ]
    )


def standard(headers: Any, body: bytes = BODY, secret: Any = TOKEN, now: float = AT_S) -> Event:
    return verify(body, headers, secret, now=now)


def by_token(headers: Any, body: bytes = BODY, secret: Any = TOKEN, now: float = AT_S) -> Event:
    return verify_token(body, headers, secret)


def by_request(headers: Any, body: bytes = BODY, secret: Any = KEY, now: float = AT_S) -> Event:
    return verify_request(body, headers, secret, url=URL, now=now)


def by_jwt(headers: Any, body: bytes = BODY, secret: Any = KEY, now: float = AT_S) -> Event:
    return verify_jwt(body, headers, secret, url=URL, now=now)


Check = Callable[..., Event]
ALL = pytest.mark.parametrize("check", [standard, by_token, by_request, by_jwt])


def refused(check: Callable[[], Event]) -> str:
    with pytest.raises(BadSignature) as bad:
        check()
    assert str(bad.value).endswith(".")
    return bad.value.rule


@pytest.mark.parametrize(("check", "at_s"), [(standard, AT_S), (by_token, None), (by_request, AT_S), (by_jwt, AT_S)])
def test_a_right_callback_gives_its_event(check: Check, at_s: int | None) -> None:
    event = check(sent(webhook_gap="1,2"))
    assert event == json.loads(BODY)
    assert (event.id, event.sequence, event.gap, event.timestamp) == (ID, 3, "1,2", at_s)


@ALL
@pytest.mark.parametrize(
    "spelt",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.lower(): f" {value} " for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        lambda headers: Headers(headers),
        lambda headers: as_message(headers),
    ],
    ids=["upper", "lower", "pairs", "asgi", "starlette", "http.server"],
)
def test_headers_come_as_frameworks_give_them(check: Check, spelt: Callable[[dict[str, str]], Any]) -> None:
    assert check(spelt(sent())).id == ID


def as_message(headers: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message


@ALL
def test_another_body_secret_or_nothing_at_all_is_refused(check: Check) -> None:
    headers = sent()
    assert refused(lambda: check(headers, BODY + b" ")) in {"signature", "body"}
    assert refused(lambda: check(headers, b"")) in {"signature", "body"}
    assert refused(lambda: check(headers, secret="another")) == "signature"
    assert refused(lambda: check({})) == "header"


@ALL
def test_one_of_several_secrets_has_to_match(check: Check) -> None:
    right = KEY if check in (by_request, by_jwt) else TOKEN
    assert check(sent(), secret=["new", right]).id == ID
    assert check(sent(), secret=(right, "new")).id == ID
    assert refused(lambda: check(sent(), secret=["new", "newer"])) == "signature"


@ALL
@pytest.mark.parametrize("secret", ["", [], ["", "x"]])
def test_an_empty_secret_is_a_mistake_and_no_signature(check: Check, secret: Any) -> None:
    with pytest.raises(ValueError, match="no secret"):
        check(sent(), secret=secret)


@ALL
def test_mistakes_of_the_program_are_told_apart(check: Check) -> None:
    with pytest.raises(TypeError, match="as the bytes that came"):
        check(sent(), BODY.decode())
    with pytest.raises(TypeError, match="there is a list"):
        check({name: [value] for name, value in sent().items()})
    for secret in (b"token", None, [b"token"], [None]):
        with pytest.raises(TypeError, match="give the token as str"):
            check(sent(), secret=secret)


@ALL
@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"\xff\xfe", "body"), ("{}".encode("utf-16"), "body"), (b"[]", "body"), (b"[" * 100_000, "body"), (b'{"a":', "body")],
    ids=["not utf-8", "utf-16", "no object", "deep", "broken"],
)
def test_what_is_signed_and_no_json_object_is_refused(check: Check, body: bytes, rule: str) -> None:
    assert refused(lambda: check(sent(body=body), body)) == rule


@ALL
def test_a_request_without_a_body_is_an_empty_event(check: Check) -> None:
    assert check(sent(body=b""), b"") == {}


@ALL
@pytest.mark.parametrize("alter", [lambda value: value + value, lambda value: "é" + value[1:], lambda value: ""])
def test_a_spoilt_header_is_refused(check: Check, alter: Callable[[str], str]) -> None:
    name = {
        standard: "webhook-signature",
        by_token: "X-MessageBird-Signature",
        by_request: "MessageBird-Signature",
        by_jwt: "MessageBird-Signature-JWT",
    }[check]
    headers = sent()
    assert refused(lambda: check({**headers, name: alter(headers[name])})) == "header"


@ALL
def test_a_header_that_is_there_twice_is_refused(check: Check) -> None:
    name = {
        standard: "Webhook-Signature",
        by_token: "x-messagebird-signature",
        by_request: "messagebird-signature",
        by_jwt: "messagebird-signature-jwt",
    }[check]
    headers = list(sent().items())
    twice = [*headers, next((name, value) for other, value in headers if other.lower() == name.lower())]
    with pytest.raises(BadSignature, match="is there 2 times") as bad:
        check(twice)
    assert bad.value.rule == "header"
    assert refused(lambda: check(as_message_twice(twice))) == "header"


def as_message_twice(headers: list[tuple[str, str]]) -> Message:
    message = Message()
    for name, value in headers:
        message.add_header(name, value)
    return message


@pytest.mark.parametrize(
    ("check", "past", "future"),
    [(standard, 300.0, 300.0), (by_request, 10.0, 10.0), (by_jwt, 60.9, 1.0)],
)
def test_the_window_of_time(check: Check, past: float, future: float) -> None:
    headers = sent()
    assert check(headers, now=AT_S + past).id == check(headers, now=AT_S - future).id == ID
    assert refused(lambda: check(headers, now=AT_S + past + 0.5)) == "timestamp"
    assert refused(lambda: check(headers, now=AT_S - future - 0.5)) == "timestamp"


def test_the_window_can_be_chosen_and_is_told() -> None:
    with pytest.raises(BadSignature, match=r"webhook-timestamp is 7 s old; at most 5 s are taken\."):
        verify(BODY, sent(), TOKEN, tolerance=5, now=AT_S + 7)
    with pytest.raises(BadSignature, match="7 s ahead of this machine's clock"):
        verify(BODY, sent(), TOKEN, tolerance=5, now=AT_S - 7)
    with pytest.raises(BadSignature, match=r"webhook-timestamp is \d+ s old"):
        verify(BODY, sent(), TOKEN)  # the clock's own time


@pytest.mark.parametrize(
    "stamp", ["-1714644000", "1714644000.0", "1_714_644_000", "0x1", "１７１４６４４０００", "1" * 16, "now"]
)
@pytest.mark.parametrize(("check", "name"), [(standard, "webhook-timestamp"), (by_request, "MessageBird-Request-Timestamp")])
def test_a_timestamp_is_a_whole_number(check: Check, name: str, stamp: str) -> None:
    assert refused(lambda: check({**sent(), name: stamp})) == "header"


def test_the_timestamp_is_signed() -> None:
    for stamp in (str(AT_S + 1), f"0{AT_S}"):
        assert refused(lambda stamp=stamp: standard({**sent(), "webhook-timestamp": stamp})) == "signature"
        assert refused(lambda stamp=stamp: by_request({**sent(), "MessageBird-Request-Timestamp": stamp})) == "signature"


def test_the_id_is_signed_and_has_no_dot() -> None:
    assert refused(lambda: standard({**sent(), "webhook-id": "another"})) == "signature"
    assert refused(lambda: standard({**sent(), "webhook-id": "a.b"})) == "header"
    assert refused(lambda: standard({**sent(), "webhook-id": "é"})) == "header"


@pytest.mark.parametrize("sequence", ["three", "", "-1", "３"])
def test_a_sequence_that_is_none_is_no_reason_to_refuse(sequence: str) -> None:
    assert standard({**sent(), "webhook-sequence": sequence}).sequence is None


@pytest.mark.parametrize(
    ("secrets", "secret"),
    [
        (["old", "new"], "old"),
        (["old", "new"], "new"),
        (["old", "new"], ["newest", "new"]),
        ([WHSEC], WHSEC),
        (["foobar"], "whsec_Zm9vYmFy"),
        (["whsec_Zm9vYmFy"], "foobar"),
        (["whsec_Zm9vYmE"], "whsec_Zm9vYmE="),
        (["whsec_?"], "whsec_?"),
        (["whsec_"], "whsec_"),
    ],
)
def test_secrets_in_both_forms_and_during_a_rotation(secrets: list[str], secret: Any) -> None:
    assert standard(sent(*secrets), secret=secret).id == ID


@pytest.mark.parametrize(
    ("altered", "rule"),
    [
        ("v1a,{0} v2,{0} {1}", None),  # versions that are not known are passed over
        ("v1,!!! v1, v1 {1}", None),  # and so is what is spoilt beside what is right
        ("v1a,{0}", "header"),
        ("v2,{0}", "header"),
        ("{0}", "header"),
        ("V1,{0}", "header"),
        ("v1,{0}=", "header"),  # bad base64
        ("v1,YQ==", "header"),  # of another length
        ("v1,", "header"),
        ("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "signature"),
    ],
)
def test_the_list_of_signatures(altered: str, rule: str | None) -> None:
    headers = sent()
    right = headers["webhook-signature"]
    headers["webhook-signature"] = altered.format(right.removeprefix("v1,"), right)
    if rule is None:
        assert standard(headers).id == ID
    else:
        assert refused(lambda: standard(headers)) == rule


def test_the_published_vector() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(b'{"test": 2432232314}', headers, WHSEC, now=1_614_265_330) == {"test": 2432232314}


@pytest.mark.parametrize("encoding", list(Encoding))
def test_the_token_signature_in_both_encodings(encoding: Encoding) -> None:
    headers = sent(encoding=encoding)
    assert by_token(headers).id == ID
    assert refused(lambda: by_token(headers, secret="another")) == "signature"


@pytest.mark.parametrize(
    ("query", "right"),
    [("b=2&a=x%20y&flag", True), ("flag=&a=x+y&b=2", True), ("b=2&a=x%20z&flag", False), ("b=2&a=x%20y", False)],
)
def test_the_query_is_signed_in_any_order(query: str, right: bool) -> None:
    url = f"{URL.partition('?')[0]}?{query}"
    if right:
        assert verify_request(BODY, sent(), KEY, url=url, now=AT_S).id == ID
    else:
        assert refused(lambda: verify_request(BODY, sent(), KEY, url=url, now=AT_S)) == "signature"


@pytest.mark.parametrize("url", [URL[:-1], URL.replace(":8443", ""), URL.replace("https", "http"), f"{URL}é"])
def test_the_whole_url_is_in_the_jwt(url: str) -> None:
    assert refused(lambda: verify_jwt(BODY, sent(), KEY, url=url, now=AT_S)) == "url"


def jwt(head: Any, claims: Any, key: str = KEY) -> dict[str, str]:
    """A token of our own making, signed well."""
    parts = [
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).decode().rstrip("=")
        for part in (head, claims)
    ]
    seal = signature.hmac.digest(key.encode(), ".".join(parts).encode(), "sha256")
    return {"MessageBird-Signature-JWT": ".".join([*parts, base64.urlsafe_b64encode(seal).decode().rstrip("=")])}


HEAD = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {
    "iss": "MessageBird",
    "nbf": AT_S,
    "exp": AT_S + 60,
    "url_hash": signature.hashlib.sha256(URL.encode()).hexdigest(),
    "payload_hash": signature.hashlib.sha256(BODY).hexdigest(),
}


@pytest.mark.parametrize(
    ("head", "claims", "rule"),
    [
        (HEAD, CLAIMS, None),
        ({"alg": "none"}, CLAIMS, "header"),
        ({"alg": "HS512"}, CLAIMS, "header"),
        ([], CLAIMS, "header"),
        (b"\xff", CLAIMS, "header"),
        (b"[" * 100_000, CLAIMS, "header"),
        (HEAD, [], "header"),
        (HEAD, CLAIMS | {"iss": "Bird"}, "header"),
        (HEAD, CLAIMS | {"nbf": str(AT_S)}, "header"),
        (HEAD, CLAIMS | {"exp": True}, "header"),
        (HEAD, CLAIMS | {"exp": AT_S - 2}, "timestamp"),
        (HEAD, CLAIMS | {"url_hash": None}, "url"),
        (HEAD, CLAIMS | {"payload_hash": None}, "body"),
        (HEAD, CLAIMS | {"payload_hash": 7}, "body"),
    ],
)
def test_what_a_jwt_has_to_say(head: Any, claims: Any, rule: str | None) -> None:
    if rule is None:
        assert by_jwt(jwt(head, claims)) == json.loads(BODY)
    else:
        assert refused(lambda: by_jwt(jwt(head, claims))) == rule


@pytest.mark.parametrize("token", ["a.b", "a.b.c.d", "..", "!.!.!", "e30.e30.!"])
def test_a_jwt_that_is_none(token: str) -> None:
    assert refused(lambda: by_jwt({"MessageBird-Signature-JWT": token})) == "header"


ALONE = """
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        ours = ("callwright", "callwright.webhooks", "callwright.webhooks.verify")
        if name not in ours and name.partition(".")[0] not in sys.stdlib_module_names:
            raise ImportError(f"{name} is not of the standard library")

sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv[1])
from callwright.webhooks.verify import BadSignature, verify
print(sorted(name for name in sys.modules if name.startswith("callwright")))
"""


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = Path(callwright.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", ALONE, str(source)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "['callwright', 'callwright.webhooks', 'callwright.webhooks.verify']\n"
