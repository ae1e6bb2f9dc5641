"""The state machines of call and leg, as tables one can read aloud.

A leg is moved by a `Fact`. `ROWS` says, for the direction and status the leg is in, what it becomes; the names in the
first column are the rows of the specification that the tests walk. A leg that no row covers stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.reasons import Reason

IN = frozenset({Direction.INCOMING})
OUT = frozenset({Direction.OUTGOING})
BOTH = IN | OUT

UNANSWERED = frozenset({LegStatus.STARTING, LegStatus.RINGING})
STARTING = frozenset({LegStatus.STARTING})
ONGOING = frozenset({LegStatus.ONGOING})
LIVE = UNANSWERED | ONGOING


class End(NamedTuple):
    """A leg that goes one of `directions`, is in one of `states` and meets one of `reasons` becomes `to`."""

    rows: str
    directions: frozenset[Direction]
    states: frozenset[LegStatus]
    reasons: frozenset[Reason]
    to: LegStatus


def _end(rows: str, directions: frozenset[Direction], states: frozenset[LegStatus], to: LegStatus, *reasons: Reason) -> End:
    return End(rows, directions, states, frozenset(reasons), to)


# What moves a leg forward: 18x (P1, or our 180 to a caller), an answer (P2, A2).
FORWARD: dict[LegStatus, frozenset[LegStatus]] = {
    LegStatus.RINGING: STARTING,
    LegStatus.ONGOING: UNANSWERED,
}

# A party that was answered cannot fail: whatever goes wrong afterwards, it was connected and now is not.
_FAULTS = (
    Reason.NOT_SUPPORTED_YET,
    Reason.BAD_FLOW,
    Reason.MEDIA_UNAVAILABLE,
    Reason.SPEECH_UNAVAILABLE,
    Reason.FLOW_UNAVAILABLE,
    Reason.FLOW_LOOP,
    Reason.MEDIA_CAPACITY,
    Reason.MEDIA_LOST,
    Reason.SIGNALLING_LOST,
    Reason.NODE_RESTARTED,
    Reason.STORE_UNAVAILABLE,
    Reason.INTERNAL,
)

# What ends a leg.
ENDS: tuple[End, ...] = (
    _end("N3", IN, UNANSWERED, LegStatus.FAILED, Reason.NO_FLOW, Reason.NO_COMMON_CODEC, Reason.BAD_OFFER),
    _end("N6 N8", OUT, STARTING, LegStatus.FAILED, Reason.NO_ROUTE, Reason.NOT_ALLOWED, Reason.LIMIT),
    _end("P3", OUT, UNANSWERED, LegStatus.BUSY, Reason.BUSY),
    _end("P4", OUT, UNANSWERED, LegStatus.NO_ANSWER, Reason.NO_ANSWER, Reason.RING_TIMEOUT),
    _end(
        "P5",
        OUT,
        UNANSWERED,
        LegStatus.FAILED,
        Reason.REDIRECT_REFUSED,
        Reason.AUTH_FAILED,
        Reason.REJECTED,
        Reason.NO_RESPONSE,
        Reason.UNREACHABLE,
        Reason.NO_COMMON_CODEC,
        Reason.BAD_OFFER,
    ),
    _end("P6", OUT, UNANSWERED, LegStatus.HANGUP, Reason.CALLER_GONE, Reason.MAX_DURATION, Reason.FLOW_ENDED),
    _end("P6 C5", OUT, LIVE, LegStatus.HANGUP, Reason.FLOW_REPLACED, Reason.LEFT_BY_KEY),
    _end("A3 A4", IN, UNANSWERED, LegStatus.NO_ANSWER, Reason.CALLER_CANCELLED),
    _end("A5", IN, ONGOING, LegStatus.HANGUP, Reason.NO_ACK),
    _end("A6", IN, UNANSWERED, LegStatus.HANGUP, Reason.FLOW_ENDED, Reason.MAX_DURATION, Reason.PEER_GONE),
    _end("A6", IN, UNANSWERED, LegStatus.BUSY, Reason.BUSY),
    # A machine in the place of whom the caller wanted is nobody who answers.
    _end("A6", IN, UNANSWERED, LegStatus.NO_ANSWER, Reason.NO_ANSWER, Reason.RING_TIMEOUT, Reason.MACHINE),
    _end(
        "A6",
        IN,
        UNANSWERED,
        LegStatus.FAILED,
        Reason.NO_ROUTE,
        Reason.NOT_ALLOWED,
        Reason.LIMIT,
        Reason.REDIRECT_REFUSED,
        Reason.AUTH_FAILED,
        Reason.REJECTED,
        Reason.NO_RESPONSE,
        Reason.UNREACHABLE,
    ),
    _end("B1", IN, ONGOING, LegStatus.HANGUP, Reason.CALLER_HANGUP),
    _end("B2", OUT, ONGOING, LegStatus.HANGUP, Reason.CALLEE_HANGUP),
    _end("B1 A3", BOTH, ONGOING, LegStatus.HANGUP, Reason.PEER_GONE, Reason.CALLER_GONE),
    _end("C1 C2 C4", BOTH, LIVE, LegStatus.HANGUP, Reason.API_HANGUP),
    _end("C5", BOTH, ONGOING, LegStatus.HANGUP, Reason.FLOW_ENDED, Reason.MAX_DURATION, Reason.MEDIA_TIMEOUT),
    _end("C5", BOTH, ONGOING, LegStatus.HANGUP, Reason.MACHINE, Reason.REFERRED),
    _end("H2", BOTH, ONGOING, LegStatus.HANGUP, Reason.DIALOG_LOST),
    _end("R3", BOTH, LIVE, LegStatus.HANGUP, Reason.SHUTDOWN),
    _end("A7 R1 R2 N3 N8", BOTH, ONGOING, LegStatus.HANGUP, *_FAULTS),
    _end("A7 R1 R2 N3 N8", BOTH, UNANSWERED, LegStatus.FAILED, *_FAULTS),
)

# What a call is at first.
FIRST: dict[Direction, CallStatus] = {Direction.INCOMING: CallStatus.STARTING, Direction.OUTGOING: CallStatus.QUEUED}

# From where a call may come to each status (contract §5.3). A terminal status is final.
CALL_MOVES: dict[CallStatus, frozenset[CallStatus]] = {
    CallStatus.STARTING: frozenset({CallStatus.QUEUED}),
    CallStatus.ONGOING: frozenset({CallStatus.STARTING}),
    CallStatus.ENDED: frozenset({CallStatus.QUEUED, CallStatus.STARTING, CallStatus.ONGOING}),
    CallStatus.NO_ANSWER: frozenset({CallStatus.STARTING}),
    CallStatus.BUSY: frozenset({CallStatus.STARTING}),
    CallStatus.FAILED: frozenset({CallStatus.QUEUED, CallStatus.STARTING}),
}

# E1: a call that was never answered ends as its first leg did.
CALL_END: dict[LegStatus, CallStatus] = {
    LegStatus.HANGUP: CallStatus.ENDED,
    LegStatus.BUSY: CallStatus.BUSY,
    LegStatus.NO_ANSWER: CallStatus.NO_ANSWER,
    LegStatus.FAILED: CallStatus.FAILED,
}

# What a call becomes that was answered, and no other: it alone has a duration.
ANSWERED = frozenset(status for status, before in CALL_MOVES.items() if CallStatus.ONGOING in before)


class Outcome(NamedTuple):
    """What a call of a direction is once it is over, and why its first leg ended."""

    direction: Direction
    status: CallStatus
    reason: Reason


# E1 for every end of a first leg. The call was answered where that leg was, or any other: so it may be for each reason. What is
# ever taken out of `ENDS` has to stay here, for the calls that are on record with it.
OUTCOMES = frozenset(
    Outcome(direction, status, reason)
    for row in ENDS
    for direction in row.directions
    for reason in row.reasons
    for status in (CALL_END[row.to], *ANSWERED)
)


def reached(first: CallStatus) -> frozenset[CallStatus]:
    """All that a call may be which begins so."""
    found = {first}
    while more := {to for to, before in CALL_MOVES.items() if before & found} - found:
        found |= more
    return frozenset(found)


def end_of(direction: Direction, status: LegStatus, reason: Reason) -> LegStatus | None:
    """What a leg becomes when `reason` ends it; None when the tables do not let it."""
    return _LOOKUP.get((direction, status, reason))


_LOOKUP = {
    (direction, state, reason): row.to
    for row in ENDS
    for direction in row.directions
    for state in row.states
    for reason in row.reasons
}
