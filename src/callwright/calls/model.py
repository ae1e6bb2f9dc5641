"""Calls and legs as values. Times are microseconds since the epoch, UTC; statuses are the contract's (§2.1, §2.2)."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec

from callwright.clock import SECOND_US
from callwright.reasons import Reason


class _Word(Enum):
    """Members are the same objects everywhere; the hash that Enum has takes longer than a look-up in the tables."""

    __hash__ = object.__hash__


class CallStatus(_Word):
    QUEUED = "queued"
    STARTING = "starting"
    ONGOING = "ongoing"
    ENDED = "ended"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"


class LegStatus(_Word):
    STARTING = "starting"
    RINGING = "ringing"
    ONGOING = "ongoing"
    HANGUP = "hangup"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


class Direction(_Word):
    INCOMING = "incoming"
    OUTGOING = "outgoing"


LIVE_CALL = frozenset({CallStatus.QUEUED, CallStatus.STARTING, CallStatus.ONGOING})
LIVE_LEG = frozenset({LegStatus.STARTING, LegStatus.RINGING, LegStatus.ONGOING})


class CalledNumber(msgspec.Struct, frozen=True):
    """The owned number a caller dialled, as it was when the call came; `flow_id` is the flow that runs, if any."""

    id: UUID
    number: str
    flow_id: UUID | None
    created_us: int
    updated_us: int


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One voice connection of a call.

    `intent` is ``answering`` between the decision to answer and the answer's leaving; it is never shown. `n` counts
    the legs of a call from 1.
    """

    id: UUID
    call_id: UUID
    n: int
    direction: Direction
    source: str
    destination: str
    status: LegStatus = LegStatus.STARTING
    intent: str | None = None
    reason: Reason | None = None
    detail: str = ""
    sip_code: int | None = None
    sip_call_id: str = ""
    created_us: int
    updated_us: int
    answered_us: int | None = None
    ended_us: int | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE_LEG

    @property
    def duration_s(self) -> int:
        """Seconds from answer to end, rounded up; 0 while it lasts and when it was never answered (contract §2.2)."""
        return _seconds(self.answered_us, self.ended_us)


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call. `called` is the owned number that was dialled (inbound), `number_id` that or the owned source number.

    `direction` is its first leg's, `reason` why that one ended, `answered_us` when the first of its legs was answered.
    `flow_id` is the stored flow that answers it; a call made over REST brings its own, which has no id.
    """

    id: UUID
    world_id: UUID
    status: CallStatus
    direction: Direction = Direction.OUTGOING
    source: str
    destination: str
    number_id: UUID | None = None
    called: CalledNumber | None = None
    flow_id: UUID | None = None
    webhook_url: str | None = None
    webhook_token: str | None = None
    reason: Reason | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    created_us: int
    updated_us: int
    answered_us: int | None = None
    ended_us: int | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE_CALL

    @property
    def duration_s(self) -> int:
        """Seconds from answer to end, rounded up as a leg's; 0 while it lasts and when it was never answered."""
        return _seconds(self.answered_us, self.ended_us)


def _seconds(answered_us: int | None, ended_us: int | None) -> int:
    if answered_us is None or ended_us is None:
        return 0
    return -((answered_us - ended_us) // SECOND_US)
