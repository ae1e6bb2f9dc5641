"""Every test vector of contract §4.3 and of Standard Webhooks, and what the schemes say beyond them."""

from __future__ import annotations

import base64
import hashlib
import json
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from callwright.egress import parse
from callwright.webhooks import signature
from callwright.webhooks.signature import Encoding

KEY = "sk_demo_7f3a"
BODY = b'{"timestamp":"2024-05-02T10:00:00Z","items":[]}'
URL = "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y"
AT_S = 1_714_644_000
JTI = UUID("b7c0a6c2-6a7e-4b1f-9d1b-0e5a3f2c4d11")


@pytest.mark.parametrize(
    ("key", "at_s", "query", "body", "expected"),
    [
        ("secret", 1544544948, "", b"", "LISw4Je7n0/MkYDgVSzTJm8dW6BkytKTXMZZk1IElMs="),
        (
            "other-secret",
            1544544948,
            "abc=foo&def=bar",
            b'{"a key":"some value"}',
            "orb0adPhRCYND1WCAvPBr+qjm4STGtyvNDIDNBZ4Ir4=",
        ),
        (
            "PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd",
            1547198231,
            "id=eef0ab57a9e049be946f3821568c2b2e&mccmnc=20408&ported=1&recipient=31612345678&reference=FOO"
            "&status=delivered&statusDatetime=2019-01-11T09%3A17%3A11%2B00%3A00",
            b'{"foo":"bar"}',
            "2bl+38H4oHVg03pC3bk2LvCB0IHFgfC4cL5HPQ0LdmI=",
        ),
        (KEY, AT_S, "b=2&a=x%20y", BODY, "QcqzHQTcWWZwJ9T//HnsMGEJzXLgu4fD1N8YERZU5ZQ="),
    ],
)
def test_request_signature(key: str, at_s: int, query: str, body: bytes, expected: str) -> None:
    assert signature.request_signature(key, at_s, query, body) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b=2&a=x%20y", "a=x+y&b=2"),
        ("b=2&a=x+y", "a=x+y&b=2"),
        ("flag&a=", "a=&flag="),
        ("a=2&a=1", "a=2&a=1"),
        ("a=~-_.*", "a=~-_.%2A"),
        ("B=1&a=2&_=3", "B=1&_=3&a=2"),
        ("%C3%A9=1&z=2", "z=2&%C3%A9=1"),
        ("a=%FF", "a=%FF"),
        ("x[]=1", "x%5B%5D=1"),
    ],
)
def test_query_is_sorted_by_key_and_form_encoded(query: str, expected: str) -> None:
    assert signature.sorted_query(query) == expected


def test_jwt_is_the_verified_one_to_the_last_byte() -> None:
    made = signature.jwt(KEY, AT_S, URL, BODY, JTI)
    head, claims, seal = made.split(".")
    assert _decoded(head) == b'{"alg":"HS256","typ":"JWT"}'
    assert json.loads(_decoded(claims)) == {
        "iss": "MessageBird",
        "nbf": AT_S,
        "exp": AT_S + 60,
        "jti": str(JTI),
        "url_hash": "7505f7d94c36914b70583540c2f229fd2a0608da1c2a3543596d3bef955a7cd9",
        "payload_hash": "7747986867d44cf1c04b087b9b8bde6ed74645641cae14cbfd7f329d52bf21bc",
    }
    assert seal == "y-R_o-sfyVpZqdwKWFmKtMx9YwPRQ_UTcUGGuLgy7TU"


def test_jwt_of_an_empty_body_has_no_payload_hash() -> None:
    _, claims, _ = signature.jwt(KEY, AT_S, URL, b"", JTI).split(".")
    assert list(json.loads(_decoded(claims))) == ["iss", "nbf", "exp", "jti", "url_hash"]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (Encoding.BASE64, "hqOe93zpBOc8AaeJd39gJGa3N41lr01gidXy8aW5s58="),
        (Encoding.HEX, "86a39ef77ce904e73c01a789777f602466b7378d65af4d6089d5f2f1a5b9b39f"),
    ],
)
def test_token_signature(encoding: Encoding, expected: str) -> None:
    assert signature.token_signature("foobar-token", BODY, encoding) == expected


@pytest.mark.parametrize(
    ("secret", "message_id", "at_s", "body", "expected"),
    [
        # the one that the libraries of Standard Webhooks publish
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        # our own: a token that is not in that form is its own bytes
        (KEY, str(JTI), AT_S, BODY, "v1,rtyj46bFxZBj2tOcHioQ45wh/r6jdwoEVFsj9Ql2gEU="),
        ("foobar-token", str(JTI), AT_S, BODY, "v1,cV/Eg4QFvy0REfnxi0ax/2S8UZPJCcuQEXFC2XgvgxI="),
        ("whsec_not base64", str(JTI), AT_S, BODY, "v1,w3leHjtYYWG2KSx7dyUKfnIXk7D9xPdFap/xKNW/KnM="),
        ("tökén", str(JTI), AT_S, b"", "v1,iHpoCNmq0f79o/uHQoDoXKsv1rtmJHJ9ewMghg7MfVA="),
    ],
)
def test_standard_signature(secret: str, message_id: str, at_s: int, body: bytes, expected: str) -> None:
    assert signature.standard_signature(secret, message_id, at_s, body) == expected


def test_standard_headers_have_one_signature_for_each_secret() -> None:
    made = signature.standard_headers(str(JTI), BODY, ["foobar-token", KEY], AT_S * 1_000_000 + 999_999)
    assert made == [
        ("webhook-timestamp", "1714644000"),
        (
            "webhook-signature",
            "v1,cV/Eg4QFvy0REfnxi0ax/2S8UZPJCcuQEXFC2XgvgxI= v1,rtyj46bFxZBj2tOcHioQ45wh/r6jdwoEVFsj9Ql2gEU=",
        ),
    ]


@pytest.mark.parametrize(
    ("secret", "standard"),
    [
        ("foobar-token", "whsec_Zm9vYmFyLXRva2Vu"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("whsec_Zm9vYmFyLXRva2U", "whsec_Zm9vYmFyLXRva2U="),  # unpadded
        ("whsec_not base64", "whsec_d2hzZWNfbm90IGJhc2U2NA=="),
        ("whsec_", "whsec_d2hzZWNf"),
    ],
)
def test_a_secret_as_libraries_for_standard_webhooks_take_it(secret: str, standard: str) -> None:
    assert signature.standard_secret(secret) == standard
    assert signature.standard_secret(standard) == standard


@pytest.mark.parametrize("token", [None, ""])
def test_all_headers_without_a_token(token: str | None) -> None:
    made = signature.headers(
        url=parse(URL), body=BODY, signing_key=KEY, token=token, now_us=AT_S * 1_000_000 + 999_999, jti=JTI
    )
    assert made == [
        ("MessageBird-Request-Timestamp", "1714644000"),
        ("MessageBird-Signature", "QcqzHQTcWWZwJ9T//HnsMGEJzXLgu4fD1N8YERZU5ZQ="),
        ("MessageBird-Signature-JWT", signature.jwt(KEY, AT_S, URL, BODY, JTI)),
    ]


def test_a_token_adds_its_header() -> None:
    made = signature.headers(
        url=parse(URL),
        body=BODY,
        signing_key=KEY,
        token="foobar-token",
        now_us=AT_S * 1_000_000,
        jti=JTI,
        encoding=Encoding.HEX,
    )
    assert made[3:] == [("X-MessageBird-Signature", "86a39ef77ce904e73c01a789777f602466b7378d65af4d6089d5f2f1a5b9b39f")]


def test_the_url_that_is_hashed_is_the_one_that_is_requested() -> None:
    made = dict(
        signature.headers(
            url=parse("HTTPS://Hooks.Example.Test:443#x"), body=b"", signing_key=KEY, token=None, now_us=0, jti=JTI
        )
    )
    claims = json.loads(_decoded(made["MessageBird-Signature-JWT"].split(".")[1]))
    assert claims["url_hash"] == hashlib.sha256(b"https://hooks.example.test/").hexdigest()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("body", [BODY, b""], ids=["body", "no body"])
def test_a_library_that_is_not_ours_takes_the_token(body: bytes) -> None:
    token = jwt.decode(signature.jwt(KEY, AT_S, URL, body, JTI), OctKey.import_key(KEY), algorithms=["HS256"])
    assert token.header == {"alg": "HS256", "typ": "JWT"}
    assert list(token.claims) == ["iss", "nbf", "exp", "jti", "url_hash"] + ["payload_hash"] * bool(body)
    JWTClaimsRegistry(now=AT_S, iss={"essential": True, "value": "MessageBird"}).validate(token.claims)
