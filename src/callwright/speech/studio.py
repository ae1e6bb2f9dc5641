"""The room put together: from settings to the library, and the processes it needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from callwright.clock import Clock
from callwright.egress import Poster
from callwright.speech import local
from callwright.speech.cache import SpeechCache
from callwright.speech.cast import Cast
from callwright.speech.library import Counted, Library
from callwright.speech.piperfolder import PiperVoices
from callwright.speech.providers.service import Service
from callwright.speech.settings import SpeechSettings, VoiceSettings
from callwright.speech.source import Source
from callwright.speech.workers import Worker


class Studio:
    """`library` speaks once the processes of `workers` are up. `absent` has, for engines wanted but not there, why."""

    def __init__(
        self,
        settings: SpeechSettings,
        folder: Path,
        transport: Poster,
        clock: Clock,
        *,
        counted: Counted = lambda source, result: None,
    ) -> None:
        """`folder` is the cache's; `transport` reaches speech services, wherever the operator says they are."""
        self.workers: list[Worker] = []
        self.absent: dict[str, str] = {}
        self._settings = settings
        self._clock = clock
        sources: list[Source] = [Service(one, transport, clock) for one in settings.providers]
        sources += [source for engine in settings.engines if (source := self._source(engine)) is not None]
        cache = SpeechCache(folder, clock, most_bytes=settings.cache_bytes, age_s=settings.cache_age_s, keep_s=settings.keep_s)
        self.library = Library(Cast(sources), cache, clock, settings.patience_s, counted=counted)

    async def ready(self) -> None:
        """Wait until every process has loaded its engine, or has said that it cannot."""
        await asyncio.gather(*(worker.settled.wait() for worker in self.workers))

    def _source(self, engine: str) -> Source | None:
        if engine == "piper" and not self._settings.piper_folder:
            return None
        if (remedy := local.missing(engine)) is not None:
            self.absent[engine] = f"not installed; {remedy}"
            return None
        match engine:
            case "espeak":
                return local.Espeak(self._worker(engine))
            case "pico":
                return local.Pico(self._worker(engine))
            case "hibari":
                return local.Hibari(self._worker(engine))
            case _:
                return self._piper()

    def _piper(self) -> Source | None:
        voices = PiperVoices(self._settings.piper_folder, self._settings.piper_genders)
        if not voices.found:
            self.absent["piper"] = voices.problem or "no voices"
            return None
        return local.Piper(self._worker("piper"), voices)

    def _worker(self, engine: str) -> Worker:
        folder = self._settings.piper_folder if engine == "piper" else ""
        settings = VoiceSettings(engine=engine, piper_folder=folder, log_level=self._settings.log_level)
        worker = Worker(settings, self._clock, deadline_s=self._settings.deadline_s, busy_s=self._settings.patience_s / 2)
        self.workers.append(worker)
        return worker
