"""The RTCP side of one stream: what it reports to the far end, and what the far end reports of it."""

from __future__ import annotations

from typing import Final

import msgspec

from callwright.media import quality, rtcp
from callwright.media.g711 import SAMPLE_RATE
from callwright.media.line import Line
from callwright.media.reception import Reception
from callwright.telephony import RtpCounters

REPORT_EVERY: Final = 5 * SAMPLE_RATE
PER_MS: Final = SAMPLE_RATE // 1000


class Reports:
    """Times are media time, but for `at_us`, which is wall time: far ends compare that with their own."""

    def __init__(self, line: Line, reception: Reception, cname: str, now: int) -> None:
        self.round_trip_ms: float | None = None
        self._line = line
        self._reception = reception
        self._cname = cname
        self._due_at = now + line.ssrc % REPORT_EVERY
        self._first_sequence = line.sequence + 1 & 0xFFFF
        self._last_sr = 0
        self._last_sr_at = 0
        self._far: rtcp.ReportBlock | None = None

    def is_due(self, now: int) -> bool:
        """Whether a report is to be sent now; asking puts off the next."""
        if now < self._due_at:
            return False
        self._due_at = now + REPORT_EVERY
        return True

    def write(self, at_us: int, now: int, *more: rtcp.RtcpPacket) -> bytes:
        """Make a report, and `more` behind it."""
        delay = (now - self._last_sr_at) * 65536 // SAMPLE_RATE if self._last_sr else 0
        block = self._reception.report(self._last_sr, delay)
        blocks = () if block is None else (block,)
        line = self._line
        own: rtcp.RtcpPacket = rtcp.ReceiverReport(line.ssrc, blocks)
        if line.packets:
            own = rtcp.SenderReport(line.ssrc, rtcp.ntp_time(at_us), line.clock(now), line.packets, line.octets, blocks)
        return rtcp.serialize(own, rtcp.SourceName(line.ssrc, self._cname), *more)

    def read(self, data: bytes, at_us: int, now: int) -> bool:
        """Note what the far end reports; whether it reports at all. Raise `MalformedPacket` for what is none."""
        reported = False
        for packet in rtcp.parse(data):
            if isinstance(packet, rtcp.SenderReport):
                self._last_sr, self._last_sr_at = packet.ntp >> 16 & 0xFFFF_FFFF, now
            if isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                reported = True
                for block in packet.blocks:
                    if block.ssrc == self._line.ssrc:
                        self._note(block, at_us)
        return reported

    def counters(self, late: int) -> RtpCounters:
        """What the stream came to; `late` packets came when their sound was no longer wanted."""
        reception = self._reception
        jitter_ms = round(reception.jitter / PER_MS, 2)
        heard = reception.received - reception.duplicate
        return self._add_far(
            RtpCounters(
                sent=self._line.packets,
                received=reception.received,
                lost=reception.lost,
                late=late,
                duplicate=reception.duplicate,
                reordered=reception.reordered,
                jitter_ms=jitter_ms,
                mos=quality.mos(heard, reception.lost, late, jitter_ms, self.round_trip_ms, reception.gaps),
                round_trip_ms=self.round_trip_ms,
            )
        )

    def _add_far(self, counters: RtpCounters) -> RtpCounters:
        """Put what the far end hears beside what is heard of it."""
        far = self._far
        if far is None:
            return counters
        lost, jitter_ms = max(far.lost, 0), round(far.jitter / PER_MS, 2)
        # What went out is what it should have: relayed gaps are in the numbers, but were never sent from here.
        expected = min(far.highest - self._first_sequence + 1 & 0xFFFF_FFFF, self._line.packets + lost)
        return msgspec.structs.replace(
            counters,
            far_lost=lost,
            far_jitter_ms=jitter_ms,
            far_mos=quality.mos(max(expected - lost, 0), lost, 0, jitter_ms, self.round_trip_ms),
        )

    def _note(self, block: rtcp.ReportBlock, at_us: int) -> None:
        self._far = block
        if block.last_sr:
            passed = ((rtcp.ntp_time(at_us) >> 16) - block.last_sr - block.delay) & 0xFFFF_FFFF
            if passed < 60 << 16:
                self.round_trip_ms = round(passed / 65.536, 2)
