"""What is heard on legs: prompts, and what is listened for, between call control and the media processes.

Every accepted `Play` has one `PlayFinished`, at the latest before the leg's last event. What is asked of a leg whose early
media is still being opened waits in `Leg.held` until it is connected.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from callwright.clock import Clock
from callwright.media import wire as media
from callwright.sip.conversations import Conversations
from callwright.sip.keys import Keys
from callwright.sip.leg import Leg, Prompt, StreamState
from callwright.sip.recordings import Recordings
from callwright.sip.telling import Emit, name_of, send
from callwright.telephony import (
    KEYS,
    Beep,
    Command,
    CommandRefused,
    Listen,
    PauseRecording,
    Play,
    PlayFinished,
    PlayMore,
    PlayOutcome,
    PlayStarted,
    ResumeRecording,
    SendDigits,
    StartRecording,
    Stop,
    StopRecording,
    Unlisten,
    Voice,
)

PLAY_S = 5.0
MAX_DIGITS = 64
_OUTCOMES = {outcome.value: outcome for outcome in PlayOutcome}


class Sound:
    """Carries out sound commands and turns media's reports into events.

    `lose` ends a leg whose media process does not do what it was asked in time.
    """

    def __init__(self, clock: Clock, emit: Emit, lose: Callable[[Leg, str], None]) -> None:
        self._clock = clock
        self._emit = emit
        self.conversations = Conversations(clock, emit, lose)
        self.recordings = Recordings(clock, emit)
        self.keys = Keys(clock, emit, self.recordings)
        self._acts: dict[type[Command], Callable[[Leg, Any], None]] = {
            Play: self._play,
            PlayMore: self._play_more,
            Stop: self._stop,
            SendDigits: self._send_digits,
            StartRecording: self.recordings.start,
            PauseRecording: self.recordings.pause,
            ResumeRecording: self.recordings.pause,
            StopRecording: self.recordings.stop,
            Listen: self._listen,
            Unlisten: self._listen,
        }

    def command(self, leg: Leg, command: Command) -> None:
        """Carry a command out, or hold it until the leg's stream is connected; raise `CommandRefused` for a wrong one."""
        if isinstance(command, Play):
            _check_play(command)
        elif isinstance(command, SendDigits):
            _check_digits(command)
        elif isinstance(command, StartRecording):
            self.recordings.check(leg, command)
        if leg.stream is StreamState.CONNECTED:
            self._acts[type(command)](leg, command)
        else:
            leg.held.append(command)

    def connected(self, leg: Leg) -> None:
        """The stream of a leg knows its far side: do what was held."""
        self.keys.connected(leg)
        held, leg.held = leg.held, []
        for command in held:
            self._acts[type(command)](leg, command)
        self.conversations.connected(leg)

    def leave(self, leg: Leg) -> None:
        """A leg is on its way out: wait for nothing more of its sound."""
        for prompt in leg.prompts.values():
            prompt.timer.cancel()
        self.recordings.leave(leg)
        self.conversations.leave(leg)

    def finish(self, leg: Leg) -> None:
        """Settle what is open before a leg's last event; only for recordings media has the last word."""
        self.leave(leg)
        unfinished = [*leg.prompts, *[command.id for command in leg.held if isinstance(command, Play)]]
        for play in unfinished:
            self._emit(leg, PlayFinished, play=play, outcome=PlayOutcome.STOPPED)
        self.recordings.finish(leg)
        leg.prompts.clear()
        leg.held.clear()
        self.conversations.finish(leg)

    def lost(self, leg: Leg, why: str) -> None:
        """The stream of a leg is gone, and whoever had it, or it was given up: nothing of it is heard any more."""
        self.recordings.lost(leg, why)

    # what media says

    def play_began(self, leg: Leg, message: media.PlayBegan) -> None:
        prompt = leg.prompts.get(message.play)
        if prompt is not None:
            prompt.timer.cancel()
            self._emit(leg, PlayStarted, play=message.play)

    def play_ended(self, leg: Leg, message: media.PlayEnded) -> None:
        prompt = leg.prompts.pop(message.play, None)
        if prompt is None:
            return
        prompt.timer.cancel()
        outcome = _OUTCOMES.get(message.outcome, PlayOutcome.FAILED)
        if prompt.by_key and outcome is PlayOutcome.STOPPED:
            outcome = PlayOutcome.DIGIT
        self._emit(leg, PlayFinished, play=message.play, outcome=outcome, detail=message.detail)

    def voice(self, leg: Leg, message: media.VoiceChanged) -> None:
        if leg.listening:
            self._emit(leg, Voice, ago_ms=message.ago_ms, speaking=message.speaking)

    def beep(self, leg: Leg, message: media.BeepHeard) -> None:
        if leg.listening:
            self._emit(leg, Beep)

    # commands, once the stream is connected

    def _play(self, leg: Leg, command: Play) -> None:
        timer = self._clock.call_later(PLAY_S, partial(self._play_overdue, leg, command.id))
        leg.prompts[command.id] = Prompt(command.stop_on_digit, timer)
        send(leg, media.Play(leg.id, command.id, command.files, command.repeat, command.stop_on_digit, command.more))

    def _play_more(self, leg: Leg, command: PlayMore) -> None:
        if command.play in leg.prompts:
            send(leg, media.PlayMore(leg.id, command.play, command.files, command.more))

    def _stop(self, leg: Leg, command: Stop) -> None:
        if leg.prompts:
            send(leg, media.Stop(leg.id))

    def _send_digits(self, leg: Leg, command: SendDigits) -> None:
        send(leg, media.SendDigits(leg.id, command.digits, command.tone_ms, command.gap_ms))

    def _listen(self, leg: Leg, command: Listen | Unlisten) -> None:
        on = isinstance(command, Listen)
        if on != leg.listening:
            leg.listening = on
            send(leg, media.Listen(leg.id, on))

    def _play_overdue(self, leg: Leg, play: int) -> None:
        if leg.prompts.pop(play, None) is not None:
            send(leg, media.Stop(leg.id))
            detail = f"{name_of(leg)} did not start it within {PLAY_S:g} s"
            self._emit(leg, PlayFinished, play=play, outcome=PlayOutcome.FAILED, detail=detail)


def _check_play(command: Play) -> None:
    if not command.files or command.repeat < 0:
        raise CommandRefused("Play: at least one file and a repeat of 0 or more are needed")


def _check_digits(command: SendDigits) -> None:
    if not 0 < len(command.digits) <= MAX_DIGITS or not KEYS.issuperset(command.digits):
        raise CommandRefused(f"SendDigits: 1 to {MAX_DIGITS} of 0-9 * # A-D are needed")
    if not (20 <= command.tone_ms <= 5000 and 20 <= command.gap_ms <= 5000):
        raise CommandRefused("SendDigits: a tone and a gap last 20 to 5000 ms")
