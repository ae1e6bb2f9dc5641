"""What a listener would say of a stream: the E-model (ITU-T G.107), reduced to what RTP can tell."""

from __future__ import annotations

from typing import Final

_R_BEST: Final = 93.2  # all defaults of G.107, no delay, no loss
_BPL: Final = 25.1  # G.711 with concealment, random loss (ITU-T G.113 appendix I)
_PACKET_MS: Final = 20.0
_BUFFER_MS: Final = 40.0
_FEWEST: Final = 50  # packets, a second, below which a figure would say nothing


def mos(
    received: int, lost: int, late: int, jitter_ms: float, round_trip_ms: float | None, gaps: int | None = None
) -> float | None:
    """Estimate the mean opinion score, 1.0 to 4.4, of what was received; None when that was too little.

    The delay is half the round trip (nothing, where far ends do not report) plus packet and jitter buffer. `gaps` is
    how often packets were missing: fewer gaps than random loss would have are longer ones, and those are worse.
    """
    if received < _FEWEST:
        return None
    expected = received + lost
    share = min(lost + late, expected) / expected
    delay = (round_trip_ms or 0.0) / 2 + _PACKET_MS + max(_BUFFER_MS, 4 * jitter_ms)
    return round(score(_R_BEST - delay_impairment(delay) - loss_impairment(100 * share, burstiness(share, lost, gaps))), 2)


def score(rating: float) -> float:
    """From the rating R to the mean opinion score (G.107 annex B)."""
    if rating <= 6.5:
        return 1.0  # the polynomial falls below 1 here
    rating = min(rating, 100.0)
    return 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6


def delay_impairment(delay_ms: float) -> float:
    """Id of a delay one way, in the two straight lines that Cole and Rosenbluth fitted to G.107 (2001)."""
    return 0.024 * delay_ms + 0.11 * max(delay_ms - 177.3, 0.0)


def loss_impairment(percent: float, burst_ratio: float = 1.0) -> float:
    """Ie,eff of G.711, whose Ie is 0, at this loss."""
    return 95.0 * percent / (percent / burst_ratio + _BPL)


def burstiness(share: float, lost: int, gaps: int | None) -> float:
    """BurstR: the mean length of the gaps over that of random loss; 1 where nothing is known of them, 2 at most.

    Beyond that the model was verified only for little loss.
    """
    if not gaps or share >= 1:
        return 1.0
    return min(max(lost / gaps * (1 - share), 1.0), 2.0)
