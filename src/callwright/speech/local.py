"""The engines that run on this machine, as sources: which voice of each speaks a language, and what its sound depends on."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from callwright.speech.languages import Language
from callwright.speech.piperfolder import PiperVoices
from callwright.speech.source import Job, Voice
from callwright.speech.workers import Worker

# Engine: the package that brings it, the module to look for, what to install.
PACKAGES = {
    "espeak": ("espeakng-loader", "espeakng_loader", "pip install espeakng-loader"),
    "pico": ("py-nanotts", "py_nanotts", "pip install py-nanotts"),
    "hibari": ("hibari-tts", "hibari", "pip install 'callwright[voices]'"),
    "piper": ("piper-tts", "piper", "pip install 'callwright[voices]'"),
}
# Of eSpeak's variants those that are followed best: about 180 Hz and 100 Hz.
_ESPEAK_VARIANTS = {"female": "+f2", "male": "+m3"}


def missing(engine: str) -> str | None:
    """How to install an engine that is not; None when it is. Nothing is imported."""
    _, module, remedy = PACKAGES[engine]
    return None if importlib.util.find_spec(module) else remedy


def version(engine: str) -> str:
    return importlib.metadata.version(PACKAGES[engine][0])


class _Local:
    """What engines of this machine have in common."""

    def __init__(self, worker: Worker) -> None:
        self.name = worker.engine
        self.worker = worker
        self._identity = f"{PACKAGES[self.name][0]} {version(self.name)}"

    @property
    def trouble(self) -> str | None:
        return self.worker.trouble

    async def identity(self, voice: Voice) -> str:
        return self._identity

    async def render(self, job: Job) -> int:
        return (await self.worker.render(job)).size


class Espeak(_Local):
    def voice(self, language: Language, gender: str) -> Voice | None:
        return Voice(language.espeak + _ESPEAK_VARIANTS[gender], gender) if language.espeak else None


class Pico(_Local):
    def voice(self, language: Language, gender: str) -> Voice | None:
        return Voice(language.pico, "female") if language.pico else None


class Hibari(_Local):
    def voice(self, language: Language, gender: str) -> Voice | None:
        return Voice("heart", "female") if language.key == "en-us" else None


class Piper(_Local):
    """The voices of a folder; their sound depends on the model's bytes."""

    def __init__(self, worker: Worker, voices: PiperVoices) -> None:
        super().__init__(worker)
        self._voices = voices

    def voice(self, language: Language, gender: str) -> Voice | None:
        return self._voices.voice(language, gender)

    async def identity(self, voice: Voice) -> str:
        return f"{self._identity} {await self._voices.model_hash(voice)}"
