"""Routing of outgoing legs: a number goes to the first trunk, a ``sip:`` URI to a host that the settings allow."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from callwright.errors import CallwrightError
from callwright.numbers.numbers import normalised
from callwright.reasons import Reason
from callwright.telephony import Target

DEFAULT_PORT = 5060
# Parameters of a URI that say what is done anyway.
_HONOURED = frozenset({"transport=udp", "user=phone", "lr"})


class Trunk(msgspec.Struct, frozen=True):
    """A carrier or PBX. `sources` are the networks (CIDR) its calls come from."""

    name: str
    host: str
    port: int = DEFAULT_PORT
    username: str = ""
    password: str = ""
    sources: tuple[str, ...] = ()


class NoRoute(CallwrightError):
    """No way leads to the destination; `reason` is what the leg ends with."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class SipUri(msgspec.Struct, frozen=True):
    """The parts of a SIP URI that matter for routing (RFC 3261 §19.1.1); `unsupported` is one that cannot be honoured."""

    user: str
    host: str
    port: int | None
    unsupported: str = ""


def parse_sip_uri(text: str) -> SipUri | None:
    """Read ``sip:user@host:port;…``; None when it is not one. IPv6 hosts, sips: and a URI without a user give None."""
    scheme, colon, rest = text.strip().partition(":")
    if scheme.lower() != "sip" or not colon:
        return None
    rest, question, headers = rest.partition("?")
    user, _, host = rest.rpartition("@")
    host, *parameters = host.split(";")
    unsupported = [one for one in parameters if one.lower() not in _HONOURED] + [question + headers] * bool(question)
    host, colon, port = host.partition(":")
    if not host or not user or any(char.isspace() or char in '<>"[]@' for char in host + user):
        return None
    if colon and not (port.isascii() and port.isdigit() and len(port) < 10 and 0 < int(port) < 65_536):
        return None
    port_number = int(port) if colon else None
    return SipUri(unquote(user.partition(";")[0]), host.lower(), port_number, "".join(unsupported[:1]))


def address(text: str) -> str | None:
    """A number in the form that records have, or a ``sip:`` URI as it is; None for what is neither."""
    number = normalised(text)
    if number is not None:
        return number
    uri = text.strip()
    return uri if parse_sip_uri(uri) is not None and uri.isprintable() and " " not in uri else None


class Routes:
    """The dialling rules of the live world."""

    def __init__(self, trunks: Sequence[Trunk], allow_hosts: Sequence[str], emergency: Sequence[str]) -> None:
        self._trunks = tuple(trunks)
        self._allowed = {host.lower() for host in allow_hosts}
        self._emergency = frozenset(emergency)

    def target(self, destination: str) -> Target:
        """Where to send an INVITE for a destination, or raise `NoRoute`."""
        number = normalised(destination)
        uri = None if number is not None else parse_sip_uri(destination)
        dialled = destination if uri is None else uri.user
        if self._emergency & {dialled.strip().lstrip("+"), normalised(dialled)}:
            raise NoRoute(
                Reason.NOT_ALLOWED, f"{dialled} is an emergency number; those are never dialled (calls.emergency_numbers)"
            )
        if number is not None:
            if not self._trunks:
                raise NoRoute(Reason.NO_ROUTE, "no trunk is configured ([[trunks]])")
            trunk = self._trunks[0]
            return Target(number, trunk.host, trunk.port, trunk.username, trunk.password)
        if uri is None and "[" in destination.rpartition("@")[2]:
            raise NoRoute(Reason.NO_ROUTE, "IPv6 is not supported; name the host, or give its IPv4 address")
        if uri is None:
            raise NoRoute(Reason.NO_ROUTE, "the destination is neither a number nor a sip: URI this server can reach")
        if uri.unsupported:
            raise NoRoute(
                Reason.NO_ROUTE, f"the part {uri.unsupported[:40]!r} of the sip: URI cannot be honoured; calls leave over UDP"
            )
        for trunk in self._trunks:
            if trunk.host.lower() == uri.host and (uri.port is None or uri.port == trunk.port):
                return Target(uri.user, trunk.host, trunk.port, trunk.username, trunk.password)
        port = uri.port or DEFAULT_PORT
        if uri.host in self._allowed or f"{uri.host}:{port}" in self._allowed:
            return Target(uri.user, uri.host, port)
        raise NoRoute(Reason.NOT_ALLOWED, f"the host {uri.host}:{port} is not a trunk's and not in sip.allow_hosts")
