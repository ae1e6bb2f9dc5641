from __future__ import annotations

import pytest

from callwright.egress import EgressSettings
from callwright.egress.proxies import Proxy, fault_of, read


@pytest.mark.parametrize(
    ("text", "proxy", "url"),
    [
        ("http://proxy.test:3128", Proxy("proxy.test", 3128, None), "http://proxy.test:3128"),
        ("http://10.0.0.1:8080/", Proxy("10.0.0.1", 8080, None), "http://10.0.0.1:8080"),
        ("http://[fd00::1]:8080", Proxy("fd00::1", 8080, None), "http://[fd00::1]:8080"),
        ("http://Aladdin:open%20sesame@p.test:1", Proxy("p.test", 1, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "http://p.test:1"),
        ("http://me@p.test:1", Proxy("p.test", 1, "Basic bWU6"), "http://p.test:1"),
    ],
)
def test_a_proxy_is_read(text: str, proxy: Proxy, url: str) -> None:
    assert fault_of(text) is None
    assert read(text) == proxy
    assert proxy.url == url


def test_none_is_the_default() -> None:
    assert fault_of("") is None
    assert read("") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("proxy.test:3128", "begin with http://"),
        ("https://proxy.test:3128", "begin with http://"),
        ("socks5://proxy.test:3128", "begin with http://"),
        ("http://proxy.test", "host and a port"),
        ("http://:3128", "host and a port"),
        ("http://proxy.test:0", "host and a port"),
        ("http://proxy.test:65536", "cannot be read"),
        ("http://[::1:3128", "cannot be read"),
        ("http://u:hush@proxy.test:3128/x", "end after the port"),
        ("http://u:hush@proxy.test:3128?x", "end after the port"),
        ("http://u:hush@proxy.test:3128#x", "end after the port"),
        ("http://u:hu/sh@proxy.test:3128", "cannot be read"),
    ],
)
def test_what_is_no_proxy_is_told_without_its_password(text: str, told: str) -> None:
    fault = fault_of(text)
    assert fault is not None
    assert told in fault
    assert "hush" not in fault


def test_settings_with_a_password_are_not_shown() -> None:
    assert "hush" not in repr(EgressSettings(proxy="http://u:hush@p.test:1"))
