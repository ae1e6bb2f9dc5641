"""The signatures of a callback: the three of contract §4.3 and Standard Webhooks 1.0, made anew for every attempt.

Receivers refuse old signatures: windows run from 2.5 s (Go) to 100 s (Node), so the time is that of the attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

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
    hash_ = hashlib.sha256(body)
    made = [
        (TIMESTAMP_HEADER, str(now_s)),
        (SIGNATURE_HEADER, _request_signature(signing_key, now_s, url.query, hash_.digest())),
        (JWT_HEADER, _jwt(signing_key, now_s, url.text, hash_.hexdigest() if body else "", jti)),
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
    return f"{VERSION},{_base64(_sealed(_standard_keyed(secret), signed))}"


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
    digest = _sealed(_keyed(token), body)
    return digest.hex() if encoding is Encoding.HEX else _base64(digest)


def request_signature(signing_key: str, at_s: int, query: str, body: bytes) -> str:
    """Scheme (b): HMAC-SHA256 of timestamp, sorted query and hash of the body, keyed by the world's signing key."""
    return _request_signature(signing_key, at_s, query, hashlib.sha256(body).digest())


def _request_signature(signing_key: str, at_s: int, query: str, body_hash: bytes) -> str:
    message = f"{at_s}\n{sorted_query(query) if query else ''}\n".encode() + body_hash
    return _base64(_sealed(_keyed(signing_key), message))


def sorted_query(query: str) -> str:
    """The parameters of a URL in the order of their keys' bytes, form-encoded; equal keys stay in the order given."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    pairs.sort(key=lambda pair: pair[0].encode(errors="surrogateescape"))
    return "&".join(f"{_form(key)}={_form(value)}" for key, value in pairs)


def _form(text: str) -> str:
    return quote_plus(text, errors="surrogateescape")


def jwt(signing_key: str, at_s: int, url: str, body: bytes, jti: UUID) -> str:
    """Scheme (c): a compact JWS over the hashes of the URL and of the body, keyed by the world's signing key."""
    return _jwt(signing_key, at_s, url, hashlib.sha256(body).hexdigest() if body else "", jti)


def _jwt(signing_key: str, at_s: int, url: str, body_hash: str, jti: UUID) -> str:
    payload = f',"payload_hash":"{body_hash}"' if body_hash else ""
    # Nothing in it has to be escaped.
    claims = (
        f'{{"iss":"MessageBird","nbf":{at_s},"exp":{at_s + JWT_VALID_S},"jti":"{jti}","url_hash":"{_url_hash(url)}"{payload}}}'
    )
    signed = f"{_JWS_HEAD}.{_base64url(claims.encode())}"
    return f"{signed}.{_base64url(_sealed(_keyed(signing_key), signed.encode()))}"


# A secret is scheduled into a hash once, and each signature goes on from a copy; the hash of short messages, unlike
# `hmac.digest`, keeps the interpreter's lock, which the threads of the process would take and the event loop wait for.
@lru_cache(maxsize=1024)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha256")


@lru_cache(maxsize=1024)
def _standard_keyed(secret: str) -> hmac.HMAC:
    return hmac.new(standard_key(secret), digestmod="sha256")


def _sealed(keyed: hmac.HMAC, message: bytes) -> bytes:
    made = keyed.copy()
    made.update(message)
    return made.digest()


@lru_cache(maxsize=4096)
def _url_hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
