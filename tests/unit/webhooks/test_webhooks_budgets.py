"""Who may be sent to when others hang, break, rest or are slow: limits, probation, the breaker, Retry-After."""

from __future__ import annotations

from collections import Counter
from email.utils import formatdate
from itertools import pairwise

import pytest

from callwright.egress import Answer, Fault
from callwright.webhooks import ledger
from callwright.webhooks.health import Health
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
OTHER = "https://b.test/hook"
ERROR = failing(Fault.HTTP_ERROR, 500)
DOWN = failing(Fault.CONNECT)


def settings(**given: object) -> WebhookSettings:
    return WebhookSettings(jitter=0.0, poll=3600.0, **given)  # type: ignore[arg-type]


def waiting(status: int, retry_after: str) -> Answer:
    return Answer("", status=status, headers=(("retry-after", retry_after),), fault=Fault.HTTP_ERROR, detail="later")


async def calls(stage: Stage, count: int, *urls: str, first: int = 1) -> None:
    """An event of each of so many calls, for each of the receivers."""
    for call in range(first, first + count):
        for n, url in enumerate(urls):
            await stage.events(call * 100 + n, url=url)


def at(stage: Stage, url: str) -> list[float]:
    return [round(sent.at_s, 3) for sent in stage.receivers.sent if sent.url == url]


def health(stage: Stage, url: str = URL) -> Health | None:
    live = stage.deliverer.live(WORLD, url)
    return None if live is None else live.health


def test_what_is_unanswered_for_a_second_leaves_its_room_to_others() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(9 if sent.url == URL else 0.01)
            return OK

        stage.receivers.answer = answer
        await calls(stage, 8, URL)  # fills all the room there is
        await stage.sleep(0.5)
        await calls(stage, 8, OTHER)
        await stage.sleep(0.4)
        assert at(stage, OTHER) == []
        await stage.sleep(0.2)
        assert at(stage, OTHER) == [1.0] * 4 + [1.01] * 4

    on_stage(play, settings(concurrency=4, per_endpoint=4))


def test_an_endpoint_that_answers_nothing_gets_no_other_until_it_does() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep({100: 4, 200: 3}.get(sent.call, 0.6))
            return OK

        stage.receivers.answer = answer
        await calls(stage, 5, URL)
        await stage.sleep(1.5)
        live = stage.deliverer.live(WORLD, URL)
        assert live is not None
        assert (live.health, live.in_flight, live.unanswered) == (Health.HEALTHY, 2, 2)
        await stage.sleep(10)
        assert at(stage, URL) == [0, 0, 3, 3.6, 4]

    on_stage(play, settings(per_endpoint=2))


def test_one_call_that_hangs_delays_no_other_of_its_endpoint() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(1000 if sent.call == 100 else 0.6)
            return OK

        stage.receivers.answer = answer
        await calls(stage, 40, URL)
        await stage.sleep(30)
        others = [round(sent.at_s, 3) for sent in stage.receivers.sent if sent.call != 100]
        assert len(others) == 39
        assert max(after - before for before, after in pairwise(others)) <= 0.6001
        assert health(stage) is Health.HEALTHY  # though one was not answered in time

    on_stage(play, settings(per_endpoint=2, break_after=100))


def test_after_a_timeout_one_at_a_time_until_a_success() -> None:
    async def play(stage: Stage) -> None:
        hanging = True

        async def answer(sent: Sent) -> Answer:
            await stage.sleep(1000 if hanging else 0.1)
            return OK

        stage.receivers.answer = answer
        await calls(stage, 9, URL)
        await stage.sleep(9)
        assert stage.receivers.under_way[URL] == 3
        await stage.sleep(2)
        assert (stage.receivers.under_way[URL], health(stage)) == (1, Health.PROBATION)
        hanging = False
        await stage.sleep(9.5)  # the one that hangs is let go after 10 s, the next is answered
        assert health(stage) is Health.HEALTHY
        assert at(stage, URL) == [0, 0, 0, 10, 20, 20.1, 20.1, 20.1, 20.2, 20.2, 20.2, 20.3, 20.3][: len(at(stage, URL))]
        await stage.sleep(10)
        assert stage.receivers.most[URL] == 3
        assert stage.results["delivered"] == 9

    on_stage(play, settings(per_endpoint=3, break_after=100))


def test_endpoints_on_probation_share_the_room_of_the_slow() -> None:
    hosts = [f"https://{n}.test/" for n in range(6)]

    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(0.1 if sent.url == OTHER else 1000)
            return OK

        stage.receivers.answer = answer
        await calls(stage, 2, *hosts)
        await stage.sleep(25)  # all have failed once, and all have more to send
        assert {health(stage, host) for host in hosts} == {Health.PROBATION}
        assert stage.receivers.under_way[""] == 2
        await calls(stage, 20, OTHER, first=50)
        await stage.sleep(2)
        assert len(at(stage, OTHER)) == 20
        assert at(stage, OTHER)[-1] <= 25 + 20 / 4 * 0.1

    on_stage(play, settings(concurrency=4, slow_slots=2, per_endpoint=16, break_after=100, timeout=10.0))


def test_those_that_hang_fill_the_room_of_the_slow_before_any_other() -> None:
    """Where there are more than it holds, the rest stay where they are, and move over when it has room."""

    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep({URL: 4.0, OTHER: 0.1}[sent.url])
            return OK

        stage.receivers.answer = answer
        await calls(stage, 4, URL)
        await stage.sleep(1.5)
        await calls(stage, 6, OTHER, first=50)
        await stage.sleep(8)
        # of four places two are taken by the slow until 4 s
        assert at(stage, OTHER) == [1.5, 1.5, 1.6, 1.6, 1.7, 1.7]
        assert stage.receivers.most[""] == 6

    on_stage(play, settings(concurrency=4, slow_slots=2, per_endpoint=4))


def test_two_in_a_hundred_that_hang_delay_nobody() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(30 if sent.call % 50 == 0 else 0.002)
            return OK

        stage.receivers.answer = answer
        made: dict[int, float] = {}
        for call in range(1000):
            made[call] = round(call / 400, 6)
            await stage.events(call, url=f"https://{call % 200}.test/")
            await stage.sleep(1 / 400)
        healthy = [sent for sent in stage.receivers.sent if sent.call % 50]
        assert len(healthy) == 980
        assert max(sent.at_s - made[sent.call] for sent in healthy) < 0.001

    on_stage(play, settings(timeout=60.0, concurrency=16))


def test_a_rate_with_a_second_of_burst() -> None:
    async def play(stage: Stage) -> None:
        await calls(stage, 9, URL)
        await stage.sleep(10)
        assert at(stage, URL) == [0, 0, 0, 0, 0.25, 0.5, 0.75, 1.0, 1.25]

    on_stage(play, settings(rate=4.0))


def test_limits_of_an_endpoints_own() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(0.5)
            return OK

        stage.receivers.answer = answer
        _limit(stage, URL, concurrency=1, rate=None)
        await calls(stage, 3, URL)
        await stage.sleep(0.1)
        live = stage.deliverer.live(WORLD, URL)
        assert live is not None
        assert (live.concurrency, live.rate, live.in_flight) == (1, 0.0, 1)
        await stage.sleep(0.5)
        _limit(stage, URL, concurrency=4, rate=None)
        stage.deliverer.refresh(Endpoint(WORLD, URL))
        await stage.sleep(5)
        assert at(stage, URL) == [0, 0.5, 0.6]

    on_stage(play)


def test_an_endpoint_may_be_freed_of_the_rate_of_all() -> None:
    async def play(stage: Stage) -> None:
        _limit(stage, URL, concurrency=None, rate=0.0)
        await calls(stage, 3, URL, OTHER)
        await stage.sleep(10)
        assert (at(stage, URL), at(stage, OTHER)) == ([0, 0, 0], [0, 1, 2])

    on_stage(play, settings(rate=1.0))


def test_a_host_that_does_not_answer_is_left_alone_and_probed(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        up = False
        stage.receivers.answer = lambda sent: OK if up else DOWN
        await calls(stage, 30, URL, "https://a.test/elsewhere")
        await stage.sleep(0.1)
        broken_at = len(stage.receivers.sent)
        assert broken_at <= 5 + 2 * 16  # those that were started already
        assert {health(stage), health(stage, "https://a.test/elsewhere")} == {Health.BROKEN}
        await stage.sleep(200)
        probes = [round(sent.at_s) for sent in stage.receivers.sent[broken_at:]]
        assert probes == [5, 15, 35, 75, 155]
        calls_made = [call * 100 + n for call in range(1, 31) for n in range(2)]
        untried = [each for call in calls_made for each in stage.deliveries(call) if not each.attempts]
        assert len({each.url for each in untried}) == 2
        assert untried
        assert all(each.state is State.PENDING and each.next_at_us == each.created_us for each in untried)
        up = True
        await stage.sleep(120)
        # back at the probe of 315 s: all that was never tried goes at once
        assert round(stage.receivers.sent[broken_at + 5].at_s) == 315
        assert sum(315 <= sent.at_s < 315.1 for sent in stage.receivers.sent) >= len(untried)
        assert stage.happened == {"breaker_opened": 1, "breaker_closed": 1}

    on_stage(play, settings(retry=(3600.0,), break_after=5))
    told = [record.getMessage() for record in caplog.records if not record.getMessage().startswith("delivery_")]
    assert told == ["host_left_alone"]


def test_another_host_is_not_touched() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN if sent.url == URL else OK
        await calls(stage, 30, URL, "https://a.test:8443/hook")
        await stage.sleep(0.1)
        assert len(at(stage, "https://a.test:8443/hook")) == 30

    on_stage(play)


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (failing(Fault.DNS), True),
        (failing(Fault.CONNECT), True),
        (failing(Fault.TLS), True),
        (failing(Fault.TIMEOUT), True),
        (failing(Fault.RESET), True),
        (failing(Fault.PROTOCOL), True),
        (failing(Fault.HTTP_ERROR, 502), True),
        (failing(Fault.HTTP_ERROR, 503), True),
        (failing(Fault.HTTP_ERROR, 504), True),
        (failing(Fault.HTTP_ERROR, 500), False),
        (failing(Fault.HTTP_ERROR, 404), False),
        (failing(Fault.REDIRECT, 302), False),
        (failing(Fault.REFUSED_ADDRESS), False),
        (failing(Fault.BUSY), False),
        (failing(Fault.PROXY), False),
    ],
)
def test_what_speaks_against_a_host(answer: Answer, opens: bool) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: answer
        await calls(stage, 5, URL)
        await stage.sleep(0.1)
        assert (stage.happened["breaker_opened"] == 1) is opens

    on_stage(play)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.PROXY])
def test_what_we_lack_ourselves_counts_against_nobody(fault: Fault) -> None:
    async def play(stage: Stage) -> None:
        up = False
        stage.receivers.answer = lambda sent: OK if up else failing(fault)
        await calls(stage, 10, URL)
        await stage.events(100, url=URL)
        await stage.sleep(30 * 3600)
        assert health(stage) is Health.HEALTHY
        assert stage.happened == {}
        known = ledger.find_endpoint(stage.store, Endpoint(WORLD, URL))
        assert known is None or (known.failures, known.failing_us, known.disabled_us) == (0, None, None)
        assert {each.last_error for each in stage.deliveries(100) if each.attempts} == {fault.value}
        up = True
        await stage.sleep(3601)
        # Nor was any lane passed: all went in order.
        assert [sent.sequence for sent in stage.receivers.sent if sent.call == 100][-2:] == [1, 2]
        assert stage.results["delivered"] == 11

    on_stage(play, settings(disable_after=3600.0, retry=(60.0,)))


def test_a_host_that_answers_anything_else_between_is_not_left_alone() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN if len(stage.receivers.sent) % 5 else ERROR
        await calls(stage, 5, *(f"https://a.test/{number}" for number in range(8)))
        await stage.sleep(0.1)
        assert len(stage.receivers.sent) == 40
        assert stage.happened == {}

    on_stage(play, settings(per_endpoint=1))


def test_a_backlog_at_a_dead_endpoint_is_not_even_looked_at() -> None:
    async def play(stage: Stage) -> None:
        up = False
        stage.receivers.answer = lambda sent: OK if up else DOWN
        await calls(stage, 400, URL)
        await stage.sleep(1)
        reads: Counter[str] = Counter()
        read = stage.store.read

        def counting(query: str, params: tuple[object, ...] = ()) -> object:
            reads[query] += 1
            return read(query, params)  # type: ignore[arg-type]

        stage.store.read = counting  # type: ignore[assignment,method-assign]
        await stage.sleep(3500)
        probes = 5 + 11  # doubling to 5 minutes, then every 5 minutes
        assert reads["webhooks.find_deliveries"] <= probes + 10
        assert reads["webhooks.look_at_endpoint"] <= 2 * probes
        queues = stage.deliverer._lanes._queues
        assert sum(len(queue.held) for queue in queues.values()) <= 130
        up = True
        await stage.sleep(301)
        assert stage.results["delivered"] == 400

    on_stage(play, settings(retry=(30.0,), then_every=30.0, head_wait=1e6))


def test_a_rest_that_was_asked_for_is_given() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if sent.at_s >= 90 else waiting(429, "90")
        await calls(stage, 6, URL)
        await calls(stage, 2, OTHER, first=50)
        await stage.sleep(60)
        live = stage.deliverer.live(WORLD, URL)
        assert live is not None
        assert (live.health, live.until_us) == (Health.RESTING, START_US + 90_000_000)
        assert at(stage, URL) == [0, 0]
        assert [each.next_at_us for each in stage.deliveries(100)] == [START_US + 90_000_000]
        await stage.sleep(60)
        assert at(stage, URL) == [0, 0] + [90] * 6
        assert health(stage) is Health.HEALTHY

    on_stage(play, settings(per_endpoint=2, break_after=100))


def test_a_rest_until_a_date() -> None:
    async def play(stage: Stage) -> None:
        date = formatdate(START_US // 1_000_000 + 40, usegmt=True)
        stage.receivers.answer = lambda sent: OK if sent.at_s >= 40 else waiting(503, date)
        await calls(stage, 1, URL)
        await stage.sleep(60)
        assert at(stage, URL) == [0, 40]

    on_stage(play)


def test_a_rest_that_is_shorter_than_the_ladder_waits_for_the_ladder() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if len(stage.receivers.sent) > 1 else waiting(429, "1")
        await calls(stage, 1, URL)
        await stage.sleep(60)
        assert at(stage, URL) == [0, 5]

    on_stage(play)


def test_a_year_of_rest_is_cut_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if len(stage.receivers.sent) > 1 else waiting(429, "31536000")
        await calls(stage, 1, URL)
        await stage.sleep(5000)
        assert at(stage, URL) == [0, 3600]

    on_stage(play)
    (record,) = (record for record in caplog.records if record.getMessage() == "retry_after_cut")
    fields = record.fields  # type: ignore[attr-defined]
    assert {name: fields[name] for name in ("host", "asked_s", "waiting_s")} == {
        "host": "a.test",
        "asked_s": 31_536_000,
        "waiting_s": 3600,
    }


def test_a_rest_asked_for_with_a_good_answer_is_not_given() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: Answer("", status=200, headers=(("Retry-After", "100"),), whole=True)
        await calls(stage, 3, URL)
        await stage.sleep(1)
        assert at(stage, URL) == [0, 0, 0]

    on_stage(play)


def test_lanes_that_stopped_start_nothing_more() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN
        await calls(stage, 30, URL)
        await stage.sleep(1)
        await stage.stop()
        sent = len(stage.receivers.sent)
        await stage.sleep(1000)
        assert len(stage.receivers.sent) == sent

    on_stage(play)


def test_retries_of_one_endpoint_follow_their_ladder_whatever_others_do() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR if sent.url == URL else OK
        await calls(stage, 1, URL)
        for n in range(100):
            await calls(stage, 1, OTHER, first=200 + n)
            await stage.sleep(1)
        assert at(stage, URL) == [0, 5, 35]
        assert all(b - a == pytest.approx(1) for a, b in pairwise(at(stage, OTHER)))

    on_stage(play)


def _limit(stage: Stage, url: str, *, concurrency: int | None, rate: float | None) -> None:
    stage.store._reader.execute(
        "INSERT INTO endpoints (world_id, url, id, concurrency, rate, created_us, updated_us) VALUES (?, ?, ?, ?, ?, 0, 0) "
        "ON CONFLICT (world_id, url) DO UPDATE SET concurrency = excluded.concurrency, rate = excluded.rate",
        (WORLD.bytes, url, url.encode()[:16], concurrency, rate),
    )
