"""The vendor's Python library and `standardwebhooks`, as published, and our own module, verify what a server sends."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator
from messagebird.signed_request import SignedRequest
from standardwebhooks import Webhook, WebhookVerificationError

from callwright.webhooks.verify import BadSignature, verify, verify_jwt, verify_request, verify_token
from support.heard import AFTER, BEFORE, TOKEN, Heap, Heard

# The older class compares times to seconds; how long this machine takes to get here is not what is tested.
RECENT_S = 3_600


def by_jwt(heard: Heard, key: str) -> bool:
    try:
        RequestValidator(key).validate_signature(heard.headers["messagebird-signature-jwt"], heard.url, heard.body)
    except ValidationError:
        return False
    return True


def by_request(heard: Heard, key: str) -> bool:
    headers, query = heard.headers, parse_qs(urlsplit(heard.url).query, keep_blank_values=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the vendor's own, of its older scheme
        signed = SignedRequest(
            headers["messagebird-signature"], headers["messagebird-request-timestamp"], heard.body.decode("latin-1"), query
        )
        return bool(signed.verify(key) and signed.is_recent(RECENT_S))


def by_standard(heard: Heard, secret: str) -> bool:
    try:
        event = Webhook(secret).verify(heard.body, heard.headers)
    except WebhookVerificationError:
        return False
    assert event["items"]
    return True


def by_ours(check: Callable[..., Any], heard: Heard, secret: str, **more: Any) -> bool:
    try:
        event = check(heard.body, heard.headers, secret, **more)
    except BadSignature:
        return False
    return bool(event.id == heard.headers["webhook-id"] and event.sequence == 1)


def test_every_attempt_is_believed(heap: Heap, stage: str) -> None:
    """While a rotation lasts, headers with one signature are of the old secret, and the other has both."""
    good = heap.new if stage == AFTER else heap.old
    bad = heap.old if stage == AFTER else heap.new
    assert (heap.old == heap.new) is (stage == BEFORE)
    for heard in heap.posted:
        assert by_jwt(heard, good.key)
        assert by_request(heard, good.key)
        assert by_ours(verify_jwt, heard, good.key, url=heard.url)
        assert by_ours(verify_request, heard, good.key, url=heard.url, tolerance=RECENT_S)
        if stage != BEFORE:
            assert not by_jwt(heard, bad.key)
            assert not by_request(heard, bad.key)
        for secrets, right in ((heap.old, stage != AFTER), (heap.new, True)):
            secret = secrets.with_token if heard.has_token else secrets.without
            assert by_standard(heard, secret) is right
            assert by_ours(verify, heard, secret) is right
        if heard.has_token:
            assert by_ours(verify_token, heard, TOKEN[::-1] if stage == AFTER else TOKEN)
        assert ("x-messagebird-signature" in heard.headers) is heard.has_token


def test_a_fetched_flow_is_signed_by_the_same_key(heap: Heap, stage: str) -> None:
    good = heap.new if stage == AFTER else heap.old
    assert by_jwt(heap.fetched, good.key)
    assert by_request(heap.fetched, good.key)
    if stage != BEFORE:
        assert not by_jwt(heap.fetched, (heap.old if stage == AFTER else heap.new).key)


def test_an_attempt_is_signed_anew_and_sends_the_same(heap: Heap) -> None:
    by_url: dict[str, list[Heard]] = {}
    for heard in heap.posted:
        by_url.setdefault(heard.url, []).append(heard)
    assert len(by_url) == 6
    for first, second in by_url.values():
        assert (first.attempt, second.attempt) == (1, 2)
        assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
        for name in ("webhook-timestamp", "webhook-signature", "messagebird-signature", "messagebird-signature-jwt"):
            assert first.headers[name] != second.headers[name]


@pytest.mark.parametrize("stage", [BEFORE], indirect=True)
def test_they_tell_what_is_wrong(heap: Heap) -> None:
    """Nothing above would mean anything if they took whatever comes."""
    heard = heap.posted[0]
    for forged in (heard._replace(body=heard.body + b" "), heard._replace(url=f"{heard.url}?more=1")):
        assert not by_jwt(forged, heap.new.key)
        assert not by_request(forged, heap.new.key)
    assert not by_standard(heard._replace(body=heard.body + b" "), heap.new.without)
    assert not by_standard(heard._replace(headers={**heard.headers, "webhook-id": "another"}), heap.new.without)
