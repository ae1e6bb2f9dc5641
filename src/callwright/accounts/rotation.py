"""A secret that takes another's place. For a while both are good, so that nobody has to change it everywhere at once."""

from __future__ import annotations

from typing import NamedTuple

from callwright.clock import SECOND_US, rfc3339
from callwright.errors import Conflict, Invalid

DEFAULT_OVERLAP_S = 86_400.0
LONGEST_OVERLAP_S = 2_592_000


class Secrets(NamedTuple):
    """What is signed with: `former` is None, too, where there was none; until `until_us` that is what stays good."""

    current: str | None
    former: str | None = None
    until_us: int | None = None

    @classmethod
    def at(cls, now_us: int, current: str | None, old: str | None, old_until_us: int | None) -> Secrets:
        return cls(current, old, old_until_us) if in_force(old_until_us, now_us) else cls(current)


def in_force(old_until_us: int | None, now_us: int) -> bool:
    """Whether a secret that was replaced is still good."""
    return old_until_us is not None and now_us < old_until_us


def end_of_overlap(old_until_us: int | None, now_us: int, overlap: float, *, finish: str) -> int | None:
    """Until when the secret of today stays good beside its successor; None for an overlap of no seconds.

    Raises `Conflict` while the one before it, good until `old_until_us`, is not gone: three secrets at once would leave
    nobody sure which a receiver has. Without an overlap it may always go, as it must when a secret has leaked. `finish` is
    how the rotation under way is ended.
    """
    if not 0 <= overlap <= LONGEST_OVERLAP_S:
        raise Invalid(f"overlap must be from 0 to {LONGEST_OVERLAP_S} seconds; it was {overlap:.10g}.", parameter="overlap")
    if overlap == 0:
        return None
    if old_until_us is not None and in_force(old_until_us, now_us):
        raise Conflict(
            f"A rotation is under way: the secret before this one is good until {rfc3339(old_until_us)}.",
            remedy=f"End it first: {finish}. Or rotate with an overlap of 0, which ends both old secrets at once.",
        )
    return now_us + round(overlap * SECOND_US)
