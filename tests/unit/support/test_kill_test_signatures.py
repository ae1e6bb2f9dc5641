"""The kill test's own look at signatures: right for the vectors of the contract (§4.3), and each one missed when it is not."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from standardwebhooks import Webhook

from callwright.egress import parse
from callwright.webhooks.signature import jwt
from support.kill_test.receiver import Arrival
from support.kill_test.signatures import Secrets, faults

AT_S = 1714644000
URL = "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y"
BODY = b'{"timestamp":"2024-05-02T10:00:00Z","items":[]}'
SECRETS = Secrets("foobar-token", "sk_demo_7f3a")
JTI = "b7c0a6c2-6a7e-4b1f-9d1b-0e5a3f2c4d11"


def signed() -> Arrival:
    standard = Webhook(SECRETS.token.encode())
    headers = {
        "x-messagebird-signature": "hqOe93zpBOc8AaeJd39gJGa3N41lr01gidXy8aW5s58=",
        "messagebird-request-timestamp": str(AT_S),
        "messagebird-signature": "QcqzHQTcWWZwJ9T//HnsMGEJzXLgu4fD1N8YERZU5ZQ=",
        "messagebird-signature-jwt": jwt(SECRETS.signing_key, AT_S, parse(URL).text, BODY, JTI),
        "webhook-id": "some-id",
        "webhook-timestamp": str(AT_S),
        "webhook-signature": standard.sign("some-id", datetime.fromtimestamp(AT_S, UTC), BODY.decode()),
    }
    return Arrival(0, URL, headers, BODY, "200")


def test_vectors_are_right() -> None:
    assert signed().headers["messagebird-signature-jwt"].endswith(".y-R_o-sfyVpZqdwKWFmKtMx9YwPRQ_UTcUGGuLgy7TU")
    assert faults(signed(), SECRETS) == []


@pytest.mark.parametrize(
    "name", ["x-messagebird-signature", "messagebird-signature", "messagebird-signature-jwt", "webhook-signature"]
)
@pytest.mark.parametrize("value", [None, "spoilt"], ids=["missing", "spoilt"])
def test_one_that_is_not_right_is_named(name: str, value: str | None) -> None:
    good = signed()
    headers = {header: text for header, text in good.headers.items() if header != name} | ({name: value} if value else {})
    (fault,) = faults(msgspec.structs.replace(good, headers=headers), SECRETS)
    assert fault.lower().startswith(f"{name} is not what")


def test_another_body_spoils_all() -> None:
    assert len(faults(msgspec.structs.replace(signed(), body=BODY + b" "), SECRETS)) == 4


def test_a_signature_without_a_secret_is_a_fault() -> None:
    found = faults(signed(), SECRETS._replace(token=None))
    assert [fault.partition(" ")[0] for fault in found] == ["X-MessageBird-Signature", "webhook-signature"]
