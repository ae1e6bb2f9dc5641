"""A wall clock that is set back, as on a machine that boots with a wrong one: nothing waits for as long as that was."""

from __future__ import annotations

import pytest

from callwright.egress import Answer, Fault
from callwright.webhooks import backlog, setback
from callwright.webhooks.health import TIRED_AFTER
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, Stage, failing, on_stage

URL = "https://a.test/hook"
ERROR = failing(Fault.HTTP_ERROR, 400)
DOWN = failing(Fault.CONNECT)
BUSY = Answer("", status=429, headers=(("Retry-After", "3600"),), fault=Fault.HTTP_ERROR)
HOUR = 3600
POLL = WebhookSettings(jitter=0.0, poll=15.0)


@pytest.mark.parametrize(
    ("answer", "calls"), [(ERROR, 1), (ERROR, 2 * TIRED_AFTER), (DOWN, 20), (BUSY, 1)], ids=["failed", "tired", "down", "busy"]
)
@pytest.mark.parametrize("restarted", [False, True])
def test_all_goes_out_soon_after_the_clock_was_set_back(
    answer: Answer, calls: int, restarted: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: answer
        for call in range(1, calls + 1):
            await stage.events(call, 2, url=URL)
        await stage.sleep(400)
        stage.clock._start_us -= 2 * HOUR * 1_000_000
        stage.receivers.answer = lambda sent: OK
        if restarted:
            await stage.restart()
        await stage.sleep(31)
        assert stage.results["delivered"] == 2 * calls

    monkeypatch.setattr(setback, "BATCH", 3)
    on_stage(play, POLL)
    assert "deliveries_too_far_ahead" in {record.getMessage() for record in caplog.records}


def test_waits_are_counted_by_the_right_clock() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR if sent.sequence == 1 else OK
        await stage.events(1, 2, url=URL)
        await stage.sleep(400)
        stage.clock._start_us -= 2 * HOUR * 1_000_000
        await stage.sleep(HOUR + 31)
        assert stage.results["delivered"] == 1
        assert backlog.look(stage.store, stage.clock.now_us()).oldest_s > HOUR

    on_stage(play, POLL)


def test_a_small_correction_of_the_clock_ends_no_pause() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: BUSY
        await stage.events(1, url=URL)
        await stage.sleep(1)
        stage.clock._start_us -= 50_000_000
        await stage.events(2, url=URL)
        await stage.sleep(HOUR - 100)
        assert [sent.call for sent in stage.receivers.sent] == [1]

    on_stage(play, POLL)
