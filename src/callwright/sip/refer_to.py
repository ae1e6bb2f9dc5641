"""What a REFER asks for (RFC 3515 §2.1), and who asks (RFC 3892): header values as text in, targets out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from callwright.errors import CallwrightError
from callwright.telephony import is_number, is_uri, sip_uri

MAX_TARGET = 512
_NAMED = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*|[^<>"]*)<([^<>]*)>(?:\s*;[^<>]*)?')
_SEVERAL = re.compile(r">\s*(?:;[^<>\",]*)?,")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)")


class Unreferable(CallwrightError):
    """The far end is to be told `code` and `phrase`: it asks for nothing that we can do."""

    def __init__(self, code: int, phrase: str) -> None:
        super().__init__(f"{code} {phrase}")
        self.code = code
        self.phrase = phrase


def read(values: Sequence[str]) -> str:
    """The target that the values of the ``Refer-To`` fields name: a number, or a sip or tel URI without headers and method.

    Raises `Unreferable`: 400 for what cannot be read or is not one, 416 for another scheme, 501 for a request other than
    INVITE and for an attended transfer (``Replaces``, RFC 3891).
    """
    if len(values) > 1 or _SEVERAL.search(values[0] if values else ""):
        raise Unreferable(400, "More Than One Refer-To")
    if not values or not values[0].strip():
        raise Unreferable(400, "Missing Refer-To")
    uri = _uri(values[0])
    if len(uri) > MAX_TARGET or not uri.isascii():
        raise Unreferable(400, "Bad Refer-To")
    if is_number(uri):
        return uri
    scheme = _SCHEME.fullmatch(uri)
    if scheme is None:
        raise Unreferable(400, "Bad Refer-To")
    if scheme[1].lower() not in ("sip", "tel"):
        raise Unreferable(416, "Unsupported URI Scheme")
    target = _bare(uri)
    if not is_uri(target):
        raise Unreferable(400, "Bad Refer-To")
    return target


def read_referred_by(values: Sequence[str]) -> str:
    """The URI of a ``Referred-By`` field; empty when there is none that can be read."""
    uri = _uri(values[0]) if values else ""
    return uri if len(uri) <= MAX_TARGET and _SCHEME.fullmatch(uri) and uri.isascii() else ""


def refer_to(target: str, host: str) -> str | None:
    """The URI to put into a REFER of ours for a number, which is one of `host`, or for a URI; None for anything else."""
    if is_number(target):
        return sip_uri(target, host)
    return target if is_uri(target) else None


def _uri(value: str) -> str:
    """The URI of an address in a field. Without brackets what follows a semicolon belongs to the field (RFC 3261 §20.10)."""
    value = value.strip()
    named = _NAMED.fullmatch(value)
    return (named[1] if named is not None else value.partition(";")[0]).strip()


def _bare(uri: str) -> str:
    """A URI without its headers and its method; raise `Unreferable` when those ask for what is not done."""
    user, at, rest = uri.rpartition("@")
    rest, question, headers = rest.partition("?")
    if any(header.partition("=")[0].strip().lower() == "replaces" for header in headers.split("&")):
        raise Unreferable(501, "Attended Transfer Is Not Supported")
    if question and not headers:
        raise Unreferable(400, "Bad Refer-To")
    host, *parameters = rest.split(";")
    kept = []
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "method":
            kept.append(parameter)
        elif value.strip().upper() != "INVITE":
            raise Unreferable(501, "Only INVITE Can Be Referred")
    return ";".join([f"{user}{at}{host}", *kept])
