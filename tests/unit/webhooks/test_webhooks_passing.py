"""The bounded wait at the head of a lane, and what later callbacks say of those they passed."""

from __future__ import annotations

import pytest

from callwright.egress import Answer, Fault
from callwright.store import Change
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
ERROR = failing(Fault.HTTP_ERROR, 400)
CALM = WebhookSettings(jitter=0.0, poll=3600.0)


def sent(stage: Stage) -> list[tuple[float, int, str | None]]:
    """When, which sequence, and what it said to be missing."""
    return [(round(one.at_s, 2), one.sequence, one.headers.get("webhook-gap")) for one in stage.receivers.sent]


def test_a_lane_waits_an_hour_for_its_head_and_then_goes_on_without_it(caplog: pytest.LogCaptureFixture) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR if one.sequence == 1 else OK
        await stage.events(1, 3, url=URL)
        await stage.sleep(3599)
        assert sent(stage) == [(at, 1, None) for at in (0, 5, 35, 155, 755)]
        await stage.sleep(2)
        # once more at the end of the wait, so that nothing is passed that could have been sent
        assert sent(stage)[5:] == [(3600, 1, None), (3600, 2, "1"), (3600, 3, "1")]
        first, second, third = stage.deliveries(1)
        assert (first.state, first.passed, first.next_at_us) == (State.PENDING, True, START_US + 7200 * 1_000_000)
        assert (second.state, third.state) == (State.DELIVERED, State.DELIVERED)
        stage.receivers.answer = lambda one: OK
        await stage.sleep(7200)
        assert sent(stage)[8:] == [(7200, 1, None)]
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert sent(stage)[9:] == [(10801, 4, None)]
        assert stage.happened == {"lane_passed": 1}

    on_stage(play, CALM)
    lanes = [record.fields.get("lane") for record in caplog.records]  # type: ignore[attr-defined]
    assert lanes == [None] * 4 + ["goes on without it"]  # those at 5 and at 35 s are one line


def test_what_was_taken_is_missing_no_more_before_that_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR if one.sequence == 1 else OK
        await stage.events(1, 2, url=URL)
        await stage.sleep(7199)
        commit = stage.store.commit

        async def taking_its_time(change: Change) -> None:
            if any(write.query == "webhooks.settle_delivered" for write in change.writes):
                await stage.sleep(0.5)
            await commit(change)

        monkeypatch.setattr(stage.store, "commit", taking_its_time)
        stage.receivers.answer = lambda one: OK
        await stage.sleep(1.25)
        await stage.events(1, url=URL)
        await stage.sleep(0.01)
        assert stage.deliveries(1)[0].state is State.PENDING
        assert sent(stage)[-2:] == [(7200, 1, None), (7200.25, 3, None)]
        await stage.sleep(5)
        assert [each.state for each in stage.deliveries(1)] == [State.DELIVERED] * 3

    on_stage(play, CALM)


def test_where_nothing_waits_behind_the_ladder_is_as_it_is() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR
        await stage.events(1, url=URL)
        await stage.sleep(9000)
        assert [at for at, _, _ in sent(stage)] == [0, 5, 35, 155, 755, 4355, 7955]
        assert stage.deliveries(1)[0].passed

    on_stage(play, CALM)


def test_the_wait_for_each_begins_when_it_first_fails() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR if one.sequence in (1, 2) and one.call == 1 else OK
        await stage.events(1, 2, url=URL)
        await stage.sleep(3700)
        await stage.events(1, url=URL)
        await stage.events(2, url=URL)
        await stage.sleep(3700)
        assert sent(stage)[5:7] == [(3600, 1, None), (3600, 2, "1")]
        assert sent(stage)[7:12] == [
            (3605, 2, "1"),
            (3635, 2, "1"),
            (3700, 1, None),
            (3755, 2, "1"),
            (4355, 2, "1"),
        ]
        assert sorted(sent(stage)[12:], key=lambda each: each[1]) == [(7200, 1, None), (7200, 2, "1"), (7200, 3, "1-2")]

    on_stage(play, CALM)


def test_a_receiver_that_is_back_within_the_wait_gets_everything_in_order() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: OK if one.at_s > 1800 else failing(Fault.CONNECT)
        for call in range(1, 31):
            await stage.events(call, 3, url=URL)
        await stage.sleep(7200)
        good = [(one.call, one.sequence) for one in stage.receivers.sent if one.at_s > 1800]
        for call in range(1, 31):
            assert [sequence for which, sequence in good if which == call] == [1, 2, 3]
        assert all("webhook-gap" not in one.headers for one in stage.receivers.sent)

    on_stage(play, CALM)


@pytest.mark.parametrize("hours", [2, 5, 60])
@pytest.mark.parametrize("fault", [Fault.CONNECT, Fault.TIMEOUT, Fault.DNS, Fault.TLS, Fault.RESET])
def test_an_outage_costs_no_lane_its_order(fault: Fault, hours: int) -> None:
    async def play(stage: Stage) -> None:
        back_s = hours * 3600
        stage.receivers.answer = lambda one: OK if one.at_s > back_s else failing(fault)
        for call in range(1, 41):
            await stage.events(call, 2, url=URL)
        await stage.sleep(back_s / 2)
        for call in range(1, 41):
            await stage.events(call, 1, url=URL)
        await stage.sleep(back_s / 2 + 400)
        good = [(one.call, one.sequence) for one in stage.receivers.sent if one.at_s > back_s]
        for call in range(1, 41):
            assert [sequence for which, sequence in good if which == call] == [1, 2, 3]
        assert all("webhook-gap" not in one.headers for one in stage.receivers.sent)
        assert stage.happened["lane_passed"] == 0

    on_stage(play, CALM)


def test_a_lane_goes_on_without_a_row_that_hangs_where_others_are_taken() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: failing(Fault.TIMEOUT) if (one.call, one.sequence) == (1, 1) else OK
        await stage.events(1, 2, url=URL)
        for call in range(2, 9):
            await stage.sleep(600)
            await stage.events(call, url=URL)
        await stage.sleep(1)
        lane = [what for one, what in zip(stage.receivers.sent, sent(stage), strict=True) if one.call == 1]
        assert lane == [*((at, 1, None) for at in (0, 5, 35, 155, 755, 3600)), (3600, 2, "1")]

    on_stage(play, CALM)


@pytest.mark.parametrize(
    ("break_after", "again"),
    [
        (100, failing(Fault.RESET)),
        (100, failing(Fault.TIMEOUT)),
        (5, failing(Fault.RESET)),
        (5, failing(Fault.TIMEOUT)),
        (5, ERROR),
    ],
)
def test_a_row_that_fails_once_more_when_its_host_is_back_is_waited_for(break_after: int, again: Answer) -> None:
    async def play(stage: Stage) -> None:
        failed: set[int] = set()

        def answer(one: Sent) -> Answer:
            if one.at_s < 7200:
                return failing(Fault.CONNECT)
            if one.call % 2 and one.call not in failed:
                failed.add(one.call)
                return again
            return OK

        stage.receivers.answer = answer
        for call in range(2, 42):
            await stage.events(call, 2, url=URL)
        await stage.sleep(7200 + 2400)
        good = [(one.call, one.sequence) for one in stage.receivers.sent if one.at_s >= 7200]
        for call in range(2, 42):
            assert [sequence for which, sequence in good if which == call] == ([1, 1, 2] if call % 2 else [1, 2])
        assert stage.happened["lane_passed"] == 0

    on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0, break_after=break_after))


def test_a_host_that_comes_back_with_errors_first_passes_nothing() -> None:
    async def play(stage: Stage) -> None:
        def answer(one: Sent) -> Answer:
            return failing(Fault.CONNECT) if one.at_s < 7200 else ERROR if one.at_s < 7800 else OK

        stage.receivers.answer = answer
        for call in range(1, 31):
            await stage.events(call, 2, url=URL)
        await stage.sleep(9000)
        assert all("webhook-gap" not in one.headers for one in stage.receivers.sent)
        assert {each.state for call in range(1, 31) for each in stage.deliveries(call)} == {State.DELIVERED}

    on_stage(play, CALM)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.PROXY])
def test_what_the_server_itself_lacks_does_not_begin_the_wait(fault: Fault) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: failing(fault) if one.at_s < 7200 else ERROR if one.at_s < 9000 else OK
        await stage.events(1, 2, url=URL)
        await stage.sleep(20_000)
        assert sent(stage)[-2:] == [(11555, 1, None), (11555, 2, None)]
        assert stage.happened["lane_passed"] == 0

    on_stage(play, CALM)


def test_many_rows_that_hang_are_passed_though_successes_are_rare() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: failing(Fault.TIMEOUT) if one.call <= 20 and one.sequence == 1 else OK
        for call in range(1, 21):
            await stage.events(call, 2, url=URL)
        for call in range(21, 41):
            await stage.events(call, url=URL)
            await stage.sleep(1800)
        for call in range(1, 21):
            first, second = stage.deliveries(call)
            assert (first.passed, second.state) == (True, State.DELIVERED)

    on_stage(play, CALM)


def test_the_gap_lists_what_is_missing_and_no_more() -> None:
    async def play(stage: Stage) -> None:
        bad = {2, 3, 5}

        def answer(one: Sent) -> Answer:
            return ERROR if one.sequence in bad else OK

        stage.receivers.answer = answer
        await stage.events(1, 7, url=URL)
        await stage.sleep(100)
        bad.clear()
        bad.add(3)
        await stage.sleep(1)
        gaps = {sequence: gap for _, sequence, gap in sent(stage)}
        assert gaps == {1: None, 2: None, 3: "2", 4: "2-3", 5: "2-3", 6: "2-3,5", 7: "2-3,5"}

    on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0, give_up_after=1.0))


def test_one_that_was_resent_is_due_beside_its_lane() -> None:
    async def play(stage: Stage) -> None:
        bad = {1}
        stage.receivers.answer = lambda one: ERROR if one.sequence in bad else OK
        await stage.events(1, 2, url=URL)
        await stage.sleep(10)
        assert [each.state for each in stage.deliveries(1)] == [State.EXHAUSTED, State.DELIVERED]
        bad.add(3)
        await stage.events(1, 2, url=URL)
        await stage.sleep(0.1)
        first = stage.deliveries(1)[0]
        bad.discard(1)
        _resend(stage, first.pos)
        stage.deliverer.offer(Endpoint(WORLD, URL))
        await stage.sleep(0.1)
        assert sent(stage)[-1][1:] == (1, None)
        assert [each.state for each in stage.deliveries(1)] == [
            State.DELIVERED,
            State.DELIVERED,
            State.PENDING,
            State.PENDING,
        ]
        assert [each.attempts for each in stage.deliveries(1)] == [3, 1, 1, 0]

    on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0, give_up_after=4.0, retry=(3.0,)))


def test_a_test_event_says_that_it_is_one() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR
        await stage.events(1, url=URL)
        await stage.sleep(1)
        stage.store._reader.execute("UPDATE deliveries SET test = 1")
        await stage.sleep(5)
        assert [one.headers.get("webhook-test") for one in stage.receivers.sent] == [None, "true"]

    on_stage(play, CALM)


def _resend(stage: Stage, pos: int) -> None:
    now_us = stage.clock.now_us()
    stage.store._reader.execute(
        "UPDATE deliveries SET state = 'pending', passed = 1, tries = 0, since_us = ?1, next_at_us = ?1, settled_us = NULL "
        "WHERE pos = ?2",
        (now_us, pos),
    )
