"""SIP transactions (RFC 3261 §17): sippy's, with the corrections that the callers of strict peers need."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Any
from uuid import UUID

from sippy import SipTransactionManager
from sippy.SipTransactionManager import RINGING, TRYING
from sippy.Time.Timeout import Timeout

from callwright.sip.forks import AnsweredInvite
from callwright.sip.server import Address, DatagramOptions, DatagramServer, is_ipv4
from callwright.sip.settings import T1_S
from callwright.sip.wellformed import Fault, fault_of, has_usable_port

MAX_REMEMBERED = 150_000  # datagrams whose repeat is answered or ignored without a look; 500 calls/s make 70,000
TARGETS = ("contact", "record-route")
T2_S = 4.0  # RFC 3261 §17.1.2.2, in units where T1 is 0.5 s
INVITE_LIVES_S = 32.0  # 64 T1, the same


class Transactions(SipTransactionManager.SipTransactionManager):
    """The transaction layer. `request` gets each request that belongs to no dialog.

    `forked` is told the leg whose INVITE was answered by a second branch, which is let go. `t1_s` is that of RFC 3261.
    """

    model_udp_server = (DatagramServer, DatagramOptions)
    provisional_retr = 60.0  # a 18x again each minute, or proxies give the call up (§13.3.1.1)

    def __init__(
        self,
        global_config: dict[str, Any],
        request: Callable[[Any, Any], Any],
        trying_after_s: float,
        t1_s: float,
        forked: Callable[[UUID], None],
    ) -> None:
        super().__init__(global_config, request)
        self._trying_after_s = trying_after_s
        self._forked = forked
        self._seconds = 0
        self._answers_last = ceil(INVITE_LIVES_S * t1_s / T1_S) + 1
        self._answered: deque[AnsweredInvite] = deque()

    @property
    def server(self) -> DatagramServer:
        server: DatagramServer = self.l4r.getServer(("", 0))
        return server

    @property
    def idle(self) -> bool:
        return len(self.tclient) == len(self._answered) and not self.tserver

    def newTransaction(
        self,
        msg: Any,
        resp_cb: Any = None,
        laddress: Any = None,
        userv: Any = None,
        cb_ifver: int = 1,
        compact: bool = False,
        t: Any = None,
    ) -> Any:
        # There is only UDP, whatever a Contact says in whatever case.
        msg.setTarget((msg.getTarget()[0], "udp"))
        t = super().newTransaction(msg, resp_cb, laddress, userv, cb_ifver, compact, t)
        t.routes, t.refused, t.leg = msg.getHFs("route"), False, None
        return t

    def cancelTransaction(self, t: Any, extra_headers: Any = None) -> None:
        if t.tid is None:  # it is finished
            return
        # The base forgets the fields of a CANCEL that has to wait for a provisional response.
        if extra_headers is not None:
            t.cancel.appendHeaders(extra_headers)
        super().cancelTransaction(t)

    def incomingResponse(self, msg: Any, t: Any, checksum: bytes) -> None:
        """Let the ACK of a final response leave before the dialog acts on it with another INVITE or a BYE.

        The ACK of a refusal follows the INVITE (§17.1.1.3); the base sends it to the Contact, which of a 302 is somebody else.
        That of an answer whose Contact or Record-Route cannot be read does too: it is the best that can be done. A To that
        cannot be read is taken for the one we sent: a refusal stays one, a first answer is one without a tag.
        """
        if isinstance(t, AnsweredInvite):
            self._answered_again(msg, t, checksum)
            return
        if t.needack:
            self._mend_to(msg, t)
        if not t.needack or msg.scode < 200 or t.state not in (TRYING, RINGING):
            super().incomingResponse(msg, t, checksum)
            return
        deliver, t.resp_cb = t.resp_cb, None
        t.refused = msg.scode >= 300
        answered, tag = None, msg.getHFBody("to").getTag()
        if not t.refused and t.leg is not None and tag is not None and t.ack.getHFBody("to").getTag() is None:
            answered = AnsweredInvite(t, t.leg, tag, self._seconds + self._answers_last)
        try:
            self._acknowledge(msg, t, checksum)
        except Exception:
            t.resp_cb = deliver
            raise
        if answered is not None:
            self._answered.append(answered)
            self.tclient[answered.tid] = answered
        if deliver is not None:
            deliver(msg, t)

    def _mend_to(self, response: Any, t: Any) -> None:
        try:
            response.getHFBody("to").getTag()
        except Exception as error:  # whatever sippy's parsers make of it
            self.global_config["_sip_garbage"]("{}:{}".format(*response.getSource()), error)
            response.delHFs("to")
            response.appendHeaders(t.ack.getHFs("to"))

    def _acknowledge(self, msg: Any, t: Any, checksum: bytes) -> None:
        fields, readable = msg.headers, _has_readable_targets(msg)
        if t.refused or not readable:
            msg.headers = [f for f in fields if f.name not in TARGETS]
        super().incomingResponse(msg, t, checksum)
        if readable:
            msg.headers = fields

    def _answered_again(self, msg: Any, invite: AnsweredInvite, checksum: bytes) -> None:
        tag = msg.getHFBody("to").getTag()
        if not 200 <= msg.scode < 300 or tag is None:
            return
        is_news = invite.is_news(tag)
        self._acknowledge(msg, invite, checksum)
        self.tclient[invite.tid] = invite
        if is_news:
            self.newTransaction(invite.bye())
            self._forked(invite.leg)

    def incomingRequest(self, msg: Any, checksum: bytes, tids: Any, server: DatagramServer) -> None:
        fault = fault_of(msg, msg.getSource()[0])
        if fault is not None:
            self._refuse(msg, fault, checksum, server)
            return
        if msg.getMethod() == "CANCEL":
            self._tag_cancel(msg)
        try:
            # Without the Vias the base knows no 482. A call from one number of ours to another that a proxy of the trunk
            # sends back is no loop (§16.3 calls it a spiral); those that are end by their hops.
            super().incomingRequest(msg, checksum, (), server)
        except Exception as error:
            error.answered = self._give_up(msg)  # type: ignore[attr-defined]
            raise

    def sendResponse(self, resp: Any, t: Any = None, retrans: bool = False, ack_cb: Any = None, lossemul: int = 0) -> None:
        """Send a response; hold a 100 back, for it is only needed when nothing else comes within 200 ms (§17.2.1)."""
        if resp.scode == 100 and self._trying_after_s > 0:
            t = t or self.tserver[resp.getTId(wBRN=True)]
            Timeout(self._send_trying, self._trying_after_s, 1, resp, t)
            return
        super().sendResponse(resp, t, retrans, ack_cb, lossemul)

    def transmitReq(self, t: Any, msg: Any, address: Address, checksum: bytes) -> None:
        # Only an ACK comes this way; when its target is a name it goes where the INVITE went.
        if t.refused:
            msg.appendHeaders(t.routes)
        super().transmitReq(t, msg, address if is_ipv4(address[0]) else t.address, checksum)

    def timerA(self, t: Any) -> None:
        # Only the requests for a new INVITE transaction go on doubling (§17.1.1.2); all else stays at T2.
        ours = t.checksum is None
        if not (ours and t.needack) and t.tout > T2_S / 2:
            t.tout = T2_S / 2
        super().timerA(t)

    def answer_once(self, response: Any, t: Any) -> None:
        """Answer a request without keeping a transaction (§8.2.7): a repeat of it is answered from the cache."""
        to = response.getHFBody("to")
        if to.getTag() is None:
            to.genTag()
        self.transmitMsg(t.userv, response, response.getHFBody("via").getTAddr(), t.checksum)
        self._forget(t)

    def unreachable(self, address: Address) -> None:
        """Fail at once the requests to an address that have had no answer (§18.4)."""
        for t in [t for t in self.tclient.values() if t.address == address and t.state is TRYING and t.teB is not None]:
            t.unreachable = True
            t.teB.cancel()
            self.timerB(t)

    def every_second(self) -> None:
        """Forget answered INVITEs in time, and datagrams sooner than after a minute when there are too many of them."""
        self._seconds += 1
        while self._answered and self._answered[0].until <= self._seconds:
            self.tclient.pop(self._answered.popleft().tid, None)
        if len(self.l1rcache) > MAX_REMEMBERED:
            self.rCachePurge()

    def _send_trying(self, resp: Any, t: Any) -> None:
        if t.tid is not None and t.state is TRYING:
            super().sendResponse(resp, t)

    def _tag_cancel(self, cancel: Any) -> None:
        """Give the answer to a CANCEL the To tag of the INVITE's answers (§9.2), or one of its own (§8.2.6.2)."""
        to = cancel.getHFBody("to")
        t = self.tserver.get(cancel.getTId(wBRN=True))
        if t is None and to.getTag() is None:
            to.genTag()
        elif t is not None and t.r487 is not None and to.getTag() is None:
            tag = t.r487.getHFBody("to").getTag()
            if tag is not None:
                to.setTag(tag)

    def _give_up(self, request: Any) -> bool:
        """Nothing may stay behind of a request that could not be worked on; say whether it has had an answer."""
        t = self.tserver.get(request.getTId(wBRN=True))
        if t is not None and t.data is None:
            try:
                self.answer_once(request.genResponse(400, "Bad Request"), t)
            finally:
                if t.tid is not None:
                    self._forget(t)
        return t is not None

    def _refuse(self, request: Any, fault: Fault, checksum: bytes, server: DatagramServer) -> None:
        """Count it and answer without a transaction; a repeat of the request is answered from the cache."""
        self.global_config["_sip_garbage"]("{}:{}".format(*request.getSource()), ValueError(fault[1]))
        if request.getMethod() == "ACK":
            return
        response = request.genResponse(*fault)
        if response.getHFBody("to").getTag() is None:
            response.getHFBody("to").genTag()
        self.transmitMsg(server, response, response.getHFBody("via").getTAddr(), checksum)

    def _forget(self, t: Any) -> None:
        for timer in (t.teA, t.teD, t.teE, t.teF):
            if timer is not None:
                timer.cancel()
        t.teA = t.teD = t.teE = t.teF = None
        self.tserver.pop(t.tid, None)
        t.cleanup()


def _has_readable_targets(message: Any) -> bool:
    try:
        return all(has_usable_port(body.getUrl()) for name in TARGETS for body in message.getHFBodys(name))
    except Exception:  # whatever sippy's parsers make of it
        return False


def scaled_timeout(callback: Callable[..., None], seconds: float, *args: Any) -> Any:
    """A timer in the units of RFC 3261's constants, where T1 is 0.5 s (`patches.install` scales them)."""
    return SipTransactionManager.Timeout(callback, seconds, 1, *args)
