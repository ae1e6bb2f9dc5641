"""The log while receivers fail: the first of an endpoint at once, then a line a minute, and one when it is good."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from callwright.egress import Fault
from callwright.webhooks import telling
from callwright.webhooks.model import Endpoint
from callwright.webhooks.telling import EXHAUSTED, FAILED, Telling
from support.webhook_stage import OK, WORLD, Stage, failing, on_stage

A, B = Endpoint(WORLD, "https://a.test/hook"), Endpoint(WORLD, "https://b.test/hook")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG)
    names = (FAILED, EXHAUSTED, "endpoint_good")

    def of(host: str = "a.test") -> list[tuple[str, int | None]]:
        records = [record for record in caplog.records if record.getMessage() in names]
        fields = [(record.getMessage(), record.fields) for record in records]  # type: ignore[attr-defined]
        return [(name, given.get("count")) for name, given in fields if given["host"] == host]

    return of


def test_a_receiver_that_fails_for_an_hour_is_a_line_a_minute(lines: Any) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: OK if "b.test" in sent.url else failing(Fault.HTTP_ERROR, 500)
        for call in range(300):
            await stage.events(call, url=A.url)
            await stage.sleep(1)
        assert len(lines()) <= 6
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(4 * 3600)

    on_stage(play)
    told = lines()
    assert told[0] == (FAILED, None)
    assert told[-1][0] == "endpoint_good"
    assert [name for name, _ in told].count("endpoint_good") == 1


def test_every_failure_is_counted_in_some_line(lines: Any) -> None:
    async def play(stage: Stage) -> None:
        told = Telling(stage.clock, lambda endpoint: None)
        async with stage.clock.timeout(1_000):
            for n in range(90):
                told.note(FAILED, A, {"n": n})
                await stage.clock.sleep(1)
        assert lines() == [(FAILED, None), (FAILED, 60)]
        told.good(A)
        told.good(A)
        told.good(B)
        assert lines()[2:] == [("endpoint_good", 29)]

    on_stage(play)


def test_one_that_changes_from_second_to_second_is_told_of_no_more_often(lines: Any) -> None:
    async def play(stage: Stage) -> None:
        told = Telling(stage.clock, lambda endpoint: None)
        for _ in range(120):
            told.note(FAILED, A, {})
            told.good(A)
            await stage.clock.sleep(1)

    on_stage(play)
    assert lines() == [(FAILED, None), ("endpoint_good", None), (FAILED, 60), ("endpoint_good", None)]


def test_what_is_given_up_together_is_told_when_the_minute_is_over_or_the_server_stops(lines: Any) -> None:
    async def play(stage: Stage) -> None:
        for call in range(40):
            await stage.events(call, url="http://user:pw@a.test/")
        await stage.sleep(2)
        assert lines() == [(EXHAUSTED, None)]
        await stage.sleep(2 * telling.QUIET_S)
        assert lines()[1:] == [(EXHAUSTED, 39)]
        for call in range(3):
            await stage.events(100 + call, url="http://user:pw@a.test/")
        await stage.sleep(1)
        await stage.stop()

    on_stage(play)
    assert sum(count or 1 for _, count in lines()) == 43


def test_endpoints_are_told_of_apart_and_not_remembered_without_end(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST", 1)

    async def play(stage: Stage) -> None:
        told = Telling(stage.clock, lambda endpoint: None)
        for endpoint in (A, A, B):
            told.note(FAILED, endpoint, {})
        assert lines("b.test") == [(FAILED, None)]
        assert lines() == [(FAILED, None), (FAILED, None)]  # the second when the first made room

    on_stage(play)
