"""sippy without its threads: its transactions and dialogs, driven by asyncio on one socket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.Network_server import Remote_address
from sippy.SipConf import SipConf
from sippy.SipContact import SipContact
from sippy.SipHeader import SipHeader
from sippy.SipTransactionManager import SipTransactionManager
from sippy.Time.MonoTime import MonoTime
from sippy.Time.Timeout import Timeout
from sippy.UA import UA
from sippy.Udp_server import Udp_server, Udp_server_opts

ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, INFO, OPTIONS"


class _Server(Udp_server):
    """Sends at once, not through sender threads, whose datagrams can overtake each other."""

    def __init__(self, config: dict[str, Any], options: Any) -> None:
        super().__init__(config, options)
        self.skt.setblocking(False)
        self.sendqueue = self

    def put(self, item: tuple[bytes, tuple[str, int]] | None) -> None:
        with suppress(OSError):  # a lost datagram: the timers repair it
            if item is not None:
                self.skt.sendto(*item)


Udp_server_opts.nworkers = 0
SipTransactionManager.model_udp_server = (_Server, Udp_server_opts)


def _refuse(request: Any, code: int, phrase: str) -> tuple[Any, None, None]:
    response = request.genResponse(code, phrase)
    response.appendHeader(SipHeader(ALLOW))
    return response, None, None


class Leg(UA):
    """A dialog, with what sippy leaves undone. `owner` gets its events, and `on_end` with the response to our BYE or CANCEL."""

    godead_timeout, reason, no_offer = 1.0, "", False

    def __init__(self, stack: Stack, owner: Any, user: str, **options: Any) -> None:
        super().__init__(stack.config, owner.on_event, **options)
        self._owner = owner
        self.lContact = SipContact(f"<sip:{user}@{stack.address}:{stack.port}>")
        self.lContact.parse()

    def recvRequest(self, request: Any, transaction: Any) -> Any:  # noqa: N802
        method, first = request.getMethod(), self.state is None
        self._keep_reason(request)
        self.no_offer = method == "INVITE" and request.getBody() is None
        if method not in ALLOW:
            return _refuse(request, 405, "Method Not Allowed")
        if self.no_offer and not first:
            request.setBody(MsgBody("no offer"))  # sippy would call it a hold
        outcome = super().recvRequest(request, transaction)
        if first and transaction.r487 is not None:
            transaction.r487.getHFBody("to").setTag(self.lTag)  # a CANCEL ends the dialog that the 180 began
        return outcome

    def recvResponse(self, response: Any, transaction: Any) -> None:  # noqa: N802
        if response.getSCode()[0] in (401, 407) and not hasattr(response, "acknowledged"):
            response.acknowledged = True  # its ACK leaves first, then the INVITE with credentials
            Timeout(self.recvResponse, 0, 1, response, transaction)
            return
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

    def _settled(self, response: Any) -> None:
        if response.getSCode()[0] >= 200:
            self._owner.on_end(response.getSCode()[0])

    def _keep_reason(self, message: Any) -> None:
        self.reason = ", ".join(header.body.body for header in message.getHFs("reason")) or self.reason


class Stack:
    def __init__(self, address: str, port: int, trace: bool, incoming: Callable[[Any, Any], Any]) -> None:
        log = SimpleNamespace(level=9, write=lambda *parts, **_: trace and print(*parts, file=sys.stderr))
        self.config: dict[str, Any] = {"_sip_address": address, "_sip_port": port, "_sip_logger": log}
        self.config["_sip_tm"] = manager = SipTransactionManager(self.config, self._receive)
        self._server, self._incoming = manager.l4r.getServer((address, port)), incoming
        self.address, self.port = address, self._server.uopts.laddress[1]
        SipConf.my_address, SipConf.my_port, SipConf.my_uaname = address, self.port, "Callwright phone"
        SipConf.autoconvert_tel_url = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._server.skt, self._read)
        self._tick()

    def _read(self) -> None:
        with suppress(OSError):
            for _ in range(64):
                data, source = self._server.skt.recvfrom(65535)
                self._server.handle_read(data, Remote_address(source, "udp"), MonoTime())

    def _tick(self) -> None:
        ED2.last_ts = MonoTime()
        ED2.dispatchTimers()
        self._loop.call_later(0.01, self._tick)

    def _receive(self, request: Any, transaction: Any) -> Any:
        if request.getHFBody("to").getTag() is not None:
            return _refuse(request, 481, "Call Leg/Transaction Does Not Exist")
        if request.getMethod() != "INVITE":
            return _refuse(request, *(200, "OK") if request.getMethod() == "OPTIONS" else (405, "Method Not Allowed"))
        if not request.countHFs("contact"):
            return _refuse(request, 400, "Contact Is Missing")
        return self._incoming(request, transaction)
