"""Where legs begin and where commands find them: all dialogs of a signalling process, and what belongs to none."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from sippy.Time.Timeout import Timeout

from callwright import ids
from callwright.clock import Clock
from callwright.errors import SettingsError
from callwright.log import Log, OncePerSecond
from callwright.reasons import Refusal
from callwright.sip import patches, referral, reinvites, wire
from callwright.sip.dialog import Dialog
from callwright.sip.gate import Admission, Gate, SourceRules, TurnedBack
from callwright.sip.headers import ACCEPT, ALLOW, SUPPORTED, field, required
from callwright.sip.release import bye
from callwright.sip.server import Address, is_ipv4
from callwright.sip.settings import SignallingSettings
from callwright.sip.states import NO_DIALOG, NOT_ALLOWED, Phase
from callwright.sip.transactions import Transactions

REFUSALS = {refusal.value: refusal for refusal in (Refusal.DRAINING, Refusal.UNHEALTHY)}
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}")


class _Silence:
    """sippy's logger: the stock one is slow, and what it would say is not for a log."""

    level = 9

    def write(self, *words: object, **options: object) -> None:
        pass


class Exchange:
    """`tell` takes messages for the core, `backlog` says how many bytes of them it has not read. sippy is set up here.

    Raises `SettingsError` when the settings or the socket's address cannot be used.
    """

    def __init__(
        self,
        sock: socket.socket,
        settings: SignallingSettings,
        clock: Clock,
        chance: Random,
        tell: Callable[[msgspec.Struct], None],
        backlog: Callable[[], int],
    ) -> None:
        self.settings = settings
        self.chance = chance
        self.log = Log("sip")
        self.faults = patches.Faults(clock, self.log)
        self.tell = tell
        self.dialogs: dict[UUID, Dialog] = {}
        self.admission = Admission(settings, clock, lambda: len(self.dialogs), backlog)
        self._clock = clock
        self._gate = Gate(SourceRules(settings.trunks), self.admission)
        self._turned_away: OncePerSecond[Refusal, tuple[str, str]] = OncePerSecond(
            clock, lambda refusal, count, last: tell(wire.TurnedAway(wire.NO_LEG, refusal.value, count, *last))
        )

        address = _advertised(sock, settings)
        patches.install(self.faults, address=address[0], port=address[1], user_agent=settings.user_agent, t1_s=settings.t1_s)
        self.config: dict[str, Any] = {
            "_sip_address": address[0],
            "_sip_port": address[1],
            "_sip_logger": _Silence(),
            "_sip_socket": sock,
            "_sip_garbage": self.faults.unusable,
            "_sip_unreachable": self._unreachable,
            "_sip_knows": self._gate.knows,
        }
        self.transactions = Transactions(
            self.config, self._request, settings.trying_after_s, settings.t1_s, lambda leg: tell(wire.ForkReleased(leg))
        )
        self.config["_sip_tm"] = self.transactions

    @property
    def idle(self) -> bool:
        return not self.dialogs and self.transactions.idle

    def over(self, dialog: Dialog) -> None:
        self.dialogs.pop(dialog.leg, None)

    def command(self, message: Any) -> None:
        """Do what the core asks. Whatever goes wrong, the process lives and the leg ends."""
        if isinstance(message, wire.Admit):
            self.admission.closed = None if message.open else REFUSALS.get(message.refusal, Refusal.UNHEALTHY)
            return
        try:
            if isinstance(message, wire.PlaceLeg):
                done = self._place(message)
            elif isinstance(message, wire.ReleaseDialog):
                self.transactions.newTransaction(bye(message.dialog), partial(self._released, message.leg))
                done = True
            else:
                dialog = self.dialogs.get(message.leg)
                done = dialog is not None and COMMANDS[type(message)](dialog, message)
        except Exception:
            self.faults.exception(type(message).__name__)
            if isinstance(message, wire.ReleaseDialog | wire.EndLeg):
                self.tell(wire.DialogOver(message.leg))  # no BYE will have an answer that says so
            if (dialog := self.dialogs.get(message.leg)) is not None:
                dialog.collapse()
        else:
            if not done:
                self.log.debug("command_out_of_place", leg=message.leg, command=type(message).__name__)

    def _released(self, leg: UUID, response: Any) -> None:
        """Whatever comes back, 200, 481 or nothing, the dialog is over; only a provisional response is not the end."""
        if response.scode >= 200:
            self.tell(wire.DialogOver(leg))

    def every_second(self) -> tuple[int, int, int]:
        """Report what is due; return the counts so far of legs alive, datagrams lost in sending, and garbage."""
        self._turned_away.flush()
        self.faults.flush()
        self.transactions.every_second()
        return len(self.dialogs), self.transactions.server.dropped, self.faults.garbage

    def _place(self, order: wire.PlaceLeg) -> bool:
        if order.leg in self.dialogs:
            return False
        if wrong := _unplaceable(order):
            self.tell(wire.LegFailed(order.leg, 0, wrong, "unreachable"))
            return True
        self.admission.count()
        dialog = Dialog(self, order.leg, Phase.CALLING, (order.address, order.port))
        self.dialogs[order.leg] = dialog
        dialog.place(order, _user_of(order.caller))
        return True

    def _request(self, request: Any, t: Any) -> Any:
        """Answer a request that belongs to no dialog."""
        method = request.getMethod()
        if request.getHFBody("to").getTag() is not None:
            return (request.genResponse(*NO_DIALOG), None, None)
        address: Address = request.getSource()
        if method == "INVITE":
            return self._invite(request, t, address)
        if not self._gate.knows(address[0]):
            self.transactions.answer_once(request.genResponse(403, "Forbidden"), t)
            return None
        if method in ("BYE", "INFO", "REFER", "NOTIFY"):  # RFC 3261 §15.1.2, RFC 6086 §4.2.2, RFC 6665 §4.1.3
            response = request.genResponse(*NO_DIALOG)
        elif method != "OPTIONS":
            response = request.genResponse(*NOT_ALLOWED)
            response.appendHeader(ALLOW)
        elif tags := required(request):
            response = request.genResponse(Refusal.EXTENSION.sip_code, Refusal.EXTENSION.sip_phrase)
            response.appendHeader(field("Unsupported", tags))
        else:
            response = request.genResponse(200, "OK")
            response.appendHeaders((ALLOW, ACCEPT, SUPPORTED))
        return (response, None, None)

    def _invite(self, request: Any, t: Any, address: Address) -> Any:
        try:
            arrival = self._gate.admit(request, address)
        except TurnedBack as refused:
            response = request.genResponse(*refused.response)
            response.appendHeaders([field(name, value) for name, value in refused.fields])
            self.transactions.answer_once(response, t)
            self._turned_away.note(refused.refusal, (f"{address[0]}:{address[1]}", refused.detail))
            return None
        request.delHFs("authorization")  # nobody asked for it, and one that cannot be read would fail the call
        leg = ids.uuid7(self._clock.now_us())
        dialog = Dialog(self, leg, Phase.ARRIVED, address)
        try:
            answer = dialog.recvRequest(request, t)
            kept = dialog.kept()
        except Exception:
            dialog.changeState((dialog.UaStateDead,))  # or it would be a cycle that nobody collects
            raise
        self.dialogs[leg] = dialog
        self.admission.count()
        self.tell(
            wire.LegArrived(
                leg=leg,
                source=arrival.source,
                destination=arrival.destination,
                sdp=arrival.sdp,
                sip_call_id=arrival.call_id,
                address=address[0],
                port=address[1],
                trunk=arrival.trunk,
                hops=arrival.hops,
                max_forwards=arrival.max_forwards,
                dialog=kept,
            )
        )
        return answer

    def _unreachable(self, address: Address) -> None:
        # Not at once: the news may come in the middle of sending.
        Timeout(self.transactions.unreachable, 0, 1, address)


COMMANDS: dict[type, Callable[[Dialog, Any], bool]] = {
    wire.SendProgress: lambda dialog, m: dialog.progress(m.sdp),
    wire.SendAnswer: lambda dialog, m: dialog.answer(m.sdp),
    wire.SendReject: lambda dialog, m: dialog.reject(m.code, m.phrase, m.reason, m.retry_after_s),
    wire.EndLeg: lambda dialog, m: dialog.end(m.reason),
    wire.SendOffer: lambda dialog, m: reinvites.send(dialog, m.sdp),
    wire.AnswerOffer: lambda dialog, m: reinvites.answer(dialog, m.sdp, m.code, m.phrase),
    wire.SendRefer: lambda dialog, m: referral.send(dialog, m.target),
    wire.AnswerRefer: lambda dialog, m: referral.answer(dialog, m.code, m.phrase),
    wire.TellReferral: lambda dialog, m: referral.notify(dialog, m.code, m.phrase),
}


def _advertised(sock: socket.socket, settings: SignallingSettings) -> Address:
    """The address for Via and Contact."""
    if sock.family != socket.AF_INET:
        raise SettingsError("sip.bind: only IPv4 is supported; bind the SIP socket to an IPv4 address")
    host, port = sock.getsockname()
    if settings.advertised and not is_ipv4(settings.advertised):
        raise SettingsError(f"sip.advertised: {settings.advertised!r} is no IPv4 address; write it like 192.0.2.7")
    if not settings.advertised and host == "0.0.0.0":
        raise SettingsError("sip.advertised is needed when SIP is bound to all addresses: set the one that peers can reach")
    return settings.advertised or host, port


def _unplaceable(order: wire.PlaceLeg) -> str:
    """Why an INVITE cannot even be written; empty when it can."""
    if not is_ipv4(order.address):
        return f"{order.address!r} is no IPv4 address"
    if not 0 < order.port < 65_536:
        return f"{order.port} is no port"
    if not _HOST.fullmatch(order.host):
        return f"{order.host!r} is no host"
    return "" if order.sdp else "there is no offer"


def _user_of(caller: str) -> str:
    """The user of a number or URI, without the escapes that it is written with; whoever has none is anonymous."""
    scheme, colon, rest = caller.partition(":")
    if not colon:
        return unquote(caller) or "anonymous"
    user, at, _ = rest.partition("@")
    return unquote(user.partition(";")[0]) if at or scheme.lower() == "tel" else "anonymous"
