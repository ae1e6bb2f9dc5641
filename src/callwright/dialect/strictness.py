"""Where the wire keeps to the vendor's documents, or to one strict library, rather than to what most libraries can read.

The only place that knows of these switches; whoever renders the compatible interface or a callback asks here. All are off
unless the settings say otherwise, and the native interface knows none of them.
"""

from __future__ import annotations

import msgspec

from callwright.calls.model import CallStatus
from callwright.errors import Problem

# Libraries know these under their older, general name (contract §2.1).
COLLAPSED = {
    CallStatus.NO_ANSWER: CallStatus.ENDED,
    CallStatus.BUSY: CallStatus.ENDED,
    CallStatus.FAILED: CallStatus.ENDED,
}
UNAUTHENTICATED = 401


class Strictness(msgspec.Struct, frozen=True, kw_only=True):
    """`documented_status_codes`: 400 and 409 where libraries want 422 (contract §3.4). `collapse_statuses`: calls are
    ``ended`` however they ended (§2.1). `authentication_code`: the error code of a 401, 15 or 2 (C19). `method_on_get`:
    ``_method`` counts in the query of a GET too (§1.1).
    """

    documented_status_codes: bool = False
    collapse_statuses: bool = False
    authentication_code: int = 15
    method_on_get: bool = False

    def http(self, problem: Problem) -> int:
        return problem.documented_http if self.documented_status_codes else problem.http

    def code(self, problem: Problem) -> int:
        return self.authentication_code if problem.http == UNAUTHENTICATED else problem.code

    def call_status(self, status: CallStatus) -> CallStatus:
        return COLLAPSED.get(status, status) if self.collapse_statuses else status

    @property
    def call_statuses(self) -> tuple[CallStatus, ...]:
        """Those that a call can be shown with."""
        return tuple(status for status in CallStatus if self.call_status(status) is status)


LENIENT = Strictness()
