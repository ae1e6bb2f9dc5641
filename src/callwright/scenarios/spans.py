"""Spans of an expectation: a number, or from one to another."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """`exact` tells a plain number from a span; an end that is open is infinite."""

    low: float
    high: float
    exact: bool = False

    def holds(self, seen: float, tolerance: float) -> bool:
        """Whether a number lies within, or so little beside it."""
        return self.low - tolerance - 1e-9 <= seen <= self.high + tolerance + 1e-9

    def __str__(self) -> str:
        if self.exact:
            return f"{self.low:g} s"
        if self.low == float("-inf"):
            return f"at most {self.high:g} s"
        if self.high == float("inf"):
            return f"at least {self.low:g} s"
        return f"{self.low:g} to {self.high:g} s"


def span(text: str) -> Span:
    """Read ``12``, ``10..14``, ``10..`` or ``..14``. Raises `ValueError` for what is none.

    >>> span("10..14").holds(14.04, tolerance=0.05)
    True
    """
    low, dots, high = text.partition("..")
    if not dots:
        return Span(float(low), float(low), exact=True)
    if not low.strip() and not high.strip():
        raise ValueError(f"{text!r} has neither end")
    found = Span(float(low) if low.strip() else float("-inf"), float(high) if high.strip() else float("inf"))
    if found.low > found.high:
        raise ValueError(f"{text!r} ends before it begins")
    return found


def misread(text: str) -> str | None:
    """Why a text is no span; None for one that is."""
    try:
        span(text)
    except ValueError as error:
        return str(error)
    return None
