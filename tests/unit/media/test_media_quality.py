from __future__ import annotations

import pytest

from callwright.media.quality import burstiness, delay_impairment, loss_impairment, mos, score


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        # the default of all parameters, and the bounds of the classes of satisfaction: tables of ITU-T G.107 annex B
        (93.2, 4.41),
        (90, 4.34),
        (80, 4.03),
        (70, 3.60),
        (60, 3.10),
        (50, 2.58),
        # both ends
        (0, 1.0),
        (6, 1.0),
        (-50, 1.0),
        (100, 4.5),
        (120, 4.5),
    ],
)
def test_a_rating_is_a_score(rating: float, expected: float) -> None:
    assert score(rating) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("percent", "burst_ratio", "expected"),
    [
        # random loss and G.711 with concealment (Bpl 25.1, ITU-T G.113 appendix I)
        (0, 1, 0),
        (1, 1, 3.64),
        (5, 1, 15.78),
        (10, 1, 27.07),
        (30, 1, 51.72),
        # as much in longer gaps
        (5, 2, 17.21),
    ],
)
def test_loss_impairs(percent: float, burst_ratio: float, expected: float) -> None:
    assert loss_impairment(percent, burst_ratio) == pytest.approx(expected, abs=0.01)


def test_delay_impairs_more_beyond_the_bend() -> None:
    assert [delay_impairment(delay) for delay in (0, 100, 177.3, 400)] == pytest.approx([0, 2.4, 4.26, 34.1], abs=0.01)


@pytest.mark.parametrize(
    ("share", "lost", "gaps", "expected"),
    [
        (0, 0, 0, 1),
        (0.05, 50, None, 1),
        # each alone, and as random loss has it: 1 / (1 - 0.3) at once
        (0.05, 50, 50, 1),
        (0.3, 300, 210, 1),
        # five at once, and forty
        (0.1, 100, 66, 1.36),
        (0.05, 50, 10, 2),
        (1, 100, 1, 1),
    ],
)
def test_longer_gaps_than_random_loss_makes_are_seen(share: float, lost: int, gaps: int | None, expected: float) -> None:
    assert burstiness(share, lost, gaps) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("received", "lost", "late", "jitter_ms", "round_trip_ms", "gaps", "expected"),
    [
        # perfect: the ceiling of G.711
        (1000, 0, 0, 0.0, None, 0, 4.38),
        # too short to say
        (49, 0, 0, 0.0, None, 0, None),
        # 5 % lost, and the same in gaps of five
        (950, 50, 0, 0.0, None, 50, 3.86),
        (950, 50, 0, 0.0, None, 10, 3.80),
        # late is as lost
        (1000, 0, 50, 0.0, None, 0, 3.86),
        # 30 % lost
        (700, 300, 0, 0.0, None, 210, 2.07),
        # a satellite
        (1000, 0, 0, 0.0, 600.0, 0, 3.33),
        # jitter of 50 ms needs a buffer of 200
        (1000, 0, 0, 50.0, None, 0, 4.14),
        # everything wrong
        (50, 5000, 0, 500.0, 5000.0, 5, 1.0),
    ],
)
def test_the_estimate_falls_with_loss_and_delay(received, lost, late, jitter_ms, round_trip_ms, gaps, expected) -> None:
    assert mos(received, lost, late, jitter_ms, round_trip_ms, gaps) == (
        expected if expected is None else pytest.approx(expected, abs=0.02)
    )
