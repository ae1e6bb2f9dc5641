from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict
from itertools import pairwise
from typing import Any, NoReturn
from uuid import UUID

import pytest

from callwright.calls.events import Event
from callwright.egress import Answer, Fault
from callwright.errors import StoreUnavailable, Unreadable
from callwright.store import Change, Store
from callwright.store.change import Param
from callwright.webhooks import heirs, ledger, signature
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.model import Endpoint, Scope, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import NUMBER, OK, OTHER_WORLD, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
BLOB = b"x" * 16
DAY = 86_400
DOWN = failing(Fault.HTTP_ERROR, 503)


def test_an_event_is_delivered_at_once_with_its_headers_and_recorded() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url="HTTPS://A.test/hook?b=2&a=1", token="t0ken")
        await stage.sleep(10.25)
        await stage.events(7)
        await stage.sleep(0.001)
        (sent,) = stage.receivers.sent
        assert (sent.at_s, sent.url, sent.body) == (10.25, "https://a.test/hook?b=2&a=1", b"7#1#callCreated")
        jwt = sent.headers.pop("MessageBird-Signature-JWT")
        assert sent.headers == {
            "Content-Type": "application/json",
            "webhook-id": str(UUID(int=7 << 32 | 1)),
            "webhook-sequence": "1",
            "webhook-timestamp": str(START_US // 1_000_000 + 10),
            "webhook-signature": signature.standard_signature(
                "t0ken", str(UUID(int=7 << 32 | 1)), START_US // 1_000_000 + 10, b"7#1#callCreated"
            ),
            "MessageBird-Request-Timestamp": str(START_US // 1_000_000 + 10),
            "MessageBird-Signature": signature.request_signature(
                "signing key of world 1", START_US // 1_000_000 + 10, "a=1&b=2", b"7#1#callCreated"
            ),
            "X-MessageBird-Signature": signature.token_signature("t0ken", b"7#1#callCreated"),
        }
        assert _claims(jwt)["nbf"] == START_US // 1_000_000 + 10
        (delivery,) = stage.deliveries(7)
        assert (delivery.state, delivery.attempts, delivery.last_status, delivery.last_error) == (State.DELIVERED, 1, 200, None)
        assert (delivery.scope, delivery.kind, delivery.next_at_us) == (Scope.ACCOUNT, "callCreated", None)
        assert delivery.settled_us == START_US + 10_250_000
        assert stage.results == {"delivered": 1}
        assert webhook.target == sent.url

    on_stage(play)


def test_the_whole_ladder_then_exhausted() -> None:
    async def play(stage: Stage) -> list[Sent]:
        await stage.webhooks.create(WORLD, url=URL, token="t")
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1)
        await stage.sleep(5 * DAY)
        (delivery,) = stage.deliveries(1)
        assert (delivery.state, delivery.last_status, delivery.last_error) == (State.EXHAUSTED, 503, "http_error")
        assert delivery.attempts == len(stage.receivers.sent)
        assert delivery.body == b"1#1#callCreated"
        assert stage.results == {"failed": len(stage.receivers.sent) - 1, "exhausted": 1}
        return stage.receivers.sent

    sent = on_stage(play)
    waits = [round(b.at_s - a.at_s, 2) for a, b in pairwise(sent)]
    assert waits == [5, 30, 120, 600, 3600, *[3600] * (len(waits) - 5)]
    assert 3 * DAY - 3600 < sent[-1].at_s <= 3 * DAY
    # The same body and id each time, signed anew each time.
    assert {(each.body, each.headers["webhook-id"], each.headers["webhook-sequence"]) for each in sent} == {
        (b"1#1#callCreated", str(UUID(int=1 << 32 | 1)), "1")
    }
    stamps = [int(each.headers["MessageBird-Request-Timestamp"]) for each in sent]
    assert stamps == [START_US // 1_000_000 + int(each.at_s) for each in sent]
    assert len({each.headers["MessageBird-Signature"] for each in sent}) == len(sent)
    assert len({_claims(each.headers["MessageBird-Signature-JWT"])["jti"] for each in sent}) == len(sent)


def test_jitter_only_ever_adds_its_share() -> None:
    settings = WebhookSettings(jitter=0.1)
    at = [settings.next_attempt_us(attempts=2, created_us=0, now_us=0, chance=chance) for chance in (0.0, 0.5, 1.0)]
    assert at == [30_000_000, 31_500_000, 33_000_000]


@pytest.mark.parametrize(
    ("attempts", "now_s", "next_s"),
    [(1, 0, 5), (5, 1000, 4600), (6, 4600, 8200), (70, 255_600, 259_200), (70, 255_601, None), (1, 259_196, None)],
)
def test_ladder_table(attempts: int, now_s: int, next_s: int | None) -> None:
    at = WebhookSettings(jitter=0.0).next_attempt_us(attempts=attempts, created_us=0, now_us=now_s * 1_000_000, chance=0.9)
    assert at == (None if next_s is None else next_s * 1_000_000)


def test_events_of_a_call_keep_their_order_when_some_fail() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        failures = {2: 3, 4: 1}

        def answer(sent: Sent) -> Answer:
            if failures.get(sent.sequence, 0):
                failures[sent.sequence] -= 1
                return failing(Fault.RESET)
            return OK

        stage.receivers.answer = answer
        await stage.events(1, 5)
        await stage.sleep(1000)
        assert [sent.sequence for sent in stage.receivers.sent] == [1, 2, 2, 2, 2, 3, 4, 4, 5]
        assert [sent.at_s for sent in stage.receivers.sent] == pytest.approx([0, 0, 5, 35, 155, 155, 155, 160, 160], abs=0.01)
        assert [delivery.state for delivery in stage.deliveries(1)] == [State.DELIVERED] * 5
        assert stage.receivers.most[URL] == 1

    on_stage(play)


def test_an_exhausted_event_lets_the_next_one_go() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 400) if sent.sequence == 1 else OK
        await stage.events(1, 2)
        await stage.sleep(60)
        assert [sent.sequence for sent in stage.receivers.sent] == [1, 1, 1]
        await stage.sleep(100)
        assert [delivery.state for delivery in stage.deliveries(1)] == [State.EXHAUSTED, State.DELIVERED]
        assert [sent.sequence for sent in stage.receivers.sent] == [1, 1, 1, 1, 2]
        assert stage.receivers.sent[-1].headers["webhook-gap"] == "1"

    on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0, give_up_after=160.0))


def test_two_calls_do_not_wait_for_one_another() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)

        async def answer(sent: Sent) -> Answer:
            if sent.call == 1:
                await stage.sleep(60)
            return OK

        stage.receivers.answer = answer
        await stage.events(1, 2)
        await stage.events(2, 3)
        await stage.sleep(0.01)
        assert [(sent.call, sent.sequence) for sent in stage.receivers.sent] == [(1, 1), (2, 1), (2, 2), (2, 3)]
        await stage.sleep(9.98)
        assert stage.deliveries(1)[0].attempts == 0
        await stage.sleep(0.02)
        (head, second) = stage.deliveries(1)
        assert (head.state, head.attempts, head.last_status, head.last_error) == (State.PENDING, 1, None, "timeout")
        assert (second.attempts, second.next_at_us) == (0, None)

    on_stage(play)


def test_one_call_has_a_lane_for_each_receiver() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url="https://down.test/")
        await stage.webhooks.create(WORLD, url="https://up.test/")
        stage.receivers.answer = lambda sent: DOWN if "down" in sent.url else OK
        await stage.events(1, 3)
        await stage.sleep(1)
        up = [sent.sequence for sent in stage.receivers.sent if "up" in sent.url]
        assert (up, len(stage.receivers.sent)) == ([1, 2, 3], 4)

    on_stage(play)


def test_what_was_pending_is_delivered_after_a_restart_with_the_same_id_and_body() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1, 2)
        await stage.events(2)
        await stage.sleep(1)
        await stage.stop()
        # Committed while nobody delivers.
        await stage.events(2)
        await stage.events(3)
        before = list(stage.receivers.sent)
        stage.receivers.answer = lambda sent: OK
        stage.render = _changed_render
        await stage.restart()
        await stage.sleep(10)
        after = stage.receivers.sent[len(before) :]
        assert [(sent.call, sent.sequence) for sent in before] == [(1, 1), (2, 1)]
        assert sorted((sent.call, sent.sequence) for sent in after) == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]
        assert _in_order(after)
        ids = {(sent.call, sent.sequence): (sent.headers["webhook-id"], sent.body) for sent in before}
        assert ids == {
            (sent.call, sent.sequence): (sent.headers["webhook-id"], sent.body)
            for sent in after
            if (sent.call, sent.sequence) in ids
        }
        # What had been fanned out before keeps the body it got then; the rest is rendered now.
        assert {sent.body for sent in after if sent.body.endswith(b"new")} == {b"2#2#new", b"3#1#new"}

    on_stage(play)


def test_an_attempt_cut_off_by_the_stop_is_made_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)

        async def answer(sent: Sent) -> Answer:
            await stage.sleep(9)
            return OK

        stage.receivers.answer = answer
        await stage.events(1)
        await stage.sleep(1)
        await stage.stop()
        assert stage.deliveries(1)[0].state is State.PENDING
        assert (stage.clock.now_us() - START_US) / 1e6 == pytest.approx(4, abs=0.01)
        await stage.restart()
        await stage.sleep(20)
        assert stage.deliveries(1)[0].state is State.DELIVERED
        assert len({sent.headers["webhook-id"] for sent in stage.receivers.sent}) == 1

    on_stage(play)


def test_the_stop_waits_for_an_answer_that_comes_soon() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)

        async def answer(sent: Sent) -> Answer:
            await stage.sleep(2)
            return OK

        stage.receivers.answer = answer
        await stage.events(1, 2)
        await stage.sleep(1)
        await stage.stop()
        assert [delivery.state for delivery in stage.deliveries(1)] == [State.DELIVERED, State.PENDING]

    on_stage(play)


def test_a_lost_wake_costs_no_more_than_the_poll() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        stage.deliverer.wake = lambda world_id, call_id: None  # type: ignore[method-assign]
        await stage.sleep(1)
        await stage.events(1)
        await stage.sleep(20)
        assert [sent.at_s for sent in stage.receivers.sent] == [15]

    on_stage(play, WebhookSettings(poll=15.0))


def test_limits_in_all_and_for_one_endpoint() -> None:
    async def play(stage: Stage) -> None:
        for host in ("a", "b", "c"):
            await stage.webhooks.create(WORLD, url=f"https://{host}.test/x?{host}")

        async def answer(sent: Sent) -> Answer:
            await stage.sleep(0.9)
            return OK

        stage.receivers.answer = answer
        for call in range(1, 21):
            await stage.events(call)
        await stage.sleep(0.5)
        assert stage.receivers.under_way[""] == 10
        await stage.sleep(100)
        assert len(stage.receivers.sent) == 60
        assert stage.receivers.most == {"": 10, "https://a.test/x": 4, "https://b.test/x": 4, "https://c.test/x": 4}
        assert stage.receivers.sent[-1].at_s in (4.5, 5.4)  # 60 posts of 0.9 s, 10 at a time, the last few 4 at a time

    on_stage(play, WebhookSettings(concurrency=10, per_endpoint=4))


def test_a_hanging_endpoint_leaves_the_others_their_turn() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url="https://hangs.test/")
        await stage.webhooks.create(WORLD, url="https://works.test/")

        async def answer(sent: Sent) -> Answer:
            await stage.sleep(1000 if "hangs" in sent.url else 0.01)
            return OK

        stage.receivers.answer = answer
        for call in range(1, 101):
            await stage.events(call)
        await stage.sleep(1)
        assert sum("works" in sent.url for sent in stage.receivers.sent) == 100

    on_stage(play, WebhookSettings(concurrency=20, per_endpoint=16))


def test_a_backlog_is_read_from_the_database_in_bites() -> None:
    async def play(stage: Stage) -> None:
        for host in range(5):
            await stage.webhooks.create(WORLD, url=f"https://{host}.test/")
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 500) if sent.call % 8 else OK
        for call in range(1, 301):
            await stage.events(call, 2)
        await stage.sleep(4)
        lanes = stage.deliverer._lanes
        assert len(lanes._queues) <= 3
        assert not any(queue.held for queue in lanes._queues.values())  # nothing is due, nothing is held
        stage.receivers.sent.clear()
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(30)
        assert len(stage.receivers.sent) == 5 * (300 - 37) * 2
        assert _in_order(stage.receivers.sent)
        assert len(lanes._queues) <= 3

    on_stage(play, WebhookSettings(endpoints=3, poll=3600.0))


def test_a_store_that_fails_for_a_while_loses_nothing_and_repeats_nothing() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        store = stage.store
        answering = asyncio.Event()

        async def answer(sent: Sent) -> Answer:
            await answering.wait()
            return OK

        stage.receivers.answer = answer
        await stage.events(1)
        await stage.sleep(1)
        broken = _break_commits(store)
        answering.set()
        await stage.sleep(30)
        assert stage.deliveries(1)[0].state is State.PENDING
        broken.clear()
        await stage.sleep(2)
        assert stage.deliveries(1)[0].state is State.DELIVERED
        assert len(stage.receivers.sent) == 1

    on_stage(play)


def test_an_outbox_that_cannot_be_emptied_is_tried_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        await stage.sleep(1)
        await stage.stop()
        await stage.events(1)
        broken = _break_commits(stage.store)
        await stage.restart()
        await stage.sleep(5)
        assert stage.receivers.sent == []
        broken.clear()
        await stage.sleep(2)
        assert len(stage.receivers.sent) == 1

    on_stage(play)


def test_an_event_that_cannot_be_rendered_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def render(event: Event) -> bytes:
        if event.seq == 2:
            raise ValueError("what is this?")
        return f"{event.call_id.int}#{event.seq}".encode()

    async def play(stage: Stage) -> None:
        stage.render = render
        await stage.webhooks.create(WORLD, url=URL)
        await stage.events(1, 3)
        await stage.sleep(1)
        assert [sent.body for sent in stage.receivers.sent] == [b"1#1", b"1#3"]

    on_stage(play)
    assert [record.getMessage() for record in caplog.records] == ["callback_not_rendered"]


def test_a_defect_while_sending_waits_on_the_ladder_like_any_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)

        async def answer(sent: Sent) -> Answer:
            raise RuntimeError("no")

        stage.receivers.answer = answer
        await stage.events(1)
        await stage.sleep(6)
        assert [sent.at_s for sent in stage.receivers.sent] == [0, 5]
        assert stage.deliveries(1)[0].last_error == "internal"

    on_stage(play)
    assert [record.getMessage() for record in caplog.records] == [
        "attempt_broke",
        "delivery_failed",
        "attempt_broke",
        "delivery_failed",
    ]


def test_a_failed_delivery_is_one_log_line_that_says_what_comes_next(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> str:
        await stage.webhooks.create(WORLD, url="https://a.test/hook?secret=1", token="t0ken")
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 500)
        await stage.events(1)
        await stage.sleep(1)
        return str(ledger.endpoint_id(stage.store, Endpoint(WORLD, "https://a.test/hook")))

    id_ = on_stage(play)
    (record,) = caplog.records
    assert record.getMessage() == "delivery_failed"
    fields = record.fields  # type: ignore[attr-defined]
    assert str(fields.pop("endpoint")) == id_
    assert fields == {
        "call": UUID(int=1),
        "kind": "callCreated",
        "sequence": 1,
        "host": "a.test",
        "attempt": 1,
        "status": 500,
        "error": "http_error",
        "detail": "it is http_error",
        "next_attempt": "2023-11-14T22:13:25Z",
    }


def test_a_refused_address_is_counted_as_such_and_tried_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: failing(Fault.REFUSED_ADDRESS)
        await stage.events(1)
        await stage.sleep(6)
        assert stage.results == {"refused": 2}

    on_stage(play)


@pytest.mark.parametrize("url", ["http://user:pw@a.test/", "http://[", "nonsense"])
def test_a_url_that_cannot_be_requested_is_given_up_at_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, url=url)
        await stage.sleep(1)
        (delivery,) = stage.deliveries(1)
        assert (delivery.state, delivery.last_error, delivery.attempts) == (State.EXHAUSTED, "bad_url", 1)
        assert stage.receivers.sent == []

    on_stage(play)
    assert [record.getMessage() for record in caplog.records] == ["delivery_exhausted"]


def test_an_answer_cut_off_by_our_own_stop_does_not_count() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: failing(Fault.CLOSED)
        await stage.events(1)
        await stage.sleep(1)
        assert len(stage.receivers.sent) == 1
        assert (stage.deliveries(1)[0].state, stage.deliveries(1)[0].attempts) == (State.PENDING, 0)
        assert stage.results == {}

    on_stage(play)


def test_a_webhook_that_was_deleted_gets_nothing_more() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1, 3)
        await stage.sleep(1)
        await stage.webhooks.remove(WORLD, webhook.id)
        await stage.sleep(10)
        assert len(stage.receivers.sent) == 1
        assert [(each.state, each.last_error, each.attempts) for each in stage.deliveries(1)] == [
            (State.EXHAUSTED, "webhook_deleted", 1),
            (State.EXHAUSTED, "webhook_deleted", 0),
            (State.EXHAUSTED, "webhook_deleted", 0),
        ]

    on_stage(play)


def test_a_url_that_another_webhook_still_asks_for_is_not_withdrawn() -> None:
    async def play(stage: Stage) -> None:
        own = await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL, token="n")
        await stage.webhooks.create(WORLD, url=URL, token="a")
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1, number=NUMBER)
        await stage.sleep(1)
        await stage.webhooks.remove(WORLD, own.id)
        await stage.sleep(10)
        await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL, token="narrower")
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(60)
        assert stage.deliveries(1)[0].state is State.DELIVERED
        assert [sent.headers["X-MessageBird-Signature"] for sent in stage.receivers.sent] == [
            signature.token_signature(token, b"1#1#callCreated") for token in ("n", "a", "narrower")
        ]

    on_stage(play)


def test_the_token_of_a_webhook_that_was_deleted_signs_nothing_more() -> None:
    async def play(stage: Stage) -> None:
        leaked = await stage.webhooks.create(WORLD, url=URL, token="leaked")
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1)
        await stage.events(2, url=URL)  # the call asks for it itself, and had the webhook's token
        await stage.sleep(1)
        await stage.webhooks.remove(WORLD, leaked.id)
        elsewhere = await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL, token="of another's calls")
        await stage.sleep(10)
        await stage.webhooks.create(WORLD, url=URL, token="fresh")
        await stage.sleep(60)
        await stage.webhooks.remove(WORLD, elsewhere.id)
        assert stage.deliveries(1)[0].last_error == "webhook_deleted"
        log = DeliveryLog(stage.store, stage.clock, stage.deliverer.offer)
        await log.resend(WORLD, stage.deliveries(1)[0].id)
        await stage.sleep(1)
        for call, tokens in (1, ["leaked", "fresh"]), (2, ["leaked", None, "fresh"]):
            signed = [sent.headers.get("X-MessageBird-Signature") for sent in stage.receivers.sent if sent.call == call]
            body = b"%d#1#callCreated" % call
            assert signed[: len(tokens)] == [token and signature.token_signature(token, body) for token in tokens]

    on_stage(play)


def test_a_call_that_cannot_be_read_lets_nobody_take_over_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> NoReturn:
        raise Unreadable("call 1")

    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL)
        stage.receivers.answer = lambda sent: DOWN if sent.url == URL else OK
        await stage.events(1)
        await stage.sleep(1)
        monkeypatch.setattr(heirs, "find_call", unreadable)
        await stage.webhooks.remove(WORLD, webhook.id)
        await stage.webhooks.create(WORLD, url="https://b.test/")
        await stage.events(2)
        await stage.sleep(10)
        assert [stage.deliveries(call)[0].state for call in (1, 2)] == [State.EXHAUSTED, State.DELIVERED]

    on_stage(play)


def test_a_retry_is_signed_with_the_token_of_today() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="old")
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1)
        await stage.sleep(1)
        await stage.webhooks.update(WORLD, webhook.id, token="new")
        await stage.sleep(5)
        await stage.webhooks.update(WORLD, webhook.id, url="https://b.test/", token="elsewhere")
        await stage.sleep(30)
        assert [sent.headers["X-MessageBird-Signature"] for sent in stage.receivers.sent] == [
            signature.token_signature(token, b"1#1#callCreated") for token in ("old", "new", "old")
        ]
        assert {sent.url for sent in stage.receivers.sent} == {URL}

    on_stage(play)


def test_worlds_do_not_hear_of_each_other() -> None:
    async def play(stage: Stage) -> None:
        await stage.webhooks.create(WORLD, url="https://one.test/")
        await stage.webhooks.create(OTHER_WORLD, url="https://two.test/")
        await stage.webhooks.set_for_number(OTHER_WORLD, NUMBER, url="https://three.test/")
        await stage.events(1, number=NUMBER)
        await stage.events(2, world=OTHER_WORLD)
        await stage.sleep(1)
        assert [(sent.url, sent.call) for sent in stage.receivers.sent] == [("https://one.test/", 1), ("https://two.test/", 2)]
        keys = [_signed_by(sent) for sent in stage.receivers.sent]
        assert keys == [1, 2]

    on_stage(play)


def test_an_event_that_nobody_asks_for_leaves_no_row() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 2)
        await stage.sleep(1)
        await stage.webhooks.create(WORLD, url=URL)
        await stage.events(1)
        await stage.sleep(1)
        assert [sent.sequence for sent in stage.receivers.sent] == [1]

    on_stage(play)


def test_the_position_alone_is_written_once_in_a_while_and_in_the_end() -> None:
    async def play(stage: Stage) -> None:
        written = []
        for second in (0.0, 0.2, 0.2, 2.0, 0.2):
            await stage.sleep(second)
            await stage.events(1)
            await stage.sleep(0.01)
            written.append(ledger.fanned_out(stage.store))
        assert written == [0, 0, 0, 4, 4]
        await stage.sleep(20)
        assert ledger.fanned_out(stage.store) == 5

    on_stage(play, WebhookSettings(jitter=0.0, poll=15.0))


def test_a_webhook_does_not_hear_what_happened_before_it_was_made() -> None:
    """Not even when the outbox is read again, by a process that does not know how far its predecessor came."""

    async def play(stage: Stage) -> None:
        await stage.events(1)
        await stage.sleep(0.5)
        await stage.stop()
        assert ledger.fanned_out(stage.store) == 0
        await stage.webhooks.create(WORLD, url=URL)
        await stage.restart()
        await stage.sleep(0.5)
        await stage.events(2)
        await stage.sleep(0.5)
        assert [sent.body for sent in stage.receivers.sent] == [b"2#1#callCreated"]

    on_stage(play)


def test_a_webhook_made_while_the_clock_was_ahead_hears_what_happens() -> None:
    async def play(stage: Stage) -> None:
        await stage.sleep(7_200)
        await stage.webhooks.create(WORLD, url=URL)
        stage.clock._start_us -= 7_200_000_000  # it is set right
        await stage.events(1)
        await stage.sleep(0.5)
        assert [sent.body for sent in stage.receivers.sent] == [b"1#1#callCreated"]

    on_stage(play)


@pytest.mark.parametrize(
    ("name", "params"),
    {
        "look_at_endpoint": (BLOB, "u", 0, 9),
        "endpoint_after": (BLOB, "u"),
        "find_endpoint": (BLOB, "u"),
        "find_deliveries": ("[1]",),
        "find_of_number": (BLOB, BLOB),
        "list_of_world": (BLOB, 9, -1, 0),
        "count_of_world": (BLOB,),
        "promote_lane": (0, BLOB, BLOB, "u"),
        "promote_lanes": (0, "[1]"),
        "release_passed": (0, BLOB, BLOB, "u"),
        "release_lanes": (0, "[1]"),
        "hold_resent": (BLOB, BLOB, "u"),
        "settle_delivered": (0, 200, "[1]"),
        "ends_of_lanes": ('[["00", "00", "u", "e"]]',),
        "undelivered_before": (BLOB, BLOB, "u", 9, 9),
        "waits_behind": (BLOB, BLOB, "u", 9),
        "first_pending": (BLOB, "u"),
        "exhaust_disabled": (BLOB, "u", 1, 9),
        "settled_until": ("delivered", 1, 9),
        "delete_attempts": (BLOB, BLOB, 1, 2),
        "delete_emptied_before": (BLOB, BLOB, "u", 9),
        "settle_delivery": ("delivered", 1, 2, 200, None, 1),
        "retry_delivery": (1, 0, 500, "http_error", 1, 2),
        "note_failure": (BLOB, "u", BLOB, 1, 0),
        "bring_forward": (1, 2),
        "bring_near": (BLOB, "u", 1, 2, 9),
        "failed_before": (BLOB, "u", 1),
    }.items(),
)
def test_queries_use_indexes_whatever_the_tables_hold(name: str, params: tuple[Param, ...]) -> None:
    store = Store.in_memory()
    plan = [line for *_, line in store._reader.execute(f"EXPLAIN QUERY PLAN {store._named[f'webhooks.{name}']}", params)]
    store.close()
    assert all("SCAN" not in line or "CONSTANT" in line or "VIRTUAL TABLE" in line or "(subquery" in line for line in plan), (
        plan
    )
    assert not any("TEMP B-TREE" in line for line in plan), plan


def test_the_step_to_the_next_endpoint_jumps_over_all_rows_of_the_one_before() -> None:
    store = Store.in_memory()
    sql = store._named["webhooks.endpoint_after"]
    first, *_ = (line for *_, line in store._reader.execute(f"EXPLAIN QUERY PLAN {sql}", (BLOB, "u")))
    assert "COVERING INDEX deliveries_at_endpoint ((world_id,endpoint)>(?,?))" in first
    store.close()


def test_what_is_old_is_found_by_its_age_alone() -> None:
    store = Store.in_memory()
    sql = store._named["webhooks.settled_until"]
    plan = [line for *_, line in store._reader.execute(f"EXPLAIN QUERY PLAN {sql}", ("exhausted", 1, 9))]
    store.close()
    assert "INDEX deliveries_by_age (state=? AND <expr><?)" in plan[0]


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize(("name", "params"), {"list_of_world": (BLOB, 9, 9, 0), "count_of_world": (BLOB,)}.items())
def test_webhooks_of_numbers_cost_those_of_the_account_nothing(name: str, params: tuple[Param, ...], analysed: bool) -> None:
    store = Store.in_memory()
    connection = store._writer._connection  # type: ignore[attr-defined]
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
        "INSERT INTO webhooks (world_id, id, number_id, url, target, created_us, updated_us) "
        "SELECT ?, randomblob(16), randomblob(16), 'u', 'u', 1, 1 FROM n",
        (BLOB,),
    )
    if analysed:
        connection.execute("ANALYZE")
    plan = [line for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {store._named[f'webhooks.{name}']}", params)]
    store.close()
    assert ["INDEX webhooks_of_world (world_id=?" in line for line in plan] == [True], plan


def _break_commits(store: Store) -> list[bool]:
    """Make commits fail until the list that is returned is emptied."""
    commit, transact = store.commit, store.transact
    broken = [True]

    async def failing_commit(change: Change) -> None:
        if broken:
            raise StoreUnavailable("the disk is full")
        await commit(change)

    async def failing_transact(*args: Any) -> Any:
        if broken:
            raise StoreUnavailable("the disk is full")
        return await transact(*args)

    store.commit = failing_commit  # type: ignore[method-assign]
    store.transact = failing_transact  # type: ignore[method-assign]
    return broken


def _changed_render(event: Event) -> bytes:
    return f"{event.call_id.int}#{event.seq}#new".encode()


def _in_order(sent: list[Sent]) -> bool:
    by_lane = defaultdict(list)
    for each in sent:
        by_lane[each.call, each.url].append(each.sequence)
    return all(sequences == sorted(sequences) for sequences in by_lane.values())


def _claims(jwt: str) -> dict[str, object]:
    part = jwt.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _signed_by(sent: Sent) -> int:
    at_s = int(sent.headers["MessageBird-Request-Timestamp"])
    for world in (1, 2):
        if sent.headers["MessageBird-Signature"] == signature.request_signature(
            f"signing key of world {world}", at_s, "", sent.body
        ):
            return world
    raise AssertionError("signed by nobody")
