"""What a listener would say of a stream: the E-model (ITU-T G.107), reduced to what RTP can tell."""

from __future__ import annotations

from typing import Final

_R_BEST: Final = 93.2  # all defaults of G.107, no delay, no loss
_BPL: Final = 25.1  # G.711 with concealment, random loss (ITU-T G.113 appendix I)
_PACKET_MS: Final = 20.0
_FEWEST: Final = 50  # packets, a second, below which a figure would say nothing


def mos(received: int, lost: int, late: int, jitter_ms: float, round_trip_ms: float | None) -> float | None:
    """Estimate the mean opinion score, 1.0 to 4.4, of what was received; None when that was too little.

    The delay is half the round trip (nothing, where far ends do not report) plus packet and jitter buffer; the
    impairments of echo and noise are those of G.107's defaults.
    """
    if received < _FEWEST:
        return None
    expected = received + lost
    loss = 100.0 * min(lost + late, expected) / expected
    delay = (round_trip_ms or 0.0) / 2 + _PACKET_MS + max(40.0, 4 * jitter_ms)
    rating = _R_BEST - 0.024 * delay - 0.11 * max(delay - 177.3, 0.0) - 95.0 * loss / (loss + _BPL)
    if rating <= 0:
        return 1.0
    return round(1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6, 2)
