"""Voices of tests: they speak when told to, after a time of the test's, or not at all; what was asked of them is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from callwright.clock import Clock
from callwright.speech.cache import SpeechCache
from callwright.speech.cast import Cast
from callwright.speech.languages import Language
from callwright.speech.library import Library
from callwright.speech.source import Job, Voice, VoiceFailed
from callwright.speech.wavfile import wav, write
from callwright.telephony.speech import Utterance


class FakeVoice:
    """Takes `takes_s` seconds for a text, one at a time in the order of urgency, as an engine's process does."""

    def __init__(self, name: str, clock: Clock, *, gender: str = "female", takes_s: float = 0.1, languages: str = "") -> None:
        self.name = name
        self.gender = gender
        self.languages = languages.split()
        self.takes_s = takes_s
        self.trouble: str | None = None
        self.fails_on: set[str] = set()
        self.asked: list[str] = []
        self.spoken: list[str] = []
        self._clock = clock
        self._waiting: list[Job] = []
        self._turn = asyncio.Condition()
        self._busy = False

    def voice(self, language: Language, gender: str) -> Voice | None:
        return (
            Voice(f"{self.name}-{language.key}", self.gender) if language.key in self.languages or not self.languages else None
        )

    async def identity(self, voice: Voice) -> str:
        return "1"

    async def render(self, job: Job) -> int:
        self.asked.append(job.text)
        self._waiting.append(job)
        async with self._turn:
            await self._turn.wait_for(lambda: not self._busy and self._first() is job)
            self._waiting.remove(job)
            self._busy = True
        try:
            await self._clock.sleep(self.takes_s)
            if job.text in self.fails_on:
                raise VoiceFailed(f"{self.name} gave up")
            content = wav(self.name.encode() * 100)
            write(job.path, content)
            self.spoken.append(job.text)
            return len(content)
        finally:
            self._busy = False
            async with self._turn:
                self._turn.notify_all()

    def _first(self) -> Job:
        return min(self._waiting, key=lambda job: (not job.urgent, self._waiting.index(job)))


def library(folder: Path, clock: Clock, *voices: FakeVoice, patience_s: float = 2.0, most_bytes: int = 1 << 30) -> Library:
    cache = SpeechCache(folder, clock, most_bytes=most_bytes, age_s=86_400, keep_s=60)
    return Library(Cast(voices), cache, clock, patience_s)


async def spoken_by(made: Library, text: str, language: str = "en-GB", gender: str = "") -> list[str]:
    """Who spoke each sentence."""
    return [speaker_of(path) async for path in made.say(Utterance(text, language, gender))]


def speaker_of(path: Path) -> str:
    body = path.read_bytes()[44:]
    return body[: len(body) // 100].decode()
