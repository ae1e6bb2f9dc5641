"""What calls are looked for by, as a value; a list, an export and a live feed mean the same by it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from uuid import UUID

import msgspec

from callwright.calls.lists import Facets
from callwright.calls.model import Call, CallStatus, Direction
from callwright.reasons import Reason


class At(Enum):
    """Where in a number or URI a text is sought."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    END = "end"
    ANYWHERE = "anywhere"


class Sought(NamedTuple):
    """A number or URI, or a part of one."""

    text: str
    at: At = At.WHOLE

    def matches(self, party: str) -> bool:
        """
        >>> Sought("0123", At.END).matches("31205550123")
        True
        """
        match self.at:
            case At.WHOLE:
                return party == self.text
            case At.BEGINNING:
                return party.startswith(self.text)
            case At.END:
                return party.endswith(self.text)
            case At.ANYWHERE:
                return self.text in party


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All of it must be true of a call; what is None or empty asks for nothing.

    A call has one of the `statuses`, one of the `reasons`, all of the `tags` and of the `metadata`. Spans are from the first
    to before the second, in microseconds; `duration` is in seconds, both ends included.
    """

    statuses: frozenset[CallStatus] = frozenset()
    direction: Direction | None = None
    number_id: UUID | None = None
    source: Sought | None = None
    destination: Sought | None = None
    flow_id: UUID | None = None
    reasons: frozenset[Reason] = frozenset()
    tags: frozenset[str] = frozenset()
    metadata: frozenset[tuple[str, str]] = frozenset()
    created: tuple[int, int] | None = None
    ended: tuple[int, int] | None = None
    duration: tuple[int, int] | None = None

    @property
    def facets(self) -> Facets:
        """What of it the counters know."""
        return Facets(
            statuses=self.statuses or frozenset(CallStatus),
            direction=self.direction,
            number_id=self.number_id,
            created=self.created,
            ended=self.ended,
        )

    @property
    def counted(self) -> bool:
        """Whether the counters know all of it, so that any page and the total are found without a search."""
        return not (
            self.source
            or self.destination
            or self.flow_id
            or self.reasons
            or self.tags
            or self.metadata
            or self.duration is not None
        )

    def matches(self, call: Call) -> bool:
        return (
            (not self.statuses or call.status in self.statuses)
            and self.direction in (None, call.direction)
            and self.number_id in (None, call.number_id)
            and self.flow_id in (None, call.flow_id)
            and (self.source is None or self.source.matches(call.source))
            and (self.destination is None or self.destination.matches(call.destination))
            and (not self.reasons or call.reason in self.reasons)
            and self.tags <= set(call.tags)
            and self.metadata <= set(call.metadata.items())
            and _within(call.created_us, self.created)
            and _within(call.ended_us, self.ended)
            and (self.duration is None or self.duration[0] <= call.duration_s <= self.duration[1])
        )


def _within(at_us: int | None, span: tuple[int, int] | None) -> bool:
    return span is None or (at_us is not None and span[0] <= at_us < span[1])
