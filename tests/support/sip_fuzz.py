"""Signalling without a network, under spoilt messages: ``python -m support.sip_fuzz COUNT SEED FOLDER``.

First requests, made of the files of a folder; then what a far end may answer to the INVITE of a leg that is placed for
each; then requests within a call, each in one of its own. Printed is a JSON object: how many messages there were, what
they came to, and what broke. It is a program, because sippy is patched in the process that runs it.
"""

from __future__ import annotations

import gc
import json
import random
import re
import sys
import time
from collections import Counter
from errno import EAGAIN
from pathlib import Path
from socket import AF_INET
from typing import Any
from uuid import UUID

import msgspec
from sippy.Core.EventDispatcher import ED2
from sippy.Network_server import Remote_address
from sippy.Time.MonoTime import MonoTime

from callwright.clock import SystemClock
from callwright.sip import wire
from callwright.sip.exchange import Exchange
from callwright.sip.server import Datagram
from callwright.sip.settings import SignallingSettings
from support.fuzzing import mutants
from support.sip_peer import sdp

PEER = ("127.0.0.1", 40_000)
SLOWEST_S = 3.0  # of the processor

# The last three were found by spoiling the others.
RESPONSES = tuple(
    f"SIP/2.0 {start}\r\n{before}{{echoed}}"
    + "".join(f"{line}\r\n" for line in fields)
    + f"Content-Length: {len(body)}\r\n\r\n{body}"
    for start, before, fields, body in (
        ("100 Trying", "", (), ""),
        ("180 Ringing", "", ("Contact: <sip:b@127.0.0.1:40000>", "Require: 100rel", "RSeq: 1"), ""),
        ("183 Session Progress", "", ("Contact: <sip:b@127.0.0.1:40000>", "Content-Type: application/sdp"), sdp()),
        (
            "200 OK",
            "",
            (
                'Contact: "B" <sip:b@127.0.0.1:40000;transport=udp>;expires=60',
                "Record-Route: <sip:127.0.0.3;lr>, <sip:127.0.0.2:5070;lr>",
                "Session-Expires: 90;refresher=uas",
                "Content-Type: application/sdp",
            ),
            sdp(),
        ),
        (
            "200 OK",
            "",
            ("Contact: <sip:b@127.0.0.1:40000>", 'Content-Type: multipart/mixed; boundary="x y"'),
            f"--x y\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--x y\r\n\r\nhi\r\n--x y--\r\n",
        ),
        ("302 Moved Temporarily", "", ("Contact: <sip:c@127.0.0.4>;q=0.5, <tel:+15550100>",), ""),
        (
            "401 Unauthorized",
            "",
            ('WWW-Authenticate: Digest realm="a b", nonce="abc", qop="auth,auth-int", algorithm=SHA-256, stale=false',),
            "",
        ),
        (
            "407 Proxy Authentication Required",
            "",
            ('Proxy-Authenticate: Digest realm="p", nonce="x"', "Proxy-Authenticate: Basic realm=b"),
            "",
        ),
        (
            "486 Busy Here",
            "",
            ('Reason: Q.850;cause=17;text="User busy", SIP;cause=486', "Retry-After: 5 (in a meeting);duration=60"),
            "",
        ),
        ("503 Service Unavailable", "", ("Retry-After: 120", 'Warning: 399 127.0.0.1 "no"'), ""),
        ("401 Unauthorized", "", ('WWW-Authenticate: Digest realm="Büro", nonce="é\udcff"',), ""),
        ("200 OK", "", ("Contact: <sip:b@127.0.0.1:99999999999999999999>", "Content-Type: application/sdp"), sdp()),
        ("302 Moved Temporarily", "CSeq: 1 INVITE and more\r\n", ("Contact: <sip:c@127.0.0.4>",), ""),
    )
)

# Within a call that is answered; `{dialog}` is its From, To and Call-ID.
REQUESTS = tuple(
    f"{method} sip:2000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK{{branch}}\r\n{{dialog}}"
    + f"CSeq: {cseq} {method}\r\n"
    + "".join(f"{line}\r\n" for line in fields)
    + f"Content-Length: {len(body)}\r\n\r\n{body}"
    for method, cseq, fields, body in (
        ("INVITE", 2, ("Contact: <sip:a@127.0.0.1:40000>", "Content-Type: application/sdp"), sdp(2, "sendonly")),
        ("INVITE", 2, ("Contact: <sip:a@127.0.0.1:99999999999999999999>", "Content-Type: application/sdp"), sdp(2)),
        ("INVITE", 2, ("Contact: <sip:a@127.0.0.1:40000>", "Session-Expires: 90;refresher=uac"), ""),
        ("INFO", 2, ("Content-Type: application/dtmf-relay",), "Signal=5\r\nDuration=160\r\n"),
        ("BYE", 2, ('Reason: Q.850;cause=16;text="Normal"', "Max-Forwards: 70"), ""),
        ("UPDATE", 2, ("Contact: <sip:a@127.0.0.1:40000>", "Content-Type: application/sdp"), sdp(3)),
        ("OPTIONS", 2, ("Accept: application/sdp", "Require: x"), ""),
        ("REFER", 2, ("Refer-To: <sip:c@127.0.0.1>", "Contact: <sip:a@127.0.0.1:40000>"), ""),
        ("ACK", 1, (), ""),
        ("CANCEL", 1, (), ""),
    )
)
INVITE = (
    "INVITE sip:2000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bKtalk{number}\r\n"
    "From: <sip:1000@127.0.0.1>;tag=t{number}\r\nTo: <sip:2000@127.0.0.1>\r\nCall-ID: talk{number}\r\nCSeq: 1 INVITE\r\n"
    f"Contact: <sip:1000@127.0.0.1:40000>\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp())}\r\n\r\n{sdp()}"
)
ACK = (
    "ACK sip:2000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bKack{number}\r\n{dialog}"
    "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
)


class Air:
    """A socket whose datagrams reach nobody; it keeps the last."""

    family = AF_INET

    def __init__(self) -> None:
        self.sent: tuple[bytes, Any] = (b"", None)

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 5060)

    def sendto(self, data: bytes, address: Any) -> None:
        self.sent = (bytes(data), address)

    def recvmsg(self, *sizes: int) -> Any:
        raise OSError(EAGAIN, "nothing")


class Stage:
    def __init__(self, seed: int = 1) -> None:
        self.air = Air()
        self.said: Counter[str] = Counter()
        self.broken: list[str] = []
        settings = SignallingSettings(max_late_ms=1e9, new_legs_per_s=1e9, trying_after_s=0.0)
        self.exchange = Exchange(self.air, settings, SystemClock(), random.Random(seed), self._tell, lambda: 0)  # type: ignore[arg-type]
        self.exchange.faults.exception = self._broke  # type: ignore[method-assign]
        self.exchange.command(wire.Admit(True))
        self._arrived: list[UUID] = []
        self._chance = random.Random(seed)
        self._legs = 0
        self._message = b""

    def _tell(self, message: msgspec.Struct) -> None:
        try:
            msgspec.msgpack.encode(message)
        except (UnicodeEncodeError, msgspec.MsgspecError):  # what the core is told must fit on the link as it is
            self._broke(type(message).__name__)
        self.said[type(message).__name__] += 1
        if isinstance(message, wire.LegArrived):
            self._arrived.append(message.leg)

    def _broke(self, where: str) -> None:
        self.broken.append(f"{where}: {sys.exc_info()[1]!r} at {self._message!r}")

    def hear(self, data: bytes) -> None:
        """Take a datagram; a call that it is is answered or refused, and ended."""
        began = time.thread_time()
        self._take(data)
        for leg in self._arrived:
            match self._chance.randrange(3):
                case 0:
                    self.exchange.command(wire.SendAnswer(leg, sdp()))
                case 1:
                    self.exchange.command(wire.SendProgress(leg, sdp()))
                case _:
                    self.exchange.command(wire.SendReject(leg, 486, "Busy Here"))
            self.exchange.command(wire.EndLeg(leg))
        self._arrived.clear()
        if (took := time.thread_time() - began) > SLOWEST_S:
            self.broken.append(f"{took:.1f} s for {data[:200]!r}")

    def _take(self, data: bytes) -> None:
        self._message = data
        self.exchange.transactions.server.handle_read(Datagram(data), Remote_address(PEER, "udp"), MonoTime())

    def talk(self) -> str:
        """Be called, and answer; return the fields that name the dialog."""
        self._legs += 1
        self._take(INVITE.format(number=self._legs).encode())
        (leg,) = self._arrived
        self._arrived.clear()
        self.exchange.command(wire.SendAnswer(leg, sdp()))
        head = self.air.sent[0].decode()
        assert head.startswith("SIP/2.0 200"), head
        dialog = "".join(re.findall(r"^(?:From|To|Call-ID): .*\r\n", head, re.MULTILINE))
        self._take(ACK.format(number=self._legs, dialog=dialog).encode())
        return dialog

    def answer_offers(self) -> None:
        """Do what the core does about offers, and make one."""
        for leg in list(self.exchange.dialogs):
            self.exchange.command(wire.AnswerOffer(leg, sdp(4)))
            self.exchange.command(wire.SendOffer(leg, sdp(5)))

    def place(self) -> str:
        """Place a leg; return the fields of its INVITE that every response has."""
        self._legs += 1
        leg = UUID(int=self._legs)
        self.exchange.command(
            wire.PlaceLeg(
                leg=leg,
                caller="1000",
                user="2000",
                host="127.0.0.1",
                address=PEER[0],
                port=PEER[1],
                sip_call_id=str(leg),
                sdp=sdp(),
                username="u",
                password="p",
            )
        )
        head = self.air.sent[0].decode().partition("\r\n\r\n")[0]
        fields = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*\r?$", head, re.MULTILINE)
        return "".join(f"{field.rstrip()}{';tag=far' if field.startswith('To') else ''}\r\n" for field in fields)

    def end_all(self, *, collect: bool = True) -> None:
        for leg in list(self.exchange.dialogs):
            self.exchange.command(wire.EndLeg(leg))
        for dialog in list(self.exchange.dialogs.values()):
            dialog.collapse()
        if not collect:
            return
        ED2.tlisteners.clear()  # no time passes here, and with it no transaction
        layer = self.exchange.transactions
        for kept in (layer.tclient, layer.tserver, layer.req_consumers):
            kept.clear()
        for _ in range(2):
            layer.rCachePurge()
        gc.collect()


def requests(folder: Path) -> list[bytes]:
    """The files, with addresses in their places."""
    words = {b"{us}": b"127.0.0.1:5060", b"{peer}": b"127.0.0.1:40000", b"{port}": b"40000"}
    found = []
    for path in sorted(folder.glob("*.sip")):
        text = path.read_bytes()
        for word, value in words.items():
            text = text.replace(word, value)
        found.append(text)
    return found


def run(count: int, seed: int, folder: Path) -> Stage:
    stage = Stage(seed)
    corpus = requests(folder)
    for number, data in enumerate([*corpus, *mutants(corpus, count, seed)]):
        stage.hear(data)
        if number % 500 == 0:
            stage.end_all()
    texts = [text.encode("utf-8", "surrogateescape") for text in RESPONSES]
    for number, data in enumerate([*texts, *mutants(texts, count, seed)]):
        stage.hear(data.replace(b"{echoed}", stage.place().encode()))
        if number % 500 == 0:
            stage.end_all()
    stage.end_all()
    texts = [text.encode() for text in REQUESTS]
    for number, data in enumerate([*texts, *mutants(texts, count, seed)]):
        dialog = stage.talk()
        stage.hear(data.replace(b"{dialog}", dialog.encode()).replace(b"{branch}", b"%d" % number))
        stage.answer_offers()
        stage.end_all(collect=number % 500 == 0)
    return stage


if __name__ == "__main__":
    gc.disable()  # as in the process itself: a collection is nobody's message's fault
    folder = Path(sys.argv[3])
    done = run(int(sys.argv[1]), int(sys.argv[2]), folder)
    before = done.said["LegArrived"]
    (plain,) = (text for text in requests(folder) if b"branch=z9hG4bK-compact_forms_only" in text)
    done.hear(plain.replace(b"compact", b"once_more"))
    done.end_all()
    print(
        json.dumps(
            {
                "said": dict(done.said),
                "garbage": done.exchange.faults.garbage,
                "calls after": done.said["LegArrived"] - before,
                "legs left": len(done.exchange.dialogs),
                "broken": done.broken[:20],
            }
        )
    )
