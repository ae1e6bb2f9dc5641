"""The receiver of callbacks that tests have."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from callwright.testing import SimulatedCalls, WebhookInbox
from callwright.webhooks.signature import standard_headers

CALL, OTHER = "01a218c7-7777-7cd0-91e2-d6b22fa76cbf", "01a218c8-7777-7cd0-91e2-d6b22fa76cbf"


@pytest.fixture
def inbox() -> Iterator[WebhookInbox]:
    inbox = WebhookInbox()
    yield inbox
    inbox.close()


def post(
    inbox: WebhookInbox, event: str, status: str, n: int, *, call: str = CALL, secret: str | None = None, **payload: Any
) -> int:
    """The status that was answered."""
    body = json.dumps({"items": [{"event": event, "payload": {"id": call, "status": status, **payload}}]}).encode()
    id_ = f"{call}-{n}"
    signed = standard_headers(id_, body, [secret or inbox.token], time.time_ns() // 1000)
    headers = {"webhook-id": id_, "webhook-sequence": str(n), **dict(signed)}
    where = urlsplit(inbox.url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)) as link:
        link.request("POST", "/", body, headers)
        return link.getresponse().status


def test_callbacks_are_kept_verified_and_found(inbox: WebhookInbox) -> None:
    assert post(inbox, "callCreated", "starting", 1) == 200
    post(inbox, "callCreated", "starting", 1, call=OTHER)
    post(inbox, "callUpdated", "ended", 2)
    found = inbox.wait_for("callUpdated", status="ended", call=CALL)
    assert (found.event, found.status, found.call_id, found.sequence, found.verified) == ("callUpdated", "ended", CALL, 2, True)
    assert [one.sequence for one in inbox.of_call(CALL)] == [1, 2]
    assert inbox.wait_for(call=OTHER).event == "callCreated"
    assert len(inbox.events) == 3
    inbox.clear()
    assert inbox.events == []


def test_what_is_still_to_come_is_waited_for(inbox: WebhookInbox) -> None:
    later = threading.Timer(0.05, post, (inbox, "callUpdated", "ended", 1))
    later.start()
    assert inbox.wait_for("callUpdated").status == "ended"
    later.join()


def test_what_came_instead_is_told(inbox: WebhookInbox) -> None:
    with pytest.raises(
        AssertionError, match=r"callUpdated of call 7 with status 'ended' did not come within 0 s\. Nothing was"
    ):
        inbox.wait_for("callUpdated", status="ended", call=7, within=0)
    post(inbox, "callCreated", "starting", 1)
    with pytest.raises(AssertionError, match=rf"came to {inbox.url}:\n  <Callback 1 callCreated starting of {CALL}>"):
        inbox.wait_for("callUpdated", within=0)


def test_a_callback_signed_with_another_secret_is_not_believed(inbox: WebhookInbox) -> None:
    post(inbox, "callCreated", "starting", 1, secret="somebody else's")
    with pytest.raises(AssertionError, match="cannot be trusted: webhook-signature was not made with"):
        inbox.wait_for("callCreated")
    assert [one.verified for one in inbox.received] == [False]
    inbox.trust("somebody else's")
    assert inbox.wait_for("callCreated").verified


def test_a_callback_before_its_time_is_told_of(inbox: WebhookInbox) -> None:
    post(inbox, "callUpdated", "ended", 2)
    post(inbox, "callCreated", "starting", 1)
    with pytest.raises(AssertionError, match="came after number 2 of its call"):
        inbox.of_call(CALL)


def test_answers_can_be_made_to_fail_and_what_is_sent_again_counts_once(inbox: WebhookInbox) -> None:
    inbox.answers(500, times=2)
    inbox.answers(204)
    assert [post(inbox, "callCreated", "starting", 1) for _ in range(4)] == [500, 500, 204, 204]
    assert [one.answered for one in inbox.received] == [500, 500, 204, 204]
    assert [one.sequence for one in inbox.of_call(CALL)] == [1]
    inbox.answers(410)
    assert post(inbox, "callUpdated", "ended", 2) == 410
    assert "answered 410" in inbox.summary
    inbox.clear()
    assert post(inbox, "callUpdated", "ended", 2) == 200


def test_what_is_sent_again_later_stays_where_it_was(inbox: WebhookInbox) -> None:
    for n in (1, 2, 1):
        post(inbox, "callUpdated", "ongoing", n)
    assert [one.sequence for one in inbox.of_call(CALL)] == [1, 2]
    assert [one.sequence for one in inbox.received] == [1, 2, 1]


@pytest.mark.parametrize(
    ("headers", "body", "answered"),
    [
        ({}, b"[" * 100_000, 200),
        ({"webhook-sequence": "9" * 5_000}, b'{"items": [{"event": 1, "payload": {"callId": null}}]}', 200),
        ({"Content-Length": "some"}, b"", 411),
        ({"Content-Length": "9" * 5_000}, b"", 413),
        ({"Content-Length": str(1 << 40)}, b"", 413),
        ({"Transfer-Encoding": "chunked"}, b"", 411),
    ],
)
def test_nonsense_is_told_of_and_not_believed(
    headers: dict[str, str], body: bytes, answered: int, inbox: WebhookInbox, capfd: pytest.CaptureFixture[str]
) -> None:
    where = urlsplit(inbox.url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)) as link:
        link.putrequest("POST", "/")
        for name, value in {**({"Content-Length": str(len(body))} if body else {}), **headers}.items():
            link.putheader(name, value)
        link.endheaders(body or None)
        assert link.getresponse().status == answered
    assert [(one.sequence, one.verified) for one in inbox.received] == ([(None, False)] if answered == 200 else [])
    assert inbox.summary
    assert capfd.readouterr().err == ""


def test_what_is_no_callback_is_kept_too(inbox: WebhookInbox) -> None:
    where = urlsplit(inbox.url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)) as link:
        link.request("POST", "/elsewhere?a=1", b"hello")
        assert link.getresponse().status == 200
    (one,) = inbox.received
    assert (one.item, one.event, one.verified, one.url) == ({}, "", False, f"{inbox.url}elsewhere?a=1")


def test_a_simulated_call_is_told_to_an_inbox(inbox: WebhookInbox) -> None:
    calls = SimulatedCalls()
    inbox.answers(503, times=1)
    call = calls([{"action": "pause", "options": {"length": 600}}], deliver_to=[inbox, f"{inbox.url}without-a-token"])
    calls.close()
    assert [(one.state, one.attempts) for one in call.deliveries].count(("delivered", 1)) == 5
    assert inbox.of_call(call) == inbox.of_call(call.id)
    assert {one.status for one in inbox.of_call(call)} == {"starting", "ongoing", "ended"}
    assert call.seconds == 600.0
    assert inbox.wait_for("callUpdated", status="ended", call=call, within=0).verified
