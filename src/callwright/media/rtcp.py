"""RTCP packets (RFC 3550 §6) between bytes and values. No sockets here."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from callwright.media.rtp import RTCP_TYPES, RTP_VERSION, MalformedPacket

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203

_CNAME = 1
_NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970
_REPORT = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IQIII")


class ReportBlock(msgspec.Struct, frozen=True):
    """How one source was received (RFC 3550 §6.4.1).

    `fraction` is the share lost since the last report in 1/256, `lost` all that was lost (negative with duplicates),
    `jitter` in samples; `last_sr` and `delay` echo our last sender report, in 1/65536 s.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int = 0
    delay: int = 0


class SenderReport(msgspec.Struct, frozen=True):
    """`ntp` is 32.32 fixed-point seconds since 1900."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


class ReceiverReport(msgspec.Struct, frozen=True):
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


class SourceName(msgspec.Struct, frozen=True):
    """An SDES packet with a CNAME only; what else far ends describe is not read."""

    ssrc: int
    cname: str


class Goodbye(msgspec.Struct, frozen=True):
    sources: tuple[int, ...]


RtcpPacket = SenderReport | ReceiverReport | SourceName | Goodbye


def ntp_time(at_us: int) -> int:
    """Turn a wall time into 32.32 fixed-point seconds since 1900."""
    seconds, micros = divmod(at_us, 1_000_000)
    return (seconds + _NTP_EPOCH_S << 32 | (micros << 32) // 1_000_000) & 0xFFFF_FFFF_FFFF_FFFF


def parse(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet; raise `MalformedPacket` when its parts do not add up.

    Kinds that are not kept (APP, feedback, extended reports, SDES of others) are stepped over. A compound need not
    begin with a report: telephones send a bare BYE, and reduced-size RTCP exists (RFC 5506).
    """
    packets: list[RtcpPacket] = []
    start = 0
    while start < len(data):
        if len(data) - start < 4:
            raise MalformedPacket("the RTCP header is cut off")
        first, kind, words = struct.unpack_from("!BBH", data, start)
        end = start + 4 + 4 * words
        if first >> 6 != RTP_VERSION or kind not in RTCP_TYPES or end > len(data):
            raise MalformedPacket(f"RTCP version {first >> 6}, type {kind}, {words} words, {len(data) - start} bytes left")
        body = data[start + 4 : end]
        if first & 0x20:
            body = _unpadded(body)
        packet = _parse_one(kind, first & 0x1F, body)
        if packet is not None:
            packets.append(packet)
        start = end
    return packets


def serialize(*packets: RtcpPacket) -> bytes:
    """Write a compound packet."""
    return b"".join(_serialize_one(packet) for packet in packets)


def _unpadded(body: bytes) -> bytes:
    if not body or not 0 < body[-1] <= len(body):
        raise MalformedPacket("RTCP padding longer than the packet")
    return body[: -body[-1]]


def _parse_one(kind: int, count: int, body: bytes) -> RtcpPacket | None:
    if kind == SR:
        if len(body) < _SENDER.size:
            raise MalformedPacket("the sender report is cut off")
        ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
        return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, _SENDER.size, count))
    if kind == RR:
        if len(body) < 4:
            raise MalformedPacket("the receiver report is cut off")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body, 4, count))
    if kind == BYE:
        if len(body) < 4 * count:
            raise MalformedPacket("the BYE is cut off")
        return Goodbye(struct.unpack_from(f"!{count}I", body))
    return None


def _blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < start + count * _REPORT.size:
        raise MalformedPacket(f"{count} report blocks announced, {len(body) - start} bytes left")
    blocks = []
    for ssrc, losses, highest, jitter, last_sr, delay in _REPORT.iter_unpack(body[start : start + count * _REPORT.size]):
        lost = losses & 0xFF_FFFF
        blocks.append(ReportBlock(ssrc, losses >> 24, lost - (lost >> 23 << 24), highest, jitter, last_sr, delay))
    return tuple(blocks)


def _serialize_one(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            fixed = _SENDER.pack(
                packet.ssrc, packet.ntp, packet.timestamp, packet.packets & 0xFFFF_FFFF, packet.octets & 0xFFFF_FFFF
            )
            return _packet(SR, len(packet.blocks), fixed + _serialize_blocks(packet.blocks))
        case ReceiverReport():
            return _packet(RR, len(packet.blocks), packet.ssrc.to_bytes(4, "big") + _serialize_blocks(packet.blocks))
        case SourceName():
            cname = packet.cname.encode()[:255]
            chunk = packet.ssrc.to_bytes(4, "big") + bytes([_CNAME, len(cname)]) + cname
            return _packet(SDES, 1, chunk + bytes(4 - len(chunk) % 4))
        case Goodbye():
            return _packet(BYE, len(packet.sources), struct.pack(f"!{len(packet.sources)}I", *packet.sources))


def _serialize_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _REPORT.pack(
            block.ssrc,
            block.fraction << 24 | max(-0x80_0000, min(block.lost, 0x7F_FFFF)) & 0xFF_FFFF,
            block.highest,
            block.jitter,
            block.last_sr,
            block.delay,
        )
        for block in blocks
    )


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", RTP_VERSION << 6 | count, kind, len(body) // 4) + body
