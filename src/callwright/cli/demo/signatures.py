"""Is a callback signed as the vendor signs? A receiver's view, written from contract §4.3 and not from what signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

TOKEN = "X-MessageBird-Signature"  # noqa: S105
REQUEST = "MessageBird-Signature"
JWT = "MessageBird-Signature-JWT"
TIMESTAMP = "MessageBird-Request-Timestamp"

# The vendor's Python library takes a timestamp of the last 10 s and claims that are a second off.
FRESH_S = 10
LEEWAY_S = 1


def faults(
    url: str, headers: Mapping[str, str], body: bytes, *, arrived_s: float, token: str | None, signing_key: str
) -> dict[str, str | None]:
    """What is wrong with each of the three signatures, by header name; None where nothing is.

    `headers` are found in any case. Without a `token` its header must not be there.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    return {
        TOKEN: _token_fault(sent.get(TOKEN.lower()), body, token),
        REQUEST: _request_fault(sent, url, body, arrived_s, signing_key),
        JWT: _jwt_fault(sent.get(JWT.lower()), url, body, arrived_s, signing_key),
    }


def _token_fault(sent: str | None, body: bytes, token: str | None) -> str | None:
    if token is None:
        return None if sent is None else "it is there, but the webhook has no token"
    if sent is None:
        return "the header is missing"
    expected = base64.b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()
    return None if hmac.compare_digest(sent, expected) else "it is not the HMAC of the body"


def _request_fault(sent: Mapping[str, str], url: str, body: bytes, arrived_s: float, key: str) -> str | None:
    signature, stamp = sent.get(REQUEST.lower()), sent.get(TIMESTAMP.lower())
    if signature is None or stamp is None:
        return "the header is missing" if signature is None else f"{TIMESTAMP} is missing"
    if not stamp.isdecimal() or abs(arrived_s - int(stamp)) > FRESH_S:
        return f"its timestamp {stamp} is not of the last {FRESH_S} s"
    parameters = sorted(parse_qsl(urlsplit(url).query, keep_blank_values=True), key=lambda pair: pair[0].encode())
    message = b"\n".join([stamp.encode(), urlencode(parameters).encode(), hashlib.sha256(body).digest()])
    expected = base64.b64encode(hmac.new(key.encode(), message, hashlib.sha256).digest()).decode()
    return None if hmac.compare_digest(signature, expected) else "it is not the HMAC of timestamp, query and body"


def _jwt_fault(sent: str | None, url: str, body: bytes, arrived_s: float, key: str) -> str | None:
    if sent is None:
        return "the header is missing"
    try:
        head, claims, signature = sent.split(".")
        header, claimed = json.loads(_decoded(head)), json.loads(_decoded(claims))
        signed = _decoded(signature)
    except ValueError:
        return "it is not a JSON web token"
    if not isinstance(header, dict) or header.get("alg") != "HS256" or not isinstance(claimed, dict):
        return "it is not a JSON web token signed with HS256"
    if not hmac.compare_digest(signed, hmac.new(key.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()):
        return "it is not signed with the signing key"
    return _claims_fault(claimed, url, body, arrived_s)


def _claims_fault(claimed: Mapping[str, Any], url: str, body: bytes, arrived_s: float) -> str | None:
    begins, ends = claimed.get("nbf"), claimed.get("exp")
    if not isinstance(begins, int) or not isinstance(ends, int):
        return "nbf or exp is missing"
    if not begins - LEEWAY_S <= arrived_s <= ends + LEEWAY_S:
        return f"it is good from {begins} to {ends}, and came at {arrived_s:.0f}"
    expected = {"iss": "MessageBird", "url_hash": hashlib.sha256(url.encode()).hexdigest()}
    if body:
        expected["payload_hash"] = hashlib.sha256(body).hexdigest()
    elif "payload_hash" in claimed:
        return "it has a payload_hash, but there is no body"
    wrong = [name for name, value in expected.items() if claimed.get(name) != value]
    if wrong:
        return f"its {' and '.join(wrong)} are not what they should be"
    return None if claimed.get("jti") else "jti is missing"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
