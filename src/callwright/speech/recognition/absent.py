"""Nobody who writes down, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from callwright.telephony import Transcript, TranscriptionFailed

REMEDY = (
    'Nothing is set up to write recordings down. Either install the extra with pip install "callwright[transcribe]" and set '
    "transcription.model to a folder with a Whisper model, or set transcription.url to a service with OpenAI's interface; "
    "then start the server again."
)


class NoTranscriber:
    def refusal(self, language: str) -> str | None:
        return REMEDY

    async def transcribe(self, wav: Path, language: str) -> Transcript:
        raise TranscriptionFailed(REMEDY)
