from __future__ import annotations

import aiohttp
import pytest
import yarl
from multidict import CIMultiDict, CIMultiDictProxy

from callwright.egress import Fault, parse
from callwright.egress.failures import MAX_SEEN, judged
from callwright.egress.sockets import AddressRefused

SECRET = "http://hook.test/t0ken/in?key=s3cret"


def test_a_sentence_is_one_short_line_whatever_it_quotes() -> None:
    failed = judged(aiohttp.ClientOSError(f"a\x1b[31m\udcff\r\n  b\x00{'c' * 1_000}"), parse("http://hook.test/"))
    assert failed.fault is Fault.RESET
    assert "(a [31m b ccc" in failed.detail
    assert failed.detail.isprintable()
    assert len(failed.detail) < MAX_SEEN + 100


def test_an_error_that_says_nothing_is_named() -> None:
    failed = judged(aiohttp.ServerDisconnectedError(""), parse("http://hook.test/"))
    assert failed.detail == "hook.test closed the connection before its answer was whole (ServerDisconnectedError)"


def not_http(message: str) -> aiohttp.ClientResponseError:
    request = aiohttp.RequestInfo(yarl.URL(SECRET), "POST", CIMultiDictProxy(CIMultiDict()), yarl.URL(SECRET))
    return aiohttp.ClientResponseError(request, (), status=400, message=message)


@pytest.mark.parametrize(
    "error",
    [
        not_http("Too many headers received"),
        not_http("Bad status line: b'POST /t0ken/in?key=s3cret HTTP/1.1'"),
        not_http("Bad status line: b'GET /t0ken/in'"),
        aiohttp.InvalidURL(yarl.URL(SECRET), f"cannot be used: {SECRET}"),
        aiohttp.InvalidURL(yarl.URL(SECRET)),
        aiohttp.ClientPayloadError(f"400, url={SECRET!r}"),
    ],
    ids=str,
)
def test_path_and_query_are_told_to_nobody(error: Exception) -> None:
    detail = judged(error, parse(SECRET)).detail
    assert "t0ken" not in detail
    assert "s3cret" not in detail
    assert "hook.test" in detail


@pytest.mark.parametrize("seen", ["Too many headers received", "Got more than 8190 bytes when reading: b'yyy...'."])
def test_headers_that_are_too_large_are_called_so(seen: str) -> None:
    failed = judged(not_http(seen), parse(SECRET))
    assert failed.fault is Fault.PROTOCOL
    assert failed.detail == f"hook.test answered with headers too large ({seen}); let it send fewer and shorter ones"


def test_a_tls_alert_to_plain_http_is_told_as_such() -> None:
    alert = "Bad status line: Expected HTTP/: b'\\x15\\x03\\x03\\x00\\x02\\x02F'"
    assert judged(not_http(alert), parse(SECRET)).detail.endswith("; that port speaks TLS, write https:// in the URL")


def test_an_address_that_is_refused_is_said_once() -> None:
    refused = AddressRefused("10.0.0.1 is refused: private (10.0.0.0/8)")
    assert judged(refused, parse("http://10.0.0.1/")).detail == "10.0.0.1 is refused: private (10.0.0.0/8)"
    assert judged(refused, parse(SECRET)).detail == "hook.test: 10.0.0.1 is refused: private (10.0.0.0/8)"
