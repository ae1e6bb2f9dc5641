"""Whoever listens in on a stream: recordings, and the ear that looks for keys, voices and beeps. None changes what is sent."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from callwright.media.ear import Ear
from callwright.media.g711 import FRAME, Law
from callwright.media.rtp import RtpPacket

if TYPE_CHECKING:
    from callwright.media.recorder import Recorder

_TIMESTAMP: Final = struct.Struct("!I")
_HEADER_SIZE: Final = 12
_LEAKED: Final = 3 * FRAME  # what gateways let through of a key's tone before they begin its event
_ATTACK: Final = FRAME  # of a tone, before the first block that shows it


class Tap:
    """Times are media time; packets are in the law that was agreed."""

    __slots__ = ("ear", "law", "recorders")

    def __init__(self, law: Law) -> None:
        self.law = law
        self.recorders: list[Recorder] = []
        self.ear = Ear(law)

    @property
    def quiet_since(self) -> int:
        """When the far end was last heard to speak; only while somebody watches its voice."""
        return self.ear.spoke_at

    def watch_voice(self, more: int) -> None:
        """So many more, or less, want to know whether the far end speaks."""
        self.ear.watchers += more
        self.ear.attend()

    def agree(self, law: Law) -> None:
        self.law = law
        self.ear.agree(law)
        for recorder in self.recorders:
            recorder.agree(law)

    def restart(self) -> None:
        for recorder in self.recorders:
            recorder.restart()

    def hear(self, packet: RtpPacket, now: int, *, in_order: bool) -> None:
        """Take a packet of the far end."""
        for recorder in self.recorders:
            recorder.hear(packet.timestamp, packet.payload, now)
        if in_order:
            self.ear.hear(packet.timestamp, packet.payload, now)

    def send(self, data: bytes, sound: int, now: int) -> None:
        """Take a datagram that went to the far end; `sound` is the payload type of those that are sound."""
        if self.recorders and data[1] & 0x7F == sound:
            [timestamp] = _TIMESTAMP.unpack_from(data, 4)
            for recorder in self.recorders:
                recorder.send(timestamp, data[_HEADER_SIZE:], now)

    def key_down(self, key: str, timestamp: int, now: int, *, inband: bool) -> None:
        """A key was pressed at this RTP time, in the sound or as a telephone-event."""
        if not inband and not self.ear.takes_events:
            self.ear.takes_events = True
            self.ear.attend()
        for recorder in self.recorders:
            recorder.key_down(key, timestamp, _ATTACK if inband else _LEAKED, now)

    def key_up(self) -> None:
        for recorder in self.recorders:
            recorder.key_up()

    def give_up(self) -> None:
        """Listen to nothing any more; recordings fail."""
        for recorder in self.recorders:
            if recorder.outcome is None:
                recorder.fail("an error of ours; the log has it")
        self.ear.wants_keys = self.ear.listens = False
        self.ear.attend()
