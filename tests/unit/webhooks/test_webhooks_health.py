from __future__ import annotations

import gc
from email.utils import formatdate
from uuid import UUID

import pytest

from callwright.webhooks.health import GOOD, MOVES, NOTHING, Breaker, Circuit, Happening, Health, Hosts, Peer, Verdict
from callwright.webhooks.model import Endpoint
from callwright.webhooks.pace import Pace
from callwright.webhooks.waiting import asked_until_us, gaps

S = 1_000_000
NS = 1_000_000_000
NOW_US = 1_700_000_000 * S
ENDPOINT = Endpoint(UUID(int=1), "https://a.test/hook")
ERRED = Verdict(Happening.ERRED, False)
DOWN = Verdict(Happening.ERRED, True)


def a_breaker() -> Breaker:
    return Breaker("https://a.test:443", 3, 5.0, 300.0)


def a_peer(health: Health = Health.HEALTHY, breaker: Breaker | None = None) -> Peer:
    peer = Peer(ENDPOINT, breaker or a_breaker(), concurrency=4)
    peer.health = health
    return peer


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("happening", Happening)
def test_the_table_of_endpoints_is_what_moves_them(health: Health, happening: Happening) -> None:
    peer = a_peer(health)
    peer.move(happening)
    assert peer.health is MOVES[health].get(happening, health)


def test_every_state_can_be_left_and_only_a_success_leads_to_full_speed() -> None:
    assert all(MOVES[health] for health in Health)
    assert {what for moves in MOVES.values() for what, to in moves.items() if to is Health.HEALTHY} == {Happening.SUCCEEDED}


def test_only_switching_on_ends_being_disabled() -> None:
    assert set(MOVES[Health.DISABLED]) == {Happening.SWITCHED_ON}


def test_a_rest_ends_by_time_and_what_was_asked_for_last_does_not_shorten_it() -> None:
    peer = a_peer()
    peer.note(Verdict(Happening.ASKED_TO_WAIT, False, 100))
    peer.note(Verdict(Happening.ASKED_TO_WAIT, False, 50))
    assert [peer.health_at(at) for at in (0, 99, 100, 101)] == [Health.RESTING] * 2 + [Health.PROBATION] * 2
    peer.note(GOOD)
    assert peer.health_at(102) is Health.HEALTHY


def test_a_success_from_before_does_not_end_a_rest() -> None:
    peer = a_peer()
    peer.note(Verdict(Happening.ASKED_TO_WAIT, False, 100))
    peer.note(GOOD)
    assert peer.health_at(50) is Health.RESTING


def test_an_endpoint_is_broken_as_long_as_its_host_is_and_then_on_probation() -> None:
    breaker = a_breaker()
    peer = a_peer(breaker=breaker)
    for _ in range(3):
        breaker.note(True, 0, probe=False)
    assert peer.health_at(0) is Health.BROKEN
    breaker.note(False, 0, probe=False)
    assert peer.health_at(0) is Health.PROBATION


def test_a_breaker_opens_after_failures_in_a_row_alone() -> None:
    breaker = a_breaker()
    for against in (True, True, False, True, True, None):
        assert not breaker.note(against, 0, probe=False)
    assert breaker.circuit is Circuit.CLOSED
    assert breaker.note(True, 7, probe=False)
    assert (breaker.circuit, breaker.until_us) == (Circuit.OPEN, 7 + 5 * S)


def test_pauses_double_up_to_the_longest_and_begin_anew_after_the_host_was_back() -> None:
    breaker = a_breaker()
    pauses = []
    now_us = 0
    for _ in range(3):
        breaker.note(True, now_us, probe=False)
    for _ in range(9):
        pauses.append(breaker.pause_s)
        assert not breaker.may_probe(breaker.until_us - 1)
        now_us = breaker.until_us
        assert breaker.may_probe(now_us)
        breaker.probe()
        assert not breaker.may_probe(now_us)
        assert breaker.note(True, now_us, probe=True)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    breaker.probe()
    assert breaker.note(False, now_us, probe=True)
    for _ in range(3):
        breaker.note(True, now_us, probe=False)
    assert breaker.pause_s == 5


def test_what_was_under_way_when_it_opened_prolongs_nothing_but_may_close_it() -> None:
    breaker = a_breaker()
    for _ in range(3):
        breaker.note(True, 0, probe=False)
    assert not breaker.note(True, 4 * S, probe=False)
    breaker.probe()
    assert not breaker.note(True, 5 * S, probe=False)
    assert (breaker.circuit, breaker.until_us) == (Circuit.PROBING, 5 * S)
    assert breaker.note(False, 5 * S, probe=False)
    assert breaker.circuit is Circuit.CLOSED
    assert not breaker.note(True, 6 * S, probe=True)  # the probe fails all the same: that is one failure
    assert (breaker.circuit, breaker.failures) == (Circuit.CLOSED, 1)


def test_a_probe_that_took_no_place_lets_the_next_go_at_once() -> None:
    breaker = a_breaker()
    for _ in range(3):
        breaker.note(True, 0, probe=False)
    breaker.probe()
    assert breaker.note(NOTHING.against_host, 5 * S, probe=True)
    assert breaker.may_probe(5 * S)


def test_hosts_are_told_apart_by_scheme_name_and_port_and_forgotten_with_their_endpoints() -> None:
    hosts = Hosts(3, 5.0, 300.0)
    one = hosts.of("https://a.test/x")
    assert hosts.of("https://a.test/y") is one
    others = [hosts.of(url) for url in ("http://a.test/x", "https://a.test:8443/x", "https://b.test/x", "nonsense")]
    assert len({id(one), *map(id, others)}) == 5
    one.note(True, 0, probe=False)
    del one, others
    gc.collect()
    assert hosts.of("https://a.test/x").failures == 0


@pytest.mark.parametrize(
    ("rate", "asked_s", "went_s"),
    [
        # one second's worth at once, then one for each tenth
        (10.0, [0.0] * 13, [0.0] * 10 + [0.1, 0.2, 0.3]),
        # after a pause there is a second's worth again, and no more
        (2.0, [0.0, 0.0, 0.0, 9.0, 9.0, 9.0], [0.0, 0.0, 0.5, 9.0, 9.0, 9.5]),
        # less than one a second: singly
        (0.5, [0.0, 0.0, 1.0], [0.0, 2.0, 4.0]),
    ],
)
def test_a_pace(rate: float, asked_s: list[float], went_s: list[float]) -> None:
    pace = Pace(rate)
    went = []
    now_ns = 0
    for asked in asked_s:
        now_ns = max(now_ns, round(asked * NS))
        now_ns += pace.wait_ns(now_ns)
        assert pace.wait_ns(now_ns) == 0
        pace.take(now_ns)
        went.append(now_ns / NS)
    assert went == pytest.approx(went_s)


def test_new_limits_keep_a_pace_that_stays() -> None:
    peer = Peer(ENDPOINT, a_breaker(), concurrency=4, rate=2.0)
    pace = peer.pace
    peer.limit(5, 2.0)
    assert (peer.concurrency, peer.pace) == (5, pace)
    peer.limit(5, 3.0)
    assert peer.pace is not None
    assert peer.pace.rate == 3.0
    peer.limit(5, 0.0)
    assert peer.pace is None


@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("120", 120),
        (" 7 ", 7),
        (formatdate(1_700_000_060, usegmt=True), 60),
        ("Tue, 14 Nov 2023 23:14:20 +0100", 60),
        # a year, or more than any clock has, is cut by the caller
        ("31536000", 31_536_000),
        ("9" * 400, 999_999_999_999),
        # what is over, or no time at all
        ("0", None),
        (formatdate(1_699_999_000, usegmt=True), None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, after_s: int | None) -> None:
    until_us = asked_until_us(value, NOW_US)
    assert until_us == (NOW_US + after_s * S if after_s else None)


@pytest.mark.parametrize(
    ("latest_first", "text"),
    [
        ([1], "1"),
        ([2, 1], "1-2"),
        ([9, 7, 6, 5, 3], "3,5-7,9"),
        # of very many ranges the latest hundred
        (list(range(999, 0, -2)), ",".join(str(n) for n in range(801, 1000, 2))),
    ],
)
def test_gaps(latest_first: list[int], text: str) -> None:
    assert gaps(latest_first) == text
