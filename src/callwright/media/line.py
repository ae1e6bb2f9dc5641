"""The line of packets that leaves towards one far end.

One SSRC, one run of sequence numbers and one clock for the leg's whole life, wherever its sound comes from. The clock
follows media time: what is sent an hour later carries a timestamp an hour later, rounded down to whole packets.
"""

from __future__ import annotations

import struct
from typing import Final

from callwright.media.g711 import FRAME

_HEADER = struct.Struct("!BBHII")
_PLAIN = 0x80
_MARKER = 0x80


class Line:
    """`sequence` and `timestamp` are of the last slot that was filled, `at` is the media time it began.

    `payload_type` is that of sound, and may change on the way.
    """

    __slots__ = ("_event_start", "_origin", "at", "octets", "packets", "payload_type", "sequence", "ssrc", "timestamp")

    def __init__(self, ssrc: int, sequence: int, timestamp: int, now: int) -> None:
        self.ssrc: Final = ssrc
        self.payload_type = 0
        self.sequence = sequence
        self.timestamp = timestamp
        self.at = now - FRAME
        self.packets = 0
        self.octets = 0
        self._event_start = timestamp
        self._origin = timestamp - self.at

    def is_due(self, now: int) -> bool:
        """Whether the last slot is over. It is not, once, when the tick takes over from relayed packets."""
        return now - self.at >= FRAME

    def sound(self, payload: bytes, now: int, *, spurt: bool = False) -> bytes:
        """Write the packet of a 20 ms slot that is due.

        The marker is set where a talk-spurt begins (RFC 3551 §4.1) and after a time in which nothing was sent.
        """
        slots = self._advance(now)
        marked = _MARKER if spurt or slots > 1 or not self.packets else 0
        self.packets += 1
        self.octets += len(payload)
        return _HEADER.pack(_PLAIN, marked | self.payload_type, self.sequence, self.timestamp, self.ssrc) + payload

    def event(self, payload_type: int, payload: bytes, now: int, *, first: bool) -> bytes:
        """Write a telephone-event packet: all of one event carry the timestamp of its first (RFC 4733 §2.2)."""
        self._advance(now)
        if first:
            self._event_start = self.timestamp
        self.packets += 1
        self.octets += len(payload)
        marked = _MARKER if first else 0
        return _HEADER.pack(_PLAIN, marked | payload_type, self.sequence, self._event_start, self.ssrc) + payload

    def passed(self, payload: bytes, sequence: int, timestamp: int, marker: bool) -> bytes:
        """Write a packet that is relayed under numbers of this line; `Relay` moves the line itself."""
        self.packets += 1
        self.octets += len(payload)
        return _HEADER.pack(_PLAIN, marker << 7 | self.payload_type, sequence, timestamp, self.ssrc) + payload

    def clock(self, now: int) -> int:
        """The timestamp that belongs to this moment."""
        return (self.timestamp + now - self.at) & 0xFFFF_FFFF

    def behind(self, now: int) -> int:
        """How far the last slot's timestamp lies behind the line's clock; negative when it is ahead."""
        return (self._origin + now - self.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000

    def follow(self) -> None:
        """Let the clock the line began with go along with a relayed source's, by a sample for each packet."""
        ahead = (self.timestamp - self.at - self._origin + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        self._origin += (ahead > 0) - (ahead < 0)

    def _advance(self, now: int) -> int:
        slots = (now - self.at) // FRAME
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME * slots) & 0xFFFF_FFFF
        self.at += FRAME * slots
        return slots
