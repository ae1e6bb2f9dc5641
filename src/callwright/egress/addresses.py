"""Which addresses may be talked to.

`ipaddress.is_global` is no use here: in Python 3.11 it calls NAT64, 6to4 and IPv4-compatible addresses global although
a gateway or the kernel turns them into the private address inside. So this carries the registries' special-purpose
blocks (RFC 6890, RFC 4291, RFC 6052, RFC 3056, RFC 4380) itself, and in IPv6 knows global unicast and refuses the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from callwright.egress.urls import BadUrl, parse
from callwright.errors import SettingsError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# Where clouds keep the credentials of their machines (AWS, Google, Azure, Alibaba, Oracle).
METADATA = "metadata"

# The first block that holds an address names the rule, so narrow blocks stand before the wide ones around them.
_REFUSED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (METADATA, ("169.254.169.254/32", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32")),
    (METADATA, ("fd00:ec2::254/128", "fd20:ce::254/128")),
    ("unspecified", ("0.0.0.0/32", "::/128")),
    ("this network", ("0.0.0.0/8",)),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("carrier-grade NAT", ("100.64.0.0/10",)),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("benchmarking", ("198.18.0.0/15", "2001:2::/48")),
    ("6to4", ("192.88.99.0/24", "2002::/16")),
    ("Teredo", ("2001::/32",)),
    ("NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),
    ("IPv4-mapped", ("::ffff:0:0/96", "::ffff:0:0:0/96")),
    ("IPv4-compatible", ("::/96",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("broadcast", ("255.255.255.255/32",)),
    ("reserved", ("192.0.0.0/24", "240.0.0.0/4", "2001::/23")),
)
_RULES = tuple((name, ip_network(block)) for name, blocks in _REFUSED for block in blocks)
_GLOBAL_UNICAST = IPv6Network("2000::/3")

# Nobody has such an address for himself, so no network of his can be allowed.
_NOBODYS = frozenset({"unspecified", "this network", "multicast", "broadcast"})

# A tunnel's interface carries the IPv4 address it leads to (RFC 5214 §6.1), under whatever prefix.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
_EMBEDDING = frozenset({"NAT64", "IPv4-mapped", "IPv4-compatible", "ISATAP"})
_HOSTS_OF_THEIR_OWN = frozenset({IPv6Address("::"), IPv6Address("::1")})


class Veto:
    """Says which addresses are refused, and why."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        """`allow` lists CIDRs an operator exempts; each speaks for its own family, as written.

        Two things no wide network exempts: an address of cloud metadata, which must be listed by itself, and what an
        allowed IPv6 address embeds, which is judged as an IPv4 address of its own.
        """
        self._allow = tuple(_network(cidr) for cidr in allow)

    def refusal(self, address: str) -> str | None:
        """Why `address` (numeric, a zone id is ignored) is refused, as a sentence; None when it may be used."""
        ip = ip_address(address.partition("%")[0])
        rule = _rule(ip)
        if rule is None:
            return None
        name, block = rule
        refused = f"{ip} is refused: {name} ({block})"
        if name == METADATA:
            if any(network.num_addresses == 1 and ip in network for network in self._allow):
                return None
            return f"{refused}; if it must be reached, add {ip} itself to egress.allow"
        if not any(ip in network for network in self._allow):
            if name in _NOBODYS:
                return f"{refused}; no receiver has such an address, give the one it listens on"
            return f"{refused}; if this peer is yours, add its network to egress.allow"
        embedded = _embedded(ip)
        sentence = None if embedded is None else self.refusal(str(embedded))
        return None if sentence is None else f"{ip} leads to an IPv4 address: {sentence}"


def refusal_of_url(url: str, veto: Veto) -> str | None:
    """Why a URL can never be requested: it is malformed, or names an address that is refused; None if it may be."""
    try:
        target = parse(url)
    except BadUrl as error:
        return str(error)
    return veto.refusal(target.host) if target.literal else None


def _rule(ip: Address) -> tuple[str, str] | None:
    """The name of the rule that refuses an address, and the block it is about."""
    for name, network in _RULES:
        if ip in network:
            return name, str(network)
    if isinstance(ip, IPv6Address):
        if ip not in _GLOBAL_UNICAST:
            return "not global unicast", "outside 2000::/3"
        if int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP:
            return "ISATAP", "interface 0:5efe:…"
    return None


def _embedded(ip: Address) -> IPv4Address | None:
    """The IPv4 address that a gateway, a tunnel or the kernel would make of an IPv6 one."""
    if isinstance(ip, IPv4Address) or ip in _HOSTS_OF_THEIR_OWN:
        return None
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    rule = _rule(ip)
    return IPv4Address(int(ip) & 0xFFFF_FFFF) if rule is not None and rule[0] in _EMBEDDING else None


def _network(cidr: str) -> Network:
    try:
        return ip_network(cidr)
    except ValueError as error:
        raise SettingsError(f"egress.allow: {cidr!r} is not a network ({error}); write one like 10.1.0.0/16") from None
