"""Messages between the core and its child processes.

A frame is four bytes of length (big endian) and a msgpack array of messages. The first frame each way is a `Hello`;
a peer of another protocol or epoch is not listened to. The core pings; a child that stays silent for three pings is
dead, and a core that does is gone. All messages of one turn of the event loop leave in one frame.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from callwright.errors import CallwrightError
from callwright.log import Log

PROTOCOL = 1
PING_S = 0.5
DEAD_AFTER_PINGS = 3
SILENCE_S = DEAD_AFTER_PINGS * PING_S
# What one's own lateness excuses beyond it.
EXCUSED_S = 2.5
MAX_FRAME = 16 << 20
MAX_BACKLOG = 1 << 20

_log = Log("ipc")


class Hello(msgspec.Struct, frozen=True, tag=True):
    protocol: int
    epoch: int


class Ping(msgspec.Struct, frozen=True, tag=True):
    pass


class Pong(msgspec.Struct, frozen=True, tag=True):
    pass


class LinkBroken(CallwrightError):
    """The other process sent something that is not the protocol."""


_encoder = msgspec.msgpack.Encoder()


def frame(messages: Sequence[msgspec.Struct]) -> bytes:
    body = _encoder.encode(messages)
    return len(body).to_bytes(4, "big") + body


def _as_text(message: msgspec.Struct) -> msgspec.Struct:
    """The message with U+FFFD in the place of what no text can hold, such as bytes of the wire that were no UTF-8."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    texts = {name: text for name, text in fields.items() if isinstance(text, str)}
    clean = {name: text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name, text in texts.items()}
    return msgspec.structs.replace(message, **clean)


class Unframer:
    """Cut a byte stream back into messages of a union of tagged structs."""

    def __init__(self, messages: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[list[Any]] = msgspec.msgpack.Decoder(list[messages | Hello | Ping | Pong])
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages completed by `data`; raise `LinkBroken` on a frame that cannot be read."""
        buffer = self._buffer
        buffer += data
        messages: list[Any] = []
        start = 0
        while len(buffer) - start >= 4:
            size = int.from_bytes(buffer[start : start + 4], "big")
            if size > MAX_FRAME:
                raise LinkBroken(f"a frame of {size} bytes")
            if len(buffer) - start - 4 < size:
                break
            try:
                messages += self._decoder.decode(memoryview(buffer)[start + 4 : start + 4 + size])
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # text that is not UTF-8, endless nesting
                raise LinkBroken(str(error)) from error
            start += 4 + size
        if start:
            del buffer[:start]
        return messages


class Link(asyncio.Protocol):
    """One end of the socket pair, on an event loop.

    `receive` gets each message; `lost` is called once with the reason when the other side is gone. `backlog` is what
    the other side has not yet taken: past `MAX_BACKLOG` bytes the owner should admit no new work. Who says nothing for
    `silence_s` is lost.
    """

    def __init__(
        self,
        messages: Any,
        epoch: int,
        receive: Callable[[Any], None],
        lost: Callable[[str], None],
        *,
        pings: bool,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._unframer = Unframer(messages)
        self._epoch = epoch
        self._receive = receive
        self._lost: Callable[[str], None] | None = lost
        self._pings = pings
        self._silence_s = silence_s
        self._pending: list[msgspec.Struct] = []
        self._transport: asyncio.Transport | None = None
        self._greeted = False
        self._silent_beats = 0
        self._beat: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._heard_at = 0.0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def over(
        cls,
        sock: socket.socket,
        messages: Any,
        epoch: int,
        receive: Callable[[Any], None],
        lost: Callable[[str], None],
        *,
        pings: bool,
        silence_s: float = SILENCE_S,
    ) -> Link:
        """Run a link over a connected socket. The core's end has ``pings=True``."""
        link = cls(messages, epoch, receive, lost, pings=pings, silence_s=silence_s)
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=sock)
        return link

    @property
    def backlog(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport else 0

    def send(self, message: msgspec.Struct) -> None:
        if self._transport is None:
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(message)

    def close(self) -> None:
        self._lost = None
        self._drop("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in deed, not by ancestry
        self.send(Hello(PROTOCOL, self._epoch))
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._silent_beats = 0
        self._heard_at = asyncio.get_running_loop().time()
        try:
            messages = self._unframer.feed(data)
        except LinkBroken as error:
            self._drop(f"unreadable: {error}")
            return
        for message in messages:
            if isinstance(message, Hello):
                if message != Hello(PROTOCOL, self._epoch):
                    self._drop(f"a peer of protocol {message.protocol}, epoch {message.epoch}")
                    return
                self._greeted = True
                if not self.ready.done():
                    self.ready.set_result(None)
            elif isinstance(message, Ping):
                self.send(Pong())
            elif self._greeted and not isinstance(message, Pong):
                self._receive(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._drop(str(error) if error else "end of file")

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if self._transport is None or not pending:
            return
        try:
            self._transport.write(frame(pending))
        except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, OverflowError):
            for message in pending:
                self._flush_alone(message)

    def _flush_alone(self, message: msgspec.Struct) -> None:
        """One message that cannot be written must not keep back the others, nor the link's own pings."""
        assert self._transport is not None
        try:
            self._transport.write(frame([_as_text(message)]))
        except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, OverflowError):
            _log.exception("message_not_sent", message=type(message).__name__)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + PING_S
        self._beat = loop.call_later(PING_S, self._on_beat)

    def _on_beat(self) -> None:
        # Who was not running himself, on a machine that has too much to do, cannot tell who was silent meanwhile; but not
        # for ever, or a machine that is always late would never miss anybody.
        now = asyncio.get_running_loop().time()
        if now - self._due < PING_S or now - self._heard_at > self._silence_s + EXCUSED_S:
            self._silent_beats += 1
        if self._silent_beats > self._silence_s / PING_S:
            self._drop(f"silent for {self._silence_s:g} s")
            return
        if self._pings:
            self.send(Ping())
        self._arm()

    def _drop(self, why: str) -> None:
        transport, self._transport = self._transport, None
        if self._beat is not None:
            self._beat.cancel()
        if transport is not None:
            transport.abort()
        if not self.ready.done():
            self.ready.set_exception(LinkBroken(why))
            self.ready.exception()
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(why)
