"""The sound of one leg: what comes from its far end, and what goes there, one 20 ms slot at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from uuid import UUID

from callwright.log import Log
from callwright.media import rtcp, rtp
from callwright.media.g711 import FRAME, LAWS, PCMU, TRANSLATED, Law
from callwright.media.jitter import JitterBuffer
from callwright.media.keypad import Keypad, Press
from callwright.media.latch import Address, Latch
from callwright.media.line import Line
from callwright.media.prompt import Prompt
from callwright.media.reception import NEXT, REORDERED, Arrival, Reception
from callwright.media.relay import Hop
from callwright.media.reports import Reports
from callwright.media.rtp import COMFORT_NOISE, MalformedPacket, RtpPacket
from callwright.media.tap import Tap
from callwright.media.telephone_event import EventPayload, EventReader, KeyDown, KeyUp
from callwright.media.wire import (
    Connect,
    DigitHeard,
    HeardAgain,
    MediaMessage,
    PlayBegan,
    PlayEnded,
    WentSilent,
)
from callwright.telephony import PlayOutcome, RtpCounters

if TYPE_CHECKING:
    from callwright.media.conversation import Conversation

_PAYLOADS: Final = range(FRAME // 4, 6 * FRAME + 1)  # 5 to 120 ms; 10 to 60 are agreed

Send = Callable[[bytes, Address], object]

_log = Log("media")


class Stream:
    """Built when its ports are bound, in use from the first `Connect`, and unaware of sockets.

    `send` and `send_control` put a datagram on the RTP and the RTCP port; `report` takes what the core is to know.
    Times are media time. What comes and is not used is counted in `dropped`, by reason.
    """

    def __init__(
        self,
        stream: UUID,
        line: Line,
        cname: str,
        send: Send,
        send_control: Send,
        report: Callable[[MediaMessage], None],
        now: int,
    ) -> None:
        self.id: Final = stream
        self.line: Final = line
        self.latch = Latch()
        self.law: Law | None = None
        self.reception = Reception()
        self.keypad = Keypad()
        self.prompt: Prompt | None = None
        self.event_type: int | None = None
        self.conversation: Conversation | None = None
        self.peer: Stream | None = None  # in a conversation of two, with the hops to and from it
        self.hop_out: Hop | None = None
        self.hop_in: Hop | None = None
        self.round: JitterBuffer | None = None  # in a larger one: what goes into the mix
        self.mixed: bytes | None = None  # and what comes out of it for the next slot
        self.late_before = 0  # packets that were too late for hops and mixes that are no more
        self.tap: Tap | None = None
        self.dropped: Counter[str] = Counter()
        self.sends = False
        self._send = send
        self._send_control = send_control
        self._report = report
        self._reports = Reports(line, self.reception, cname, now)
        self._receives = False
        self._laws: dict[int, Law] = LAWS
        self._held_key: Press | None = None
        self._reader = EventReader()
        self._sounding = False
        self._heard_at = self._reported_at = now
        self._told_silent = False

    def connect(self, far: Connect, now: int) -> str | None:
        """Take what was agreed with the far end; return what is wrong with it, if anything is."""
        law = LAWS.get(far.payload_type)
        if law is None:
            return f"payload type {far.payload_type}: only 0 (PCMU) and 8 (PCMA) are spoken"
        usable = self.latch.signal((far.address, far.port))
        self._heard_at = now
        self._told_silent = False
        changed = law is not self.law
        self.law = law
        self.line.payload_type = far.payload_type if far.mapped_type is None else far.mapped_type
        self._laws = {**LAWS, self.line.payload_type: law}
        self.event_type = far.event_type
        self._receives = far.receive
        self.sends = far.send and self.latch.signalled is not None
        if not self.sends:
            self._sounding = False
        if changed and self.tap is not None:
            self.tap.agree(law)
        return None if usable else f"address {far.address}:{far.port}: not an IPv4 address and port that can be sent to"

    def play(self, prompt: Prompt) -> None:
        """Play in place of whatever is played now, as soon as the prompt is ready."""
        self.end_play(PlayOutcome.STOPPED)
        self.prompt = prompt

    def end_play(self, outcome: PlayOutcome, detail: str = "") -> None:
        prompt, self.prompt = self.prompt, None
        if prompt is not None:
            self._report(PlayEnded(self.id, prompt.play, outcome.value, detail))

    def tapped(self) -> Tap:
        """Where to listen in on this stream."""
        if self.tap is None:
            self.tap = Tap(self.law or PCMU)
        return self.tap

    def hear_tone(self, key: str, timestamp: int, now: int) -> None:
        """A key was found in the sound of this RTP time. Whoever hears the sound hears it anyway, so it is not passed on."""
        self._key_down(key, timestamp, now, inband=True)

    def hear_tone_end(self, key: str, duration_ms: int) -> None:
        self._report(DigitHeard(self.id, key, duration_ms, inband=True))
        if self.tap is not None:
            self.tap.key_up()

    def goodbye(self, at_us: int, now: int) -> None:
        """Tell the far end over RTCP that nothing more will come."""
        self._send_report(at_us, now, rtcp.Goodbye((self.line.ssrc,)))

    def counters(self) -> RtpCounters:
        late = self.late_before + (self.hop_out.late if self.hop_out else 0) + (self.round.late if self.round else 0)
        return self._reports.counters(late)

    def receive(self, data: bytes, source: Address, now: int) -> None:
        """Take a datagram of the RTP port."""
        try:
            if len(data) > 1 and data[1] in rtp.RTCP_TYPES:
                self.dropped["control"] += 1
                return
            packet = rtp.parse(data)
        except MalformedPacket:
            self.dropped["malformed"] += 1
            return
        law = self.law
        if law is None:
            self.dropped["early"] += 1
            return
        kind = packet.payload_type
        spoken = self._laws.get(kind)
        if spoken is None and kind not in (self.event_type, COMFORT_NOISE):
            self.dropped["payload_type"] += 1
            return
        if source != self.latch.locked and not self.latch.admit(source, now - self._heard_at):
            self.dropped["stranger"] += 1
            return
        self._heard_at = now
        if self._told_silent:
            self._is_there()
        if spoken is not None:
            self._receive_sound(packet, spoken, law, now)
        elif kind == COMFORT_NOISE:
            if self._counts(packet, now):
                self._hush(packet, now)
        else:
            self._receive_event(packet, now)

    def receive_control(self, data: bytes, source: Address, at_us: int, now: int) -> None:
        """Take a datagram of the RTCP port: note how the far end hears us."""
        if not self.latch.knows(source[0]):
            self.dropped["stranger_control"] += 1
            return
        try:
            reported = self._reports.read(data, at_us, now)
        except MalformedPacket:
            self.dropped["malformed_control"] += 1
            return
        if reported:
            self._reported_at = now
            if self._told_silent:
                self._is_there()

    def tick(self, now: int) -> None:
        """Fill the slot that begins now."""
        if self._reader.pressed:
            self._hear_keys(self._reader.elapse(now), 0, now)
        law = self.law
        if law is None:
            return
        if self.sends:
            if not self.line.is_due(now):
                return
            if self.keypad.busy:
                self._send_key(law, now)
                return
        # A prompt runs on while the far end is on hold: its length in time is what the flow counts on.
        frame = self._next_of_prompt(law) if self.prompt is not None else None
        if not self.sends:
            return
        if frame is None and self.hop_in is None:
            frame = self.mixed
        elif frame is None and self.hop_in is not None:
            if self.hop_in.relays:
                assert self.peer is not None
                if not self.hop_in.is_gap(now, self.peer.reception.jitter):
                    return
            else:
                frame = self.hop_in.frame(now)
        spurt = frame is not None and not self._sounding
        self._sounding = frame is not None
        self._transmit(self.line.sound(law.silent_frame if frame is None else frame, now, spurt=spurt))

    def watch(self, at_us: int, now: int, silence: int) -> None:
        """What is due only now and then: reports, and the far end's silence."""
        if self.law is None:
            return
        if self._reports.is_due(now):
            self._send_report(at_us, now)
        if self._receives and not self._told_silent and now - max(self._heard_at, self._reported_at) >= silence:
            self._told_silent = True
            self._report(WentSilent(self.id))

    def _receive_sound(self, packet: RtpPacket, spoken: Law, agreed: Law, now: int) -> None:
        if len(packet.payload) not in _PAYLOADS:
            self.dropped["payload_size"] += 1
            return
        if not self._counts(packet, now):
            return
        self.reception.timed(packet.timestamp, now)
        if not self._receives:
            self.dropped["held"] += 1
            return
        if spoken is not agreed:
            packet = _translated(packet, spoken, agreed)
        if self.tap is not None:
            try:
                self.tap.hear(packet, now, in_order=packet.sequence == self.reception.highest)
            except Exception:
                self._give_up_tap(self.tap)
        if self.round is not None:
            self.round.put(packet.timestamp, packet.payload, now)
        peer, hop = self.peer, self.hop_out
        if peer is None or hop is None:
            return
        if (peer.prompt is not None and peer.prompt.is_ready) or peer.keypad.busy or not peer.sends:
            hop.interrupt()
            return
        data = hop.hear(packet, now)
        if data is not None:
            peer._transmit(data)

    def _counts(self, packet: RtpPacket, now: int) -> bool:
        """Take the packet into the counters; False for one that is not to be heard."""
        arrival = self.reception.arrived(packet.sequence, packet.ssrc, now)
        if arrival is NEXT or arrival is REORDERED:
            return True
        if arrival is Arrival.RESTART:
            for source in (self.hop_out, self.round, self.tap):
                if source is not None:
                    source.restart()
            return True
        if arrival is Arrival.STRAY:
            self.dropped["stray"] += 1
        return False

    def _hush(self, packet: RtpPacket, now: int) -> None:
        """The far end is silent from here on."""
        if self.hop_out is not None:
            self.hop_out.hush(packet.timestamp, now)
        elif self.round is not None and self.law is not None:
            self.round.put(packet.timestamp, self.law.silent_frame, now)

    def _is_there(self) -> None:
        self._told_silent = False
        self._report(HeardAgain(self.id))

    def _receive_event(self, packet: RtpPacket, now: int) -> None:
        # Some gateways send events under an SSRC of their own; that is no new source of sound.
        if packet.ssrc == self.reception.ssrc and not self._counts(packet, now):
            return
        if not self._receives:
            self.dropped["held"] += 1
            return
        try:
            event = EventPayload.parse(packet.payload)
        except MalformedPacket:
            self.dropped["malformed"] += 1
            return
        if self.hop_out is not None:
            self.hop_out.interrupt()
        self._hear_keys(self._reader.packet(packet.timestamp, event, packet.marker, now), packet.timestamp, now)

    def _hear_keys(self, found: list[KeyDown | KeyUp], timestamp: int, now: int) -> None:
        for event in found:
            if isinstance(event, KeyDown):
                self._key_down(event.key, timestamp, now, inband=False)
                if self.peer is not None and self.peer.event_type is not None:
                    self._held_key = self.peer.keypad.hold(event.key)
            else:
                self.let_key_go(event.duration_ms)
                self._report(DigitHeard(self.id, event.key, event.duration_ms))
                if self.tap is not None:
                    self.tap.key_up()

    def _key_down(self, key: str, timestamp: int, now: int, *, inband: bool) -> None:
        if self.prompt is not None and self.prompt.stop_on_digit:
            self.end_play(PlayOutcome.DIGIT)
        if self.tap is not None:
            self.tap.key_down(key, timestamp, now, inband=inband)

    def let_key_go(self, duration_ms: int) -> None:
        if self._held_key is not None:
            self._held_key.release(duration_ms)
            self._held_key = None

    def _next_of_prompt(self, law: Law) -> bytes | None:
        prompt = self.prompt
        assert prompt is not None
        if not prompt.is_ready:
            return None
        if not prompt.began:
            prompt.began = True
            self._sounding = False
            self._report(PlayBegan(self.id, prompt.play))
        frame = prompt.next(law)
        if frame is None:
            self.end_play(PlayOutcome.DONE)
        return frame

    def _send_key(self, law: Law, now: int) -> None:
        slot = self.keypad.next(law, self.event_type is not None)
        self._sounding = False
        if slot.event and self.event_type is not None:
            self._transmit(self.line.event(self.event_type, slot.payload, now, first=slot.first))
        else:
            payload = law.silent_frame if slot.event else slot.payload
            self._transmit(self.line.sound(payload, now))

    def _transmit(self, data: bytes) -> None:
        target = self.latch.target
        if target is None:
            return
        try:
            self._send(data, target)
        except OSError:
            self.dropped["unsendable"] += 1
        if self.tap is not None:
            try:
                self.tap.send(data, self.line.payload_type, self.line.at)
            except Exception:
                self._give_up_tap(self.tap)

    def _give_up_tap(self, tap: Tap) -> None:
        """A fault of ours in what only listens is no reason to send or hear nothing."""
        _log.exception("media_tap_failed", stream=self.id)
        self.dropped["failures"] += 1
        tap.give_up()

    def _send_report(self, at_us: int, now: int, *more: rtcp.RtcpPacket) -> None:
        target = self.latch.target
        if target is None:
            return
        try:
            self._send_control(self._reports.write(at_us, now, *more), (target[0], target[1] + 1))
        except (OSError, OverflowError):
            self.dropped["unsendable"] += 1


def _translated(packet: RtpPacket, spoken: Law, agreed: Law) -> RtpPacket:
    """A packet in the other law, as far ends send that list both in their session description."""
    payload = packet.payload.translate(TRANSLATED[spoken.payload_type, agreed.payload_type])
    return RtpPacket(packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, payload, packet.marker)
