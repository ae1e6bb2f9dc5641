"""The legs alive: their events, deadlines, streams, and how each comes to its one last event.

A leg ends in two steps: the last word of signalling says how, then its stream is closed, its recordings end, and the counters
go into the last event. Nothing else follows once a leg is on its way out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from callwright.clock import Clock
from callwright.log import Log
from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.leg import Call, Leg, Phase, StreamState
from callwright.sip.offer import Agreed
from callwright.sip.recordings import RECORD_S
from callwright.sip.sdp import PCMA, PCMU
from callwright.sip.sound import Sound
from callwright.sip.streams import MediaProcess, Wire, choose, shortage
from callwright.sip.telling import name_of
from callwright.sip.transfers import Transfers
from callwright.telephony import Cause, Ended, Event, Refused, Released, Who

RETIRED_S = 60
LAST_SEQ = 1 << 31  # of what follows a leg's last event

log = Log("sip.engine")


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is advertised for sound; `laws` are offered in this order (0 PCMU, 8 PCMA); `max_calls` is per media process.

    Seconds: `open_s` for a media process to open a stream, `close_s` to close one without recordings, `word_s` for signalling
    to confirm what it was told, and for call control to answer a transfer, `ack_s` for an ACK to bring the answer to our
    offer, `call_s` for the first sign of the far end or the end of a cancelled INVITE (above the 32 s of RFC 3261 timer B,
    which signalling keeps), `refer_s` for what becomes of a transfer that the far end was asked for.
    """

    address: str
    max_calls: int = 300
    laws: tuple[int, ...] = (PCMU, PCMA)
    open_s: float = 2.0
    close_s: float = 1.0
    word_s: float = 2.0
    ack_s: float = 35.0
    call_s: float = 40.0
    refer_s: float = 60.0


def nobody(event: object) -> None:
    """Hear of an event and do nothing."""


class Legs:
    """The books of the engine: who is alive, in which call, with which stream, and what is waited for."""

    def __init__(self, settings: EngineSettings, clock: Clock, media_processes: int) -> None:
        self.settings = settings
        self.clock = clock
        self.sink: Callable[[Event], None] = nobody
        self.sound = Sound(clock, self.emit, partial(self.lose, cause=Cause.MEDIA_LOST))
        self.transfers = Transfers(clock, self.emit, self.tell, settings.word_s, settings.refer_s)
        self.alive: dict[UUID, Leg] = {}
        self.calls: dict[UUID, Call] = {}
        self.signalling: Wire | None = None
        self.signalling_why = "not started"
        self.media: tuple[MediaProcess, ...] = tuple([MediaProcess(index) for index in range(media_processes)])
        self._retired: deque[Call] = deque()
        self._unconfirmed: dict[UUID, bytes] = {}

    def close(self) -> None:
        """Stop all waiting; no event follows."""
        self.sink = nobody
        for leg in self.alive.values():
            self.disarm(leg)
            self.sound.leave(leg)
            self.transfers.leave(leg)

    def tell(self, message: sip.CoreMessage) -> None:
        if self.signalling is not None:
            self.signalling.send(message)

    # dialogs whose far end has not confirmed the end: if signalling dies before it does, a successor says BYE again

    def release(self, dialogs: Iterable[tuple[UUID, bytes]]) -> None:
        """End dialogs that a predecessor took to its grave: now, or as the first thing signalling does once it is up."""
        for leg_id, dialog in dialogs:
            if dialog:
                self._unconfirmed[leg_id] = dialog
                self.tell(sip.ReleaseDialog(leg_id, dialog))

    def release_again(self) -> None:
        """A successor of signalling is there: nobody knows which BYEs of its predecessor arrived."""
        for leg_id, dialog in self._unconfirmed.items():
            self.tell(sip.ReleaseDialog(leg_id, dialog))

    def dialog_over(self, leg_id: UUID) -> None:
        """The far end is gone. Call control hears of it if the leg's last event said that it might not be."""
        if self._unconfirmed.pop(leg_id, None) is not None and leg_id not in self.alive:
            now_us, mono_ns = self.clock.now_us(), self.clock.mono_ns()
            self.sink(Released(leg=leg_id, seq=LAST_SEQ, at_us=now_us, mono_ns=mono_ns))

    def emit(self, leg: Leg, event: type[Event], *, ago_ms: int = 0, **fields: Any) -> None:
        """Tell of an event of a leg. What comes once the leg's end is known happened with it, at the latest."""
        leg.seq += 1
        at_us, mono_ns = self.clock.now_us(), self.clock.mono_ns()
        if leg.outcome is not None:
            at_us, mono_ns = leg.outcome.at_us, leg.outcome.mono_ns
        self.sink(event(leg=leg.id, seq=leg.seq, at_us=at_us - ago_ms * 1000, mono_ns=mono_ns - ago_ms * 1_000_000, **fields))

    def arm(self, leg: Leg, seconds: float, overdue: Callable[[Leg], None]) -> None:
        """A leg waits for one thing at a time."""
        self.disarm(leg)
        leg.timer = self.clock.call_later(seconds, partial(overdue, leg))

    def disarm(self, leg: Leg) -> None:
        if leg.timer is not None:
            leg.timer.cancel()
            leg.timer = None

    def bind(self, leg: Leg, call_id: UUID) -> Call:
        """Count a leg to its call; an incoming leg's is told by the first command for it."""
        call = self.calls.get(call_id)
        if call is None:
            call = self.calls[call_id] = Call(call_id)
        call.legs += 1
        leg.call = call
        if call.law is None:
            call.law = leg.offered_law
        return call

    # streams

    def open(self, leg: Leg, overdue: Callable[[Leg], None]) -> str:
        """Ask for a stream; return what is missing, or an empty string."""
        call = leg.call
        assert call is not None
        process = call.media or choose(self.media, self.settings.max_calls)
        if process is None:
            return shortage(self.media, self.settings.max_calls)
        if call.media is None:
            call.media = process
            process.calls += 1
        call.streams += 1
        process.legs[leg.id] = leg
        leg.media, leg.stream = process, StreamState.OPENING
        process.send(media.Open(leg.id))
        self.arm(leg, self.settings.open_s, overdue)
        return ""

    def connect(self, leg: Leg, agreed: Agreed, *, anew: bool = False) -> None:
        """Tell media the far side; `anew` also when nothing changed, so that a silence is counted from now."""
        if leg.media is None or (agreed == leg.agreed and not anew):
            return
        leg.agreed, leg.stream = agreed, StreamState.CONNECTED
        if leg.call is not None:
            leg.call.law = agreed.law
        leg.media.send(
            media.Connect(
                leg.id,
                address=agreed.address,
                port=agreed.port,
                payload_type=agreed.law,
                event_type=agreed.event_type,
                send=agreed.send,
                receive=agreed.receive,
                ptime_ms=agreed.ptime_ms,
                mapped_type=agreed.payload_type if agreed.payload_type != agreed.law else None,
            )
        )
        self.sound.connected(leg)

    def close_stream(self, leg: Leg, *, opened: bool = True) -> None:
        """Give the stream back. Only one that carried sound has counters worth waiting for."""
        self.sound.leave(leg)
        process, call = leg.media, leg.call
        if process is None or call is None or leg.stream in (StreamState.NONE, StreamState.CLOSING):
            return
        call.streams -= 1
        if call.streams == 0:
            process.calls -= 1
            call.media = None
        if opened:
            process.send(media.Close(leg.id))
        if leg.stream is StreamState.CONNECTED:
            leg.stream = StreamState.CLOSING
        else:
            self._stream_gone(leg)

    def closed(self, leg: Leg, message: media.Closed) -> None:
        if leg.stream is StreamState.CLOSING:
            leg.counters = message.counters
            self.sound.lost(leg, f"{name_of(leg)} did not tell of its end")
            self._stream_gone(leg)
            if leg.phase is Phase.CLOSING:
                self._depart(leg)

    def media_lost(self, process: MediaProcess, why: str) -> None:
        """End the legs with a stream in a process that died (lifecycle row R1)."""
        lost = process.down(why)
        for leg in lost:
            leg.stream = StreamState.NONE
            if leg.call is not None and leg.call.media is process:
                leg.call.media, leg.call.streams = None, 0
            self.sound.lost(leg, f"{process.name}: {why}")
        for leg in lost:
            if leg.phase is Phase.CLOSING:
                self._depart(leg)
            elif leg.phase is not Phase.LEAVING:
                self.lose(leg, f"{process.name}: {why}", Cause.MEDIA_LOST)

    def _stream_gone(self, leg: Leg) -> None:
        leg.stream = StreamState.NONE
        if leg.media is not None:
            leg.media.legs.pop(leg.id, None)

    # ends

    def leave(self, leg: Leg, seconds: float) -> None:
        """Signalling was told to end the leg: its last word decides, and must come within so many seconds."""
        leg.phase = Phase.LEAVING
        self.close_stream(leg)
        self.arm(leg, seconds, self._word_overdue)

    def lose(self, leg: Leg, detail: str, cause: Cause) -> None:
        """End a leg now because a part of ours failed; signalling clears up the wire on its own."""
        if leg.incoming and leg.phase in (Phase.ARRIVED, Phase.PREPARING) and self.signalling is not None:
            leg.code = 503
            self.tell(sip.SendReject(leg.id, 503, "Service Unavailable"))
        elif leg.phase in (Phase.CALLING, Phase.ANSWERING, Phase.ANSWERED):
            self.tell(sip.EndLeg(leg.id))
        leg.detail = detail
        if leg.answered or leg.late_answer:
            self.end(leg, cause, Who.US)
        else:
            self.refuse(leg, cause, leg.code)

    def give_up(self, leg: Leg, cause: Cause, detail: str = "") -> None:
        """End a leg nobody outside knows of, while a command is taken: its last event comes on the next turn of the loop."""
        leg.detail = detail
        leg.outcome, leg.phase = self._refused(leg, cause), Phase.CLOSING
        self.disarm(leg)
        self.close_stream(leg)
        self.clock.call_later(0, partial(self._depart, leg))

    def refuse(self, leg: Leg, cause: Cause, code: int | None = None, phrase: str = "", reason: str = "") -> None:
        self._settle(leg)
        self._last(leg, self._refused(leg, cause, code, phrase, reason))

    def end(self, leg: Leg, cause: Cause, who: Who, reason: str = "") -> None:
        self._settle(leg)
        outcome = Ended(
            leg=leg.id,
            seq=0,
            at_us=self.clock.now_us(),
            mono_ns=self.clock.mono_ns(),
            cause=cause,
            who=who,
            reason=reason,
            detail=leg.detail,
            late_answer=not leg.answered,
        )
        self._last(leg, outcome)

    def _settle(self, leg: Leg) -> None:
        self.sound.finish(leg)
        self.transfers.finish(leg)

    def _refused(self, leg: Leg, cause: Cause, code: int | None = None, phrase: str = "", reason: str = "") -> Refused:
        return Refused(
            leg=leg.id,
            seq=0,
            at_us=self.clock.now_us(),
            mono_ns=self.clock.mono_ns(),
            cause=cause,
            sip_code=code,
            sip_phrase=phrase,
            reason=reason,
            detail=leg.detail,
        )

    def _last(self, leg: Leg, outcome: Refused | Ended) -> None:
        """How the leg ended is known, and when; the event waits only for the counters."""
        if leg.in_dialog and leg.dialog:
            self._unconfirmed[leg.id] = leg.dialog
        leg.outcome, leg.phase = outcome, Phase.CLOSING
        self.disarm(leg)
        self.close_stream(leg)
        if leg.stream is StreamState.CLOSING:
            self.arm(leg, RECORD_S if leg.recordings else self.settings.close_s, self._depart)
        else:
            self._depart(leg)

    def _word_overdue(self, leg: Leg) -> None:
        log.warning("signalling_silent", leg=leg.id, phase=leg.phase.value)
        if leg.answered or leg.late_answer:
            self.end(leg, leg.cause or Cause.HANGUP, Who.US)
        else:
            self.refuse(leg, leg.cause or Cause.REJECTED, leg.code)

    def _depart(self, leg: Leg) -> None:
        if self.alive.pop(leg.id, None) is None:
            return
        self.disarm(leg)
        self.sound.lost(leg, f"{name_of(leg)} did not end it within {RECORD_S:g} s")
        self._stream_gone(leg)
        if leg.call is not None:
            leg.call.legs -= 1
            if leg.call.legs == 0:
                self._retire(leg.call)
        assert leg.outcome is not None
        leg.seq += 1
        unconfirmed = leg.id in self._unconfirmed
        self.sink(msgspec.structs.replace(leg.outcome, seq=leg.seq, counters=leg.counters, unconfirmed=unconfirmed))

    def _retire(self, call: Call) -> None:
        """Remember for a while which commands a call without legs has seen: a repeated Originate must not dial again."""
        call.retired_ns = now = self.clock.mono_ns()
        self._retired.append(call)
        while self._retired[0].retired_ns + RETIRED_S * 1_000_000_000 <= now:
            old = self._retired.popleft()
            if old.legs == 0 and self.calls.get(old.id) is old:
                del self.calls[old.id]
