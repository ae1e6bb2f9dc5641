"""Session descriptions (RFC 8866): text to values and back.

Read leniently is what phones and gateways get wrong without harm (line ends, order, missing ``s=`` and ``t=``); a line
that is used must be right. Attributes are kept only where calls need them. Everything written is ASCII.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import msgspec

from callwright.errors import CallwrightError

MAX_MEDIA = 16
PCMU, PCMA = 0, 8
LAW_NAMES = {PCMU: "PCMU", PCMA: "PCMA"}
SENDRECV, SENDONLY, RECVONLY, INACTIVE = "sendrecv", "sendonly", "recvonly", "inactive"
DIRECTIONS = frozenset({SENDRECV, SENDONLY, RECVONLY, INACTIVE})

_MILLISECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5})?")


class SdpError(CallwrightError):
    """The session description cannot be used."""


class Codec(msgspec.Struct, frozen=True):
    """A payload type and what it stands for; `params` is the text of ``a=fmtp``."""

    payload_type: int
    name: str
    clock: int
    params: str = ""


class Media(msgspec.Struct, frozen=True):
    """An ``m=`` section. `address` and `direction` are those in force, whichever level wrote them; times in milliseconds.

    `formats` are the tokens of the line; `codecs` those among them that a static number or ``a=rtpmap`` explains.
    """

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    address: str = ""
    direction: str = SENDRECV
    codecs: tuple[Codec, ...] = ()
    ptime: int | None = None
    maxptime: int | None = None


class Session(msgspec.Struct, frozen=True):
    """A session description. `id` and `version` are the third and second field of ``o=``, as written."""

    user: str
    id: str
    version: str
    origin: str
    address: str
    media: tuple[Media, ...]


_STATIC = {str(number): Codec(number, name, 8000) for number, name in LAW_NAMES.items()}


def parse(text: str) -> Session:
    """Read a session description; raise `SdpError` with the line and the rule it breaks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != "v=0":
        raise _broken(lines[0], "a description begins with v=0 (RFC 8866 §5.1)")
    user = identity = version = origin = address = ""
    direction = SENDRECV
    sections: list[_Section] = []
    section: _Section | None = None
    for line in lines:
        line = line.rstrip()
        if not line:
            continue
        kind, value = line[0], line[2:]
        if line[1:2] != "=" or not kind.isalpha():
            raise _broken(line, "a line is a letter, = and a value (RFC 8866 §5)")
        if kind == "a":
            if section is not None:
                section.attribute(line, value)
            elif value in DIRECTIONS:
                direction = value
        elif kind == "m":
            if len(sections) == MAX_MEDIA:
                raise _broken(line, f"more than {MAX_MEDIA} m= lines")
            section = _Section(line, value, address, direction)
            sections.append(section)
        elif kind == "c":
            if section is None:
                address = _connection(line, value)
            elif not section.connected:
                section.address, section.connected = _connection(line, value), True
        elif kind == "o" and section is None:
            fields = value.rsplit(None, 5)
            if len(fields) != 6:
                raise _broken(line, "o= has six fields (RFC 8866 §5.2)")
            user, identity, version, _, _, origin = fields
    if not identity:
        raise SdpError("no o= line (RFC 8866 §5.2)")
    return Session(user, identity, version, origin, address, tuple([section.media() for section in sections]))


def serialize(session: Session) -> str:
    """Write a session description with CRLF line ends; `parse` reads the same value back."""
    lines = ["v=0", f"o={session.user} {session.id} {session.version} IN {_family(session.origin)} {session.origin}", "s=-"]
    if session.address:
        lines.append(f"c=IN {_family(session.address)} {session.address}")
    lines.append("t=0 0")
    for media in session.media:
        lines.append(f"m={media.kind} {media.port} {media.proto} {' '.join(media.formats)}")
        if media.address != session.address:
            lines.append(f"c=IN {_family(media.address)} {media.address}")
        if media.port == 0:
            continue
        for codec in media.codecs:
            lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock}")
            if codec.params:
                lines.append(f"a=fmtp:{codec.payload_type} {codec.params}")
        if media.ptime is not None:
            lines.append(f"a=ptime:{media.ptime}")
        if media.maxptime is not None:
            lines.append(f"a=maxptime:{media.maxptime}")
        lines.append(f"a={media.direction}")
    lines.append("")
    return "\r\n".join(lines)


class _Section:
    """An ``m=`` section while it is read. Attributes count in audio sections only: all else is refused anyway."""

    def __init__(self, line: str, value: str, address: str, direction: str) -> None:
        fields = value.split()
        if len(fields) < 4:
            raise _broken(line, "m= has a kind, a port, a protocol and formats (RFC 8866 §5.14)")
        if not (line.isascii() and line.isprintable()):
            raise _broken(line, "m= is made of ASCII tokens (RFC 8866 §9)")
        self.kind, port, self.proto = fields[:3]
        # The count after the slash is of layered streams; only the first could be ours.
        self.port = _number(line, port.partition("/")[0], 65535, "a port")
        self.formats = tuple(fields[3:])
        self.address, self.direction = address, direction
        self.connected = False
        self.maps: dict[str, tuple[str, int]] = {}
        self.params: dict[str, str] = {}
        self.ptime: int | None = None
        self.maxptime: int | None = None

    def attribute(self, line: str, value: str) -> None:
        if self.kind != "audio":
            return
        name, _, text = value.partition(":")
        if name in DIRECTIONS:
            self.direction = name
        elif name == "rtpmap":
            self._rtpmap(line, text)
        elif name == "fmtp":
            number, _, params = text.partition(" ")
            self.params[str(_number(line, number, 127, "a payload type"))] = params.strip()
        elif name == "ptime":
            self.ptime = _milliseconds(line, text)
        elif name == "maxptime":
            self.maxptime = _milliseconds(line, text)

    def _rtpmap(self, line: str, text: str) -> None:
        fields = text.split()
        if len(fields) != 2:
            raise _broken(line, "a=rtpmap has a payload type and an encoding (RFC 8866 §6.6)")
        number = _number(line, fields[0], 127, "a payload type")
        name, _, rest = fields[1].partition("/")
        clock, _, channels = rest.partition("/")
        if not name or not name.isascii():
            raise _broken(line, "an encoding has a name (RFC 8866 §6.6)")
        rate = _number(line, clock, 10_000_000, "a clock rate")
        if channels in ("", "1"):
            self.maps[str(number)] = (name, rate)

    def media(self) -> Media:
        codecs = []
        if self.kind == "audio":
            for token in self.formats:
                # Static numbers mean what RFC 3551 says, whatever a=rtpmap makes of them.
                if token in _STATIC:
                    codecs.append(_STATIC[token])
                elif token in self.maps:
                    name, clock = self.maps[token]
                    codecs.append(Codec(int(token), name, clock, self.params.get(token, "")))
        return Media(
            self.kind,
            self.port,
            self.proto,
            self.formats,
            self.address,
            self.direction,
            tuple(codecs),
            self.ptime,
            self.maxptime,
        )


def _connection(line: str, value: str) -> str:
    fields = value.split()
    if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise _broken(line, "c= is IN, IP4 or IP6, and an address (RFC 8866 §5.7)")
    address = fields[2].partition("/")[0]
    try:
        return str(IPv6Address(address)) if fields[1] == "IP6" else str(IPv4Address(address))
    except AddressValueError:
        raise _broken(line, f"not an {fields[1]} address; names are not looked up") from None


def _family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def _number(line: str, text: str, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > most:
        raise _broken(line, f"{what} is a number up to {most}")
    return int(text)


def _milliseconds(line: str, text: str) -> int:
    text = text.strip()
    if not _MILLISECONDS.fullmatch(text):
        raise _broken(line, "a packet time is a number of milliseconds (RFC 8866 §6.4)")
    return int(float(text))


def _broken(line: str, rule: str) -> SdpError:
    return SdpError(f"{line[:80]!a}: {rule}")
