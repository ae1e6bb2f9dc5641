"""Who speaks what: of all sources, in their order, those that have a voice for a text.

A voice of the gender that was asked for goes before one that is not, whoever has it; one whose gender nobody told counts as
either. What a voice would read wrongly it is not given, whatever happens to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from callwright.speech.fitness import unfit
from callwright.speech.languages import Language
from callwright.speech.source import Source, Voice


class Speaker(NamedTuple):
    source: Source
    voice: Voice


class Cast:
    """The sources in the order in which they are asked."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    def speakers(self, language: Language, gender: str, text: str = "") -> list[Speaker]:
        """All who can say a text, the first choice first; `gender` is ``male``, and anything else means ``female``."""
        wanted = "male" if gender.lower() == "male" else "female"
        having = [
            Speaker(source, voice)
            for source in self.sources
            if (voice := source.voice(language, wanted)) is not None and unfit(source.name, language, text) is None
        ]
        return sorted(having, key=lambda one: one.voice.gender not in (wanted, ""))

    def refusal(self, language: Language, text: str) -> str | None:
        """Why none can, with a remedy."""
        if self.speakers(language, "", text):
            return None
        unable = [unfit(source.name, language, text) for source in self.sources if source.voice(language, "female")]
        # eSpeak is the last of those that do, and knows best why.
        what = f"No voice that is set up reads {unable[-1]}" if unable else f"No voice that is set up speaks {language.name}"
        return (
            f"{what}. A Piper voice or a speech service for {language.tag} can: see [speech] in the settings, docs/speech.md."
        )
