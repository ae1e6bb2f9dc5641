"""URLs a customer gives us: checked once, and written the one way they go on the wire."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from callwright.errors import CallwrightError

# What a customer may store, and what is ever requested: a fetch adds what it knows of the call.
MAX_URL = 2_000
MAX_REQUESTED = 8_000  # the request line that servers take by default (Apache, nginx)
_REMEMBERED = 500  # longer ones are made for one call, as by a fetch, and would only fill the memory
_DEFAULT_PORT = {"http": 80, "https": 443}
_UNSENDABLE = re.compile(r'[^!-~]|[\\"<>]')
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")
_NUMERIC = re.compile(r"(\d+|0x[0-9a-f]*)(\.(\d+|0x[0-9a-f]*))*\.?")
_DOTTED_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|\Z)){4}(?<!\.)")


class BadUrl(CallwrightError):
    """The URL cannot be used."""


class Url(NamedTuple):
    """A URL that can be requested.

    `text` is what a receiver sees: lower-case scheme and host, no default port, a path of at least ``/``, the query as
    given, no fragment. Signatures over the URL are made over it (contract §4.3).
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    text: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def literal(self) -> bool:
        """Whether the host is an address rather than a name."""
        return ":" in self.host or _NUMERIC.fullmatch(self.host) is not None


def parse(text: str, longest: int = MAX_URL) -> Url:
    """Check a URL; `BadUrl` says which rule it breaks and what to write instead."""
    if len(text) > longest:
        raise BadUrl(f"the URL has {len(text)} characters; at most {longest} are taken")
    return _known(text) if len(text) <= _REMEMBERED else _read(text)


def _read(text: str) -> Url:
    if found := _UNSENDABLE.search(text):
        raise BadUrl(f"the URL holds {found.group()!r}; percent-encode it, and write a host of other scripts as xn--…")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrl(f"the URL cannot be read ({error}); write it like https://example.com/path") from None
    scheme = parts.scheme
    if scheme not in _DEFAULT_PORT:
        raise BadUrl(f"the scheme is {scheme!r}; only http and https are spoken")
    if "@" in parts.netloc:
        raise BadUrl("the URL carries credentials; remove what stands before the @ and use the token to know us")
    if not host:
        raise BadUrl("the URL has no host; write it like https://example.com/path")
    if port == 0:
        raise BadUrl("port 0 cannot be connected to")
    bracketed = _checked_host(host, parts.netloc)
    default = _DEFAULT_PORT[scheme]
    authority = bracketed if port in (None, default) else f"{bracketed}:{port}"
    path = parts.path or "/"
    query = parts.query
    written = f"{scheme}://{authority}{path}" + (f"?{query}" if query else "")
    return Url(scheme, host, port or default, path, query, written)


_known = lru_cache(maxsize=4096)(_read)


def onward(target: Url, location: str) -> Url:
    """Where a redirect leads; `BadUrl` when it leads nowhere."""
    try:
        return parse(urljoin(target.text, location), MAX_REQUESTED)
    except ValueError as error:
        raise BadUrl(str(error)) from None


def _checked_host(host: str, netloc: str) -> str:
    if netloc.startswith("["):
        if "%" in host:
            raise BadUrl("the host has an IPv6 zone id; link-local peers cannot be reached")
        try:
            IPv6Address(host)
        except ValueError:
            raise BadUrl(f"{host!r} in brackets is not an IPv6 address") from None
        return f"[{host}]"
    if _NUMERIC.fullmatch(host) and not _DOTTED_QUAD.fullmatch(host):
        raise BadUrl(f"{host!r} is an address in an odd spelling; write four decimal numbers like 192.0.2.7")
    if not _HOST.fullmatch(host):
        raise BadUrl(f"{host!r} is not a host name")
    return host
