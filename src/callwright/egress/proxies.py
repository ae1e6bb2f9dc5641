"""The operator's proxy: read from its URL, which is a secret where it holds a password."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

AUTHORIZATION = "Proxy-Authorization"


class Proxy(NamedTuple):
    """A forward proxy. `host` may be written in logs; `authorization` never."""

    host: str
    port: int
    authorization: str | None

    @property
    def place(self) -> str:
        """Where it is, as sentences name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Its address without who we are."""
        return f"http://{self.place}"


def fault_of(text: str) -> str | None:
    """What is wrong with the setting, without its text; None when it is empty or can be used."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "cannot be read; write http://user:password@proxy.example.com:3128, with %40 for an @ in the password"
    if parts.scheme != "http":
        return "must begin with http://, which is how a proxy is spoken to; what passes through it has its own TLS"
    if not host or not port:
        return "must name a host and a port, as in http://proxy.example.com:3128"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "must end after the port"
    return None


def read(text: str) -> Proxy | None:
    """The proxy that a checked setting names."""
    if not text:
        return None
    parts = urlsplit(text)
    assert parts.hostname is not None
    assert parts.port is not None
    authorization = None
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(known.encode()).decode()
    return Proxy(parts.hostname, parts.port, authorization)
