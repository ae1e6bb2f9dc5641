"""What a receiver asks for by Retry-After (RFC 9110 §10.2.3), and what later callbacks say of those before them."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from callwright.clock import SECOND_US

_LONGEST_DIGITS = 12
# A header longer than this is refused by some servers, and by then nobody counts any more.
MOST_GAPS = 100


def asked_until_us(value: str | None, now_us: int) -> int | None:
    """The end of the wait a Retry-After asks for, in seconds or as an HTTP date; None when it is neither, or over."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        until_us = now_us + int(text[:_LONGEST_DIGITS]) * SECOND_US
    else:
        try:
            until_us = round(parsedate_to_datetime(text).timestamp()) * SECOND_US
        except (ValueError, TypeError, OverflowError):
            return None
    return until_us if until_us > now_us else None


def gaps(latest_first: Sequence[int]) -> str:
    """Sequences as a receiver reads them, the earliest first; of very many ranges the latest.

    >>> gaps([7, 6, 5, 3])
    '3,5-7'
    """
    ranges: list[list[int]] = []
    for sequence in latest_first:
        if ranges and ranges[-1][0] == sequence + 1:
            ranges[-1][0] = sequence
        elif len(ranges) == MOST_GAPS:
            break
        else:
            ranges.append([sequence, sequence])
    return ",".join(str(last) if first == last else f"{first}-{last}" for first, last in reversed(ranges))
