"""What the last word of signalling means to call control: SIP codes and kinds to causes."""

from __future__ import annotations

from callwright.sip.wire import LegEnded, LegFailed
from callwright.telephony import Cause, cause_of

CAUSE_BY_KIND = {
    "auth": Cause.AUTH_FAILED,
    "no_response": Cause.NO_RESPONSE,
    "unreachable": Cause.UNREACHABLE,
    "cancelled": Cause.CANCELLED,
}
CAUSE_BY_END = {
    "bye": Cause.HANGUP,
    "no_ack": Cause.NO_ACK,
    "dialog_lost": Cause.DIALOG_LOST,
    "late_answer": Cause.CANCELLED,
}


def far_refusal(message: LegFailed) -> Cause:
    """Why an INVITE of ours, which we did not cancel, ended without an answer (lifecycle rows P3 to P5)."""
    return CAUSE_BY_KIND.get(message.kind) or cause_of(message.code)


def near_refusal(message: LegFailed, ours: Cause | None, code: int | None) -> tuple[Cause, int | None]:
    """Why an incoming leg ended without an answer, and its final code: the caller's CANCEL (487, RFC 3261 §9.2), or ours."""
    if message.kind == "cancelled":
        return Cause.CANCELLED, 487
    return ours or Cause.REJECTED, message.code or code


def end(message: LegEnded) -> Cause:
    return CAUSE_BY_END.get(message.kind, Cause.HANGUP)
