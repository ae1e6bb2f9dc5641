"""Endpoints that are given up: 410, five days without a success, by hand; and what becomes of what was meant for them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from callwright.calls.events import Event
from callwright.calls.rows import events_after
from callwright.dialect.callbacks import EndpointNotice, endpoint_notice
from callwright.egress import Answer, Fault
from callwright.store import Store
from callwright.webhooks import ledger, switching
from callwright.webhooks.health import Health
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.notices import Why
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
ENDPOINT = Endpoint(WORLD, URL)
DAY = 86_400
ERROR = failing(Fault.HTTP_ERROR, 500)
GONE = failing(Fault.HTTP_ERROR, 410)
CALM = WebhookSettings(jitter=0.0, poll=3600.0)


def settings(**given: Any) -> WebhookSettings:
    return WebhookSettings(jitter=0.0, poll=3600.0, **given)


def row(stage: Stage, url: str = URL) -> tuple[Any, ...] | None:
    found = ledger.find_endpoint(stage.store, Endpoint(WORLD, url))
    return None if found is None else tuple(found[3:7])


def told(stage: Stage) -> list[tuple[str, EndpointNotice]]:
    """The account's events about its receivers."""
    events = [event for event in events_after(stage.store, 0, 1000) if event.seq is None]
    return [(event.kind, endpoint_notice(event)) for event in events]


def states(stage: Stage, *calls: int) -> list[tuple[str, str | None]]:
    return [(each.state.value, each.last_error) for call in calls for each in stage.deliveries(call)]


def render(event: Event) -> bytes:
    return f"{event.call_id.int}#{event.seq}#{event.kind}".encode()


def test_a_healthy_endpoint_leaves_no_row() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 5, url=URL)
        await stage.sleep(1)
        assert row(stage) is None

    on_stage(play)


def test_failures_are_counted_and_the_first_success_clears_them() -> None:
    async def play(stage: Stage) -> None:
        answers = iter([ERROR, failing(Fault.TLS), ERROR])
        stage.receivers.answer = lambda sent: next(answers, OK)
        await stage.sleep(7)
        await stage.events(1, 3, url=URL)
        await stage.sleep(1)
        assert row(stage) == (1, START_US + 7_000_000, None, None)
        await stage.sleep(40)
        assert row(stage) == (3, START_US + 7_000_000, None, None)
        before = _written(stage.store)
        await stage.sleep(120)
        assert row(stage) == (0, None, None, None)
        assert [name for name in before if name == "webhooks.note_success"] == ["webhooks.note_success"]

    on_stage(play)


@pytest.mark.parametrize("url", ["http://user:pw@a.test/", "nonsense"])
def test_what_was_never_sent_speaks_against_nobody(url: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, url=url)
        await stage.sleep(1)
        assert row(stage, url) is None

    on_stage(play)


def test_410_disables_at_once_and_gives_up_what_is_pending(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if "other" in sent.url else GONE if sent.call == 3 else ERROR
        await stage.events(1, 3, url=URL + "?q=1")
        await stage.events(2, 2, url=URL + "?q=2")
        await stage.sleep(1)
        await stage.events(3, 2, url=URL)
        await stage.events(4, 2, url="https://a.test/other")
        await stage.sleep(1)
        assert states(stage, 1, 2, 3) == [("exhausted", "endpoint_disabled")] * 7
        assert states(stage, 4) == [("delivered", None)] * 2
        assert [each.last_status for each in stage.deliveries(3)] == [410, None]
        log = DeliveryLog(stage.store, stage.clock)
        (attempt,) = log.attempts(log.get(WORLD, stage.deliveries(3)[0].id))
        assert attempt.detail == "it is http_error; that disabled the endpoint"
        assert row(stage) == (3, START_US, START_US + 1_000_000, "gone")
        ((kind, notice),) = told(stage)
        found = ledger.find_endpoint(stage.store, ENDPOINT)
        assert found is not None
        assert kind == "webhookDisabled"
        assert notice == EndpointNotice(
            endpoint_id=found.id,
            url=URL,
            at_us=START_US + 1_000_000,
            why="gone",
            failing_us=START_US,
            failures=3,
            last_status=410,
            last_error="http_error",
        )
        assert stage.happened == {"endpoint_disabled": 1}
        assert stage.results == {"failed": 2, "delivered": 2, "exhausted": 7}
        live = stage.deliverer.live(WORLD, URL)
        assert live is not None
        assert live.health is Health.DISABLED
        # what comes is given up at once
        sent = len(stage.receivers.sent)
        await stage.events(5, 2, url=URL)
        await stage.sleep(DAY)
        assert states(stage, 5) == [("exhausted", "endpoint_disabled")] * 2
        assert len(stage.receivers.sent) == sent

    on_stage(play, CALM)
    (record,) = (record for record in caplog.records if record.getMessage() == "endpoint_disabled")
    assert record.levelname == "ERROR"
    assert "enable" in record.fields["remedy"]  # type: ignore[attr-defined]


def test_two_410_side_by_side_are_one_event() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(0.5)
            return GONE

        stage.receivers.answer = answer
        for call in range(1, 4):
            await stage.events(call, 2, url=URL)
        await stage.sleep(0.1)
        _slow_commits(stage)
        await stage.sleep(2)
        assert len(stage.receivers.sent) == 3
        assert len(told(stage)) == 1
        assert states(stage, 1, 2, 3) == [("exhausted", "endpoint_disabled")] * 6

    on_stage(play, CALM)


def test_what_was_under_way_and_is_taken_all_the_same_counts_as_delivered() -> None:
    async def play(stage: Stage) -> None:
        async def answer(sent: Sent) -> Answer:
            await stage.sleep(0.5 if sent.call == 2 else 0.1)
            return OK if sent.call == 2 else GONE if sent.call == 1 else ERROR

        stage.receivers.answer = answer
        await stage.events(1, url=URL)
        await stage.events(2, 2, url=URL)
        await stage.events(3, url=URL)
        await stage.sleep(0.3)
        assert states(stage, 2) == [("exhausted", "endpoint_disabled")] * 2
        await stage.sleep(1)
        assert states(stage, 2) == [("delivered", None), ("exhausted", "endpoint_disabled")]
        assert [each.attempts for each in stage.deliveries(2)] == [1, 0]

    on_stage(play, CALM)


def test_five_days_without_a_success_disable() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR
        for call in range(1, 25):
            await stage.events(call, url=URL)
            await stage.sleep(DAY / 4)
        ((kind, notice),) = told(stage)
        assert (kind, notice.why, notice.failing_us, notice.failures) == ("webhookDisabled", "failing", START_US, 21)
        assert notice.at_us == START_US + 5 * DAY * 1_000_000
        assert states(stage, *range(1, 25)) == [("exhausted", "http_error")] * 20 + [("exhausted", "endpoint_disabled")] * 4

    on_stage(play, settings(give_up_after=1.0, then_every=DAY))


def test_a_success_within_the_five_days_keeps_it() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if sent.call == 15 else ERROR
        for call in range(1, 33):
            await stage.events(call, url=URL)
            await stage.sleep(DAY / 4)
        assert told(stage) == []

    on_stage(play, settings(give_up_after=1.0, then_every=DAY))


def test_few_failures_in_five_days_do_not_disable() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR
        for call in range(1, 5):
            await stage.events(call, url=URL)
            await stage.sleep(2 * DAY)
        assert row(stage) == (4, START_US, None, None)
        await stage.events(5, url=URL)
        await stage.sleep(1)
        assert row(stage) == (5, START_US, START_US + 8 * DAY * 1_000_000, "failing")

    on_stage(play, settings(give_up_after=1.0, then_every=DAY))


def test_the_days_are_counted_over_a_restart() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR
        for call in range(1, 25):
            await stage.events(call, url=URL)
            await stage.sleep(DAY / 8)
            await stage.restart()
            await stage.sleep(DAY / 8)
        ((_, notice),) = told(stage)
        assert (notice.why, notice.at_us) == ("failing", START_US + 5 * DAY * 1_000_000)

    on_stage(play, settings(give_up_after=1.0, then_every=DAY))


def test_failures_far_apart_are_no_days_of_failing() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR
        for call in range(1, 6):
            await stage.events(call, url=URL)
            await stage.sleep(10)
        await stage.sleep(6 * DAY)
        await stage.events(6, url=URL)
        await stage.sleep(1)
        assert told(stage) == []
        assert row(stage) == (1, START_US + (50 + 6 * DAY) * 1_000_000, None, None)
        await stage.restart()
        await stage.sleep(3 * 3600)
        await stage.events(7, url=URL)
        await stage.sleep(1)
        assert row(stage) == (1, START_US + (51 + 6 * DAY + 3 * 3600) * 1_000_000, None, None)

    on_stage(play, settings(give_up_after=1.0))


def test_many_endpoints_of_a_host_that_is_down_are_tried_seldom_and_disabled_all_the_same() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(Fault.CONNECT)
        urls = [f"https://a.test/{number}" for number in range(30)]  # each is the probe every two and a half hours
        for day in range(12):
            for number, url in enumerate(urls):
                await stage.events(100 * day + number, url=url)
            await stage.sleep(DAY)
        assert {row(stage, url)[3] for url in urls} == {"failing"}  # type: ignore[index]

    on_stage(play, CALM)


@pytest.mark.parametrize("answer", [GONE, ERROR, failing(Fault.CONNECT), OK])
def test_a_test_speaks_neither_for_nor_against_an_endpoint(answer: Answer) -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL)
        log = DeliveryLog(stage.store, stage.clock, stage.deliverer.offer)
        stage.receivers.answer = lambda sent: answer if "webhook-test" in sent.headers else ERROR
        await log.test(webhook, "callCreated", b"1#test")
        await stage.sleep(1)
        assert row(stage) is None
        await stage.events(1)
        await stage.sleep(2)
        for _ in range(5):
            await log.test(webhook, "callCreated", b"1#test")
        await stage.sleep(1)
        assert len(stage.receivers.sent) == 7
        assert row(stage) == (1, START_US + 1_000_000, None, None)
        assert told(stage) == []

    on_stage(play, settings(break_after=100))


def test_a_large_backlog_is_given_up_in_batches_also_after_a_restart() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(Fault.CONNECT)
        for call in range(1, 701):
            await stage.events(call, 2, url=URL)
        await stage.sleep(1)
        sizes = _batches(stage.store)
        assert await stage.deliverer.disable(WORLD, URL)
        await stage.sleep(0.01)
        assert sizes == [500]
        left = [each for call in range(1, 701) for each in stage.deliveries(call) if each.state is State.PENDING]
        assert len(left) == 900
        await stage.restart()
        await stage.sleep(1)
        assert sizes == [500, 500, 400]
        assert {each for call in range(1, 701) for each in states(stage, call)} == {("exhausted", "endpoint_disabled")}
        assert stage.results["exhausted"] == 1400

    on_stage(play, CALM)


def test_enabling_in_the_middle_leaves_every_lane_with_a_head() -> None:
    async def play(stage: Stage) -> None:
        up = False
        stage.receivers.answer = lambda sent: OK if up else failing(Fault.CONNECT)
        for call in (*range(1, 401), *range(1, 401)):
            await stage.events(call, url=URL)
        await stage.sleep(1)
        assert await stage.deliverer.disable(WORLD, URL)
        await stage.sleep(0.01)
        up = True
        assert await stage.deliverer.enable(WORLD, URL)
        await stage.sleep(120)
        found = [state for call in range(1, 401) for state, _ in states(stage, call)]
        assert (found.count("exhausted"), found.count("delivered")) == (500, 300)

    on_stage(play, CALM)


def test_disabled_and_enabled_by_hand() -> None:
    async def play(stage: Stage) -> None:
        assert not await stage.deliverer.enable(WORLD, URL)
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert await stage.deliverer.disable(WORLD, URL)
        assert not await stage.deliverer.disable(WORLD, URL)
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert await stage.deliverer.enable(WORLD, URL)
        assert not await stage.deliverer.enable(WORLD, URL)
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert states(stage, 1) == [("delivered", None), ("exhausted", "endpoint_disabled"), ("delivered", None)]
        assert stage.receivers.sent[-1].headers["webhook-gap"] == "2"
        assert [(kind, notice.why, notice.at_us - START_US) for kind, notice in told(stage)] == [
            ("webhookDisabled", Why.ASKED.value, 1_000_000),
            ("webhookEnabled", Why.ASKED.value, 2_000_000),
        ]
        assert row(stage) == (0, None, None, None)
        assert stage.happened == {"endpoint_disabled": 1, "endpoint_enabled": 1}

    on_stage(play, CALM)


def test_of_many_who_switch_at_once_one_does_it_and_is_told_of() -> None:
    async def play(stage: Stage) -> None:
        done = await asyncio.gather(*(stage.deliverer.disable(WORLD, URL) for _ in range(3)))
        assert sorted(done) == [False, False, True]
        done = await asyncio.gather(*(stage.deliverer.enable(WORLD, URL) for _ in range(3)))
        assert sorted(done) == [False, False, True]
        assert [kind for kind, _ in told(stage)] == ["webhookDisabled", "webhookEnabled"]
        assert stage.happened == {"endpoint_disabled": 1, "endpoint_enabled": 1}

    on_stage(play, CALM)


def test_an_endpoint_that_is_disabled_by_hand_is_not_disabled_again_by_what_it_answers() -> None:
    async def play(stage: Stage) -> None:
        switched: list[UUID | None] = []

        async def answer(sent: Sent) -> Answer:
            # in the table before the answer is looked at, and the lanes do not know yet
            switched.append(
                await stage.store.transact(
                    lambda transaction: switching.switch_off(transaction, ENDPOINT, Why.ASKED, stage.clock.now_us())
                )
            )
            return GONE

        stage.receivers.answer = answer
        await stage.events(1, 2, url=URL)
        await stage.sleep(2)
        assert len(switched) == 1
        assert [(kind, notice.why) for kind, notice in told(stage)] == [("webhookDisabled", "asked")]
        assert row(stage)[3] == "asked"
        assert stage.happened["endpoint_disabled"] == 0
        assert states(stage, 1) == [("exhausted", "endpoint_disabled")] * 2

    on_stage(play, CALM)


def test_enabling_begins_at_once_also_where_the_host_was_left_alone() -> None:
    async def play(stage: Stage) -> None:
        up = False
        stage.receivers.answer = lambda sent: OK if up else failing(Fault.CONNECT)
        for call in range(1, 31):
            await stage.events(call, url=URL)
        await stage.sleep(1000)  # the pauses are long by now
        assert await stage.deliverer.disable(WORLD, URL)
        await stage.sleep(1)
        up = True
        assert await stage.deliverer.enable(WORLD, URL)
        await stage.events(99, url=URL)
        await stage.sleep(0.1)
        assert states(stage, 99) == [("delivered", None)]
        assert stage.happened["breaker_closed"] == 1

    on_stage(play, CALM)


@pytest.mark.parametrize("mend", ["another token", "made anew", "a number's"])
def test_whoever_mends_a_webhook_has_its_endpoint_enabled(mend: str) -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL + "?q=1", token="t")
        stage.receivers.answer = lambda sent: GONE
        await stage.events(1)
        await stage.sleep(1)
        assert row(stage) is not None
        stage.receivers.answer = lambda sent: OK
        if mend == "another token":
            await stage.webhooks.update(WORLD, webhook.id, token="new")
        elif mend == "made anew":
            await stage.webhooks.create(WORLD, url=URL)
        else:
            await stage.webhooks.set_for_number(WORLD, webhook.id, url=URL)
        await stage.events(2)
        await stage.sleep(1)
        assert {state for state, _ in states(stage, 2)} == {"delivered"}

    on_stage(play)


def test_worlds_have_their_endpoints_apart() -> None:
    async def play(stage: Stage) -> None:
        assert await stage.deliverer.disable(WORLD, URL)
        await stage.events(1, url=URL)
        other = type(WORLD)(int=2)
        await stage.events(2, url=URL, world=other)
        await stage.sleep(1)
        assert states(stage, 1) == [("exhausted", "endpoint_disabled")]
        assert stage.deliveries(2, other)[0].state is State.DELIVERED

    on_stage(play)


def _written(store: Store) -> list[str]:
    """The names of the statements committed from now on."""
    names: list[str] = []
    commit = store.commit

    async def noting(change: Any) -> None:
        names.extend(write.query for write in change.writes)
        await commit(change)

    store.commit = noting  # type: ignore[method-assign]
    return names


def _slow_commits(stage: Stage) -> None:
    """Let others do something while a commit is under way, as with a real disk."""
    commit = stage.store.commit

    async def slowly(change: Any) -> None:
        await stage.sleep(0.01)
        await commit(change)

    stage.store.commit = slowly  # type: ignore[method-assign]


def _batches(store: Store) -> list[int]:
    """What each transaction from now on returns, but for nothing."""
    sizes: list[int] = []
    transact = store.transact

    async def noting(run: Any, *wakes: Any) -> Any:
        result = await transact(run, *wakes)
        if result and isinstance(result, int):
            sizes.append(result)
        return result

    store.transact = noting  # type: ignore[method-assign]
    return sizes
