from __future__ import annotations

import aiohttp

from callwright.egress import Fault, parse
from callwright.egress.failures import MAX_SEEN, judged


def test_a_sentence_is_one_short_line_whatever_it_quotes() -> None:
    failed = judged(aiohttp.ClientOSError(f"a\x1b[31m\udcff\r\n  b\x00{'c' * 1_000}"), parse("http://hook.test/"))
    assert failed.fault is Fault.RESET
    assert "(a [31m b ccc" in failed.detail
    assert failed.detail.isprintable()
    assert len(failed.detail) < MAX_SEEN + 100


def test_an_error_that_says_nothing_is_named() -> None:
    failed = judged(aiohttp.ServerDisconnectedError(""), parse("http://hook.test/"))
    assert failed.detail == "hook.test closed the connection before its answer was whole (ServerDisconnectedError)"
