"""The SIP engine with children that behave as signalling and media do, each message taking its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.telephony import Event, ReferOutcome, RtpCounters, Target
from support.fake_children import FAR_ANSWER, ManualClock, arrived

ANSWER_AFTER_S = 1.0
SOUND_S = 1.0
# What a far end does when it is asked to call one of these.
TRANSFERS = {"1": ("done", 200), "2": ("failed", 486), "3": ("refused", 603), "4": ("", 0)}


class Signalling:
    """One phase word per leg; what comes too late for the phase is dropped, as on the wire."""

    backlog = 0

    def __init__(self, clock: ManualClock, link_s: float) -> None:
        self._clock = clock
        self._link_s = link_s
        self.engine: SipEngine | None = None
        self.phases: dict[UUID, str] = {}
        self.told: list[sip.AnswerRefer | sip.TellReferral] = []

    def send(self, message: msgspec.Struct) -> None:
        self._clock.call_later(self._link_s, partial(self._take, message))

    def tell(self, message: Any) -> None:
        assert self.engine is not None
        self._clock.call_later(self._link_s, partial(self.engine.on_signalling, message))

    def over(self, message: sip.LegFailed | sip.LegEnded) -> None:
        self.phases[message.leg] = "over"
        self.tell(message)

    def arrive(self, leg: UUID) -> None:
        self.phases[leg] = "arrived"
        assert self.engine is not None
        self.engine.on_signalling(arrived(leg))

    def far_hangs_up(self, leg: UUID) -> None:
        phase = self.phases.get(leg)
        if phase == "arrived":
            self.over(sip.LegFailed(leg, 0, "Request Terminated", "cancelled"))
        elif phase == "calling":
            self.over(sip.LegFailed(leg, 480, "Temporarily Unavailable"))
        elif phase == "up":
            self.over(sip.LegEnded(leg, "far"))

    def _take(self, message: Any) -> None:
        if isinstance(message, sip.Admit):
            return
        leg, phase = message.leg, self.phases.get(message.leg)
        match message:
            case sip.PlaceLeg(user=user):
                self.phases[leg] = "calling"
                self._clock.call_later(0.2, partial(self._rings, leg))
                self._clock.call_later(ANSWER_AFTER_S, partial(self._decides, leg, user))
            case sip.SendAnswer() if phase == "arrived":
                self.phases[leg] = "up"
                self.tell(sip.AnswerSent(leg))
            case sip.SendReject(code=code, phrase=phrase) if phase == "arrived":
                self.over(sip.LegFailed(leg, code, phrase))
            case sip.SendOffer(sdp=sdp) if phase == "up":
                says = "recvonly" if "a=sendonly" in sdp else "sendrecv"
                self.tell(sip.OfferAnswered(leg, 200, f"{FAR_ANSWER}a={says}\r\n"))
            case sip.AnswerRefer() | sip.TellReferral() if phase == "up":
                self.told.append(message)
            case sip.SendRefer(target=target) if phase == "up":
                self._clock.call_later(ANSWER_AFTER_S, partial(self._transferred, leg, target))
            case sip.EndLeg() if phase == "arrived":
                self.over(sip.LegFailed(leg, 603, "Decline"))
            case sip.EndLeg() if phase == "up":
                self.over(sip.LegEnded(leg, "us"))
            case sip.EndLeg() if phase == "calling":
                self.phases[leg] = "cancelling"
                self._clock.call_later(0.1, partial(self._cancelled, leg))

    def far_asks_for_transfer(self, leg: UUID, target: str) -> None:
        if self.phases.get(leg) == "up":
            self.tell(sip.ReferArrived(leg, target, ""))

    def _transferred(self, leg: UUID, target: str) -> None:
        outcome, code = TRANSFERS[target]
        if self.phases[leg] == "up" and outcome:
            self.tell(sip.ReferEnded(leg, outcome, code))

    def _rings(self, leg: UUID) -> None:
        if self.phases[leg] == "calling":
            self.tell(sip.LegProgress(leg, 180, ""))

    def _decides(self, leg: UUID, outcome: str) -> None:
        if outcome == "rings":
            return
        if self.phases[leg] == "calling" and outcome == "busy":
            self.over(sip.LegFailed(leg, 486, "Busy Here"))
        elif self.phases[leg] == "calling":
            self.phases[leg] = "up"
            self.tell(sip.LegAnswered(leg, FAR_ANSWER, "out@here"))
        elif self.phases[leg] == "cancelling" and outcome == "answers":
            self.over(sip.LegEnded(leg, "us", "late_answer"))

    def _cancelled(self, leg: UUID) -> None:
        if self.phases[leg] == "cancelling":
            self.over(sip.LegFailed(leg, 487, "Request Terminated", "cancelled"))


class Playing:
    """A play, with how many of its files are known and when the last of them is over."""

    def __init__(self, message: media.Play, now: float) -> None:
        self.message = message
        self.files = len(message.files)
        self.more = message.more
        self.ends = now + SOUND_S * self.files


class Media:
    """Plays, records and joins as a media process does, in no time but the link's."""

    backlog = 0

    def __init__(self, clock: ManualClock, link_s: float) -> None:
        self._clock = clock
        self._link_s = link_s
        self.engine: SipEngine | None = None
        self.playing: dict[UUID, Playing] = {}
        self.taking: dict[UUID, dict[UUID, tuple[media.Record, float]]] = {}
        self.speaking: set[UUID] = set()
        self.listening: set[UUID] = set()
        self.together: dict[UUID, set[UUID]] = {}
        self.open: set[UUID] = set()
        self.ports = 20000

    def send(self, message: msgspec.Struct) -> None:
        self._clock.call_later(self._link_s, partial(self._take, message))

    def tell(self, message: Any) -> None:
        assert self.engine is not None
        self._clock.call_later(self._link_s, partial(self.engine.on_media, 0, message))

    def press(self, stream: UUID, digit: str) -> None:
        if stream in self.open:
            play = self.playing.get(stream)
            if play is not None and play.message.stop_on_digit:
                self._end_play(stream, "digit")
            self.tell(media.DigitHeard(stream, digit, 100))
            for recording, (message, _) in list(self._takes(stream).items()):
                if digit in message.stop_keys:
                    self._end_take(stream, recording, "key")

    def speak(self, stream: UUID, speaking: bool) -> None:
        if stream in self.open:
            (self.speaking.add if speaking else self.speaking.discard)(stream)
            if stream in self.listening:
                self.tell(media.VoiceChanged(stream, speaking, 40))
            if not speaking:
                for recording in self._takes(stream):
                    self._await_silence(stream, recording)

    def beep(self, stream: UUID) -> None:
        if stream in self.listening:
            self.tell(media.BeepHeard(stream))

    def _now(self) -> float:
        return self._clock.mono_ns() / 1e9

    def _takes(self, stream: UUID) -> dict[UUID, tuple[media.Record, float]]:
        return self.taking.setdefault(stream, {})

    def _take(self, message: Any) -> None:
        stream = message.stream
        match message:
            case media.Open():
                self.open.add(stream)
                self.ports += 2
                self.tell(media.Opened(stream, self.ports))
            case media.Play() | media.PlayMore() | media.Stop():
                self._play(stream, message)
            case media.Record() | media.StopRecord():
                self._record(stream, message)
            case media.Listen(on=on):
                (self.listening.add if on else self.listening.discard)(stream)
            case media.Join(other=other):
                self._join(stream, other)
            case media.Part():
                self._part(stream)
            case media.Close():
                self._end_play(stream, "stopped")
                for recording in list(self._takes(stream)):
                    self._end_take(stream, recording, "stopped")
                self._part(stream)
                for streams in (self.open, self.listening, self.speaking):
                    streams.discard(stream)
                self.tell(media.Closed(stream, RtpCounters()))

    def _play(self, stream: UUID, message: media.Play | media.PlayMore | media.Stop) -> None:
        if not isinstance(message, media.PlayMore):
            self._end_play(stream, "stopped")
        if isinstance(message, media.Stop):
            return
        if isinstance(message, media.PlayMore):
            playing = self.playing.get(stream)
            if playing is None or playing.message.play != message.play:
                return
            playing.files += len(message.files)
            playing.more = message.more
            playing.ends = max(playing.ends, self._now()) + SOUND_S * len(message.files)
        else:
            if not all(Path(file).exists() for file in message.files):
                self.tell(media.PlayEnded(stream, message.play, "failed", "no such file"))
                return
            playing = self.playing[stream] = Playing(message, self._now())
            self.tell(media.PlayBegan(stream, message.play))
        if playing.message.repeat and not playing.more:
            ends = playing.ends + SOUND_S * playing.files * (playing.message.repeat - 1)
            self._clock.call_later(ends - self._now(), partial(self._played, stream, message.play))

    def _played(self, stream: UUID, play: int) -> None:
        if stream in self.playing and self.playing[stream].message.play == play:
            self._end_play(stream, "done")

    def _end_play(self, stream: UUID, outcome: str) -> None:
        playing = self.playing.pop(stream, None)
        if playing is not None:
            self.tell(media.PlayEnded(stream, playing.message.play, outcome))

    def _record(self, stream: UUID, message: media.Record | media.StopRecord) -> None:
        if isinstance(message, media.StopRecord):
            self._end_take(stream, message.recording, "stopped")
            return
        try:
            Path(message.path).touch()
        except OSError as error:
            self.tell(media.RecordEnded(stream, message.recording, "failed", 0, str(error)))
            return
        self._takes(stream)[message.recording] = (message, self._now())
        self.tell(media.RecordBegan(stream, message.recording))
        if message.max_ms is not None:
            end = partial(self._end_take, stream, message.recording, "max_length")
            self._clock.call_later(message.max_ms / 1000, end)
        self._await_silence(stream, message.recording)

    def _await_silence(self, stream: UUID, recording: UUID) -> None:
        message, _ = self._takes(stream)[recording]
        if message.silence_ms is not None:
            self._clock.call_later(message.silence_ms / 1000, partial(self._silent, stream, recording))

    def _silent(self, stream: UUID, recording: UUID) -> None:
        if stream not in self.speaking:
            self._end_take(stream, recording, "silence")

    def _end_take(self, stream: UUID, recording: UUID, outcome: str) -> None:
        message, began = self._takes(stream).pop(recording, (None, 0.0))
        if message is not None:
            self.tell(media.RecordEnded(stream, recording, outcome, round((self._now() - began) * 1000)))

    def _join(self, stream: UUID, other: UUID) -> None:
        if other not in self.open:
            self.tell(media.Parted(stream))
            return
        if stream in self.together:
            self._part(stream)
        if other in self.together:
            self.together[stream] = self.together[other]
            self.together[stream].add(stream)
            self.tell(media.Joined(stream, other, "mix"))
            return
        self.together[stream] = self.together[other] = {stream, other}
        self.tell(media.Joined(stream, other, "relay"))
        self.tell(media.Joined(other, stream, "relay"))

    def _part(self, stream: UUID) -> None:
        together = self.together.pop(stream, None)
        if together is None:
            return
        together.discard(stream)
        self.tell(media.Parted(stream))
        if len(together) == 1:
            (alone,) = together
            del self.together[alone]
            self.tell(media.Parted(alone))


class SipDriver:
    """`link_s` is how long a message between core and child is on its way."""

    def __init__(self, sound: Path, link_s: float = 0.001) -> None:
        self.clock = ManualClock()
        self.signalling = Signalling(self.clock, link_s)
        self.media = Media(self.clock, link_s)
        self.engine = SipEngine(EngineSettings(address="198.51.100.1"), self.clock)
        self.signalling.engine = self.media.engine = self.engine
        self.engine.signalling_up(self.signalling)
        self.engine.media_up(0, self.media)
        self._sound = sound

    def attach(self, sink: Callable[[Event], None]) -> None:
        self.engine.attach(sink)

    def arrive(self, leg: UUID) -> None:
        self.signalling.arrive(leg)

    def target(self, outcome: str) -> Target:
        return Target(outcome, "192.0.2.2")

    def far_hangs_up(self, leg: UUID) -> None:
        self.signalling.far_hangs_up(leg)

    def far_presses(self, leg: UUID, digit: str) -> None:
        self.media.press(leg, digit)

    def far_speaks(self, leg: UUID, speaking: bool) -> None:
        self.media.speak(leg, speaking)

    def far_beeps(self, leg: UUID) -> None:
        self.media.beep(leg)

    def far_asks_for_transfer(self, leg: UUID, target: str) -> None:
        self.signalling.far_asks_for_transfer(leg, target)

    def elsewhere(self, outcome: ReferOutcome) -> str:
        names = {outcome or "unknown": target for target, (outcome, _) in TRANSFERS.items()}
        return names[outcome.value]

    def sound(self) -> str:
        return str(self._sound)

    def settle(self, seconds: float = 60.0) -> None:
        self.clock.advance(seconds)

    def left(self) -> list[str]:
        processes = [f"{p.calls} calls" for p in self.engine.media_processes if p.calls or p.legs]
        alive = [leg for leg, phase in self.signalling.phases.items() if phase != "over"]
        counts = {"legs": self.engine.live_legs, "streams": len(self.media.open), "dialogs": len(alive)}
        timers = {"timers": self.clock.pending}
        return [*processes, *[f"{n} {what}" for what, n in (counts | timers).items() if n]]
