"""A speech service as a source."""

from __future__ import annotations

import asyncio

from callwright.clock import Clock
from callwright.egress import Answer, Poster
from callwright.log import Log
from callwright.speech import wavfile
from callwright.speech.languages import Language, find
from callwright.speech.providers.adapters import ADAPTERS
from callwright.speech.providers.breaker import Breaker
from callwright.speech.settings import ProviderSettings, voice_key
from callwright.speech.source import Job, Voice, VoiceFailed, VoiceResting

MOST_BYTES = 8 << 20  # of an answer
_REFUSED = frozenset({401, 402, 403})

_log = Log("speech")


class Service:
    """One entry of ``[[speech.providers]]``."""

    def __init__(self, settings: ProviderSettings, transport: Poster, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._adapter = ADAPTERS[settings.kind]
        self._transport = transport
        self._breaker = Breaker(clock)
        self._voices = {_canonical(key): name for key, name in settings.voices.items()}

    @property
    def trouble(self) -> str | None:
        return f"{self.name} failed before and is left alone for a while" if self._breaker.open else None

    def voice(self, language: Language, gender: str) -> Voice | None:
        tags = (language.key, language.base, "")
        for tag in tags:
            if name := self._voices.get((tag, gender)):
                return Voice(name, gender)
            if name := self._voices.get((tag, "")):
                return Voice(name)
        # One of the other gender only where it was named for the language: others may have both.
        other = next(((of, name) for tag in tags[:2] for (its, of), name in self._voices.items() if its == tag), None)
        return Voice(other[1], other[0]) if other else None

    async def identity(self, voice: Voice) -> str:
        return f"{self._settings.kind} {self._settings.url} {self._settings.model}"

    async def render(self, job: Job) -> int:
        if (why := self.trouble) is not None:
            raise VoiceResting(why)
        request = self._adapter.request(self._settings, job.voice.name, job.language.tag, job.text)
        self._breaker.ask()
        try:
            answer = await self._transport.post(
                request.url, request.headers, request.body, self._settings.timeout, repeatable=True, max_kept=MOST_BYTES
            )
            size = await self._taken(answer, job)
        except BaseException as error:
            self._breaker.fail(at_once=isinstance(error, _Refused))
            raise
        self._breaker.succeed()
        return size

    async def _taken(self, answer: Answer, job: Job) -> int:
        if answer.status in _REFUSED:
            _log.error("speech_service_refuses", service=self.name, status=answer.status, remedy="see its key and its account")
            raise _Refused(f"{self.name} answered {answer.status}: see its key and its account")
        if not answer.ok:
            raise VoiceFailed(f"{self.name}: {answer.detail}")
        if not answer.whole:
            raise VoiceFailed(f"{self.name} sent no whole answer of at most {MOST_BYTES >> 20} MB")
        return await asyncio.to_thread(_write, answer.body, self._adapter.rate, job)


class _Refused(VoiceFailed):
    """The service knows us, and does not want us."""


def _canonical(key: str) -> tuple[str, str]:
    """A key of the settings with the tag under which languages are found; one without a region stays as it is."""
    tag, gender = voice_key(key)
    language = find(tag) if "-" in tag else None
    return language.key if language else tag, gender


def _write(body: bytes, rate: int, job: Job) -> int:
    # These load numpy and a resampler, which a server without services does not need.
    from callwright.speech import sound
    from callwright.speech.providers import answer

    content = sound.render(*answer.samples(body, rate))
    if content is None:
        raise VoiceFailed("no sound came of it")
    try:
        wavfile.write(job.path, content)
    except OSError as error:
        raise VoiceFailed(f"the file cannot be written: {error.strerror}") from None
    return len(content)
