"""RTP packets (RFC 3550 §5) between bytes and values. No sockets here."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from callwright.errors import CallwrightError

RTP_VERSION: Final = 2
COMFORT_NOISE: Final = 13  # RFC 3389
RTCP_TYPES: Final = range(192, 224)  # RFC 5761 §4: what a second byte of RTCP can be, on a port shared with RTP

_HEADER = struct.Struct("!BBHII")
_PLAIN = RTP_VERSION << 6  # no padding, no extension, no contributing sources


class MalformedPacket(CallwrightError):
    """The datagram is neither RTP nor RTCP."""


class RtpPacket(msgspec.Struct, frozen=True, gc=False):
    """`timestamp` counts samples, `payload` is without padding and may be empty."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


def parse(data: bytes) -> RtpPacket:
    """Read a datagram; raise `MalformedPacket` when it is not RTP."""
    if len(data) < _HEADER.size:
        raise MalformedPacket(f"{len(data)} bytes are too few for an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _PLAIN:
        return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[12:], second >= 0x80)
    if first >> 6 != RTP_VERSION:
        raise MalformedPacket(f"RTP version {first >> 6}")
    start, end = _payload_bounds(first, data)
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end], second >= 0x80)


def serialize(packet: RtpPacket) -> bytes:
    return (
        _HEADER.pack(_PLAIN, packet.marker << 7 | packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc)
        + packet.payload
    )


def _payload_bounds(first: int, data: bytes) -> tuple[int, int]:
    start = _HEADER.size + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:
        if start + 4 > end:
            raise MalformedPacket("the RTP header extension is cut off")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if start > end:
        raise MalformedPacket("the RTP header is longer than the datagram")
    if first & 0x20:
        padding = data[-1]
        if not 0 < padding <= end - start:
            raise MalformedPacket(f"{padding} bytes of padding in {end - start} of payload")
        end -= padding
    return start, end
