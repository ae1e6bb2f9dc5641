"""One direction of a bridge between two parties: relayed packet by packet, or put together anew at every tick.

*Relay*: both sides speak one law in packets of 20 ms. A packet is sent on when it comes, under the receiver's SSRC,
with its number and timestamp shifted by a constant, so that loss and disorder stay visible to the receiver, whose
own jitter buffer deals with them. The line of the receiver is steady all the same:

* Nothing is filled in while packets come, so jitter makes no second packet. Only when none came for 60 ms, more if
  the source jitters, does the tick send silence, a packet each 20 ms.
* What then comes late, with a timestamp that silence has taken, is dropped, and silence waits again. The first packet
  beyond it goes on with the same timestamp shift, if that agrees with the clock within half a second.
* A shift is chosen anew, and from the line's own clock, only for a new source and for one that set its clock. To choose
  one whenever packets are late would set the line ahead by as much each time, and nothing would ever set it back.
* The clock of the line follows the source that is passed on, slowly: however far a fast or slow clock has led it in the
  end, the next source goes on from there.

*Mix*: anything else. Packets go through a jitter buffer, and the receiver's tick takes 20 ms from it.
"""

from __future__ import annotations

from typing import Final

from callwright.media.g711 import FRAME, SAMPLE_RATE, TRANSLATED, Law
from callwright.media.jitter import JitterBuffer
from callwright.media.line import Line
from callwright.media.rtp import RtpPacket

_SHORTEST_GAP: Final = 3 * FRAME
_LONGEST_GAP: Final = 15 * FRAME
_CLOCK_TOLERANCE: Final = SAMPLE_RATE // 2
_LOST_CLOCK: Final = SAMPLE_RATE // 10
_FURTHEST_AHEAD: Final = SAMPLE_RATE


class Relay:
    """Put packets of a source on a line. `live` is true while they come and no silence has to be filled in."""

    def __init__(self, line: Line) -> None:
        self.live = False
        self.late = 0
        self._line = line
        self._heard_at: int | None = None  # None: silence need not wait
        self._sequence_shift = 0
        self._timestamp_shift: int | None = None
        self._floor = 0
        self._late_since: int | None = None

    def restart(self) -> None:
        """The source renumbered itself: the next packet is joined to the line anew."""
        self.live = False
        self._timestamp_shift = None

    def interrupt(self) -> None:
        """Something else has the line."""
        self.live = False
        self._heard_at = None

    def forward(self, packet: RtpPacket, now: int) -> bytes | None:
        """Write the packet for the line; None when it came too late to be sent."""
        line = self._line
        self._heard_at = now
        if not self.live or self._timestamp_shift is None:
            return self._join(packet, now)
        sequence = (packet.sequence + self._sequence_shift) & 0xFFFF
        timestamp = (packet.timestamp + self._timestamp_shift) & 0xFFFF_FFFF
        ahead = (sequence - line.sequence) & 0xFFFF
        if ahead >= 0x8000 or not ahead:
            if (sequence - self._floor - 1) & 0xFFFF >= 0x8000:
                self.late += 1
                return None
            return line.passed(packet.payload, sequence, timestamp, packet.marker)
        step = (timestamp - line.timestamp) & 0xFFFF_FFFF
        if step >= 0x8000_0000 or not step or abs(step - now + line.at) > _CLOCK_TOLERANCE:
            self._timestamp_shift = None
            return self._join(packet, now)
        line.sequence, line.timestamp, line.at = sequence, timestamp, now
        line.follow()
        return line.passed(packet.payload, sequence, timestamp, packet.marker)

    def is_gap(self, now: int, jitter: float) -> bool:
        """Whether the tick has to fill in silence; `jitter` is the source's, in samples."""
        heard_at = self._heard_at
        if heard_at is not None and now - heard_at < min(max(_SHORTEST_GAP, FRAME + 4 * int(jitter)), _LONGEST_GAP):
            return False
        self.live = False
        return True

    def _join(self, packet: RtpPacket, now: int) -> bytes | None:
        """Let the packet follow what was last on the line."""
        line = self._line
        timestamp = self._following(packet.timestamp, now)
        if timestamp is None:
            self.late += 1
            return None
        self._timestamp_shift = timestamp - packet.timestamp
        self._floor = line.sequence
        line.sequence = (line.sequence + 1) & 0xFFFF
        self._sequence_shift = line.sequence - packet.sequence
        line.timestamp, line.at = timestamp, now
        self._late_since = None
        self.live = True
        return line.passed(packet.payload, line.sequence, timestamp, True)

    def _following(self, source_timestamp: int, now: int) -> int | None:
        line = self._line
        if self._timestamp_shift is not None:
            step = (source_timestamp + self._timestamp_shift - line.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
            if abs(step - now + line.at) <= _CLOCK_TOLERANCE:
                return (line.timestamp + step) & 0xFFFF_FFFF if step > 0 else None
            if step < 0:
                if self._late_since is None:
                    self._late_since = now
                if now - self._late_since < _LOST_CLOCK:
                    return None
        behind = line.behind(now)
        # Sources that begin anew in the midst of bursts have set the line ahead: let time catch up.
        return (line.timestamp + FRAME * max(behind // FRAME, 1)) & 0xFFFF_FFFF if behind > -_FURTHEST_AHEAD else None


class Hop:
    """From one party of a bridge to the other. `relays` is how it goes at the moment."""

    def __init__(self, line: Line, source: Law, sink: Law) -> None:
        self._relay = Relay(line)
        self._buffer = JitterBuffer(source)
        self._even = True
        self.agree(source, sink)
        self._late_before = 0

    @property
    def late(self) -> int:
        return self._late_before + self._relay.late + self._buffer.late

    def agree(self, source: Law, sink: Law) -> None:
        """Take the laws of both sides, at the begin and whenever one of them changes."""
        late = self._buffer.late
        self._relay.interrupt()
        self._buffer = JitterBuffer(source)
        self._buffer.late = late
        self._silence = source.silent_frame
        self._table = TRANSLATED.get((source.payload_type, sink.payload_type))
        self._equal = source is sink
        self.relays = self._equal and self._even

    def restart(self) -> None:
        self._relay.restart()
        self._buffer.restart()

    def interrupt(self) -> None:
        """The sink hears something else, or nothing; what the source says meanwhile is not kept."""
        self._relay.interrupt()
        self._buffer.restart()

    def hush(self, timestamp: int, now: int) -> None:
        """The source says that it is silent from here on; what it said before is still heard."""
        self._relay.interrupt()
        if not self.relays:
            self._buffer.put(timestamp, self._silence, now)

    def hear(self, packet: RtpPacket, now: int) -> bytes | None:
        """Take a packet of the source; return one for the sink when it is to be sent at once."""
        if self.relays:
            if len(packet.payload) == FRAME:
                return self._relay.forward(packet, now)
            # Packets of another length are cut to 20 ms, and a source that sends some is not trusted to stop.
            self._even = self.relays = False
            self._relay.interrupt()
        self._buffer.put(packet.timestamp, packet.payload, now)
        return None

    def frame(self, now: int) -> bytes | None:
        """Of a hop that mixes: the next 20 ms in the sink's law, None for silence."""
        frame = self._buffer.take(now)
        if frame is None or self._table is None:
            return frame
        return frame.translate(self._table)

    def is_gap(self, now: int, jitter: float) -> bool:
        """Of a hop that relays: whether the tick has to send silence."""
        return self._relay.is_gap(now, jitter)
