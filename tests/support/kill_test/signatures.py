"""Whether a request is signed as the documents say, by code that shares nothing with what signed it.

`docs/webhooks.md` and the specification of Standard Webhooks are what it was written from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from support.kill_test.receiver import Arrival


class Secrets(NamedTuple):
    """What a receiver was given: its token, if it has one, and the signing key of the account."""

    token: str | None
    signing_key: str


def faults(arrival: Arrival, secrets: Secrets) -> list[str]:
    """A sentence for each signature that is missing, not right, or there without its secret."""
    headers, body = arrival.headers, arrival.body
    wrong = []
    token = None if secrets.token is None else _base64(_hmac(secrets.token.encode(), body))
    if headers.get("x-messagebird-signature") != token:
        wrong.append("X-MessageBird-Signature is not what the token makes")
    if headers.get("messagebird-signature") != _request_signature(arrival, secrets.signing_key):
        wrong.append("MessageBird-Signature is not what the signing key makes")
    if not _jwt_is_right(arrival, secrets.signing_key):
        wrong.append("MessageBird-Signature-JWT is not what the signing key makes")
    if not _standard_is_right(arrival, secrets):
        wrong.append("webhook-signature is not what the secret makes")
    return wrong


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _request_signature(arrival: Arrival, signing_key: str) -> str:
    query = urlencode(sorted(parse_qsl(urlsplit(arrival.url).query, keep_blank_values=True)))
    head = f"{arrival.headers.get('messagebird-request-timestamp')}\n{query}\n".encode()
    return _base64(_hmac(signing_key.encode(), head + hashlib.sha256(arrival.body).digest()))


def _jwt_is_right(arrival: Arrival, signing_key: str) -> bool:
    signed, _, signature = arrival.headers.get("messagebird-signature-jwt", "").rpartition(".")
    made = base64.urlsafe_b64encode(_hmac(signing_key.encode(), signed.encode())).rstrip(b"=").decode()
    if not hmac.compare_digest(made, signature):
        return False
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    return bool(
        claims["url_hash"] == hashlib.sha256(arrival.url.encode()).hexdigest()
        and claims["payload_hash"] == hashlib.sha256(arrival.body).hexdigest()
    )


def _standard_is_right(arrival: Arrival, secrets: Secrets) -> bool:
    key = (secrets.signing_key if secrets.token is None else secrets.token).encode()
    signed = f"{arrival.headers['webhook-id']}.{arrival.headers.get('webhook-timestamp')}.".encode() + arrival.body
    return f"v1,{_base64(_hmac(key, signed))}" in arrival.headers.get("webhook-signature", "").split()
