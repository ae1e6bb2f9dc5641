"""A leg as SIP sees it: one dialog, its phase, and its one last word to the core."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from sippy.CCEvents import (
    CCEventConnect,
    CCEventDisconnect,
    CCEventFail,
    CCEventRedirect,
    CCEventRing,
    CCEventTry,
)
from sippy.SipCallId import SipCallId
from sippy.SipConf import SipConf
from sippy.SipHeader import SipHeader
from sippy.SipTransactionManager import TRYING
from sippy.SipURL import SipURL
from sippy.UA import UA

from callwright.sip import referral, reinvites, requests, wire
from callwright.sip.digest import CHALLENGES, Credentials
from callwright.sip.headers import (
    ALLOW,
    HOPS,
    SUPPORTED,
    content_of,
    description,
    description_in,
    field,
    one_line,
    outward,
    reason_fields,
    reason_of,
    required,
)
from callwright.sip.release import our_contact, state_of
from callwright.sip.server import Address, is_ipv4
from callwright.sip.states import (
    MOVES,
    NO_DIALOG,
    NOT_ALLOWED,
    Arrived,
    Cancelling,
    Connected,
    OfferReceived,
    OfferSent,
    Phase,
    RingingHere,
    is_after_the_end,
)
from callwright.sip.surroundings import Surroundings
from callwright.sip.wellformed import has_usable_port


class Dialog(UA):
    """`peer` is where the far end was last known to be: requests go there when its Contact names no IPv4 address."""

    UasStateTrying = Arrived
    UasStateRinging = RingingHere
    UacStateCancelling = Cancelling
    UaStateConnected = Connected
    UasStateUpdating = OfferReceived
    UacStateUpdating = OfferSent

    # A BYE that comes later than this is answered from the cache, or 481; a longer life only fills memory.
    godead_timeout = 1.0
    # Transfers; `was_asked`: the far end has asked for one before.
    asked: referral.Asked | None = None
    sent: referral.Sent | None = None
    was_asked = False

    def __init__(self, around: Surroundings, leg: UUID, phase: Phase, peer: Address) -> None:
        super().__init__(around.config, nh_address=peer)
        self.around = around
        self.chance = around.chance
        self.leg = leg
        self.phase = phase
        self.peer = peer
        self.lContact = our_contact()
        self.reason = ""  # the far end's, from the message being worked on
        self.heard = False  # anything at all, from the callee
        self.max_forwards: int | None = None

        self.invite: Any = None  # the far end's INVITE transaction while our 200 has no ACK
        self.held_bye: CCEventDisconnect | None = None
        self.offers = reinvites.Offers()
        self.credentials: Credentials | None = None

    @property
    def is_up(self) -> bool:
        return self.phase is Phase.UP

    @property
    def may_invite(self) -> bool:
        """Whether no INVITE is under way in either direction (RFC 3261 §14.1)."""
        return self.phase is Phase.UP and isinstance(self.state, Connected) and self.invite is None

    def kept(self) -> bytes:
        """What a successor of this process needs to end the dialog (`wire.DialogState`)."""
        return state_of(self, self.peer, self.global_config["_sip_tm"].server.getSIPaddr())

    # what the core asks

    def place(self, order: wire.PlaceLeg, caller: str) -> None:
        if order.username:
            self.credentials = Credentials(order.username, order.password)
        self.max_forwards = order.max_forwards
        event = CCEventTry(
            (SipCallId(order.sip_call_id or None), caller, order.user or None, description(order.sdp), None, None)
        )
        event.max_forwards = order.max_forwards
        event.extra_headers = (ALLOW, SUPPORTED, field(HOPS, str(order.hops)))

        def address(_: Any) -> None:
            # Without "transport" and with a port only when needed, the digest's uri is the request URI to the letter.
            port = None if order.port == SipConf.default_port else order.port
            self.rTarget = SipURL(username=order.user or None, host=order.host, port=port)
            self.rUri.getUrl().host = order.host

        event.onUacSetupComplete = address
        self.recvEvent(event)

    def progress(self, sdp: str) -> bool:
        if self.phase is not Phase.ARRIVED:
            return False
        code, phrase = (183, "Session Progress") if sdp else (180, "Ringing")
        self.recvEvent(CCEventRing((code, phrase, description(sdp))))
        return True

    def answer(self, sdp: str) -> bool:
        if self.phase is not Phase.ARRIVED:
            return False
        event = CCEventConnect((200, "OK", description(sdp)))
        event.extra_headers = (ALLOW, SUPPORTED)
        self.offers.in_200 = self.rSDP is None
        self.recvEvent(event)
        self._move(Phase.UP)
        self.around.tell(wire.AnswerSent(self.leg))
        return True

    def reject(self, code: int, phrase: str, reason: str = "", retry_after_s: int | None = None) -> bool:
        if self.phase is not Phase.ARRIVED:
            return False
        event = CCEventFail((code, one_line(phrase)))
        event.extra_headers = reason_fields(reason)
        if retry_after_s is not None:
            event.extra_headers += (field("Retry-After", str(retry_after_s)),)
        self.recvEvent(event)
        self.last_word(wire.LegFailed(self.leg, code, phrase))
        return True

    def end(self, reason: str) -> bool:
        if self.phase is Phase.ARRIVED:
            return self.reject(603, "Decline", reason)
        event = CCEventDisconnect()
        event.extra_headers = reason_fields(reason)
        if self.phase is Phase.CALLING:
            self._move(Phase.CANCELLING)
            self.recvEvent(event)
        elif self.phase is Phase.UP:
            self.last_word(wire.LegEnded(self.leg, "us"))
            if self.invite is not None and isinstance(self.state, Connected):
                self.held_bye = event  # no BYE before the ACK of our 200 (RFC 3261 §15)
            else:
                self.recvEvent(event)
        else:
            return self.phase is Phase.CANCELLING
        return True

    def collapse(self) -> None:
        """End the leg because working on it raised: as decently as still possible, but end it."""
        phase = self.phase
        if phase is Phase.OVER:
            return
        if phase is Phase.UP:
            self.last_word(wire.LegEnded(self.leg, "us", "dialog_lost", 500))
        else:
            self.last_word(wire.LegFailed(self.leg, 500, "Server Internal Error"))
        event = CCEventFail((500, "Server Internal Error")) if phase is Phase.ARRIVED else CCEventDisconnect()
        try:
            self.recvEvent(event)
        except Exception:
            self.around.faults.exception("collapse")
            if phase is Phase.UP:
                self.around.tell(wire.DialogOver(self.leg))  # or a BYE that never left would be waited for

    # what the far end asks, by way of the states

    def take_info(self, request: Any) -> None:
        if self.phase in (Phase.ARRIVED, Phase.UP):
            self.around.tell(wire.InfoArrived(self.leg, *content_of(request.getBody())))

    def cancel_answered(self, response: Any) -> None:
        code = response.scode
        if code < 300:
            self.last_word(wire.LegEnded(self.leg, "us", "late_answer"))
        else:
            self.last_word(
                wire.LegFailed(self.leg, code if self.heard else 0, outward(response.reason), "cancelled", self.reason)
            )

    def cancel_unanswered(self) -> None:
        self.last_word(wire.LegFailed(self.leg, 0, "no final response to the CANCEL", "cancelled"))

    def respond(self, request: Any, code: int, phrase: str, *fields: SipHeader, contact: bool = False) -> None:
        response = request.genResponse(code, phrase)
        if contact:
            response.appendHeader(SipHeader(name="contact", body=self.lContact))
        response.appendHeaders(fields)
        self.global_config["_sip_tm"].sendResponse(response)

    def cancelled(self, rtime: Any, request: Any) -> None:
        """The far end's CANCEL, or its Expires; the 487 has left."""
        self.reason = reason_of(request) if request is not None else ""
        self.state.cancel(rtime, request)

    def refresh_target(self, target: Any) -> None:
        """A re-INVITE moves the far end's address (RFC 3261 §12.2); the route set stays."""
        if target is None or not has_usable_port(target):
            return
        moved = str(target) != str(self.rTarget)
        self.rTarget = target
        if not self.routes:
            self.rAddr = target.getTAddr()
        if moved:
            self.around.tell(wire.DialogMoved(self.leg, self.kept()))

    # what sippy calls

    def isYours(self, req: Any = None, call_id: Any = None, from_tag: Any = None, to_tag: Any = None) -> Any:
        """Say whether a request belongs here. The base also compares branches: all but BYE is 481 before the answer."""
        if (
            str(req.getHFBody("call-id")) == str(self.cId)
            and req.getHFBody("to").getTag() == self.lUri.getTag()
            and req.getHFBody("from").getTag() == self.rUri.getTag()
        ):
            return self
        return None

    def recvRequest(self, req: Any, sip_t: Any) -> Any:
        if self.state is not None and (tags := required(req)):
            response = req.genResponse(420, "Bad Extension")
            response.appendHeader(field("Unsupported", tags))
            return (response, None, None)
        if is_after_the_end(self, req):
            return (req.genResponse(*NO_DIALOG), None, None)
        self.reason = reason_of(req)
        req.delHFs("also")  # the base reads it when the BYE has had its 200; one it cannot read would leave the leg up
        try:
            answer = super().recvRequest(req, sip_t)
        finally:
            # A closure over the request and this dialog; it would keep both from being freed.
            req.__dict__.pop("sendResponse", None)
        if sip_t.r487 is not None:
            sip_t.r487.getHFBody("to").setTag(self.lTag)
        if answer is None:
            if referral.is_waiting(self, req):
                return (None, None, None)
            if sip_t.tid is not None and sip_t.state is TRYING:
                known = self.state.connected or self.phase is Phase.ARRIVED
                response = req.genResponse(*(NOT_ALLOWED if known else NO_DIALOG))
                response.appendHeaders((ALLOW,) if known else ())
                return (response, None, None)
        elif answer[0] is None:
            self.invite = sip_t
            return (None, self.cancelled, self.disconnect)
        return answer

    def recvResponse(self, resp: Any, tr: Any) -> None:
        local = resp.source is None
        self.heard = self.heard or not local
        self.reason = reason_of(resp)
        if local and not self.heard and self.phase is Phase.CALLING:
            kind = "unreachable" if getattr(tr, "unreachable", False) else "no_response"
            self.last_word(wire.LegFailed(self.leg, 0, "", kind))
        try:
            resp.getHFBody("cseq")  # a transaction is found by the last one, and nothing done with it by the first
        except ValueError as error:
            self.around.faults.unusable("{}:{}".format(*resp.getSource()), error)
            self.collapse()
            return
        try:
            if 200 <= resp.scode < 300 and self.phase is Phase.UP and resp.countHFs("contact"):
                self.refresh_target(resp.getHFBody("contact").getUrl().getCopy())
            super().recvResponse(resp, tr)
        except Exception:
            self.around.faults.exception("recvResponse")
            self.collapse()

    def recvACK(self, req: Any) -> None:
        self.invite = None
        held, self.held_bye = self.held_bye, None
        if held is not None:
            self.recvEvent(held)
        elif self.phase is Phase.UP:
            reinvites.acknowledged(self, req)

    def disconnect(self, rtime: Any = None, origin: Any = None) -> None:
        """Nobody acknowledged our final response; only for a 200 is there something to end."""
        if self.invite is None:
            return
        self.invite = None
        held, self.held_bye = self.held_bye, None
        self.last_word(wire.LegEnded(self.leg, "us", "no_ack"))
        self.recvEvent(held or CCEventDisconnect())

    def sendUasResponse(
        self, scode: int, reason: str, body: Any = None, contacts: Any = None, extra_headers: Any = None, ack_wait: bool = False
    ) -> None:
        super().sendUasResponse(scode, reason, body, contacts, extra_headers, ack_wait=200 <= scode < 300)
        if scode >= 300:
            self.invite = None

    def newTransaction(self, req: Any, req_extra_headers: Any = None, **options: Any) -> Any:
        if not is_ipv4(req.getTarget()[0][0]):
            req.setTarget((self.peer, "udp"))
        if req.getMethod() == "BYE":
            options.setdefault("resp_cb", partial(requests.answered, self, "BYE", self._bye_answered, (), None, False))
        t = super().newTransaction(req, req_extra_headers, **options)
        t.leg = self.leg
        return t

    def processChallenge(self, resp: Any, cseq: int, ch_hfname: str, auth_hfname: str, extra_headers: Any) -> bool:
        """Send the INVITE again with credentials, and with what the base leaves out of it; False when that is no use."""
        if self.credentials is None or self.phase not in (Phase.CALLING, Phase.UP):
            return False
        if not self.credentials.accept(resp, tried=bool(self.reqs[cseq].countHFs(auth_hfname))):
            return False
        request = self.genRequest("INVITE", self.lSDP, extra_headers=extra_headers, max_forwards=self.max_forwards)
        self.credentials.sign(request, str(self.rTarget))
        self.newUacTransaction(request, req_extra_headers=extra_headers)
        del self.reqs[cseq]
        return True

    def emitPendingEvents(self) -> None:
        while self.equeue:
            self.emitEvent(self.equeue.pop(0))

    def emitEvent(self, event: Any) -> None:
        if self.held_bye is not None and isinstance(event, CCEventDisconnect):
            self.held_bye = None  # the far end's BYE came where the ACK was awaited: ours is not needed
            self._stop_repeating()
            self.around.tell(wire.DialogOver(self.leg))
        if self.phase is Phase.OVER or self.phase is Phase.CANCELLING:
            return
        take = EVENTS.get(type(event))
        if take is not None:
            take(self, event.getData())

    def cleanup(self) -> None:
        """Let go of everything, so that no cycle is left for the collector."""
        reinvites.let_go(self)
        self.uasResp = self.lSDP = self.rSDP = self.invite = self.held_bye = None

    # events of the base, as messages to the core

    def _rang(self, data: Any) -> None:
        code, _, body = data
        if self.phase is Phase.CALLING and code > 100:
            self.around.tell(wire.LegProgress(self.leg, code, description_in(body)))

    def _connected(self, data: Any) -> None:
        code, _, body = data
        if self.phase is Phase.CALLING:
            self._move(Phase.UP)
            self.around.tell(wire.LegAnswered(self.leg, description_in(body), str(self.cId), self.kept()))
        elif self.phase is Phase.UP:
            reinvites.answered(self, code, body)

    def _failed(self, data: Any) -> None:
        code, phrase = data[0], outward(data[1])
        if self.phase is Phase.CALLING:
            kind = "auth" if code in CHALLENGES else ""
            self.last_word(wire.LegFailed(self.leg, code, phrase, kind, self.reason))
        elif self.phase is Phase.UP:
            reinvites.failed(self, code)

    def _disconnected(self, data: Any) -> None:
        if self.phase is Phase.UP:
            self._stop_repeating()
            self.last_word(wire.LegEnded(self.leg, "far", reason=self.reason))
        elif self.phase is Phase.ARRIVED:
            self.last_word(wire.LegFailed(self.leg, 487, "Request Terminated", "cancelled", self.reason))

    # the rest

    def _move(self, phase: Phase) -> None:
        assert phase in MOVES[self.phase], f"{self.phase} to {phase}"
        self.phase = phase

    def last_word(self, message: wire.LegFailed | wire.LegEnded) -> None:
        """Tell the core how the leg ended, once."""
        if self.phase is Phase.OVER:
            return
        self._move(Phase.OVER)
        self.offers.waiting = None
        referral.over(self, by_us=isinstance(message, wire.LegEnded) and (message.who, message.kind) == ("us", "bye"))
        self.around.tell(message)
        self.around.over(self)

    def _stop_repeating(self) -> None:
        """The far end's BYE says that it has our 200, though its ACK was lost."""
        if self.invite is not None and self.invite.teA is not None:
            self.invite.teA.cancel()
            self.invite.teA = None

    def _bye_answered(self, response: Any) -> None:
        """Tell that the far end is gone. One that challenges the BYE is met before: sippy would leave it up."""
        self.around.tell(wire.DialogOver(self.leg))


EVENTS: dict[type, Any] = {
    CCEventRing: Dialog._rang,
    CCEventConnect: Dialog._connected,
    CCEventFail: Dialog._failed,
    CCEventRedirect: Dialog._failed,
    CCEventDisconnect: Dialog._disconnected,
}
