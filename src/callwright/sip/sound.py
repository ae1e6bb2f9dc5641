"""What is heard on legs: prompts, keys and bridges, between call control and the media processes.

Every accepted `Play` has one `PlayFinished`, at the latest before the leg's last event. A bridge has one `Bridged`, on
the leg that was asked for it, and one `Unbridged`: on the leg that was asked to part, else on the one that stays. What
is asked of a leg whose early media is still being opened waits in `Leg.held` until it is connected.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from callwright.clock import Clock
from callwright.media import wire as media
from callwright.sip.info import KEYS
from callwright.sip.leg import GONE, Leg, Pair, Prompt, StreamState
from callwright.telephony import (
    Bridge,
    Bridged,
    CommandRefused,
    Digit,
    Event,
    Play,
    PlayFinished,
    PlayOutcome,
    PlayStarted,
    SendDigits,
    Stop,
    Unbridge,
    Unbridged,
)

PLAY_S = 5.0
JOIN_S = 2.0
MAX_DIGITS = 64
_OUTCOMES = {outcome.value: outcome for outcome in PlayOutcome}


class Emit(Protocol):
    def __call__(self, leg: Leg, event: type[Event], **fields: Any) -> None: ...


class Sound:
    """Carries out sound commands and turns media's reports into events.

    `lose` ends a leg whose media process does not do what it was asked in time.
    """

    def __init__(self, clock: Clock, emit: Emit, lose: Callable[[Leg, str], None]) -> None:
        self._clock = clock
        self._emit = emit
        self._lose = lose

    def play(self, leg: Leg, command: Play) -> None:
        if not command.files or command.repeat < 0:
            raise CommandRefused("Play: at least one file and a repeat of 0 or more are needed")
        self._do(leg, command)

    def stop(self, leg: Leg, command: Stop) -> None:
        self._do(leg, command)

    def send_digits(self, leg: Leg, command: SendDigits) -> None:
        if not 0 < len(command.digits) <= MAX_DIGITS or not KEYS.issuperset(command.digits):
            raise CommandRefused(f"SendDigits: 1 to {MAX_DIGITS} of 0-9 * # A-D are needed")
        if not (20 <= command.tone_ms <= 5000 and 20 <= command.gap_ms <= 5000):
            raise CommandRefused("SendDigits: a tone and a gap last 20 to 5000 ms")
        self._do(leg, command)

    def bridge(self, leg: Leg, other: Leg | None, command: Bridge) -> None:
        if other is None or other is leg or other.call is not leg.call:
            raise CommandRefused(f"Bridge: {command.other} is no other leg of this call")
        if not other.audible:
            raise CommandRefused(f"Bridge: the other leg is {other.phase.value}")
        if leg.pair is not None or other.pair is not None:
            raise CommandRefused("Bridge: one of the legs is bridged; Unbridge it and await Unbridged first")
        leg.pair = other.pair = Pair(leg, other)
        self._join(leg.pair)

    def unbridge(self, leg: Leg, command: Unbridge) -> None:
        pair = leg.pair
        if pair is None:
            raise CommandRefused("Unbridge: the leg is not bridged")
        if not pair.sent:
            self._dissolve(pair)
        elif pair.parting is None:
            pair.parting = leg
            self._send(leg, media.Part(leg.id))
            self._expect(pair, "part")

    def connected(self, leg: Leg) -> None:
        """The stream of a leg knows its far side: do what was held."""
        held, leg.held = leg.held, []
        for command in held:
            self._carry_out(leg, command)
        if leg.pair is not None and not leg.pair.sent:
            self._join(leg.pair)

    def leave(self, leg: Leg) -> None:
        """A leg is on its way out: wait for nothing more of its sound."""
        for prompt in leg.prompts.values():
            prompt.timer.cancel()
        if leg.pair is not None and not leg.pair.whole:
            self._dissolve(leg.pair)

    def finish(self, leg: Leg) -> None:
        """Settle what is open before a leg's last event: prompts are stopped, and whom it was bridged with is alone."""
        self.leave(leg)
        unfinished = [*leg.prompts, *[command.id for command in leg.held if isinstance(command, Play)]]
        leg.prompts.clear()
        leg.held.clear()
        for play in unfinished:
            self._emit(leg, PlayFinished, play=play, outcome=PlayOutcome.STOPPED)
        pair = leg.pair
        if pair is not None:
            other = pair.other(leg)
            self._dissolve(pair)
            if other.phase not in GONE:
                self._emit(other, Unbridged)

    def key(self, leg: Leg, digit: str, duration_ms: int, means: str) -> None:
        """A key was pressed. Some phones send each key both as telephone event and as INFO: a leg's first means stays."""
        if leg.key_means not in ("", means):
            return
        leg.key_means = means
        self._emit(leg, Digit, digit=digit, duration_ms=duration_ms, means=means)
        if means == "info":
            for prompt in leg.prompts.values():
                prompt.by_key = prompt.by_key or prompt.stop_on_digit
            if any(prompt.by_key for prompt in leg.prompts.values()):
                self._send(leg, media.Stop(leg.id))

    def heard(self, leg: Leg, message: media.DigitHeard) -> None:
        self.key(leg, message.digit, message.duration_ms, "rfc4733")

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

    def joined(self, leg: Leg, message: media.Joined) -> None:
        pair = leg.pair
        if pair is None or not pair.sent or pair.whole or pair.other(leg).id != message.other:
            return
        pair.joined.add(leg.id)
        if pair.whole:
            if pair.timer is not None and pair.parting is None:
                pair.timer.cancel()
            one, other = pair.legs
            self._emit(one, Bridged, other=other.id, how=message.how)

    def parted(self, leg: Leg, message: media.Parted) -> None:
        pair = leg.pair
        # Before both are joined this can only be about a pair that is history.
        if pair is not None and pair.whole:
            asked = pair.parting
            self._dissolve(pair)
            self._emit(asked if asked is not None and asked.phase not in GONE else leg, Unbridged)

    def _do(self, leg: Leg, command: Play | Stop | SendDigits) -> None:
        if leg.stream is StreamState.CONNECTED:
            self._carry_out(leg, command)
        else:
            leg.held.append(command)

    def _carry_out(self, leg: Leg, command: Play | Stop | SendDigits) -> None:
        if isinstance(command, Play):
            timer = self._clock.call_later(PLAY_S, partial(self._play_overdue, leg, command.id))
            leg.prompts[command.id] = Prompt(command.stop_on_digit, timer)
            self._send(leg, media.Play(leg.id, command.id, command.files, command.repeat, command.stop_on_digit))
        elif isinstance(command, SendDigits):
            self._send(leg, media.SendDigits(leg.id, command.digits, command.tone_ms, command.gap_ms))
        elif leg.prompts:
            self._send(leg, media.Stop(leg.id))

    def _play_overdue(self, leg: Leg, play: int) -> None:
        if leg.prompts.pop(play, None) is not None:
            self._send(leg, media.Stop(leg.id))
            detail = f"{_name(leg)} did not start it within {PLAY_S:g} s"
            self._emit(leg, PlayFinished, play=play, outcome=PlayOutcome.FAILED, detail=detail)

    def _join(self, pair: Pair) -> None:
        one, other = pair.legs
        if one.stream is StreamState.CONNECTED and other.stream is StreamState.CONNECTED:
            pair.sent = True
            self._send(one, media.Join(one.id, other.id))
            self._expect(pair, "join")

    def _expect(self, pair: Pair, verb: str) -> None:
        if pair.timer is not None:
            pair.timer.cancel()
        pair.timer = self._clock.call_later(JOIN_S, partial(self._pair_overdue, pair, verb))

    def _pair_overdue(self, pair: Pair, verb: str) -> None:
        for leg in [leg for leg in pair.legs if leg.pair is pair and leg.phase not in GONE]:
            self._lose(leg, f"{_name(leg)} did not {verb} two streams within {JOIN_S:g} s")

    def _dissolve(self, pair: Pair) -> None:
        if pair.timer is not None:
            pair.timer.cancel()
        for leg in pair.legs:
            if leg.pair is pair:
                leg.pair = None

    @staticmethod
    def _send(leg: Leg, message: media.CoreMessage) -> None:
        if leg.media is not None:
            leg.media.send(message)


def _name(leg: Leg) -> str:
    return leg.media.name if leg.media is not None else "media"
