"""Header fields and bodies as text, between the core and sippy.

Inside sippy a message is a string with one character per byte: ASCII as it is, other bytes as lone surrogates
(`server.Datagram`). So lengths are lengths in bytes, and what is echoed leaves as it came.
"""

from __future__ import annotations

import email
from typing import Any
from urllib.parse import quote

from sippy.MsgBody import MsgBody
from sippy.SipGenericHF import SipGenericHF
from sippy.SipHeader import SipHeader

SDP = "application/sdp"
METHODS = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY"
HOPS = "X-Callwright-Hops"  # how often a call has passed through this server


class Field(SipGenericHF):
    """A header field written with the capitals it is given."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(value, name)
        self.spelling = name

    def getCanName(self, name: str, compact: bool = False) -> str:
        return self.spelling

    def getCopy(self) -> Field:
        return self


def one_line(text: str) -> str:
    """Make a text fit for a start line or header field: no control characters, bytes as sippy has them."""
    return inward("".join(c if c.isprintable() else " " for c in text))


def inward(text: str) -> str:
    """Turn text into sippy's one character per byte."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")


def outward(text: str) -> str:
    """Turn sippy's one character per byte into text; what is not UTF-8 becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def shown(text: str) -> str:
    """Part of an address as text that can be printed; what cannot, line ends among it, stays escaped (RFC 3261 §19.1.2)."""
    return "".join(c if c.isprintable() else quote(c) for c in outward(text))


def field(name: str, value: str) -> SipHeader:
    return SipHeader(name=name, body=Field(name, one_line(value)))


ALLOW = field("Allow", METHODS)
ACCEPT = field("Accept", SDP)
SUPPORTED = field("Supported", "norefersub")  # RFC 4488


def required(request: Any) -> str:
    """The extensions a request insists on and that are not spoken here."""
    names = [name.strip() for header in request.getHFs("require") for name in str(header.body).split(",")]
    known = ("norefersub",) if request.getMethod() == "REFER" else ()
    return ", ".join(name for name in names if name and name.lower() not in known)


def reason_of(message: Any) -> str:
    """The values of the ``Reason:`` fields (RFC 3326) of a message, as they were sent."""
    return outward(", ".join(str(f.body.body) for f in message.getHFs("reason") if f.body.body))


def reason_fields(reason: str) -> tuple[SipHeader, ...]:
    return (field("Reason", reason),) if reason else ()


def description(sdp: str) -> MsgBody | None:
    return MsgBody(inward(sdp)) if sdp else None


def content_of(body: Any) -> tuple[str, str]:
    """The type (lower case, without parameters) and text of a message's body; two empty strings without one."""
    return (outward(str(body.getType()).strip()), outward(str(body))) if body is not None else ("", "")


def description_in(body: Any) -> str:
    """The session description a body is, or has as a part when it is a multipart; empty when there is none."""
    kind, text = content_of(body)
    if kind == SDP:
        return text
    if kind.startswith("multipart/"):
        for part in email.message_from_string(f"Content-Type: {body.mtype}\r\n\r\n{text}").walk():
            if part.get_content_type() == SDP:
                return str(part.get_payload())
    return ""
