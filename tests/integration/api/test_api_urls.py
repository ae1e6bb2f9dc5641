"""URLs that can never be requested are refused where they are given, each with the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.asgi import Reply
from support.rest import Rest

REFUSED = [
    ("https://user:pass@hooks.test/", "carries credentials"),
    ("https://user@hooks.test/", "carries credentials"),
    ("ftp://hooks.test/", "only http and https are spoken"),
    ("file:///etc/passwd", "only http and https are spoken"),
    ("javascript:alert(1)", "only http and https are spoken"),
    ("gopher://hooks.test/", "only http and https are spoken"),
    ("hooks.test/voice", "only http and https are spoken"),
    ("https://", "has no host"),
    ("https:///voice", "has no host"),
    ("https://bücher.test/", "xn--"),
    ("https://hooks.test/größe", "percent-encode"),
    ("https://hooks。test/", "xn--"),
    ("https://１２７.0.0.1/", "xn--"),
    ("https://[fe80::1%25eth0]/", "zone id"),
    ("https://[fe80::1%eth0]/", "zone id"),
    ("https://[::g]/", "IPv6"),
    ("https://[::1/", "cannot be read"),
    ("https://2130706433/", "odd spelling"),
    ("https://0x7f000001/", "odd spelling"),
    ("https://0177.0.0.1/", "odd spelling"),
    ("https://127.1/", "odd spelling"),
    ("https://127.0.0.1./", "odd spelling"),
    ("https://hooks.test:0/", "port 0"),
    ("https://hooks.test:65536/", "cannot be read"),
    ("https://hooks.test:-1/", "cannot be read"),
    ("https://hooks.test:x/", "cannot be read"),
    ("https://hooks.test\\@evil.test/", "percent-encode"),
    ("https://hooks.test/a b", "percent-encode"),
    ("https://hooks.test/a\tb", "percent-encode"),
    ("https://hooks.test/\r\nX-Injected: 1", "percent-encode"),
    ("https://hooks.test/\x00", "percent-encode"),
    (" https://hooks.test/", "percent-encode"),
    ("https://hooks.test/<script>", "percent-encode"),
    ("https://-hooks.test/", "not a host name"),
    ("https://hooks..test/", "not a host name"),
    ("https://hooks%2etest/", "not a host name"),
    ("https://hooks.test/" + "x" * 2_000, "at most 2000"),
    ("https://127.0.0.1/", "loopback"),
    ("https://[::1]/", "loopback"),
    ("https://10.0.0.1/", "private"),
    ("https://169.254.169.254/latest/meta-data", "metadata"),
    ("https://[::ffff:10.0.0.1]/", "IPv4-mapped"),
    ("https://[64:ff9b::10.0.0.1]/", "NAT64"),
    ("https://0.0.0.0/", "unspecified"),
]

Given = Callable[[str], tuple[str, str, object]]


def _call(url: str) -> tuple[str, str, object]:
    steps = [{"action": "hangup"}]
    body = {"source": "31205550100", "destination": "31205550123", "callFlow": {"steps": steps}, "webhook": {"url": url}}
    return "POST", "/calls", body


def _flow(action: str, option: str, url: str) -> tuple[str, str, object]:
    return "POST", "/call-flows", {"steps": [{"action": action, "options": {option: url}}]}


def _play(url: str) -> tuple[str, str, object]:
    return _flow("play", "media", url)


def _fetch(url: str) -> tuple[str, str, object]:
    return _flow("fetchCallFlow", "url", url)


def _on_finish(url: str) -> tuple[str, str, object]:
    return _flow("record", "onFinish", url)


PLACES: list[tuple[Given, str]] = [
    (lambda url: ("POST", "/webhooks", {"url": url}), "url"),
    (lambda url: ("POST", "/numbers/31205550123/webhook", {"url": url}), "url"),
    (_call, "webhook.url"),
    (_play, "steps[0].options.media"),
    (_fetch, "steps[0].options.url"),
    (_on_finish, "steps[0].options.onFinish"),
]


def told(reply: Reply) -> tuple[int, str, str]:
    (error,) = reply.json["errors"]
    return reply.status, error["parameter"], error["message"]


@pytest.mark.parametrize(("given", "parameter"), PLACES, ids=["webhook", "number", "call", "play", "fetchCallFlow", "onFinish"])
async def test_a_url_that_can_never_be_requested_is_refused(rest: Rest, given: Given, parameter: str) -> None:
    for url, rule in REFUSED:
        if url.startswith("file:") and given is _play:
            continue  # names a sound of the operator
        status, named, message = told(await rest.live(*given(url)))
        assert (status, named) == (422, parameter), url
        # what is no URL at all is told so by the flow's own rules
        assert rule in message or (parameter.startswith("steps") and "is not a URL: http:// or https://" in message), (
            url,
            message,
        )
    for path in ("/webhooks", "/call-flows", "/calls", "/numbers"):
        assert (await rest.live("GET", path)).json["data"] == []


@pytest.mark.parametrize(("given", "parameter"), PLACES, ids=["webhook", "number", "call", "play", "fetchCallFlow", "onFinish"])
async def test_a_url_that_may_be_requested_is_taken(rest: Rest, given: Given, parameter: str) -> None:
    for url in (
        "https://hooks.example.test/voice?a=%20#top",
        "HTTP://Hooks.example.test:8080",
        "https://xn--bcher-kva.example/a.wav",
        "https://8.8.8.8/",
        "https://[2a00:1450::1]:8443/",
    ):
        assert (await rest.live(*given(url))).status == 201, url


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_webhook_keeps_its_url_when_the_new_one_is_refused(rest: Rest, method: str) -> None:
    (webhook,) = (await rest.live("POST", "/webhooks", {"url": "https://hooks.test/"})).json["data"]
    path = f"/webhooks/{webhook['id']}"
    for url, rule in REFUSED:
        status, named, message = told(await rest.live(method, path, {"url": url}))
        assert (status, named) == (422, "url"), url
        assert rule in message
    assert (await rest.live("GET", path)).json["data"] == [webhook]
