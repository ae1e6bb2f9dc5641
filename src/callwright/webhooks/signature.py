"""The signatures of a callback: the three of contract §4.3 and Standard Webhooks 1.0, made anew for every attempt.

Receivers refuse old signatures: windows run from 2.5 s (Go) to 100 s (Node), so the time is that of the attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from enum import Enum
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

import msgspec

from callwright.clock import SECOND_US
from callwright.egress import Header, Url
from callwright.webhooks.verify import PREFIX, VERSION, standard_key

LEGACY_HEADER = "X-MessageBird-Signature"
TIMESTAMP_HEADER = "MessageBird-Request-Timestamp"
SIGNATURE_HEADER = "MessageBird-Signature"
JWT_HEADER = "MessageBird-Signature-JWT"
JWT_VALID_S = 60
STANDARD_TIMESTAMP_HEADER = "webhook-timestamp"
STANDARD_SIGNATURE_HEADER = "webhook-signature"
# The one header these tokens ever have, encoded (RFC 7515 §3.1): {"alg":"HS256","typ":"JWT"}
_JWS_HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"


class Encoding(Enum):
    """How `LEGACY_HEADER` is written. The vendor never documented it: base64 is this project's choice."""

    BASE64 = "base64"
    HEX = "hex"


class _Claims(msgspec.Struct, omit_defaults=True):
    iss: str
    nbf: int
    exp: int
    jti: str
    url_hash: str
    payload_hash: str = ""


def headers(
    *,
    url: Url,
    body: bytes,
    signing_key: str,
    token: str | None,
    now_us: int,
    jti: UUID,
    encoding: Encoding = Encoding.BASE64,
) -> list[Header]:
    """The headers of contract §4.3 for one attempt; the token's is left out where there is no token."""
    now_s = now_us // SECOND_US
    made = [
        (TIMESTAMP_HEADER, str(now_s)),
        (SIGNATURE_HEADER, request_signature(signing_key, now_s, url.query, body)),
        (JWT_HEADER, jwt(signing_key, now_s, url.text, body, jti)),
    ]
    if token:
        made.append((LEGACY_HEADER, token_signature(token, body, encoding)))
    return made


def standard_headers(message_id: str, body: bytes, secrets: Iterable[str], now_us: int) -> list[Header]:
    """Standard Webhooks 1.0 beside the header with the id of the message: one signature for each of the secrets."""
    now_s = now_us // SECOND_US
    signatures = " ".join(standard_signature(secret, message_id, now_s, body) for secret in secrets)
    return [(STANDARD_TIMESTAMP_HEADER, str(now_s)), (STANDARD_SIGNATURE_HEADER, signatures)]


def standard_signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """HMAC-SHA256 of id, time and body, keyed by the bytes that the secret stands for."""
    signed = f"{message_id}.{at_s}.".encode() + body
    return f"{VERSION},{base64.b64encode(hmac.digest(standard_key(secret), signed, 'sha256')).decode()}"


def standard_secret(secret: str) -> str:
    """A token or signing key in the form that libraries for Standard Webhooks take.

    >>> standard_secret("foobar"), standard_secret("whsec_Zm9vYmFy")
    ('whsec_Zm9vYmFy', 'whsec_Zm9vYmFy')
    """
    return PREFIX + base64.b64encode(standard_key(secret)).decode()


def doubt_of_token(token: str) -> str | None:
    """Why callbacks should not be signed with a token that somebody gives, as the end of a sentence; None if they may be.

    >>> doubt_of_token("whsec_Zm9vYmFy"), doubt_of_token("a b")
    (None, None)
    >>> doubt_of_token(" foobar")
    'it begins or ends with a space; leave that out'
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in token):
        return "it has a control character, such as a line's end; leave that out"
    if token != token.strip():
        return "it begins or ends with a space; leave that out"
    # What is not well formed would be taken for the text itself, here and not in the receiver's library.
    if token.startswith(PREFIX) and standard_key(token) == token.encode():
        return f"after {PREFIX} comes the key in base64, and this is none; copy all of it, or give a token without {PREFIX}"
    return None


def token_signature(token: str, body: bytes, encoding: Encoding = Encoding.BASE64) -> str:
    """Scheme (a): HMAC-SHA256 of the body, keyed by the webhook's token."""
    digest = hmac.digest(token.encode(), body, "sha256")
    return digest.hex() if encoding is Encoding.HEX else base64.b64encode(digest).decode()


def request_signature(signing_key: str, at_s: int, query: str, body: bytes) -> str:
    """Scheme (b): HMAC-SHA256 of timestamp, sorted query and hash of the body, keyed by the world's signing key."""
    message = f"{at_s}\n{sorted_query(query)}\n".encode() + hashlib.sha256(body).digest()
    return base64.b64encode(hmac.digest(signing_key.encode(), message, "sha256")).decode()


def sorted_query(query: str) -> str:
    """The parameters of a URL in the order of their keys' bytes, form-encoded; equal keys stay in the order given."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    pairs.sort(key=lambda pair: pair[0].encode(errors="surrogateescape"))
    return "&".join(f"{_form(key)}={_form(value)}" for key, value in pairs)


def _form(text: str) -> str:
    return quote_plus(text, errors="surrogateescape")


def jwt(signing_key: str, at_s: int, url: str, body: bytes, jti: UUID) -> str:
    """Scheme (c): a compact JWS over the hashes of the URL and of the body, keyed by the world's signing key."""
    claims = _Claims(
        iss="MessageBird",
        nbf=at_s,
        exp=at_s + JWT_VALID_S,
        jti=str(jti),
        url_hash=hashlib.sha256(url.encode()).hexdigest(),
        payload_hash=hashlib.sha256(body).hexdigest() if body else "",
    )
    signed = f"{_JWS_HEAD}.{_base64url(msgspec.json.encode(claims))}"
    return f"{signed}.{_base64url(hmac.digest(signing_key.encode(), signed.encode(), 'sha256'))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
