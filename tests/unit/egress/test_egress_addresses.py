from __future__ import annotations

import pytest

from callwright.egress.addresses import Veto
from callwright.errors import SettingsError

REMEDIES = dict.fromkeys(("unspecified", "this network", "multicast", "broadcast"), "give the one it listens on")


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "this network"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.100.100.200", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("127.0.0.53", "loopback"),
        ("169.254.170.2", "link-local"),
        ("192.0.0.170", "reserved"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "metadata"),
        ("169.254.169.254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "reserved"),
        ("192.0.0.192", "metadata"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("192.168.1.1", "private"),
        ("198.19.0.1", "benchmarking"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.7", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::ffff:0:127.0.0.1", "IPv4-mapped"),
        ("64:ff9b::7f00:1", "NAT64"),
        ("64:ff9b::8.8.8.8", "NAT64"),
        ("64:ff9b:1::a00:1", "NAT64"),
        ("64:ff9b:1:ffff:a9fe:a9fe::", "NAT64"),
        ("64:ff9b:2::1", "not global unicast"),
        ("::1.2.3.4", "IPv4-compatible"),
        ("::ffff:7f00:1", "IPv4-mapped"),
        ("2001:0:7f00:1::80ff:fffe", "Teredo"),
        ("2002:c0a8:101::1", "6to4"),
        ("2a00:1450:4001:80b:0:5efe:7f00:1", "ISATAP"),
        ("2a00:1450:4001:80b:200:5efe:a00:1", "ISATAP"),
        ("2001:10::1", "reserved"),
        ("2001::1", "Teredo"),
        ("2001:db8::1", "documentation"),
        ("2001:2::1", "benchmarking"),
        ("2001:20::1", "reserved"),
        ("2002:7f00:1::", "6to4"),
        ("3fff::1", "documentation"),
        ("100::1", "not global unicast"),
        ("5f00::1", "not global unicast"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
    ],
)
def test_special_address_is_refused_with_its_rule_and_the_remedy(address: str, rule: str) -> None:
    sentence = Veto().refusal(address)
    assert sentence is not None
    assert f"is refused: {rule} (" in sentence
    remedy = REMEDIES.get(rule, "add its network to egress.allow")
    assert sentence.endswith(f"add {address} itself to egress.allow" if rule == "metadata" else remedy)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2620:fe::fe",
        "2a00:1450::1",
    ],
)
def test_public_address_is_taken(address: str) -> None:
    assert Veto().refusal(address) is None


@pytest.mark.parametrize(
    ("allow", "address", "taken"),
    [
        (["127.0.0.0/8"], "127.0.0.1", True),
        (["127.0.0.0/8"], "::1", False),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", False),
        (["127.0.0.0/8"], "10.0.0.1", False),
        (["10.1.0.0/16", "fd00::/8"], "10.1.2.3", True),
        (["10.1.0.0/16", "fd00::/8"], "10.2.0.1", False),
        (["10.1.0.0/16", "fd00::/8"], "fd12::1", True),
        (["::1/128"], "::1", True),
        (["169.254.169.254/32"], "169.254.169.254", True),
        # wide networks leave metadata out
        (["169.254.0.0/16"], "169.254.169.254", False),
        (["169.254.0.0/16"], "169.254.1.1", True),
        (["100.64.0.0/10"], "100.100.100.200", False),
        (["fd00::/8"], "fd00:ec2::254", False),
        (["0.0.0.0/0", "::/0"], "169.254.169.254", False),
        # what an allowed address embeds must be allowed too
        (["64:ff9b::/96"], "64:ff9b::8.8.8.8", True),
        (["64:ff9b::/96"], "64:ff9b::10.0.0.1", False),
        (["64:ff9b::/96", "10.0.0.0/8"], "64:ff9b::10.0.0.1", True),
        (["64:ff9b::/96", "0.0.0.0/0"], "64:ff9b::169.254.169.254", False),
        (["64:ff9b:1::/48"], "64:ff9b:1::7f00:1", False),
        (["::ffff:0:0/96"], "::ffff:127.0.0.1", False),
        (["::/0"], "::ffff:127.0.0.1", False),
        (["::/0", "127.0.0.0/8"], "::ffff:127.0.0.1", True),
        (["::/0"], "::7f00:1", False),
        (["2002::/16"], "2002:7f00:1::", False),
        (["2002::/16"], "2002:808:808::", True),
        (["2001::/32"], "2001:0:808:808::80ff:fffe", False),  # Teredo, of a client at 127.0.0.1
        (["2a00::/12"], "2a00:1450:4001:80b:0:5efe:7f00:1", False),
        (["::/0"], "::1", True),
    ],
)
def test_the_operators_list_exempts_exactly_what_it_names(allow: list[str], address: str, taken: bool) -> None:
    assert (Veto(allow).refusal(address) is None) is taken


@pytest.mark.parametrize("cidr", ["10.0.0.1/8", "localhost", "", "10.0.0.0/33"])
def test_a_list_entry_that_is_no_network_is_named(cidr: str) -> None:
    with pytest.raises(SettingsError, match=r"egress\.allow"):
        Veto([cidr])


@pytest.mark.parametrize("address", ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255"])
def test_an_address_that_nobody_has_is_not_to_be_allowed(address: str) -> None:
    sentence = Veto().refusal(address)
    assert sentence is not None
    assert sentence.endswith("; no receiver has such an address, give the one it listens on")
    assert "egress.allow" not in sentence
