"""Whoever speaks: the speech port over sources, with a cache before them.

A text is cut into sentences, and each is looked for in the cache or asked of the first voice of the chain that has no trouble.
The next sentence is made while the one before is played. A voice that fails, or lets a caller wait too long, is followed by the
next for the rest of the text; what it still makes is kept for another time. Requests for the same sentence share one making.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from callwright.clock import Clock
from callwright.log import Log
from callwright.speech import sentences
from callwright.speech.cache import SpeechCache
from callwright.speech.cast import Cast, Speaker
from callwright.speech.languages import Language, find
from callwright.speech.source import Job, VoiceDied, VoiceFailed, VoiceResting
from callwright.speech.wavfile import RATE, wav, write
from callwright.telephony.speech import SpeechUnavailable, Utterance

MOST_PREPARED = 10_000  # texts that wait to be made ready
LAST_PATIENCE = 6  # times as long as for others the last voice is waited for: then there is nobody else
PREPARING_S = 60.0  # that much what nobody waits for may take, before another voice makes it
_PAUSE_S = 0.25  # what is heard of a text in which nothing can be spoken

Counted = Callable[[str, str], None]
_log = Log("speech")


class _Flight:
    """A sentence that is being made, and how many calls wait for it."""

    def __init__(self, job: Job, task: asyncio.Task[Path]) -> None:
        self.job = job
        self.task = task
        self.calls = 0


class _Turn:
    """A text on its way through the chain: `first` is whose turn it is, `faults` why it is nobody's before."""

    def __init__(self, language: Language, speakers: list[Speaker], *, urgent: bool) -> None:
        self.language = language
        self.speakers = speakers
        self.urgent = urgent
        self.first = 0
        self.faults: list[str] = []

    def passed_on(self, why: str) -> None:
        speaker = self.speakers[self.first]
        name = speaker.source.name
        self.faults.append(f"{name} ({speaker.voice.name}): {why.removeprefix(f'{name}: ')}")
        self.first += 1

    def unavailable(self) -> SpeechUnavailable:
        return SpeechUnavailable(f"No voice could say the text: {'; '.join(self.faults) or 'no voice is set up'}.")


class Library:
    """Implements `callwright.telephony.Speech`. Use it on one event loop; `close` it there."""

    def __init__(
        self,
        cast: Cast,
        cache: SpeechCache,
        clock: Clock,
        patience_s: float,
        *,
        counted: Counted = lambda source, result: None,
    ) -> None:
        """`counted` is told of each sentence: its source and ``cached``, ``rendered``, ``failed`` or ``late``."""
        self.cast = cast
        self._cache = cache
        self._clock = clock
        self._patience_s = patience_s
        self._counted = counted
        self._flights: dict[str, _Flight] = {}
        self._wanted: deque[Utterance] = deque(maxlen=MOST_PREPARED)
        self._preparing: asyncio.Task[None] | None = None
        self._surveying: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at what is in the cache; texts can be said meanwhile."""
        self._surveying = asyncio.create_task(self._survey())

    async def close(self) -> None:
        tasks = [
            one for one in (self._preparing, self._surveying, *(f.task for f in self._flights.values())) if one is not None
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refusal(self, utterance: Utterance) -> str | None:
        """Why no voice that is set up can say this properly, with a remedy; None when one can."""
        text = sentences.clean(utterance.text)
        if not sentences.speakable(text):
            return "There is nothing in the text that can be spoken; give it words, or use a pause step."
        return self._unsayable(text, utterance.language)

    async def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        text = sentences.clean(utterance.text)
        if why := self._unsayable(text, utterance.language):
            raise SpeechUnavailable(why)
        pieces = sentences.split(text)
        if not pieces:
            yield self._pause()
            return
        turn = self._turn(text, utterance, urgent=True)
        ahead = asyncio.create_task(self._spoken(pieces[0], turn))
        try:
            for following in (*pieces[1:], None):
                path = await ahead
                if following is not None:
                    ahead = asyncio.create_task(self._spoken(following, turn))
                yield path
        finally:
            ahead.cancel()
            with suppress(asyncio.CancelledError, SpeechUnavailable):
                await ahead

    def prepare(self, utterance: Utterance) -> None:
        """Have it ready in the cache, some time soon; a failure is only logged."""
        self._wanted.append(utterance)
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare())

    def _unsayable(self, text: str, tag: str) -> str | None:
        if len(text) > sentences.MOST:
            return f"The text has {len(text)} characters and {sentences.MOST} can be said; split it into several steps."
        language = find(tag)
        if language is None:
            return (
                f"{tag[:40]!r} is not a language that can be spoken; `callwright voices` lists those that are, such as en-GB."
            )
        return self.cast.refusal(language, text)

    def _turn(self, text: str, utterance: Utterance, *, urgent: bool) -> _Turn:
        language = find(utterance.language)
        assert language is not None
        return _Turn(language, self.cast.speakers(language, utterance.gender, text), urgent=urgent)

    async def _prepare(self) -> None:
        while self._wanted:
            utterance = self._wanted.popleft()
            text = sentences.clean(utterance.text)
            try:
                if self._unsayable(text, utterance.language):
                    continue
                turn = self._turn(text, utterance, urgent=False)
                for piece in sentences.split(text):
                    await self._spoken(piece, turn)
            except SpeechUnavailable as error:
                _log.warning("speech_not_prepared", language=utterance.language[:20], detail=str(error))
            except Exception:
                _log.exception("speech_not_prepared", language=utterance.language[:20])

    async def _spoken(self, piece: str, turn: _Turn) -> Path:
        """One sentence, by whoever of the chain manages; raise `SpeechUnavailable` when nobody does."""
        again = True
        while turn.first < len(turn.speakers):
            speaker = turn.speakers[turn.first]
            others = turn.speakers[turn.first + 1 :]
            last = not others
            choosy = turn.urgent and any(other.voice.gender in (speaker.voice.gender, "") for other in others)
            patience = self._patience_s * (LAST_PATIENCE if last else 1) if turn.urgent else PREPARING_S
            try:
                return await self._made(piece, speaker, turn, patience, choosy=choosy)
            except VoiceResting as error:
                turn.passed_on(str(error))
                continue
            except VoiceFailed as error:
                why = str(error)
                self._counted(speaker.source.name, "failed")
                if last and again and isinstance(error, VoiceDied):
                    again = False  # nobody else is left, and it will be back in a moment
                    continue
            except TimeoutError:
                why = f"{speaker.source.name} was not ready within {patience:g} s"
                self._counted(speaker.source.name, "late")
            _log.warning("voice_failed", source=speaker.source.name, voice=speaker.voice.name, detail=why)
            turn.passed_on(why)
        raise turn.unavailable()

    async def _made(self, piece: str, speaker: Speaker, turn: _Turn, patience: float, *, choosy: bool) -> Path:
        """The sentence by one voice; `choosy` is who does not wait for one that is in trouble."""
        source, voice = speaker
        identity = await source.identity(voice)
        key = self._cache.key(engine=source.name, identity=identity, voice=voice.name, language=turn.language.key, text=piece)
        if (found := self._cache.find(key)) is not None:
            self._counted(source.name, "cached")
            return found
        flight = self._flights.get(key)
        if flight is None:
            if choosy and source.trouble is not None:
                raise VoiceResting(source.trouble)
            flight = self._take_off(key, piece, speaker, turn)
        flight.calls += turn.urgent
        flight.job.urgent = flight.calls > 0
        try:
            async with self._clock.timeout(patience):
                return await asyncio.shield(flight.task)
        finally:
            flight.calls -= turn.urgent
            flight.job.urgent = flight.calls > 0

    def _take_off(self, key: str, piece: str, speaker: Speaker, turn: _Turn) -> _Flight:
        try:
            path = self._cache.make_room(key)
        except OSError as error:
            raise VoiceFailed(f"the folder of the cache cannot be made: {error.strerror}") from None
        job = Job(piece, turn.language, speaker.voice, path, urgent=turn.urgent)
        flight = self._flights[key] = _Flight(job, asyncio.create_task(self._fly(key, job, speaker)))
        flight.task.add_done_callback(lambda task: self._land(key, task))
        return flight

    async def _fly(self, key: str, job: Job, speaker: Speaker) -> Path:
        size = await speaker.source.render(job)
        self._counted(speaker.source.name, "rendered")
        return self._cache.admit(key, size)

    def _land(self, key: str, task: asyncio.Task[Path]) -> None:
        del self._flights[key]
        if not task.cancelled():
            task.exception()  # those who waited have it; where nobody did any more, nobody needs it

    def _pause(self) -> Path:
        key = self._cache.key(engine="silence", identity="", voice="", language="", text="")
        if (found := self._cache.find(key)) is not None:
            return found
        content = wav(bytes(round(_PAUSE_S * RATE) * 2))
        try:
            write(self._cache.make_room(key), content)
        except OSError as error:
            raise SpeechUnavailable(f"Silence cannot be written: {error.strerror}.") from None
        return self._cache.admit(key, len(content))

    async def _survey(self) -> None:
        try:
            self._cache.take_up(await asyncio.to_thread(self._cache.survey))
        except OSError as error:
            _log.warning("speech_cache_not_read", detail=error.strerror)
