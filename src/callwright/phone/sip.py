"""sippy without its threads: its transactions and dialogs, driven by asyncio on one socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.Network_server import Remote_address
from sippy.SipConf import SipConf
from sippy.SipContact import SipContact
from sippy.SipContentType import SipContentType
from sippy.SipGenericHF import SipGenericHF
from sippy.SipHeader import SipHeader
from sippy.SipTransactionManager import SipTransactionManager
from sippy.Time.MonoTime import MonoTime
from sippy.UA import UA
from sippy.Udp_server import Udp_server_opts

Udp_server_opts.nworkers = 0  # the threads; what those that send are given can overtake each other


class Leg(UA):
    """A dialog, with what sippy leaves undone. `owner` gets its events, and `on_end` with the response to our BYE or CANCEL."""

    godead_timeout, reason = 1.0, ""
    rCSeq: int | None = None  # of the far side's last request; sippy keeps it  # noqa: N815

    def __init__(self, stack: Stack, owner: Any, user: str, headers: list[SipHeader]) -> None:
        super().__init__(stack.config, owner.on_event, extra_headers=headers)
        self._owner = owner
        self.lContact = SipContact(f"<sip:{user}@{stack.address}:{stack.port}>")
        self.lContact.parse()

    def recvRequest(self, request: Any, transaction: Any) -> Any:  # noqa: N802
        first = self.state is None
        self._keep_reason(request)
        if request.getMethod() in ("REFER", "NOTIFY") and not first:
            return self._of_transfer(request)
        outcome = super().recvRequest(request, transaction)
        if first and transaction.r487 is not None:
            transaction.r487.getHFBody("to").setTag(self.lTag)  # a CANCEL ends the dialog that the 180 began
        return outcome

    def recvResponse(self, response: Any, transaction: Any) -> None:  # noqa: N802
        cancelling = str(self.state) == "Cancelling(UAC)"
        self._keep_reason(response)
        super().recvResponse(response, transaction)
        if cancelling:
            self._settled(response)

    def newTransaction(self, request: Any, req_extra_headers: Any = None, **options: Any) -> Any:  # noqa: N802
        address, transport = request.getTarget()
        request.setTarget((address, str(transport).lower()))  # a Contact may say ;transport=UDP
        if request.getMethod() == "BYE":
            options["resp_cb"] = self._settled
        return super().newTransaction(request, req_extra_headers, **options)

    def refer(self, uri: str) -> None:
        """Ask the far side to call somebody else in our place (REFER, RFC 3515); `owner` gets the response."""
        fields = [SipHeader(name="refer-to", body=SipGenericHF(f"<{uri}>", "refer-to"))]
        self.newTransaction(self.genRequest("REFER", extra_headers=fields), resp_cb=self._owner.on_refer_answered)

    def notify(self, code: int, phrase: str) -> None:
        """Tell the far side, which asked us to call somebody else, how that went."""
        state = "terminated;reason=noresource" if code >= 200 else "active;expires=60"
        fields = [SipHeader("Event: refer"), SipHeader(f"Subscription-State: {state}")]
        kind = SipContentType("message/sipfrag;version=2.0")
        kind.parse()
        body = MsgBody(f"SIP/2.0 {code} {phrase}\r\n", kind)
        self.newTransaction(self.genRequest("NOTIFY", body, extra_headers=fields), resp_cb=lambda response: None)

    def _of_transfer(self, request: Any) -> Any:
        """Answer a request about a transfer, which sippy would end the call upon."""
        number = request.getHFBody("cseq").getCSeqNum()
        if self.rCSeq is not None and self.rCSeq >= number:
            return request.genResponse(500, "Server Internal Error"), None, None
        self.rCSeq = number
        answer = self._owner.on_refer(request) if request.getMethod() == "REFER" else self._owner.on_notify(request)
        return request.genResponse(*answer), None, None

    def _settled(self, response: Any) -> None:
        if response.getSCode()[0] >= 200:
            self._owner.on_end(response.getSCode()[0])

    def _keep_reason(self, message: Any) -> None:
        self.reason = ", ".join(header.body.body for header in message.getHFs("reason")) or self.reason


class Stack:
    """The endpoint at `address` and `port`; `incoming` gets each INVITE that begins a call, and its transaction."""

    def __init__(self, address: str, port: int, incoming: Callable[[Any, Any], Any]) -> None:
        log = SimpleNamespace(level=9, write=lambda *_, **__: None)
        self.config: dict[str, Any] = {"_sip_address": address, "_sip_port": port, "_sip_logger": log}
        self.config["_sip_tm"] = transactions = SipTransactionManager(self.config, self._receive)
        self._server, self._incoming = transactions.l4r.getServer((address, port)), incoming
        self._socket, self._server.sendqueue = self._server.skt, self
        self._socket.setblocking(False)
        self.address, self.port = self._socket.getsockname()
        SipConf.my_address, SipConf.my_port, SipConf.my_uaname = self.address, self.port, "Callwright phone"
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)
        self._tick()

    def put(self, item: tuple[bytes, tuple[str, int]]) -> None:
        """What sippy does with a datagram to send."""
        with suppress(OSError):  # as good as lost on the way: the timers repair it
            self._socket.sendto(*item)

    def _read(self) -> None:
        with suppress(OSError):
            for _ in range(64):
                data, source = self._socket.recvfrom(65535)
                self._server.handle_read(data, Remote_address(source, "udp"), MonoTime())

    def _tick(self) -> None:
        ED2.last_ts = MonoTime()
        ED2.dispatchTimers()
        self._loop.call_later(0.01, self._tick)

    def _receive(self, request: Any, transaction: Any) -> Any:
        if request.getHFBody("to").getTag() is not None:
            return request.genResponse(481, "Call/Transaction Does Not Exist"), None, None
        if request.getMethod() != "INVITE":
            return request.genResponse(501, "Not Implemented"), None, None
        return self._incoming(request, transaction)
