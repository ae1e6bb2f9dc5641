"""How long it takes to say something, where nobody says it."""

from __future__ import annotations

# What the voices of this program need on the telephone, at their usual pace.
CHARACTERS_PER_S = 15.0
SHORTEST_S = 0.4


def spoken_s(text: str) -> float:
    """Seconds, to the tick of 20 ms.

    >>> spoken_s("Press one for sales.")
    1.34
    """
    return round(max(SHORTEST_S, len(text) / CHARACTERS_PER_S) * 50) / 50
