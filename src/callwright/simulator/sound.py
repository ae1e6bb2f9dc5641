"""What is heard, kept and noticed on a simulated leg. There is no sound: prompts take their time. Recordings hold silence, and
the texts that parties said where there is a voice for them.
"""

from __future__ import annotations

import wave
from functools import partial
from uuid import UUID

from callwright import telephony
from callwright.simulator.acting import Acting
from callwright.simulator.files import RATE, Files
from callwright.simulator.legs import Leg, Prompt, Saying, Stage, State, Take
from callwright.simulator.voice import Voice
from callwright.telephony import CommandRefused, PlayOutcome, RecordOutcome, Tracks, recording_fault

# A file is there a moment after it was asked for; what needs no disk is told before.
DISK_S = 0.001


class Sound:
    """Carries out sound commands on simulated legs."""

    def __init__(self, stage: Stage, files: Files, acting: Acting, voice: Voice) -> None:
        """`acting` is told what is heard."""
        self._voice = voice
        self._stage = stage
        self._acting = acting
        self._files = files

    # prompts

    def play(self, leg: Leg, command: telephony.Play) -> None:
        self.stop(leg, PlayOutcome.STOPPED)
        try:
            seconds = sum(self._files.seconds(file) for file in command.files)
        except (OSError, EOFError, wave.Error) as error:
            failed = PlayOutcome.FAILED
            self._stage.emit(leg, telephony.PlayFinished, play=command.id, outcome=failed, detail=str(error))
            return
        prompt = leg.prompt = Prompt(command.id, command.repeat, command.stop_on_digit, command.more)
        self._stage.emit(leg, telephony.PlayStarted, play=command.id)
        self._acting.prompted(leg)
        self._lengthen(leg, prompt, seconds)

    def play_more(self, leg: Leg, command: telephony.PlayMore) -> None:
        prompt = leg.prompt
        if prompt is None or prompt.play != command.play:
            return
        try:
            seconds = sum(self._files.seconds(file) for file in command.files)
        except (OSError, EOFError, wave.Error) as error:
            self.stop(leg, PlayOutcome.FAILED, str(error))
            return
        prompt.more = command.more
        self._lengthen(leg, prompt, seconds)

    def stop(self, leg: Leg, outcome: PlayOutcome, detail: str = "") -> None:
        prompt, leg.prompt = leg.prompt, None
        if prompt is not None:
            if prompt.timer is not None:
                prompt.timer.cancel()
            self._stage.emit(leg, telephony.PlayFinished, play=prompt.play, outcome=outcome, detail=detail)
            self._acting.silent(leg)

    def _lengthen(self, leg: Leg, prompt: Prompt, seconds: float) -> None:
        """There is silence while a file is late; once the last one is known the end is, too."""
        now = self._stage.now()
        prompt.heard_at = max(prompt.heard_at, now) + seconds
        prompt.seconds += seconds
        if prompt.more:
            return
        ends_at = prompt.heard_at + prompt.seconds * max(prompt.repeat - 1, 0)
        if prompt.stops_on_digit:
            self._acting.ends_in(leg, ends_at - now)
        if prompt.repeat:
            prompt.timer = self._stage.later(leg, ends_at - now, lambda: self.stop(leg, PlayOutcome.DONE))

    # recordings

    def record(self, leg: Leg, command: telephony.StartRecording) -> None:
        fault = recording_fault(command)
        if command.recording in leg.takes:
            fault = f"recording {command.recording} is running"
        if fault:
            raise CommandRefused(f"StartRecording: {fault}")
        try:
            tape = self._files.record(command.path, 2 if command.tracks is Tracks.BOTH else 1, command.key)
        except OSError as error:
            failed, finished = RecordOutcome.FAILED, telephony.RecordingFinished
            self._stage.emit(leg, finished, recording=command.recording, outcome=failed, detail=str(error))
            return
        take = Take(command.recording, tape, command.stop_keys, self._stage.now(), hears=command.tracks is not Tracks.TO)
        take.max_s = None if command.max_ms is None else command.max_ms / 1000
        take.silence_s = None if command.silence_ms is None else command.silence_ms / 1000
        leg.takes[take.recording] = take
        self._hear(leg, take)
        take.start = self._stage.later(leg, DISK_S, partial(self._began, leg, take))
        if take.max_s is not None:
            limit = partial(self.end_recording, leg, take.recording, RecordOutcome.MAX_LENGTH)
            take.limit = self._stage.later(leg, take.max_s, limit)
        self._await_silence(leg, take)

    def _began(self, leg: Leg, take: Take) -> None:
        if take.start is not None:
            take.start.cancel()
            take.start = None
            self._stage.emit(leg, telephony.RecordingStarted, recording=take.recording)

    def pause(self, leg: Leg, recording: UUID, on: bool) -> None:
        """What the far end says meanwhile is not kept."""
        take = leg.takes.get(recording)
        if take is None or take.paused == on:
            return
        take.paused = on
        if on:
            self._hear_no_more(leg, take)

    def _hear(self, leg: Leg, take: Take) -> None:
        """A take hears what is said on its leg at this moment, from the beginning of that or of its own."""
        saying = leg.saying
        if saying is None or not saying.text or saying.ends_at <= self._stage.now():
            return
        if take.hears and leg.sends and not take.paused:
            take.said.append(saying)

    def _hear_no_more(self, leg: Leg, take: Take) -> None:
        """A take does not hear the rest of what is being said."""
        if take.said and take.said[-1] is leg.saying:
            take.said[-1] = take.said[-1]._replace(cut_at=self._stage.now())

    def _keep(self, take: Take) -> None:
        for saying in take.said:
            samples = self._voice.samples(saying.text)
            if saying.cut_at is not None:
                samples = samples[: 2 * round((saying.cut_at - saying.began_at) * RATE)]
            if samples:
                take.tape.say(saying.began_at - take.began_at, samples)

    def end_recording(self, leg: Leg, recording: UUID, outcome: RecordOutcome, detail: str = "") -> None:
        take = leg.takes.pop(recording, None)
        if take is None:
            return
        self._began(leg, take)
        for timer in (take.limit, take.silence):
            if timer is not None:
                timer.cancel()
        seconds = self._stage.now() - take.began_at
        if outcome is RecordOutcome.MAX_LENGTH and take.max_s is not None:
            seconds = take.max_s
        self._keep(take)
        try:
            take.tape.end(seconds)
        except OSError as error:
            outcome, detail = RecordOutcome.FAILED, str(error)
        self._stage.emit(
            leg,
            telephony.RecordingFinished,
            recording=recording,
            outcome=outcome,
            duration_ms=round(seconds * 1000),
            detail=detail,
        )

    def _await_silence(self, leg: Leg, take: Take) -> None:
        if take.silence is not None:
            take.silence.cancel()
            take.silence = None
        if take.silence_s is not None and not leg.speaking:
            end = partial(self.end_recording, leg, take.recording, RecordOutcome.SILENCE)
            take.silence = self._stage.later(leg, take.silence_s, end)

    # the far end

    def listen(self, leg: Leg, on: bool) -> None:
        news = on and not leg.listening
        leg.listening = on
        if news and leg.speaking:
            self._stage.emit(leg, telephony.Voice, speaking=True)

    def pressed(self, leg: Leg, digit: str) -> None:
        """A key stops a prompt, and ends a recording, that listens for it."""
        if leg.prompt is not None and leg.prompt.stops_on_digit:
            self.stop(leg, PlayOutcome.DIGIT)
        for take in [take for take in leg.takes.values() if digit in take.stop_keys]:
            self.end_recording(leg, take.recording, RecordOutcome.KEY)

    def finish(self, leg: Leg, fault: str = "") -> None:
        """Settle what is open before a leg's last event; `fault` says what died under it, if anything."""
        self.stop(leg, PlayOutcome.STOPPED)
        outcome = RecordOutcome.FAILED if fault else RecordOutcome.STOPPED
        for recording in list(leg.takes):
            self.end_recording(leg, recording, outcome, fault)

    def say(self, leg: Leg, text: str, seconds: float) -> None:
        """The far end says something, which takes so long."""
        leg.saying = Saying(text, self._stage.now(), self._stage.now() + seconds)
        for take in leg.takes.values():
            self._hear(leg, take)
        leg.sayings += 1
        self.voice(leg, True)
        self._stage.later(leg, seconds, partial(self._has_said, leg))

    def _has_said(self, leg: Leg) -> None:
        leg.sayings -= 1
        if not leg.sayings:
            self.voice(leg, False)

    def voice(self, leg: Leg, speaking: bool) -> None:
        leg.talks = speaking
        self.attend(leg)

    def attend(self, leg: Leg) -> None:
        """Hear the far end begin, or cease, to speak; one that is on hold is not heard."""
        speaking = leg.talks and leg.sends
        if not leg.sends:
            for take in leg.takes.values():
                self._hear_no_more(leg, take)
        if leg.speaking == speaking:
            return
        leg.speaking = speaking
        if leg.listening:
            self._stage.emit(leg, telephony.Voice, speaking=speaking)
        for take in leg.takes.values():
            self._await_silence(leg, take)

    def beep(self, leg: Leg) -> None:
        if leg.listening and leg.state is State.ANSWERED and leg.sends:
            self._stage.emit(leg, telephony.Beep)
