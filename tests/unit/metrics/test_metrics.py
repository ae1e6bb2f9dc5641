from __future__ import annotations

import pytest

from callwright.metrics import Metrics, MetricsEndpoint
from callwright.webhooks.backlog import Backlog

TOKEN = "operator-token-0001"


def values(metrics):
    """The project's own samples, by name and labels, without the process's."""
    lines = [line for line in metrics.exposition().decode().splitlines() if line.startswith("callwright_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if "_process_" not in name}


def test_what_happened_is_counted():
    metrics = Metrics("0.1.0", legs_live=lambda: 3)
    metrics.call_started("incoming", "live")
    metrics.call_started("incoming", "live")
    metrics.call_started("outgoing", "test")
    metrics.call_ended("no_answer", "live")
    metrics.invite_refused("unknown_number")
    metrics.delivery("delivered")
    metrics.calls_erased(50)
    metrics.calls_erased(7)
    metrics.sentence_spoken("espeak", "rendered")
    metrics.store_commit(0.003)
    seen = values(metrics)
    assert {name: value for name, value in seen.items() if "_created" not in name and "_bucket" not in name} == {
        'callwright_info{version="0.1.0"}': 1,
        'callwright_calls_started_total{direction="incoming",world="live"}': 2,
        'callwright_calls_started_total{direction="outgoing",world="test"}': 1,
        'callwright_calls_ended_total{status="no_answer",world="live"}': 1,
        'callwright_invites_refused_total{reason="unknown_number"}': 1,
        'callwright_deliveries_total{result="delivered"}': 1,
        'callwright_speech_sentences_total{result="rendered",source="espeak"}': 1,
        "callwright_calls_erased_total": 57,
        "callwright_legs_live": 3,
        "callwright_store_commit_seconds_count": 1,
        "callwright_store_commit_seconds_sum": 0.003,
    }
    assert seen['callwright_store_commit_seconds_bucket{le="0.002"}'] == 0
    assert seen['callwright_store_commit_seconds_bucket{le="0.005"}'] == 1


def test_media_processes_count_their_ticks_themselves():
    metrics = Metrics("0.1.0")
    metrics.watch_media((1, 20), lambda: [("media-1", [40, 8, 2]), ("media-2", [0, 0, 0])])
    name = "callwright_media_tick_late_seconds"
    assert {one: value for one, value in values(metrics).items() if name in one} == {
        name + '_bucket{le="0.001",process="media-1"}': 40,
        name + '_bucket{le="0.02",process="media-1"}': 48,
        name + '_bucket{le="+Inf",process="media-1"}': 50,
        name + '_bucket{le="0.001",process="media-2"}': 0,
        name + '_bucket{le="0.02",process="media-2"}': 0,
        name + '_bucket{le="+Inf",process="media-2"}': 0,
    }


def test_callbacks_that_wait_are_told_when_it_is_read():
    metrics = Metrics("0.1.0")
    metrics.watch_callbacks(lambda: Backlog(12.5, failing=2, disabled=1))
    assert {name: value for name, value in values(metrics).items() if "webhook" in name} == {
        "callwright_webhook_oldest_pending_seconds": 12.5,
        'callwright_webhook_endpoints_down{state="failing"}': 2,
        'callwright_webhook_endpoints_down{state="disabled"}': 1,
    }


def test_a_database_that_cannot_be_read_leaves_the_other_metrics():
    def broken():
        raise OSError("the disk is gone")

    metrics = Metrics("0.1.0", legs_live=lambda: 3)
    metrics.watch_callbacks(broken)
    assert values(metrics)["callwright_legs_live"] == 3


def test_it_says_when_the_process_began():
    assert b"callwright_process_start_time_seconds " in Metrics("0.1.0").exposition()


def test_servers_in_one_process_do_not_share_counters():
    one, other = Metrics("0.1.0"), Metrics("0.1.0")
    one.delivery("failed")
    assert 'callwright_deliveries_total{result="failed"}' not in values(other)


async def ask(client, *headers, token=TOKEN, method="GET"):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "client": client, "headers": list(headers)}
    await MetricsEndpoint(Metrics("0.1.0"), token)(scope, None, send)
    start, body = sent
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode() or method == "HEAD"
    return start["status"], body["body"]


BEARER = (b"Authorization", f"Bearer {TOKEN}".encode())


@pytest.mark.parametrize(
    ("client", "headers", "token", "status"),
    [
        (("127.0.0.1", 5), [], TOKEN, 200),
        (("::1", 5), [], "", 200),
        (("::ffff:127.0.0.1", 5), [], "", 200),
        (("192.0.2.1", 5), [], TOKEN, 403),
        (("::ffff:192.0.2.1", 5), [], TOKEN, 403),
        (("192.0.2.1", 5), [BEARER], TOKEN, 200),
        (("192.0.2.1", 5), [BEARER], "", 403),
        (("192.0.2.1", 5), [(b"authorization", b"Bearer wrong")], TOKEN, 403),
        (("192.0.2.1", 5), [(b"authorization", b"Bearer ")], "", 403),
        # a proxy on this machine speaks for somebody else
        (("127.0.0.1", 5), [(b"x-forwarded-for", b"192.0.2.1")], TOKEN, 403),
        (("127.0.0.1", 5), [(b"Forwarded", b"for=192.0.2.1")], TOKEN, 403),
        (("127.0.0.1", 5), [(b"x-forwarded-for", b"192.0.2.1"), BEARER], TOKEN, 200),
        (None, [], TOKEN, 403),
        (("testclient", 5), [], TOKEN, 403),
    ],
)
async def test_who_may_read(client, headers, token, status):
    got, body = await ask(client, *headers, token=token)
    assert got == status
    assert (b"callwright_info" in body) == (status == 200)
    assert (b"http.operator_token" in body) == (status == 403)


async def test_only_reading():
    assert (await ask(("127.0.0.1", 5), method="POST"))[0] == 405
    assert await ask(("127.0.0.1", 5), method="HEAD") == (200, b"")
