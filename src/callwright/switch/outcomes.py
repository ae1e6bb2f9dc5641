"""From the engine's causes to reasons, and from reasons to what a caller is told."""

from __future__ import annotations

from callwright.calls.model import Direction
from callwright.reasons import Reason
from callwright.telephony import Cause

# Rows P3 to P5 for a leg we placed, N3 and A4 for one that came in.
_REFUSED: dict[Cause, Reason] = {
    Cause.BUSY: Reason.BUSY,
    Cause.NO_ANSWER: Reason.NO_ANSWER,
    Cause.CANCELLED: Reason.CALLER_CANCELLED,
    Cause.REJECTED: Reason.REJECTED,
    Cause.REDIRECTED: Reason.REDIRECT_REFUSED,
    Cause.AUTH_FAILED: Reason.AUTH_FAILED,
    Cause.NO_RESPONSE: Reason.NO_RESPONSE,
    Cause.UNREACHABLE: Reason.UNREACHABLE,
    Cause.NO_COMMON_CODEC: Reason.NO_COMMON_CODEC,
    Cause.BAD_SDP: Reason.BAD_OFFER,
    Cause.MEDIA_CAPACITY: Reason.MEDIA_CAPACITY,
    Cause.MEDIA_LOST: Reason.MEDIA_LOST,
    Cause.SIGNALLING_LOST: Reason.SIGNALLING_LOST,
}

_ENDED: dict[Cause, Reason] = {
    Cause.NO_ACK: Reason.NO_ACK,
    Cause.DIALOG_LOST: Reason.DIALOG_LOST,
    Cause.MEDIA_LOST: Reason.MEDIA_LOST,
    Cause.SIGNALLING_LOST: Reason.SIGNALLING_LOST,
}

# Row A6 and N3: what a caller who was not answered is refused with, by the reason of the leg.
_REJECTIONS: dict[Reason, tuple[int, str]] = {
    Reason.BUSY: (486, "Busy Here"),
    Reason.NO_ANSWER: (480, "Temporarily Unavailable"),
    Reason.RING_TIMEOUT: (480, "Temporarily Unavailable"),
    Reason.MACHINE: (480, "Temporarily Unavailable"),
    Reason.NO_FLOW: (480, "Temporarily Unavailable"),
    Reason.NO_COMMON_CODEC: (488, "Not Acceptable Here"),
    Reason.BAD_OFFER: (488, "Not Acceptable Here"),
    Reason.FLOW_ENDED: (603, "Decline"),
    Reason.API_HANGUP: (603, "Decline"),
    Reason.MAX_DURATION: (603, "Decline"),
    Reason.PEER_GONE: (603, "Decline"),
    Reason.SHUTDOWN: (603, "Decline"),
    Reason.NOT_SUPPORTED_YET: (501, "Not Implemented"),
}
_OTHERWISE = (503, "Service Unavailable")

# The loss of a process takes every leg of the call with it, whichever is told first (rows R1 and R2).
TAKES_ALL = frozenset({Reason.MEDIA_LOST, Reason.SIGNALLING_LOST})

# What says of a callee that it cannot talk to us says nothing of the caller, who hears 503 and not 488.
CALLEES_OWN = frozenset({Reason.NO_COMMON_CODEC, Reason.BAD_OFFER})


def reason_of_refusal(cause: Cause, direction: Direction) -> Reason:
    """Why a leg that was never answered is over."""
    if direction is Direction.OUTGOING and cause is Cause.CANCELLED:
        return Reason.NO_ANSWER  # a 487 that we did not ask for (P4)
    return _REFUSED.get(cause, Reason.INTERNAL)


def reason_of_end(cause: Cause, direction: Direction) -> Reason:
    """Why an answered leg is over."""
    if cause is Cause.HANGUP:
        return Reason.CALLER_HANGUP if direction is Direction.INCOMING else Reason.CALLEE_HANGUP
    return _ENDED.get(cause, Reason.INTERNAL)


def rejection(reason: Reason, *, of_callee: bool = False) -> tuple[int, str]:
    """SIP code and phrase for a caller whose leg ends unanswered; `of_callee` when the reason is the callee's."""
    if of_callee and reason in CALLEES_OWN:
        return _OTHERWISE
    return _REJECTIONS.get(reason, _OTHERWISE)
