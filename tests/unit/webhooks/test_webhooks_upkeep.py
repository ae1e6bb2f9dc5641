"""That nothing is given up for its age without an attempt, and how long what is settled is kept."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.egress import Fault
from callwright.errors import Conflict
from callwright.store import Change
from callwright.webhooks import ledger
from callwright.webhooks.log import DeliveryLog, Unsendable
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
ENDPOINT = Endpoint(WORLD, URL)
DAY = 86_400
HOUR = 3600
ERROR = failing(Fault.HTTP_ERROR, 400)
DOWN = failing(Fault.CONNECT)


def settings(**given: Any) -> WebhookSettings:
    return WebhookSettings(jitter=0.0, poll=3600.0, **given)


def states(stage: Stage, *calls: int) -> list[tuple[str, str | None, int]]:
    return [(each.state.value, each.last_error, each.attempts) for call in calls for each in stage.deliveries(call)]


def test_what_its_time_was_over_for_while_nothing_ran_is_sent() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN
        for call in range(1, 21):
            await stage.events(call, 3, url=URL)
        await stage.sleep(60)
        assert ("pending", None, 0) in states(stage, *range(1, 21))
        await stage.stop()
        await stage.sleep(3 * HOUR)
        stage.receivers.answer = lambda sent: OK
        await stage.restart()
        await stage.sleep(HOUR)
        assert {state for state, _, _ in states(stage, *range(1, 21))} == {"delivered"}

    on_stage(play, settings(give_up_after=2.0 * HOUR))


def test_what_waits_for_a_dead_host_longer_than_it_may_is_given_up_by_one_attempt() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN
        for call in range(1, 11):
            await stage.events(call, 2, url=URL)
        await stage.sleep(6 * HOUR)
        found = [states(stage, call) for call in range(1, 11)]
        assert {(state, error) for lane in found for state, error, _ in lane} == {("exhausted", "connect")}
        assert [second for _, (*_, second) in found] == [1] * 10
        assert stage.results["exhausted"] == 20

    on_stage(play, settings(give_up_after=2.0 * HOUR))


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.PROXY])
def test_what_the_server_itself_lacks_gives_nothing_up_for_its_age(fault: Fault) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(fault)
        for call in (1, 2):
            await stage.events(call, url=URL)
        await stage.sleep(1)
        await stage.stop()
        await stage.sleep(3 * HOUR)
        await stage.restart()
        await stage.sleep(60)
        assert states(stage, 1, 2) == [("pending", fault.value, 3)] * 2
        # What fails for the endpoint's own sake is given up. What never does is tried for as long as the ladder goes.
        stage.receivers.answer = lambda sent: ERROR if sent.call == 1 else failing(fault)
        await stage.sleep(4 * HOUR)
        assert states(stage, 1, 2) == [("exhausted", "http_error", 4), ("exhausted", fault.value, 6)]

    on_stage(play, settings(give_up_after=2.0 * HOUR))


def test_one_that_was_resent_has_its_time_anew() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: ERROR
        await stage.events(1, url=URL)
        await stage.sleep(3 * HOUR)
        (first,) = stage.deliveries(1)
        assert first.state is State.EXHAUSTED
        await DeliveryLog(stage.store, stage.clock).resend(WORLD, first.id)
        stage.deliverer.offer(ENDPOINT)
        await stage.sleep(HOUR)
        (again,) = stage.deliveries(1)
        assert again.state is State.PENDING
        assert again.attempts > first.attempts + 1
        await stage.sleep(2 * HOUR)
        assert stage.deliveries(1)[0].state is State.EXHAUSTED

    on_stage(play, settings(give_up_after=2.0 * HOUR, retry=(600.0,), then_every=600.0))


def test_what_is_settled_is_kept_for_a_time_with_its_attempts() -> None:
    async def play(stage: Stage) -> None:
        def answer(sent: Sent) -> Any:
            return ERROR if sent.sequence == 2 else OK

        stage.receivers.answer = answer
        await stage.events(1, 4, url=URL)
        await stage.events(2, 1, url=URL)
        await stage.sleep(7 * DAY - HOUR)
        assert len(stage.deliveries(1)) == 4
        await stage.sleep(2 * HOUR)
        # the newest of each lane stays: its sequence goes on from there
        assert [(each.sequence, each.state) for each in stage.deliveries(1)] == [(2, State.EXHAUSTED), (4, State.DELIVERED)]
        assert [each.sequence for each in stage.deliveries(2)] == [1]
        assert _attempts(stage) == 1
        await stage.sleep(23 * DAY)
        assert [each.sequence for each in stage.deliveries(1)] == [4]
        assert _attempts(stage) == 0
        await stage.events(1, url=URL)
        await stage.sleep(1)
        assert [each.sequence for each in stage.deliveries(1)] == [4, 5]

    on_stage(play, settings(give_up_after=1.0))


def test_what_is_pending_is_never_removed() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: DOWN
        await stage.events(1, 3, url=URL)
        await stage.sleep(3 * HOUR)
        assert [each.state for each in stage.deliveries(1)] == [State.PENDING] * 3

    on_stage(play, settings(keep=60.0, keep_exhausted=60.0))


def test_retention_goes_through_the_table_in_small_steps() -> None:
    async def play(stage: Stage) -> None:
        for call in range(1, 12):
            await stage.events(call, 101, url=URL)
        await stage.sleep(7 * DAY + 2 * HOUR)
        assert _rows(stage) == 11
        assert _attempts(stage) == 0

    on_stage(play, settings())


def test_the_newest_of_a_lane_stays_for_its_sequence_and_says_nothing_more() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 2, url=URL, token="secret")
        await stage.sleep(8 * DAY)
        (newest,) = stage.deliveries(1)
        assert (newest.sequence, newest.body, newest.token, newest.attempts) == (2, b"", None, 1)
        log = DeliveryLog(stage.store, stage.clock)
        entry = log.get(WORLD, newest.id)
        assert (log.body(entry), log.attempts(entry)) == (b"", [])
        with pytest.raises(Conflict, match="not kept any more"):
            await log.resend(WORLD, newest.id)
        assert (await log.resend_all(WORLD, endpoint=URL, state=State.DELIVERED))[:2] == (0, {Unsendable.EMPTIED: 1})
        # once it is not the newest any more, it goes with the one that is
        await stage.events(1, 2, url=URL)
        await stage.sleep(1)
        assert [each.sequence for each in stage.deliveries(1)] == [2, 3, 4]
        await stage.sleep(8 * DAY)
        assert [each.sequence for each in stage.deliveries(1)] == [4]

    on_stage(play, settings())


def test_what_is_kept_for_its_sequence_is_not_looked_at_again() -> None:
    async def play(stage: Stage) -> None:
        for call in range(1, 301):
            await stage.events(call, url=URL)
        await stage.sleep(8 * DAY)
        assert _rows(stage) == 300
        seen: list[int] = []
        read = stage.store.read

        def noting_read(query: str, params: Any = ()) -> Any:
            found = read(query, params)
            if query == "webhooks.settled_until":
                seen.append(len(found))
            return found

        stage.store.read = noting_read  # type: ignore[method-assign]
        await stage.sleep(2 * DAY)
        assert len(seen) == 2 * 48
        assert not any(seen)

    on_stage(play, settings())


def test_one_that_is_resent_while_it_is_to_be_removed_stays_with_its_attempts() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 2, url=URL)
        await stage.sleep(1)
        first, second = stage.deliveries(1)
        writes = ledger.remove_settled(stage.store, State.DELIVERED, stage.clock.now_us(), 9)
        log = DeliveryLog(stage.store, stage.clock)
        await log.resend_these(WORLD, [first.id, second.id])
        await stage.store.commit(Change(writes))
        stage.deliverer.offer(ENDPOINT)
        await stage.sleep(1)
        await stage.store.commit(Change(writes))
        assert [(each.state, each.attempts, each.body) for each in stage.deliveries(1)] == [
            (State.DELIVERED, 2, first.body),
            (State.DELIVERED, 2, second.body),
        ]
        assert _attempts(stage) == 4

    on_stage(play, settings())


def test_a_store_that_fails_stops_no_upkeep() -> None:
    async def play(stage: Stage) -> None:
        await stage.events(1, 3, url=URL)
        await stage.sleep(1)
        read = stage.store.read

        def failing_read(query: str, params: Any = ()) -> Any:
            if query == "webhooks.settled_until":
                raise RuntimeError("no")
            return read(query, params)

        stage.store.read = failing_read  # type: ignore[method-assign]
        await stage.sleep(8 * DAY)
        assert _rows(stage) == 3
        stage.store.read = read  # type: ignore[method-assign]
        await stage.sleep(2 * HOUR)
        assert _rows(stage) == 1

    on_stage(play, settings())


def _attempts(stage: Stage) -> int:
    return stage.store._reader.execute("SELECT COUNT(*) FROM attempts").fetchone()[0]  # type: ignore[index,no-any-return]


def _rows(stage: Stage) -> int:
    return stage.store._reader.execute("SELECT COUNT(*) FROM deliveries").fetchone()[0]  # type: ignore[index,no-any-return]
