"""Whether a message can be worked on at all, decided before a transaction is kept for it (RFC 3261 §7, §8.2, §16.3)."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from sippy.Exceptions.SipParseError import SipParseError
from sippy.SipURL import SipURL

Fault = tuple[int, str]

SINGLE = {"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq", "max-forwards": "Max-Forwards"}
MAX_CSEQ = (1 << 31) - 1  # §8.1.1.5
MAX_SECONDS = (1 << 32) - 1  # §20.19
MAX_LENGTH = 65_535

_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_SPOKEN = frozenset({"sip", "sips", "tel"})
_NUMBER = re.compile(r"[0-9]{1,20}")
_LOOSE = re.compile(r"\s*([/;=])\s*")
# What ends a line for `str.splitlines` but not in SIP would smuggle in header fields; NUL is in no grammar of a field.
_CONTROLS = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\r\n")
_REQUEST_LINE = re.compile(rb"[!-~]{1,32} [!-~]{1,2048} SIP/2\.0")
_SENT_BY = re.compile(rb"SIP */ *2\.0 */ *[A-Za-z]+ +[A-Za-z0-9.\-]+(?::([0-9]{1,5}))?(?: *;[^,]*)?")
_LONG_NAMES = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}
_NEEDED = {b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq"}
_ECHOED = {b"via": "Via", **_NEEDED}
_LENGTHS = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)


def refusal_of(data: bytes, port: int) -> tuple[bytes, int] | None:
    """Write a 400 for a request that no parser takes, from whatever fields it has; and the port its sender listens on.

    `port` is the one it came from. None for what is no request, is an ACK, or says nowhere where the answer goes, and for
    one shorter than its answer: with a forged source it would have us send a third party more than it cost.
    """
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    start, *lines = head.split(b"\r\n")
    if start.startswith((b"ACK ", b"SIP/")) or not _REQUEST_LINE.fullmatch(start):
        return None
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            name = name.strip().lower()
            fields.setdefault(_LONG_NAMES.get(name, name), []).append(value.strip())
    via = _SENT_BY.match(fields.get(b"via", [b""])[0])
    if via is None:
        return None
    sent_by = port if b";rport" in via[0] else int(via[1] or 5060)
    if not 0 < sent_by <= 65_535:
        return None
    missing = [label for key, label in _NEEDED.items() if key not in fields]
    words = f"Missing {missing[0]}" if missing else "Bad Request"
    answer = [f"SIP/2.0 400 {words}".encode()]
    for key, label in _ECHOED.items():
        for value in fields.get(key, ()) if key == b"via" else fields.get(key, ())[:1]:
            tag = f";tag={crc32(data):08x}".encode() if key == b"to" and b";tag=" not in value else b""
            answer.append(label.encode() + b": " + value + tag)
    text = b"\r\n".join([*answer, b"Content-Length: 0", b"", b""])
    return (text, sent_by) if len(text) <= len(data) else None


def framing_fault(data: bytes) -> str:
    """Say what makes it impossible to tell the fields and the body of a datagram apart; empty when nothing does."""
    head = data.partition(b"\r\n\r\n")[0]
    if len(head.translate(None, _CONTROLS)) != len(head):
        return "control characters in the header fields"
    head = head.lower()
    if head.count(b"\ncontent-length") + head.count(b"\nl") > 1 and len(set(_LENGTHS.findall(head))) > 1:
        return "Content-Length fields that differ"
    return ""


def fault_of(request: Any, host: str) -> Fault | None:
    """What a request is refused with, if anything; raise `ValueError` when an answer could not reach whoever sent it."""
    fields: dict[str, Any] = {}
    doubled = ""
    for header in request.headers:
        if fields.setdefault(header.name, header) is not header and header.name in SINGLE:
            doubled = doubled or SINGLE[header.name]
    via = fields["via"].getBody()
    if "received" in via.params:
        via.params["received"] = host  # §18.2.1: ours to say; another's word would send the answers to a stranger
    port = via.getTAddr()[1]
    if not 0 < port <= 65_535:
        raise ValueError(f"port {port} in Via")
    if is_ipv6(str(via.getAddr()[0])):
        return 400, "IPv6 Via Is Not Supported"
    fields["to"].getBody()
    if doubled:
        return 400, f"More Than One {doubled}"
    cseq, method = fields["cseq"].body.body.split()
    if not _NUMBER.fullmatch(cseq) or int(cseq) > MAX_CSEQ or method != request.method:
        return 400, "Bad CSeq"
    if not str(fields["call-id"].body).strip():
        return 400, "Bad Call-ID"
    if "expires" in fields:
        expires = str(fields["expires"].body).strip()
        if not _NUMBER.fullmatch(expires) or int(expires) > MAX_SECONDS:
            return 400, "Bad Expires"
    fault: Fault | None = request.start_fault
    return fault


def is_ipv6(host: str) -> bool:
    """Whether a host of a URI or Via is an IPv6 reference (RFC 3261 §25.1), brackets or, wrongly, not."""
    return host.startswith("[") or ":" in host


def has_usable_port(url: Any) -> bool:
    """Whether something can be sent to a URI, as far as its port goes; one without has that of SIP."""
    port: int | None = url.port
    return port is None or 0 < port <= 65_535


def read_start_line(request: Any, line: str) -> None:
    """Stand in for sippy's ``setSL``, which knows one kind of wrong request only: one that gets no answer."""
    method, _, rest = line.strip().partition(" ")
    uri, _, version = rest.strip().rpartition(" ")
    if not _VERSION.fullmatch(version) or not uri:
        raise ValueError("the first line is not that of a request")
    request.method, request.sipver, request.start_fault = method, "SIP/2.0", None
    uri = uri.strip()
    scheme = _SCHEME.match(uri)
    if version.upper() != "SIP/2.0":
        request.start_fault = 505, "Version Not Supported"
    elif scheme is None or scheme[1].lower() not in _SPOKEN:
        request.start_fault = (400, "Bad Request-URI") if scheme is None else (416, "Unsupported URI Scheme")
    else:
        try:
            if uri.split() != [uri]:
                raise ValueError("blanks in a URI")
            request.ruri = SipURL(uri)
        except (ValueError, IndexError):
            request.start_fault = 400, "Bad Request-URI"
    if request.start_fault is not None:
        request.ruri = SipURL(username="")


def read_length(field: Any) -> None:
    """Stand in for sippy's reading of Content-Length, which takes ``-20`` to cut the body short."""
    text = field.body.strip()
    if not _NUMBER.fullmatch(text) or int(text) > MAX_LENGTH:
        raise SipParseError("Content-Length is no number of bytes in a datagram")
    field.number, field.parsed = int(text), True


def tightened(via: str) -> str:
    """A Via without the blanks that may stand around its separators (§25.1), which sippy does not expect."""
    if not any(blank in via for blank in (" /", "/ ", " =", "= ")) or '"' in via:
        return via
    return _LOOSE.sub(r"\1", via)
