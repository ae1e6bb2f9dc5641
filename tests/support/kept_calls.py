"""Calls as values and as commits, for those who are told of them."""

from __future__ import annotations

from uuid import UUID

from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import LegStatus
from callwright.reasons import Reason
from callwright.store import Change

AT_US = 1_700_000_000_123_456


def requested(world_id: UUID, number: int = 1, *, source: str = "31201", destination: str = "31202") -> CallRecord:
    """A call that is asked for; `take` has its first commit."""
    return CallRecord.requested(
        call_id=UUID(int=number),
        leg_id=UUID(int=number << 8),
        world_id=world_id,
        source=source,
        destination=destination,
        number_id=None,
        webhook_url="https://a.test/",
        webhook_token="token",
        at_us=AT_US,
        node="here",
    )


def moved(record: CallRecord, *moves: str) -> list[Change]:
    """A commit for each of ``starts``, ``rings``, ``is answered`` and ``ends``."""
    (leg,) = record.legs
    changes = []
    for move in moves:
        match move:
            case "starts":
                record.start(AT_US)
            case "rings":
                record.rings(leg.id, AT_US)
            case "is answered":
                record.answered(leg.id, AT_US)
            case "ends":
                answered = record.legs[0].status is LegStatus.ONGOING
                record.end_leg(leg.id, Reason.CALLEE_HANGUP if answered else Reason.NO_ANSWER, AT_US + 2_500_000)
            case _:
                raise AssertionError(move)
        changes.append(record.take())
    return changes
