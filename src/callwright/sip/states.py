"""The phases of a leg, and under them the states of its dialog.

States are sippy's, where they treat a request or response otherwise than RFC 3261 or we want. One is a table from method,
or event, to what is done; what a table does not name is answered by `dialog.Dialog`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from sippy.CCEvents import CCEventUpdate
from sippy.UacStateCancelling import UacStateCancelling
from sippy.UacStateUpdating import UacStateUpdating
from sippy.UasStateRinging import UasStateRinging
from sippy.UasStateTrying import UasStateTrying
from sippy.UasStateUpdating import UasStateUpdating
from sippy.UaStateConnected import UaStateConnected
from sippy.UaStateDisconnected import UaStateDisconnected
from sippy.UaStateFailed import UaStateFailed

from callwright.sip import referral, reinvites
from callwright.sip.headers import ACCEPT, ALLOW, SUPPORTED, field
from callwright.sip.transactions import INVITE_LIVES_S, scaled_timeout


class Phase(Enum):
    ARRIVED = auto()  # incoming, no final response yet
    CALLING = auto()  # outgoing, the same
    CANCELLING = auto()  # outgoing, given up by us; the far end's word is awaited
    UP = auto()
    OVER = auto()  # the core has had the last word; SIP may still be tidying up


MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.ARRIVED: frozenset({Phase.UP, Phase.OVER}),
    Phase.CALLING: frozenset({Phase.UP, Phase.CANCELLING, Phase.OVER}),
    Phase.CANCELLING: frozenset({Phase.OVER}),
    Phase.UP: frozenset({Phase.OVER}),
    Phase.OVER: frozenset(),
}


NOT_ALLOWED = (405, "Method Not Allowed")
NO_DIALOG = (481, "Call/Transaction Does Not Exist")


def _info(state: Any, request: Any) -> None:
    state.ua.respond(request, 200, "OK")
    state.ua.take_info(request)


def _options(state: Any, request: Any) -> None:
    state.ua.respond(request, 200, "OK", ALLOW, ACCEPT, SUPPORTED)


def _update(state: Any, request: Any) -> None:
    # One without a description only refreshes the session (RFC 4028 §7.4); descriptions come in re-INVITEs.
    if request.getBody() is None:
        state.ua.respond(request, 200, "OK", contact=True)
    else:
        state.ua.respond(request, *NOT_ALLOWED, ALLOW)


def _refer(state: Any, request: Any) -> None:
    # sippy would take it for a hang-up.
    referral.arrived(state.ua, request)


def _notify(state: Any, request: Any) -> None:
    referral.notified(state.ua, request)


def _too_early(state: Any, request: Any) -> None:
    """A second INVITE before the first has its final response (RFC 3261 §14.2)."""
    state.ua.respond(request, 500, "Server Internal Error", field("Retry-After", str(state.ua.chance.randint(0, 10))))


IN_DIALOG = {"INFO": _info, "OPTIONS": _options, "UPDATE": _update, "REFER": _refer, "NOTIFY": _notify}


class Arrived(UasStateTrying):
    recv_request_handlers = IN_DIALOG | {"INVITE": _too_early}


class RingingHere(UasStateRinging):
    recv_request_handlers = UasStateRinging.recv_request_handlers | IN_DIALOG | {"INVITE": _too_early}


class Cancelling(UacStateCancelling):
    """We sent, or hold, a CANCEL and wait for what becomes of the INVITE: 64 T1 at most (RFC 3261 §9.1)."""

    def __init__(self, ua: Any) -> None:
        super().__init__(ua)
        self.te.cancel()
        self.te: Any = scaled_timeout(self.goIdle, INVITE_LIVES_S)

    def goIdle(self) -> None:
        ua = self.ua
        super().goIdle()
        ua.cancel_unanswered()

    def recvResponse(self, resp: Any, tr: Any) -> Any:
        ua = self.ua
        following = super().recvResponse(resp, tr)
        if resp.scode >= 200:
            ua.cancel_answered(resp)
        return following


class Connected(UaStateConnected):
    def _offer(self, request: Any) -> Any:
        """Pass every re-INVITE on, the ones without a description or with the same one too."""
        ua = self.ua
        if ua.phase is Phase.OVER:
            ua.respond(request, *NO_DIALOG)
            return None
        ua.uasResp = request.genResponse(100, "Trying")
        ua.global_config["_sip_tm"].sendResponse(ua.uasResp)
        reinvites.arrived(ua, request)
        return (ua.UasStateUpdating,)

    def _send_offer(self, event: Any, extra_headers: Any) -> Any:
        ua = self.ua
        ua.lSDP = event.getData()
        ua.newUacTransaction(ua.genRequest("INVITE", ua.lSDP, extra_headers=extra_headers), req_extra_headers=extra_headers)
        return (ua.UacStateUpdating,)

    recv_request_handlers = UaStateConnected.recv_request_handlers | IN_DIALOG | {"INVITE": _offer}
    recv_event_handlers = UaStateConnected.recv_event_handlers | {CCEventUpdate: _send_offer}


class OfferReceived(UasStateUpdating):
    recv_request_handlers = UasStateUpdating.recv_request_handlers | IN_DIALOG | {"INVITE": _too_early}

    def cancel(self, rtime: Any, request: Any) -> None:
        """A re-INVITE that is cancelled leaves the session as it was; sippy would end the call."""
        self.ua.changeState((self.ua.UaStateConnected,))
        reinvites.withdrawn(self.ua)


def is_after_the_end(ua: Any, request: Any) -> bool:
    """Whether the dialog is over for a request; a BYE that crossed ours, or what ended the call, is still welcome (§15.1.2)."""
    if not isinstance(ua.state, UaStateDisconnected | UaStateFailed):
        return False
    old = ua.rCSeq is not None and request.getHFBody("cseq").getCSeqNum() <= ua.rCSeq
    return request.getMethod() != "BYE" or old


class OfferSent(UacStateUpdating):
    recv_request_handlers = UacStateUpdating.recv_request_handlers | IN_DIALOG
