"""What the final SIP code of a refusal means to call control, and what it is called (RFC 3261 §21)."""

from __future__ import annotations

from callwright.telephony.events import Cause

_CAUSES = {
    486: Cause.BUSY,
    600: Cause.BUSY,
    408: Cause.NO_ANSWER,
    480: Cause.NO_ANSWER,
    487: Cause.NO_ANSWER,
    401: Cause.AUTH_FAILED,
    407: Cause.AUTH_FAILED,
}
_PHRASES = {
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}


def cause_of(code: int) -> Cause:
    """Why an INVITE of ours, which we did not cancel, was refused with a code.

    >>> cause_of(480).value, cause_of(302).value, cause_of(404).value
    ('no_answer', 'redirected', 'rejected')
    """
    return _CAUSES.get(code) or (Cause.REDIRECTED if 300 <= code < 400 else Cause.REJECTED)


def phrase_of(code: int) -> str:
    return _PHRASES.get(code, "Refused")
