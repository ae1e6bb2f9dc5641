"""What the flow has A hear: sentences of a voice and sounds of a URL, each played as soon as its first part is there."""

from __future__ import annotations

import asyncio

from callwright import telephony
from callwright.calls import journal
from callwright.flows import effects
from callwright.log import Log
from callwright.switch.live import LiveCall
from callwright.switch.messages import SoundReady, SoundsOver
from callwright.switch.sounds import SoundUnavailable
from callwright.telephony import PlayOutcome, SpeechUnavailable, Utterance

# A sound that a key has stopped: the key is told once it is let go, and says how the flow goes on. One that never is
# (8 s is the longest a key may last) stopped nothing.
TIMER = "key_to_come"
KEY_WITHIN_S = 10.0
BROKEN = "it failed inside the server, whose log has the error"
_log = Log("switch")


class Prompter:
    """The prompt that is being fetched, spoken or played. Each has a number; what comes for an older one is passed over."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._turn = 0
        self._work: asyncio.Task[None] | None = None
        self._play: int | None = None
        self._repeat = 1
        self._stop_on_digit = False
        self._fault = ""

    @property
    def busy(self) -> bool:
        return self._work is not None or self._play is not None

    def say(self, said: effects.Say) -> None:
        utterance = Utterance(said.text, said.language, said.gender)
        self._begin(said.repeat, stop_on_digit=said.stop_on_key)
        self._work = self._call.spawn(self._speak(self._turn, utterance))

    def play(self, played: effects.Play) -> None:
        self._begin(1, stop_on_digit=played.stop_on_key)
        self._work = self._call.spawn(self._fetch(self._turn, played.urls))

    def stop(self) -> None:
        """Stop what is heard, and what is still being fetched or spoken for it."""
        self.forget()
        if self._play is not None:
            self._play = None
            self._call.command(telephony.Stop, self._call.a)

    def forget(self) -> None:
        """Nothing more comes of the present prompt."""
        self._turn += 1
        self._call.cancel_timer(TIMER)
        if self._work is not None:
            self._work.cancel()
            self._work = None

    # what came

    def ready(self, sound: SoundReady) -> None:
        if sound.turn != self._turn:
            return
        if self._play is None:
            self._play = self._call.command(
                telephony.Play,
                self._call.a,
                files=(sound.path,),
                repeat=self._repeat,
                stop_on_digit=self._stop_on_digit,
                more=True,
            )
        else:
            self._call.command(telephony.PlayMore, self._call.a, play=self._play, files=(sound.path,), more=True)

    def over(self, sounds: SoundsOver) -> None:
        for entry in sounds.fetches:
            self._call.note(entry)
        if sounds.turn != self._turn:
            return
        self._work = None
        if self._play is None:
            self._ended(sounds.fault or "there is no sound in it")
        else:
            self._fault = sounds.fault
            self._call.command(telephony.PlayMore, self._call.a, play=self._play)

    def finished(self, event: telephony.PlayFinished) -> None:
        if self._play is None or event.play != self._play:
            return
        self._play = None
        self.forget()
        if event.outcome is PlayOutcome.DIGIT:
            self._call.start_timer(TIMER, KEY_WITHIN_S)
            return
        # Nobody here stops the sound of a step and waits for its end: the leg is over, and the event that says so comes next.
        if event.outcome is not PlayOutcome.STOPPED:
            failed = event.outcome is PlayOutcome.FAILED
            self._ended(event.detail or "the sound could not be played" if failed else self._fault)

    def due(self) -> None:
        """The key that stopped the sound was lost."""
        self._ended(self._fault)

    def refused(self, play: int, why: str) -> None:
        if play == self._play:
            self._play = None
            self.forget()
            self._ended(why)

    def _begin(self, repeat: int, *, stop_on_digit: bool) -> None:
        self.stop()
        self._repeat = repeat
        self._stop_on_digit = stop_on_digit
        self._fault = ""

    def _ended(self, fault: str) -> None:
        self._call.advance(effects.PlayEnded(fault))

    # where the files come from

    async def _speak(self, turn: int, utterance: Utterance) -> None:
        fault = ""
        try:
            async for path in self._call.around.supplies.speech.say(utterance):
                self._call.put(SoundReady(turn, str(path)))
        except SpeechUnavailable as error:
            fault = str(error)
        except Exception:
            _log.exception("speech_failed", call=self._call.record.call.id)
            fault = BROKEN
        self._call.put(SoundsOver(turn, fault=fault))

    async def _fetch(self, turn: int, urls: tuple[str, ...]) -> None:
        fetches: list[journal.MediaFetched] = []
        fault = ""
        for url in urls:
            stream = self._call.around.supplies.sounds.stream(url)
            status: int | None = None
            try:
                async for path in stream:
                    self._call.put(SoundReady(turn, str(path)))
            except SoundUnavailable as error:
                fault, status = str(error), error.status
            except Exception:
                _log.exception("sound_failed", call=self._call.record.call.id)
                fault = BROKEN
            fetches.append(journal.MediaFetched(url=url, status=status or stream.status, error=fault or stream.note))
            if fault:
                break
        self._call.put(SoundsOver(turn, tuple(fetches), fault))
