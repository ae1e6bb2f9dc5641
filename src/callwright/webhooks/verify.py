"""Is a callback from Callwright? For programs in Python that receive them; it needs nothing but the standard library.

    from callwright.webhooks.verify import BadSignature, verify

    event = verify(body, headers, token)

`verify` is what new programs use: Standard Webhooks 1.0. The other three check the headers of the vendor's libraries. All
take the body as raw bytes and the headers as any framework gives them, and return the event or raise `BadSignature`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote_plus

__all__ = ["BadSignature", "Event", "verify", "verify_jwt", "verify_request", "verify_token"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

PREFIX = "whsec_"
VERSION = "v1"
ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
SEQUENCE = "webhook-sequence"
GAP = "webhook-gap"
TOKEN_SIGNATURE = "x-messagebird-signature"  # noqa: S105
REQUEST_TIMESTAMP = "messagebird-request-timestamp"
REQUEST_SIGNATURE = "messagebird-signature"
JWT = "messagebird-signature-jwt"

_DIGEST_BYTES = hashlib.sha256().digest_size
_LONGEST_TIMESTAMP = 15


class BadSignature(Exception):
    """A callback that must not be believed. `rule` is what it broke: ``header``, ``signature``, ``timestamp``, ``url`` or
    ``body``.
    """

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class Event(dict[str, Any]):
    """The body of a callback, with what its headers say of it.

    `id` is the same at every attempt: skip an event whose id you have dealt with. `timestamp` is when this attempt was
    signed, in seconds since 1970, where the signature says so. `sequence` counts the events of a call; `gap` names those
    before it that were not delivered. Signatures cover the body and, but for the oldest, the time; `verify` covers the id
    too. None covers `sequence` and `gap`.
    """

    def __init__(self, content: Mapping[str, Any], headers: _Sent, timestamp: int | None) -> None:
        super().__init__(content)
        sequence = headers.get(SEQUENCE)
        self.id = headers.get(ID)
        self.sequence = int(sequence) if sequence and _is_number(sequence) else None
        self.gap = headers.get(GAP)
        self.timestamp = timestamp


def verify(
    body: bytes, headers: Headers, secret: str | Sequence[str], *, tolerance: float = 300, now: float | None = None
) -> Event:
    """Check a callback by Standard Webhooks 1.0 and return its event.

    `secret` is the webhook's token, or the world's signing key where the webhook has none, either as it is or in the form
    ``whsec_…``; of several, one has to match. `tolerance` is how many seconds old, or ahead of this machine's clock, the
    attempt may be; `now` is the time to judge by, that of the clock without one.
    """
    raw, sent, keys = _raw(body), _Sent(headers), [standard_key(one) for one in _secrets(secret)]
    id_, stamp = sent.one(ID), sent.one(TIMESTAMP)
    if "." in id_:
        raise BadSignature("header", f"{ID} has a dot in it, which ends the id in what is signed.")
    at_s = _seconds(TIMESTAMP, stamp)
    signed = f"{id_}.{stamp}.".encode() + raw
    _match(SIGNATURE, keys, signed, _standard_signatures(sent.one(SIGNATURE)))
    _check_time(TIMESTAMP, at_s, tolerance, now)
    return _event(raw, sent, at_s)


def verify_token(body: bytes, headers: Headers, token: str | Sequence[str]) -> Event:
    """Check ``X-MessageBird-Signature``, in base64 or hexadecimal. It says nothing of the time: an old one passes."""
    raw, sent = _raw(body), _Sent(headers)
    text = sent.one(TOKEN_SIGNATURE)
    is_hex = len(text) == 2 * _DIGEST_BYTES
    try:
        made = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
    except ValueError:
        raise BadSignature("header", f"{TOKEN_SIGNATURE} is neither base64 nor hexadecimal.") from None
    _match(TOKEN_SIGNATURE, _keys(token), raw, [made])
    return _event(raw, sent, None)


def verify_request(
    body: bytes,
    headers: Headers,
    signing_key: str | Sequence[str],
    *,
    url: str,
    tolerance: float = 10,
    now: float | None = None,
) -> Event:
    """Check ``MessageBird-Signature``. Of the `url` it covers the query, its parameters in any order."""
    raw, sent = _raw(body), _Sent(headers)
    stamp = sent.one(REQUEST_TIMESTAMP)
    at_s = _seconds(REQUEST_TIMESTAMP, stamp)
    try:
        made = base64.b64decode(sent.one(REQUEST_SIGNATURE), validate=True)
    except ValueError:
        raise BadSignature("header", f"{REQUEST_SIGNATURE} is not base64.") from None
    query = _sorted(url.partition("#")[0].partition("?")[2])
    signed = f"{stamp}\n{query}\n".encode() + hashlib.sha256(raw).digest()
    _match(REQUEST_SIGNATURE, _keys(signing_key), signed, [made])
    _check_time(REQUEST_TIMESTAMP, at_s, tolerance, now)
    return _event(raw, sent, at_s)


def verify_jwt(
    body: bytes,
    headers: Headers,
    signing_key: str | Sequence[str],
    *,
    url: str,
    leeway: float = 1,
    now: float | None = None,
) -> Event:
    """Check ``MessageBird-Signature-JWT``, which covers the whole `url` as it was requested, the body and the time.

    `leeway` is how many seconds this machine's clock may be wrong.
    """
    raw, sent = _raw(body), _Sent(headers)
    parts = sent.one(JWT).split(".")
    if len(parts) != 3:
        raise BadSignature("header", f"{JWT} is not of three parts, as a JSON Web Token is.")
    head, claims, seal = parts
    if _json_part(head).get("alg") != "HS256":
        raise BadSignature("header", f"{JWT} is not signed with HS256.")
    _match(JWT, _keys(signing_key), f"{head}.{claims}".encode(), [_part(seal)])
    told = _json_part(claims)
    begins, ends = told.get("nbf"), told.get("exp")
    if type(begins) is not int or type(ends) is not int or told.get("iss") != "MessageBird":
        raise BadSignature("header", f"{JWT} lacks one of iss, nbf and exp.")
    current = time.time() if now is None else now
    if not begins - leeway <= current < ends + leeway:
        raise BadSignature("timestamp", f"{JWT} is good from {begins} to {ends}, and it is {current:.0f}.")
    if told.get("url_hash") != hashlib.sha256(url.encode()).hexdigest():
        raise BadSignature("url", f"{JWT} was made for another URL than {url.partition('?')[0]!r} with its query.")
    if told.get("payload_hash") != (hashlib.sha256(raw).hexdigest() if raw else None):
        raise BadSignature("body", f"{JWT} was made for another body.")
    return _event(raw, sent, begins)


def standard_key(secret: str) -> bytes:
    """The bytes that a secret stands for: what ``whsec_`` and base64 says, or else the text itself in UTF-8.

    >>> standard_key("whsec_Zm9vYmFy"), standard_key("foobar"), standard_key("whsec_?")
    (b'foobar', b'foobar', b'whsec_?')
    """
    if secret.startswith(PREFIX):
        encoded = secret.removeprefix(PREFIX).rstrip("=")
        try:
            if key := base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True):
                return key
        except ValueError:
            pass  # somebody's own token, that happens to begin so
    return secret.encode()


class _Sent:
    """Headers under names in lower case. One that is there twice is what two programs would read differently."""

    def __init__(self, headers: Headers) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in headers.items() if isinstance(headers, Mapping) else _pairs(headers):
            self._values.setdefault(_text(name).lower(), []).append(_text(value))

    def one(self, name: str) -> str:
        found = self._values.get(name, [])
        if len(found) != 1:
            raise BadSignature("header", f"{name} is there {len(found)} times." if found else f"{name} is missing.")
        value = found[0].strip()
        if not value or not value.isascii():
            raise BadSignature("header", f"{name} is empty." if not value else f"{name} is not ASCII.")
        return value

    def get(self, name: str) -> str | None:
        found = self._values.get(name, [])
        return found[0].strip() if len(found) == 1 else None


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """What is no Mapping may still have its method, as headers of `http.server` do."""
    pairs: Iterable[tuple[Any, Any]] = headers.items() if hasattr(headers, "items") else headers
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError(f"Names and values of headers are texts; there is a {type(value).__name__}.")
    return value


def _raw(body: bytes) -> bytes:
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("Give the body as the bytes that came, before anything decodes or parses it.")
    return bytes(body)


def _secrets(secret: str | Sequence[str]) -> list[str]:
    secrets = list(secret) if isinstance(secret, Iterable) and not isinstance(secret, str) else [secret]
    if not all(isinstance(one, str) for one in secrets):
        raise TypeError("What to verify with is a text, or several: give the token as str, and a signing key too.")
    if not secrets or not all(secrets):
        raise ValueError("There is no secret to verify with, or one of them is empty.")
    return secrets


def _keys(secret: str | Sequence[str]) -> list[bytes]:
    return [one.encode() for one in _secrets(secret)]


def _standard_signatures(text: str) -> list[bytes]:
    """Those of the version that is known here; what is malformed among them is passed over like the versions that are not."""
    found = []
    for one in text.split():
        version, _, encoded = one.partition(",")
        if version != VERSION:
            continue
        try:
            found.append(base64.b64decode(encoded, validate=True))
        except ValueError:
            continue
    found = [made for made in found if len(made) == _DIGEST_BYTES]
    if not found:
        raise BadSignature("header", f"{SIGNATURE} has no signature {VERSION},… of {_DIGEST_BYTES} bytes in base64.")
    return found


def _match(name: str, keys: list[bytes], signed: bytes, signatures: list[bytes]) -> None:
    """One signature is by one of the keys. How long a comparison takes does not depend on where it fails."""
    made = [hmac.digest(key, signed, "sha256") for key in keys]
    if not any(hmac.compare_digest(ours, theirs) for ours in made for theirs in signatures):
        raise BadSignature("signature", f"{name} was not made with {'this secret' if len(keys) == 1 else 'these secrets'}.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_TIMESTAMP


def _seconds(name: str, text: str) -> int:
    if not _is_number(text):
        raise BadSignature("header", f"{name} is not a whole number of seconds.")
    return int(text)


def _check_time(name: str, at_s: int, tolerance: float, now: float | None) -> None:
    age = (time.time() if now is None else now) - at_s
    if abs(age) > tolerance:
        where = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s ahead of this machine's clock"
        raise BadSignature("timestamp", f"{name} is {where}; at most {tolerance:g} s are taken.")


def _sorted(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    pairs.sort(key=lambda pair: pair[0].encode(errors="surrogateescape"))
    return "&".join("=".join(quote_plus(text, errors="surrogateescape") for text in pair) for pair in pairs)


def _part(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadSignature("header", f"{JWT} has a part that is not base64url.") from None


def _json_part(text: str) -> dict[str, Any]:
    try:
        decoded = json.loads(_part(text).decode())
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise BadSignature("header", f"{JWT} has a part that is not a JSON object.")
    return decoded


def _event(body: bytes, headers: _Sent, timestamp: int | None) -> Event:
    """The body is parsed only now. A request to fetch a flow has none."""
    if not body:
        return Event({}, headers, timestamp)
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise BadSignature("body", "The signature is right, but the body is not a JSON object.")
    return Event(content, headers, timestamp)
