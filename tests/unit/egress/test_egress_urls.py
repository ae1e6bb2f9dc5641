from __future__ import annotations

import pytest

from callwright.clock import SystemClock
from callwright.egress import BadUrl, EgressSettings, Url, parse
from callwright.egress.post import HttpDoor


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("http://a.test", Url("http", "a.test", 80, "/", "", "http://a.test/")),
        (
            "HTTPS://Hooks.Example.TEST:443/Voice",
            Url("https", "hooks.example.test", 443, "/Voice", "", "https://hooks.example.test/Voice"),
        ),
        ("http://a.test:443/", Url("http", "a.test", 443, "/", "", "http://a.test:443/")),
        (
            "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y#top",
            Url(
                "https",
                "hooks.example.test",
                8443,
                "/voice/cb",
                "b=2&a=x%20y",
                "https://hooks.example.test:8443/voice/cb?b=2&a=x%20y",
            ),
        ),
        ("http://a.test?x[]=1", Url("http", "a.test", 80, "/", "x[]=1", "http://a.test/?x[]=1")),
        ("http://a.test/a/../b//c?", Url("http", "a.test", 80, "/a/../b//c", "", "http://a.test/a/../b//c")),
        ("http://192.0.2.7:8080/", Url("http", "192.0.2.7", 8080, "/", "", "http://192.0.2.7:8080/")),
        ("http://[2001:DB8::7]:8080/x", Url("http", "2001:db8::7", 8080, "/x", "", "http://[2001:db8::7]:8080/x")),
        ("http://xn--bcher-kva.example/", Url("http", "xn--bcher-kva.example", 80, "/", "", "http://xn--bcher-kva.example/")),
        ("http://my_app:3000/", Url("http", "my_app", 3000, "/", "", "http://my_app:3000/")),
    ],
)
def test_a_url_is_written_the_way_it_goes_on_the_wire(text: str, parsed: Url) -> None:
    assert parse(text) == parsed
    assert parse(parsed.text) == parsed


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "scheme"),
        ("example.com/hook", "scheme"),
        ("ftp://a.test/", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://a.test/", "only http and https"),
        ("http:a.test", "no host"),
        ("http:///path", "no host"),
        ("http://", "no host"),
        ("http://user:secret@a.test/", "credentials"),
        ("http://user@a.test/", "credentials"),
        ("http://a.test:0/", "port 0"),
        ("http://a.test:65536/", "cannot be read"),
        ("http://a.test:http/", "cannot be read"),
        ("http://a.test/a b", "percent-encode"),
        ("http://a.test/\r\nX: y", "percent-encode"),
        ("http://a.test\\@b.test/", "percent-encode"),
        ("http://bücher.example/", "xn--"),
        ("http://127.0.0。1/", "xn--"),
        ("http://a..test/", "not a host name"),
        ("http://-a.test/", "not a host name"),
        ("http://a%2etest/", "not a host name"),
        ("http://" + "a" * 64 + ".test/", "not a host name"),
        ("http://2130706433/", "odd spelling"),
        ("http://0x7f000001/", "odd spelling"),
        ("http://0x7f.1/", "odd spelling"),
        ("http://127.1/", "odd spelling"),
        ("http://017700000001/", "odd spelling"),
        ("http://127.0.0.01/", "odd spelling"),
        ("http://127.0.0.1./", "odd spelling"),
        ("http://1.2.3.4.5/", "odd spelling"),
        ("http://256.1.1.1/", "odd spelling"),
        ("http://[fe80::1%25eth0]/", "zone id"),
        ("http://[fe80::1%eth0]/", "zone id"),
        ("http://[::g]/", "IPv6"),
        ("http://[v1.x]/", "IPv6"),
        ("http://[::1/", "cannot be read"),
        ("http://a.test/" + "x" * 2000, "at most 2000"),
    ],
)
def test_an_unusable_url_says_which_rule_it_breaks(text: str, rule: str) -> None:
    with pytest.raises(BadUrl, match=rule):
        parse(text)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://example.test/hook", None),
        ("https://10.1.2.3/hook", None),
        ("http://127.0.0.1:3000/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:10.1.2.3]/", "IPv4-mapped"),
        ("http://169.254.169.254/latest", "metadata"),
        ("mailto:a@b.test", "only http and https"),
    ],
)
def test_what_can_never_be_reached_is_refused_beforehand(url: str, rule: str | None) -> None:
    refusal = HttpDoor(EgressSettings(), SystemClock(), allow=["10.1.0.0/16"]).refusal(url)
    assert (refusal is None) if rule is None else (refusal is not None and rule in refusal)
