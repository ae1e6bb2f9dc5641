"""What is sent again: in order within its lane, through deaths, and without taking back what was delivered."""

from __future__ import annotations

import random

import pytest

from callwright.egress import Answer, Fault
from callwright.webhooks.log import DeliveryLog, Filter, Unsendable
from callwright.webhooks.model import State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
DAY = 86_400
GONE = failing(Fault.HTTP_ERROR, 410)
ERROR = failing(Fault.HTTP_ERROR, 500)
SETTINGS = WebhookSettings(jitter=0.0, poll=3600.0)


def log_of(stage: Stage) -> DeliveryLog:
    return DeliveryLog(stage.store, stage.clock, lambda endpoint: stage.deliverer.offer(endpoint))


async def given_up(stage: Stage, calls: int, count: int) -> None:
    """Lanes whose deliveries were all given up, at an endpoint that is sent to again."""
    stage.receivers.answer = lambda sent: GONE
    for call in range(1, calls + 1):
        await stage.events(call, count, url=URL)
    await stage.sleep(10)
    assert {each.state for call in range(1, calls + 1) for each in stage.deliveries(call)} == {State.EXHAUSTED}
    await stage.deliverer.enable(WORLD, URL)
    stage.receivers.sent.clear()
    stage.receivers.answer = lambda sent: OK


def slow(stage: Stage, seed: int) -> None:
    """Answers take so long that whatever is sent side by side comes in another order."""
    chance = random.Random(seed)

    async def answer(sent: Sent) -> Answer:
        await stage.sleep(chance.random() * 5)
        return OK

    stage.receivers.answer = answer


def sequences(stage: Stage, call: int = 1) -> list[int]:
    return [sent.sequence for sent in stage.receivers.sent if sent.call == call]


def one_at_a_time(stage: Stage) -> None:
    """See that no lane ever has two of its resent rows under way."""
    under_way: set[int] = set()
    answer = stage.receivers.answer

    async def guarded(sent: Sent) -> Answer:
        assert sent.call not in under_way, "two of a lane at once"
        under_way.add(sent.call)
        try:
            made = answer(sent)
            return made if isinstance(made, Answer) else await made
        finally:
            under_way.discard(sent.call)

    stage.receivers.answer = guarded


@pytest.mark.parametrize("seed", range(3))
def test_what_is_resent_together_goes_out_in_order(seed: int) -> None:
    async def play(stage: Stage) -> None:
        await given_up(stage, 4, 6)
        slow(stage, seed)
        one_at_a_time(stage)
        assert (await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED))[:2] == (24, {})
        await stage.sleep(60)
        for call in range(1, 5):
            assert sequences(stage, call) == [1, 2, 3, 4, 5, 6]
            assert {each.state for each in stage.deliveries(call)} == {State.DELIVERED}

    on_stage(play, SETTINGS)


def test_batches_and_single_ones_join_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callwright.webhooks.log.RESENT_AT_ONCE", 2)

    async def play(stage: Stage) -> None:
        await given_up(stage, 1, 7)
        rows = stage.deliveries(1)
        slow(stage, 1)
        one_at_a_time(stage)
        log = log_of(stage)
        await log.resend_these(WORLD, [rows[5].id, rows[3].id])
        await log.resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED)
        await stage.sleep(60)
        assert sequences(stage) == [1, 2, 3, 4, 5, 6, 7]

    on_stage(play, SETTINGS)


def test_one_that_fails_again_holds_none_of_the_others_up() -> None:
    async def play(stage: Stage) -> None:
        await given_up(stage, 1, 4)
        stage.receivers.answer = lambda sent: ERROR if sent.sequence in (1, 3) and sent.at_s < 100 else OK
        await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED)
        await stage.sleep(2)
        assert sequences(stage) == [1, 2, 3, 4]
        await stage.sleep(600)
        assert {each.state for each in stage.deliveries(1)} == {State.DELIVERED}

    on_stage(play, SETTINGS)


def test_a_death_loses_neither_the_place_nor_the_rest() -> None:
    async def play(stage: Stage) -> None:
        await given_up(stage, 2, 8)
        slow(stage, 5)
        await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED)
        for _ in range(6):
            await stage.sleep(2.7)
            await stage.restart()
        await stage.sleep(120)
        for call in (1, 2):
            sent = sequences(stage, call)
            assert sent == sorted(sent)
            assert {each.state for each in stage.deliveries(call)} == {State.DELIVERED}

    on_stage(play, SETTINGS)


def test_what_waits_its_turn_is_not_resent_once_more() -> None:
    async def play(stage: Stage) -> None:
        await given_up(stage, 1, 3)
        slow(stage, 2)
        log, ids_ = log_of(stage), [each.id for each in stage.deliveries(1)]
        await log.resend_these(WORLD, ids_)
        assert (await log.resend_these(WORLD, ids_))[:2] == (1, {Unsendable.WAITING: 2})
        await stage.sleep(60)
        assert sequences(stage) == [1, 2, 3]

    on_stage(play, SETTINGS)


@pytest.mark.parametrize("outcome", [ERROR, GONE, OK])
def test_one_that_is_given_up_and_resent_while_it_is_under_way_lets_the_next_go(outcome: Answer) -> None:
    async def play(stage: Stage) -> None:
        hanging = stage.clock.now_us() + 5_000_000

        async def answer(sent: Sent) -> Answer:
            if stage.clock.now_us() < hanging:
                await stage.sleep((hanging - stage.clock.now_us()) / 1e6)
                return outcome
            return OK

        stage.receivers.answer = answer
        await stage.events(1, 2, url=URL)
        await stage.sleep(1)
        await stage.deliverer.disable(WORLD, URL)
        await stage.sleep(1)
        await stage.deliverer.enable(WORLD, URL)
        await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED)
        await stage.sleep(10)
        if outcome is GONE:
            await stage.deliverer.enable(WORLD, URL)
            await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.EXHAUSTED)
        await stage.sleep(DAY)
        assert [each.state for each in stage.deliveries(1)] == [State.DELIVERED] * 2

    on_stage(play, SETTINGS)


def test_enabling_in_the_middle_of_giving_up_leaves_the_rest_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callwright.webhooks.upkeep.BATCH", 1)

    async def play(stage: Stage) -> None:
        await given_up(stage, 1, 6)
        stage.receivers.answer = lambda sent: ERROR
        rows, log = stage.deliveries(1), log_of(stage)
        await log.resend_these(WORLD, [rows[4].id])
        await log.resend_these(WORLD, [each.id for each in rows])
        await stage.deliverer.disable(WORLD, URL)
        while sum(each.state is State.EXHAUSTED for each in stage.deliveries(1)) < 3:
            await stage.sleep(0.001)
        await stage.deliverer.enable(WORLD, URL)
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(DAY)
        states = [each.state for each in stage.deliveries(1)]
        assert states == [State.DELIVERED] * 3 + [State.EXHAUSTED] * 3

    on_stage(play, SETTINGS)


def test_what_was_delivered_stays_so_when_sending_it_again_fails() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 2, url=URL)
        await stage.sleep(1)
        log = log_of(stage)
        stage.receivers.answer = lambda sent: ERROR if sent.sequence == 1 else OK
        await log.resend_all(WORLD, endpoint=URL, state=State.DELIVERED)
        await stage.sleep(1)
        assert stage.deliveries(1)[0].state is State.PENDING
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert "webhook-gap" not in stage.receivers.sent[-1].headers
        await stage.sleep(4 * DAY)
        assert [(each.state, each.last_error) for each in stage.deliveries(1)] == [
            (State.DELIVERED, "http_error"),
            (State.DELIVERED, None),
            (State.DELIVERED, None),
        ]
        assert log.page(WORLD, Filter(states=(State.EXHAUSTED,)), limit=9).entries == []

    on_stage(play, SETTINGS)


def test_what_was_delivered_stays_so_when_it_is_not_even_tried() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 3, url=URL)
        await stage.sleep(1)
        stage.receivers.answer = lambda sent: failing(Fault.CONNECT)
        await log_of(stage).resend_all(WORLD, endpoint=URL, state=State.DELIVERED)
        await stage.deliverer.disable(WORLD, URL)
        await stage.events(2, url=URL)
        await stage.sleep(4 * DAY)
        assert [each.state for each in stage.deliveries(1)] == [State.DELIVERED] * 3
        assert stage.deliveries(2)[0].state is State.EXHAUSTED

    on_stage(play, SETTINGS)


def test_a_gap_names_what_was_never_delivered_alone() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 500) if sent.sequence in (1, 2) else OK
        await stage.events(1, 1, url=URL)
        await stage.sleep(2 * 3600)
        await stage.events(1, 1, url=URL)
        await stage.sleep(2 * 3600)
        await stage.events(1, 1, url=URL)
        await stage.sleep(1200)
        assert [sent.headers["webhook-gap"] for sent in stage.receivers.sent if sent.sequence == 3] == ["1-2"]
        third = stage.deliveries(1)[2]
        assert third.state is State.DELIVERED
        stage.receivers.answer = lambda sent: OK if sent.sequence == 4 else ERROR
        await log_of(stage).resend(WORLD, third.id)
        await stage.sleep(1)
        await stage.events(1, 1, url=URL)
        await stage.sleep(1200)
        assert [sent.headers["webhook-gap"] for sent in stage.receivers.sent if sent.sequence == 4] == ["1-2"]

    on_stage(play, SETTINGS)
