"""Which call is kept for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

DAY_US = 86_400 * 1_000_000
FOR_EVER = 0


class Rules(msgspec.Struct, frozen=True):
    """Days from the end of a call; 0 stands for ever. Those in `tags` hold for calls with the tag, `calls` for all others."""

    calls: int = FOR_EVER
    tags: Mapping[str, int] = {}

    def until_us(self, ended_us: int, tags: Iterable[str]) -> int | None:
        """When a call may go; None for never. Of several tags that are named the one with the longest time counts.

        >>> Rules(1, {"keep": 3, "short": 2}).until_us(0, ["short", "keep", "other"]) == 3 * DAY_US
        True
        """
        days = [self.tags[tag] for tag in tags if tag in self.tags] or [self.calls]
        return None if FOR_EVER in days else ended_us + max(days) * DAY_US

    @property
    def shortest_us(self) -> int | None:
        """What is younger than this need not be looked at; None when everything is kept."""
        days = [one for one in (self.calls, *self.tags.values()) if one != FOR_EVER]
        return min(days) * DAY_US if days else None
