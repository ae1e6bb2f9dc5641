"""The demo's verdict on signatures, against the vectors of contract §4.3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from callwright.cli.demo.signatures import JWT, REQUEST, TIMESTAMP, TOKEN, faults

BODY = b'{"timestamp":"2024-05-02T10:00:00Z","items":[]}'
KEY = "sk_demo_7f3a"
AT_S = 1714644000
URL = "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y"
CLAIMS = {
    "iss": "MessageBird",
    "nbf": AT_S,
    "exp": AT_S + 60,
    "jti": "b7c0a6c2-6a7e-4b1f-9d1b-0e5a3f2c4d11",
    "url_hash": "7505f7d94c36914b70583540c2f229fd2a0608da1c2a3543596d3bef955a7cd9",
    "payload_hash": "7747986867d44cf1c04b087b9b8bde6ed74645641cae14cbfd7f329d52bf21bc",
}
JWS_SIGNATURE = "y-R_o-sfyVpZqdwKWFmKtMx9YwPRQ_UTcUGGuLgy7TU"
ALL_RIGHT = {TOKEN: None, REQUEST: None, JWT: None}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def jwt(claims=CLAIMS, *, key=KEY, head=None):
    signed = f"{part(head or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


HEADERS = {
    TOKEN: "hqOe93zpBOc8AaeJd39gJGa3N41lr01gidXy8aW5s58=",
    REQUEST: "QcqzHQTcWWZwJ9T//HnsMGEJzXLgu4fD1N8YERZU5ZQ=",
    TIMESTAMP: str(AT_S),
    JWT: jwt(),
}


def judged(headers=HEADERS, *, url=URL, body=BODY, arrived_s=AT_S + 0.4, token="foobar-token", signing_key=KEY):
    return faults(url, headers, body, arrived_s=arrived_s, token=token, signing_key=signing_key)


def test_the_vectors_of_the_contract():
    assert HEADERS[JWT].endswith(JWS_SIGNATURE)
    assert judged() == ALL_RIGHT
    assert judged({name.upper(): value for name, value in HEADERS.items()}) == ALL_RIGHT


@pytest.mark.parametrize(
    ("key", "at_s", "url", "body", "signature"),
    [
        ("secret", 1544544948, "http://h/", b"", "LISw4Je7n0/MkYDgVSzTJm8dW6BkytKTXMZZk1IElMs="),
        (
            "other-secret",
            1544544948,
            "http://h/?def=bar&abc=foo",
            b'{"a key":"some value"}',
            "orb0adPhRCYND1WCAvPBr+qjm4STGtyvNDIDNBZ4Ir4=",
        ),
        (
            "PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd",
            1547198231,
            "http://h/?id=eef0ab57a9e049be946f3821568c2b2e&mccmnc=20408&ported=1&recipient=31612345678&reference=FOO"
            "&status=delivered&statusDatetime=2019-01-11T09%3A17%3A11%2B00%3A00",
            b'{"foo":"bar"}',
            "2bl+38H4oHVg03pC3bk2LvCB0IHFgfC4cL5HPQ0LdmI=",
        ),
    ],
)
def test_the_vendors_own_vectors(key, at_s, url, body, signature):
    sent = {REQUEST: signature, TIMESTAMP: str(at_s)}
    assert judged(sent, url=url, body=body, arrived_s=at_s, signing_key=key)[REQUEST] is None


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"body": BODY + b" "}, {TOKEN, REQUEST, JWT}),
        ({"url": URL.replace("b=2", "b=3")}, {REQUEST, JWT}),
        ({"url": URL.replace("8443", "8444")}, {JWT}),
        ({"token": "another"}, {TOKEN}),
        ({"token": None}, {TOKEN}),
        ({"signing_key": "another"}, {REQUEST, JWT}),
        ({"arrived_s": AT_S + 30}, {REQUEST}),
        ({"arrived_s": AT_S - 11}, {REQUEST, JWT}),
        ({"arrived_s": AT_S + 62}, {REQUEST, JWT}),
        ({"headers": {}}, {TOKEN, REQUEST, JWT}),
        ({"headers": {**HEADERS, TIMESTAMP: "soon"}}, {REQUEST}),
        ({"headers": {**HEADERS, JWT: jwt(key="another")}}, {JWT}),
        ({"headers": {**HEADERS, JWT: jwt({**CLAIMS, "iss": "Somebody"})}}, {JWT}),
        ({"headers": {**HEADERS, JWT: jwt({name: CLAIMS[name] for name in CLAIMS if name != "jti"})}}, {JWT}),
        ({"headers": {**HEADERS, JWT: jwt({name: CLAIMS[name] for name in CLAIMS if name != "payload_hash"})}}, {JWT}),
        ({"headers": {**HEADERS, JWT: jwt({name: CLAIMS[name] for name in CLAIMS if name != "exp"})}}, {JWT}),
        ({"headers": {**HEADERS, JWT: jwt(head={"alg": "none"})}}, {JWT}),
        ({"headers": {**HEADERS, JWT: "not.a.token"}}, {JWT}),
        ({"headers": {**HEADERS, JWT: "nonsense"}}, {JWT}),
    ],
)
def test_what_is_wrong_is_said_of_each(change, wrong):
    change = dict(change)
    verdict = judged(change.pop("headers", HEADERS), **change)
    assert {name for name, fault in verdict.items() if fault is not None} == wrong


def test_a_hash_of_a_body_that_is_not_there_is_wrong():
    assert "payload_hash" in judged(body=b"")[JWT]


def test_a_webhook_without_a_token_has_no_token_signature():
    without = {name: value for name, value in HEADERS.items() if name != TOKEN}
    assert judged(without, token=None) == ALL_RIGHT
