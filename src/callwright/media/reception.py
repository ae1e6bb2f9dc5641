"""How a stream of RTP arrives: loss, order and jitter (RFC 3550 §6.4.1, appendices A.1, A.3 and A.8).

Times are media time: samples of 8 kHz, 125 µs each, as everywhere on the sound's path.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from callwright.media.g711 import SAMPLE_RATE
from callwright.media.rtcp import ReportBlock

_WINDOW: Final = 128  # sequence numbers remembered, for duplicates
_REMEMBERED: Final = (1 << _WINDOW) - 1
_SMALLEST_PACKET: Final = 80  # samples: 10 ms
_BURST: Final = 16  # packets that may be missing at once, however little time has passed


class Arrival(IntEnum):
    NEXT = 0
    REORDERED = 1
    DUPLICATE = 2
    RESTART = 3  # a new source, or one whose numbering jumped
    STRAY = 4  # a number or a source out of all order, once; a second that follows it is a restart


# Looked up for every packet, and an enum's member costs more than all else that is done there.
NEXT: Final = Arrival.NEXT
REORDERED: Final = Arrival.REORDERED


class Reception:
    """Counts over the whole life of a stream; the figures of a report are of its present source.

    `received` has duplicates in it, `gaps` is how often packets were missing, however many at once.
    """

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0
        self.gaps = 0
        self.duplicate = 0
        self.reordered = 0
        self.jitter = 0.0
        self.ssrc: int | None = None
        self.highest = 0
        self._suspect = -1
        self._newcomer: tuple[int, int] | None = None
        self._seen = 0
        self._last_at = 0
        self._transit: int | None = None
        self._base = 0
        self._extended = 0
        self._of_source = 0
        self._reported = (0, 0)

    def arrived(self, sequence: int, ssrc: int, now: int) -> Arrival:
        """Count a packet and say how it came.

        A gap in the numbers is loss only if the packets could have been sent in the time that passed; a greater step
        is a source that renumbered itself, and nothing was lost. Another source is believed with its second packet, if
        the present one said nothing between: what a stranger throws in cuts up nobody's sound (RFC 3550 A.1).
        """
        if ssrc != self.ssrc:
            return self._another(sequence, ssrc, now)
        self._newcomer = None
        step = (sequence - self.highest) & 0xFFFF
        if step == 1:
            self._seen = (self._seen << 1 | 1) & _REMEMBERED
        elif step < 0x8000 and step:
            if step - 1 > (now - self._last_at) // _SMALLEST_PACKET + _BURST:
                return self._jumped(sequence, ssrc, now)
            self.lost += step - 1
            self.gaps += 1
            self._seen = (self._seen << step | 1) & _REMEMBERED
        else:
            return self._behind((self.highest - sequence) & 0xFFFF, sequence, ssrc, now)
        self.received += 1
        self.highest = sequence
        self._extended += step
        self._of_source += 1
        self._last_at = now
        return NEXT

    def timed(self, timestamp: int, now: int) -> None:
        """Take one audio packet into the jitter estimate."""
        transit = (now - timestamp) & 0xFFFF_FFFF
        if self._transit is not None:
            difference = (transit - self._transit) & 0xFFFF_FFFF
            if difference >= 0x8000_0000:
                difference = 0x1_0000_0000 - difference
            # A second and more is a clock that was set, not a late packet.
            if difference < SAMPLE_RATE:
                self.jitter += (difference - self.jitter) / 16
        self._transit = transit

    def report(self, last_sr: int, delay: int) -> ReportBlock | None:
        """Make the block of a report about the present source; None when there is none."""
        if self.ssrc is None:
            return None
        expected = self._extended - self._base + 1
        expected_before, received_before = self._reported
        self._reported = (expected, self._of_source)
        due = expected - expected_before
        missing = due - (self._of_source - received_before)
        fraction = min((missing << 8) // due, 255) if due > 0 and missing > 0 else 0
        return ReportBlock(
            self.ssrc, fraction, expected - self._of_source, self._extended & 0xFFFF_FFFF, int(self.jitter), last_sr, delay
        )

    def _behind(self, age: int, sequence: int, ssrc: int, now: int) -> Arrival:
        if age >= _WINDOW:
            return self._jumped(sequence, ssrc, now)
        self.received += 1
        bit = 1 << age
        if self._seen & bit:
            self.duplicate += 1
            return Arrival.DUPLICATE
        self._seen |= bit
        self.reordered += 1
        self._of_source += 1
        self.lost = max(self.lost - 1, 0)
        return Arrival.REORDERED

    def _another(self, sequence: int, ssrc: int, now: int) -> Arrival:
        if self.ssrc is not None:
            before, self._newcomer = self._newcomer, (ssrc, sequence)
            if before is None or before[0] != ssrc or not 0 < (sequence - before[1]) & 0xFFFF <= _BURST:
                return Arrival.STRAY
        self._start(sequence, ssrc, now)
        return Arrival.RESTART

    def _jumped(self, sequence: int, ssrc: int, now: int) -> Arrival:
        if sequence == self._suspect:
            self._start(sequence, ssrc, now)
            return Arrival.RESTART
        self._suspect = (sequence + 1) & 0xFFFF
        return Arrival.STRAY

    def _start(self, sequence: int, ssrc: int, now: int) -> None:
        self.received += 1
        self.ssrc = ssrc
        self._newcomer = None
        self.highest = self._base = self._extended = sequence
        self._suspect = -1
        # What came before the start is not waited for, so it counts as seen.
        self._seen = _REMEMBERED
        self._last_at = now
        self._transit = None
        self._of_source = 1
        self._reported = (0, 0)
