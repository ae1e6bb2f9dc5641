"""What a setting may be beyond its type, and which settings do not go together.

The functions of the first part say what is wrong with one value, or None; those of the second look at the whole.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callwright.calls.labels import wrong_with_tag
from callwright.transcriptions import languages

if TYPE_CHECKING:
    from callwright.settings.sections import Settings

SIP_PORT = 5060
_HOST = re.compile(r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$", re.IGNORECASE)


def network(text: str) -> str | None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        try:
            wide = ipaddress.ip_network(text, strict=False)
        except ValueError:
            return "must be an address or network such as 192.0.2.7 or 192.0.2.0/24"
        return f"has bits set behind the mask; write {wide} or {text.partition('/')[0]}"
    return None


def caller_network(text: str) -> str | None:
    return network(text) or ("must be IPv4, which is all that SIP listens on" if ":" in text else None)


def address(text: str) -> str | None:
    if isinstance(found := _ip(text), IPv4Address):
        return None
    return f"must be an IPv4 address such as 127.0.0.1{'; IPv6 is not supported yet' if found else ''}"


def address_or_empty(text: str) -> str | None:
    return address(text) if text else None


def listening_host(text: str) -> str | None:
    return None if text == "localhost" or _ip(text) else "must be an IP address such as 127.0.0.1, or localhost"


def host_and_port(text: str) -> tuple[str, int]:
    """Read ``host`` or ``host:port``, with the port 5060 where none is given; raise `ValueError`."""
    host, colon, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) < 10 else 0 if colon else SIP_PORT
    if not (isinstance(_ip(host), IPv4Address) or is_name(host)) or not 0 < number < 65_536:
        raise ValueError(text)
    return host, number


def sip_host(text: str) -> str | None:
    if text.startswith("[") or text.count(":") > 1:
        return "is IPv6, which SIP does not speak here; give a name, or an IPv4 address such as 192.0.2.7:5080"
    try:
        host_and_port(text)
    except ValueError:
        return "must be a host or host:port such as sip.example.com or 192.0.2.7:5080"
    return None


def rtp_ports(ports: tuple[int, int]) -> str | None:
    first, last = ports
    if first % 2:
        return "must begin with an even port, because RTP takes the even ports and RTCP the odd ones"
    if last <= first:
        return "must hold at least two ports, the first before the last"
    return None


def token(text: str) -> str | None:
    return None if not text or len(text) >= 16 else "must be empty or at least 16 characters long"


def http_url_or_empty(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole or not all("!" <= char <= "~" for char in text):
        return "must be an address that begins with http:// or https://"
    return "must not have a ? or # in it" if parts.query or parts.fragment else None


def whole_path_or_empty(path: str) -> str | None:
    """Of a file that other programs look for too, from other folders."""
    if not path or (path.startswith("/") and "\0" not in path):
        return None
    return "must be a whole path, which begins with /"


def authorities_or_empty(path: str) -> str | None:
    if not path:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        return f"cannot be used as a file of authorities ({error}); name a PEM file that can be read"
    return None


def transcription_language(text: str) -> str | None:
    return None if languages.canonical(text) else f"must be a language such as {', '.join(languages.CONTRACT)}"


def tag(text: str) -> str | None:
    return "must not begin or end with a space" if text != text.strip() else wrong_with_tag(text)


def conflicts(settings: Settings) -> Iterator[tuple[str, object, str]]:
    """Yield key, value and fault of every setting that is right by itself but not beside the others."""
    sip, media = settings.sip, settings.media
    bound = ipaddress.ip_address(sip.host)
    if not bound.is_loopback and not sip.from_ and not any(trunk.from_ for trunk in settings.trunks):
        yield (
            "sip.host",
            sip.host,
            "can be reached by strangers; list the addresses that may call in under from in a [[trunks]] entry or in sip.from, "
            'or keep sip.host at "127.0.0.1"',
        )
    for key, listens_on in (("sip.host", sip.host), ("media.host", media.host)):
        if listens_on and ipaddress.ip_address(listens_on).is_unspecified and not sip.advertised_address:
            yield (
                key,
                listens_on,
                "means every address of this machine; set sip.advertised_address to the one the far end shall use",
            )
    first, last = media.ports
    if last - first + 1 < 2 * media.processes:
        yield (
            "media.ports",
            media.ports,
            f"is too narrow for media.processes = {media.processes}; each needs at least two ports",
        )
    if first <= sip.port <= last:
        yield "sip.port", sip.port, f"lies within media.ports, {first} to {last}; choose another port or another range"
    yield from _http_conflicts(settings)
    yield from _recording_conflicts(settings)
    yield from _retention_conflicts(settings)
    named: dict[str, int] = {}
    for position, trunk in enumerate(settings.trunks):
        key = f"trunks[{position}]"
        if trunk.name in named:
            yield f"{key}.name", trunk.name, f"is the name of trunks[{named[trunk.name]}] too; give every trunk its own"
        named.setdefault(trunk.name, position)
        if trunk.password and not trunk.username:
            yield f"{key}.username", trunk.username, "must be set when there is a password"


def _http_conflicts(settings: Settings) -> Iterator[tuple[str, object, str]]:
    http = settings.http
    if bool(http.certificate) != bool(http.key):
        yield "http.certificate", http.certificate, "and http.key must both be set, or neither"
    if http.plain_port and not http.certificate:
        yield "http.plain_port", http.plain_port, "is for servers with a certificate: without one, http.port has no TLS already"
    if http.plain_port and http.plain_port == http.port:
        yield "http.plain_port", http.plain_port, "is http.port too; choose another port for what has no TLS"


def _recording_conflicts(settings: Settings) -> Iterator[tuple[str, object, str]]:
    kept, written = settings.recordings, settings.transcription
    if kept.storage == "s3" and not kept.bucket:
        yield "recordings.bucket", kept.bucket, 'must be set when recordings.storage is "s3"'
    if bool(kept.access_key) != bool(kept.secret_key):
        yield "recordings.access_key", kept.access_key, "and recordings.secret_key must both be set, or neither"
    if written.model and written.url:
        yield "transcription.model", written.model, "and transcription.url exclude each other: take one of them away"


def _retention_conflicts(settings: Settings) -> Iterator[tuple[str, object, str]]:
    named: dict[str, int] = {}
    for position, one in enumerate(settings.retention.tags):
        if one.tag in named:
            yield (
                f"retention.tags[{position}].tag",
                one.tag,
                f"is that of retention.tags[{named[one.tag]}] too; keep one of them",
            )
        named.setdefault(one.tag, position)


def is_loopback(text: str) -> bool:
    found = _ip(text)
    return text == "localhost" or (found is not None and found.is_loopback)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_name(text: str) -> bool:
    # 1.2.3.4.5 and 10.0.0.300 are mistyped addresses, not names: a top-level domain is never all digits (RFC 3696 §2).
    return bool(_HOST.match(text)) and not text.rstrip(".").rpartition(".")[2].isdigit()
