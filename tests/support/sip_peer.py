"""A SIP peer on UDP that does exactly what a test says, in the order and as often as it says."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from collections.abc import Callable, Iterable

_count = itertools.count(1)

PATIENCE_S = 20.0  # of a machine that does many other things

SDP = (
    "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
)


def sdp(version: int = 1, direction: str = "sendrecv", port: int = 11_000) -> str:
    return SDP.format(version=version, direction=direction, port=port)


class Message:
    """A SIP message as it was on the wire. `what` is the method of a request and the code of a response."""

    def __init__(self, raw: bytes, at: float) -> None:
        self.raw = raw
        self.at = at
        head, _, self.body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        first, second, *_ = self.start.split(" ", 2)
        self.what: str | int = int(second) if first == "SIP/2.0" else first

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name.lower()]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def param(self, name: str, parameter: str) -> str:
        found = re.search(rf'[;, ]{parameter}="?([^;,"\s>]*)', self.get(name))
        return found.group(1) if found else ""

    @property
    def cseq(self) -> tuple[int, str]:
        number, method = self.get("CSeq").split()
        return int(number), method

    @property
    def branch(self) -> str:
        return self.param("Via", "branch")

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    def __repr__(self) -> str:
        return f"<{self.start} {self.get('CSeq')}>"


class Peer:
    """A socket, everything it has received (`log`), and what no test has looked at yet."""

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> None:
        self.target = target
        self.host = host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.log: list[Message] = []
        self._known: set[bytes] = set()
        self._unread: asyncio.Queue[Message] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._read)

    def close(self) -> None:
        self._loop.remove_reader(self.socket)
        self.socket.close()

    def _read(self) -> None:
        while True:
            try:
                raw = self.socket.recv(65_535)
            except BlockingIOError:
                return
            if raw[:1] > b"\x7f":
                continue  # RTP that went astray on a machine with many tests
            message = Message(raw, self._loop.time())
            self.log.append(message)
            self._unread.put_nowait(message)

    def send(self, data: str | bytes) -> None:
        self.socket.sendto(data.encode() if isinstance(data, str) else data, self.target)

    async def get(self, *wanted: str | int, within: float = PATIENCE_S) -> Message:
        """The next message of a kind; others before it are passed over.

        So are repeats, which come whenever a machine takes longer than T1 for an answer. An ACK is never one: it is not sent
        again by itself.
        """
        return await self._next(wanted, within, lambda message: message.what == "ACK" or message.raw not in self._known)

    async def again(self, *wanted: str | int, within: float = PATIENCE_S) -> Message:
        """The next repeat of a message of a kind."""
        return await self._next(wanted, within, lambda message: message.raw in self._known)

    async def ok(self, method: str, within: float = PATIENCE_S) -> Message:
        """The next 200 to a method."""
        while (message := await self.get(200, within=within)).cseq[1] != method:
            pass
        return message

    async def nothing(self, *unwanted: str | int, within: float) -> None:
        """Make sure that no message of a kind comes, a repeat neither."""
        try:
            message = await self._next(unwanted, within, lambda message: True)
        except AssertionError:
            return
        raise AssertionError(f"{message} came, which should not")

    async def caught_up(self) -> None:
        """Wait until signalling has taken all that was sent so far, and pass over what it has sent till then."""
        probe = self.call()
        probe.send("OPTIONS")
        while (await self.get(200)).get("Call-ID") != probe.call_id:
            pass

    async def _next(self, wanted: tuple[str | int, ...], within: float, right: Callable[[Message], bool]) -> Message:
        passed = []
        try:
            async with asyncio.timeout(within):
                while True:
                    message = await self._unread.get()
                    if message.what in wanted and right(message):
                        self._known.add(message.raw)
                        return message
                    self._known.add(message.raw)
                    passed.append(message)
        except TimeoutError:
            raise AssertionError(f"no {wanted} within {within} s; passed over {passed}") from None

    def seen(self, what: str | int, method: str | None = None) -> list[Message]:
        return [m for m in self.log if m.what == what and method in (None, m.cseq[1])]

    def call(self, user: str = "2000", **options: str) -> Caller:
        return Caller(self, user, **options)

    def called(self, invite: Message, tag: str = "far") -> Caller:
        """The dialog that answering an INVITE with this tag makes, for requests of the callee."""
        contact = re.search(r"<([^>]+)>", invite.get("Contact"))
        assert contact is not None
        dialog = Caller(self, "", uri=contact.group(1))
        dialog.call_id, dialog.to, dialog.caller = invite.get("Call-ID"), invite.get("From"), f"{invite.get('To')};tag={tag}"
        return dialog

    def reply(
        self, request: Message, code: int, phrase: str = "OK", *, body: str = "", fields: Iterable[str] = (), tag: str = "far"
    ) -> None:
        """Answer a request; provisional or final, as often as called."""
        to = request.get("To")
        lines = [f"SIP/2.0 {code} {phrase}"]
        lines += [f"Via: {via}" for via in request.all("Via")]
        lines += [f"From: {request.get('From')}", f"To: {to}" if ";tag=" in to or code == 100 else f"To: {to};tag={tag}"]
        lines += [f"Call-ID: {request.get('Call-ID')}", f"CSeq: {request.get('CSeq')}"]
        if not any(field.lower().startswith("contact:") for field in fields):
            lines.append(f"Contact: <sip:peer@{self.host}:{self.port}>")
        self.send(_with_body([*lines, *fields], body, "application/sdp"))


class Caller:
    """A dialog in which the peer is the caller."""

    def __init__(
        self, peer: Peer, user: str, *, caller: str = "<sip:1000@127.0.0.1>", contact: str | None = None, uri: str | None = None
    ) -> None:
        number = next(_count)
        self.peer = peer
        self.uri = uri or f"sip:{user}@{peer.target[0]}:{peer.target[1]}"
        self.to = f"<{self.uri}>"
        self.caller = f"{caller};tag=near{number}"
        self.contact = f"<sip:peer@{peer.host}:{peer.port};transport=UDP>" if contact is None else contact
        self.call_id = f"call-{number}-{peer.port}"
        self.cseq = 0
        self.branch = ""

    def text(
        self,
        method: str,
        body: str = "",
        *,
        fields: Iterable[str] = (),
        cseq: int | None = None,
        branch: str = "",
        kind: str = "application/sdp",
    ) -> str:
        if cseq is None:
            self.cseq += method not in ("ACK", "CANCEL")
            cseq = self.cseq
        self.branch = branch or f"z9hG4bK{next(_count)}x{self.peer.port}"
        lines = [
            f"{method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.peer.host}:{self.peer.port};branch={self.branch}",
            f"From: {self.caller}",
            f"To: {self.to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            *([f"Contact: {self.contact}"] if self.contact else []),
            *([] if any(field.startswith("Max-Forwards") for field in fields) else ["Max-Forwards: 70"]),
            *fields,
        ]
        return _with_body(lines, body, kind)

    def send(self, method: str, body: str = "", **options: object) -> str:
        text = self.text(method, body, **options)  # type: ignore[arg-type]
        self.peer.send(text)
        return text

    def invite(self, body: str | None = None, **options: object) -> str:
        return self.send("INVITE", sdp() if body is None else body, **options)

    def ack(self, response: Message, body: str = "") -> None:
        """Acknowledge a final response; one of a 200 is a request of its own."""
        self.learn(response)
        assert isinstance(response.what, int)
        self.send("ACK", body, branch=response.branch if response.what >= 300 else "", cseq=response.cseq[0])

    def cancel(self, **options: object) -> None:
        self.send("CANCEL", branch=self.branch, **options)

    async def hears(self, code: int) -> Message:
        """The answer to the request that was sent last; repetitions of answers to those before are passed over."""
        while (answer := await self.peer.get(code)).cseq[0] != self.cseq:
            pass
        return answer

    def learn(self, response: Message) -> None:
        self.to = response.get("To")
        found = re.search(r"<([^>]+)>", response.get("Contact"))
        if found and response.what == 200:
            self.uri = found.group(1)

    def answer(self, request: Message, code: int, phrase: str = "OK", **options: object) -> None:
        self.peer.reply(request, code, phrase, **options)  # type: ignore[arg-type]


def _with_body(lines: list[str], body: str, kind: str) -> str:
    if body:
        lines = [*lines, f"Content-Type: {kind}"]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body])
