"""Endpoints that answer nothing but errors: how little they cost, and how fast they have everything when they are back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from callwright.egress import Answer, Fault
from callwright.errors import StoreUnavailable
from callwright.webhooks import ledger, returning
from callwright.webhooks.health import TIRED_AFTER, Breaker, Happening, Health, Peer, Verdict
from callwright.webhooks.model import Delivery, Endpoint, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
ENDPOINT = Endpoint(WORLD, URL)
ERROR = failing(Fault.HTTP_ERROR, 500)
CALM = WebhookSettings(jitter=0.0, poll=3600.0)
S = 1_000_000
HOUR = 3600


def a_peer() -> Peer:
    return Peer(ENDPOINT, Breaker("https://a.test:443", 5, 5.0, 300.0), concurrency=4)


def fail(peer: Peer, times: int, now_us: int) -> None:
    for _ in range(times):
        peer.failed(now_us, 0)


def test_rests_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    peer = a_peer()
    fail(peer, TIRED_AFTER - 1, S)
    assert peer.health_at(S) is Health.HEALTHY
    rests = []
    now_us = S
    for _ in range(9):
        peer.failed(now_us, 0)
        assert peer.health_at(peer.until_us - 1) is Health.RESTING
        rests.append((peer.until_us - now_us) / S)
        now_us = peer.until_us
        assert peer.health_at(now_us) is Health.PROBATION
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert peer.succeeded(now_us) == S
    fail(peer, TIRED_AFTER, now_us)
    assert peer.until_us - now_us == 5 * S


def test_what_was_under_way_when_a_rest_began_prolongs_nothing_and_a_success_ends_it() -> None:
    peer = a_peer()
    fail(peer, TIRED_AFTER + 6, S)
    assert peer.until_us == 6 * S
    assert peer.succeeded(2 * S) == S
    assert peer.health_at(2 * S) is Health.PROBATION
    assert peer.succeeded(2 * S) is None


def test_a_host_that_is_down_ends_a_rest_and_when_it_is_back_one_attempt_is_made() -> None:
    peer = a_peer()
    fail(peer, TIRED_AFTER, S)
    for _ in range(5):
        peer.breaker.note(True, S, probe=False)
    assert peer.health_at(S) is Health.BROKEN
    peer.breaker.note(False, 2 * S, probe=False)
    assert peer.health_at(2 * S) is Health.PROBATION


def test_a_success_does_not_end_a_rest_that_was_asked_for() -> None:
    peer = a_peer()
    fail(peer, TIRED_AFTER, S)
    peer.note(Verdict(Happening.ASKED_TO_WAIT, False, 60 * S))
    peer.succeeded(2 * S)
    assert peer.health_at(59 * S) is Health.RESTING
    assert peer.health_at(60 * S) is Health.PROBATION


@pytest.mark.parametrize("status", [500, 404, 429])
def test_a_backlog_behind_errors_costs_an_attempt_in_five_minutes_and_goes_at_once_when_they_end(status: int) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: failing(Fault.HTTP_ERROR, status) if one.at_s < 10 * HOUR else OK
        for call in range(1, 201):
            await stage.events(call, 2, url=URL)
        await stage.sleep(10 * HOUR)
        down = len(stage.receivers.sent)
        assert down <= 16 + TIRED_AFTER + 7 + 10 * 12
        await stage.sleep(301)
        good = stage.receivers.sent[down:]
        assert len(good) == 400
        assert max(one.at_s for one in good) - min(one.at_s for one in good) < 1
        for call in range(1, 201):
            assert [one.sequence for one in good if one.call == call] == [1, 2]

    on_stage(play, CALM)


def test_after_an_outage_of_the_host_what_waits_on_its_ladder_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning, "BATCH", 7)

    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: failing(Fault.CONNECT) if one.at_s < 10 * HOUR else OK
        for call in range(1, 101):
            await stage.events(call, 2, url=URL)
        await stage.sleep(10 * HOUR)
        down = len(stage.receivers.sent)
        await stage.sleep(301)
        good = stage.receivers.sent[down:]
        assert len(good) == 200
        assert max(one.at_s for one in good) - min(one.at_s for one in good) < 2
        assert stage.deliverer._upkeep.returns._down_since_us == {}

    on_stage(play, CALM)


def test_what_failed_while_others_were_taken_is_not_sent_again_at_each_return() -> None:
    async def play(stage: Stage) -> None:
        down = False

        def answer(one: Sent) -> Answer:
            return ERROR if down or one.call == 1 else OK

        stage.receivers.answer = answer
        await stage.events(1, url=URL)
        await stage.sleep(1)
        await stage.events(2, url=URL)
        await stage.sleep(1000)
        before = [one.at_s for one in stage.receivers.sent if one.call == 1]
        for outage in range(1, 4):
            down = True
            for call in range(20 * outage, 20 * outage + 20):
                await stage.events(call, url=URL)
            await stage.sleep(200)
            down = False
            await stage.sleep(400)
            for call in range(20 * outage, 20 * outage + 20):
                assert [each.state for each in stage.deliveries(call)] == [State.DELIVERED]
        assert [one.at_s for one in stage.receivers.sent if one.call == 1] == before

    on_stage(play, CALM)


def test_a_row_is_brought_forward_once_though_it_fails_again() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda one: ERROR
        for call in range(1, 8):
            await stage.events(call, url=URL)
        await stage.sleep(1)
        now_us = stage.clock.now_us()

        async def bring(after_pos: int, since_us: int = START_US) -> int | None:
            return await stage.store.transact(
                lambda transaction: ledger.bring_forward(ENDPOINT, since_us, after_pos, now_us, 4, transaction)
            )

        assert await bring(-1, since_us=START_US + 1) is None
        assert [await bring(-1), await bring(4), await bring(7)] == [4, 7, None]
        assert {stage.deliveries(call)[0].next_at_us for call in range(1, 8)} == {now_us}

    on_stage(play, CALM)


def test_a_store_that_is_down_for_a_moment_keeps_no_return_from_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        up = asyncio.Event()
        stage.receivers.answer = lambda one: OK if up.is_set() else failing(Fault.CONNECT)
        for call in range(1, 11):
            await stage.events(call, url=URL)
        await stage.sleep(2 * HOUR)
        transact = stage.store.transact
        broken = [1]

        async def failing_once(run):  # type: ignore[no-untyped-def]
            if broken:
                broken.clear()
                raise StoreUnavailable("the disk is full")
            return await transact(run)

        monkeypatch.setattr(stage.store, "transact", failing_once)
        up.set()
        await stage.sleep(310)
        assert not broken
        assert {stage.deliveries(call)[0].state for call in range(1, 11)} == {State.DELIVERED}

    on_stage(play, CALM)


def test_what_got_stuck_is_tried_again_after_a_moment_however_busy_its_endpoint_is(monkeypatch: pytest.MonkeyPatch) -> None:
    broke: list[int] = []

    async def play(stage: Stage) -> None:
        ground = stage.deliverer._lanes._ground
        attempt = ground.attempt

        async def flaky(delivery: Delivery, peer: Peer) -> Verdict | None:
            if delivery.call_id.int == 1 and not broke:
                broke.append(delivery.pos)
                raise RuntimeError("busy")
            return await attempt(delivery, peer)

        monkeypatch.setattr(ground, "attempt", flaky)

        async def answer(one: Sent) -> Answer:
            await stage.sleep(0.5)
            return OK

        stage.receivers.answer = answer
        await stage.events(1, 2, url=URL)
        for call in range(2, 40):
            await stage.events(call, url=URL)
            await stage.sleep(0.3)
        assert [(one.sequence, one.at_s) for one in stage.receivers.sent if one.call == 1] == [(1, 5.0), (2, 5.5)]

    on_stage(play, CALM)
    assert broke


def test_whoever_says_that_it_is_mended_has_it_tried_at_once() -> None:
    async def play(stage: Stage) -> None:
        down = Fault.HTTP_ERROR
        stage.receivers.answer = lambda sent: OK if down is None else failing(down, 500 if down is Fault.HTTP_ERROR else 0)
        for fault, health in ((Fault.HTTP_ERROR, Health.RESTING), (Fault.CONNECT, Health.BROKEN)):
            down = fault
            for call in range(1, 41):
                await stage.events(call, url=URL)
            await stage.sleep(400)
            live = stage.deliverer.live(WORLD, URL)
            assert live is not None
            assert live.health is health
            assert live.until_us is not None
            assert live.until_us > START_US
            down, before = None, len(stage.receivers.sent)
            stage.deliverer.end_pauses(WORLD, URL)
            await stage.sleep(1)
            # One attempt, and all the others once it went well.
            assert len(stage.receivers.sent) == before + 40
            live = stage.deliverer.live(WORLD, URL)
            assert live is not None
            assert live.health is Health.HEALTHY

    on_stage(play, CALM)


def test_one_that_cannot_be_read_keeps_no_other_from_being_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        ground = stage.deliverer._lanes._ground
        read = ground.read

        def flaky(positions: Sequence[int]) -> Mapping[int, Delivery]:
            found = read(positions)
            if stage.clock.now_us() < START_US + 4_000_000 and any(one.call_id.int == 2 for one in found.values()):
                raise RuntimeError("what is this?")
            return found

        monkeypatch.setattr(ground, "read", flaky)
        await stage.webhooks.create(WORLD, url=URL)
        for call in range(1, 6):
            await stage.events(call)
        await stage.sleep(10)
        assert {one.call: one.at_s for one in stage.receivers.sent} == {1: 0.0, 2: 5.0, 3: 0.0, 4: 0.0, 5: 0.0}

    on_stage(play, CALM)
