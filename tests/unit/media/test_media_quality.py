from __future__ import annotations

import pytest

from callwright.media.quality import mos


@pytest.mark.parametrize(
    ("received", "lost", "late", "jitter_ms", "round_trip_ms", "expected"),
    [
        # perfect: the ceiling of G.711
        (1000, 0, 0, 0.0, None, 4.38),
        # too short to say
        (49, 0, 0, 0.0, None, None),
        # 5 % lost
        (950, 50, 0, 0.0, None, 3.86),
        # late is as lost
        (1000, 0, 50, 0.0, None, 3.86),
        # 30 % lost
        (700, 300, 0, 0.0, None, 2.07),
        # a satellite
        (1000, 0, 0, 0.0, 600.0, 3.33),
        # everything wrong
        (50, 5000, 0, 500.0, 5000.0, 1.0),
    ],
)
def test_the_estimate_falls_with_loss_and_delay(received, lost, late, jitter_ms, round_trip_ms, expected) -> None:
    assert mos(received, lost, late, jitter_ms, round_trip_ms) == (
        expected if expected is None else pytest.approx(expected, abs=0.02)
    )
