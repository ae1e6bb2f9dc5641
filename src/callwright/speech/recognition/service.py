"""A service that writes down, with OpenAI's interface: ``POST …/v1/audio/transcriptions`` as multipart/form-data.

Asked for ``verbose_json`` with words; a model that knows only ``json`` gives the text alone. Such a service takes 25 MB at
most, so long recordings go in parts.
"""

from __future__ import annotations

import asyncio
import io
import math
import os
import wave
from collections.abc import Sequence
from pathlib import Path

import msgspec

from callwright.clock import Clock
from callwright.egress import Answer, Fault, Poster
from callwright.log import Log
from callwright.speech.recognition.languages import code
from callwright.speech.recognition.parts import RATE, Part, parts
from callwright.speech.recognition.settings import ServiceSettings
from callwright.telephony import Transcript, TranscriptionFailed, Word

MOST_BYTES = 8 << 20  # of an answer
# Seconds that any part may take, and those for each second of it.
AT_LEAST_S = 60.0
A_SECOND_S = 1.0
# Seconds until the next attempt after one that another may mend.
PAUSES = (5.0, 30.0)
_PASSING = frozenset({Fault.BUSY, Fault.DNS, Fault.CONNECT, Fault.TIMEOUT, Fault.RESET})

_log = Log("speech")


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float


class _Segment(msgspec.Struct):
    start: float = 0.0
    end: float = 0.0
    avg_logprob: float | None = None


class _Answer(msgspec.Struct):
    text: str
    words: list[_Word] | None = None
    segments: list[_Segment] | None = None


_decode = msgspec.json.Decoder(_Answer, strict=False).decode


class Service:
    """A `Transcriber`."""

    def __init__(self, settings: ServiceSettings, transport: Poster, clock: Clock) -> None:
        self._settings = settings
        self._url = f"{settings.url.rstrip('/')}/audio/transcriptions"
        self._transport = transport
        self._clock = clock
        self._verbose = True

    def refusal(self, language: str) -> str | None:
        return None

    async def transcribe(self, wav: Path, language: str) -> Transcript:
        texts: list[str] = []
        words: list[Word] = []
        try:
            cut = parts(wav)
            while (part := await asyncio.to_thread(next, cut, None)) is not None:
                answer = await self._ask(part, language)
                texts.append(answer.text.strip())
                words += _words(answer, part.start_ms)
        except (OSError, EOFError, wave.Error) as error:
            raise TranscriptionFailed(f"The recording cannot be read: {error}.") from None
        return Transcript("\n".join(text for text in texts if text), tuple(words), language, self._settings.model)

    async def _ask(self, part: Part, language: str) -> _Answer:
        for pause in (*PAUSES, None):
            answer = await self._post(part, language)
            if answer.status == 400 and self._verbose:
                self._verbose = False  # newer models know only plain JSON
                answer = await self._post(part, language)
            if answer.ok:
                return _read(answer)
            passing = answer.fault in _PASSING or answer.status == 429 or answer.status >= 500
            if pause is None or not passing:
                raise TranscriptionFailed(_refused(answer))
            _log.warning("transcription_tried_again", status=answer.status, detail=answer.detail, in_s=pause)
            await self._clock.sleep(pause)
        raise AssertionError

    async def _post(self, part: Part, language: str) -> Answer:
        fields = [("model", self._settings.model), ("language", code(language)), ("temperature", "0")]
        if self._verbose:
            fields += [("response_format", "verbose_json")]
            fields += [("timestamp_granularities[]", kind) for kind in ("word", "segment")]
        else:
            fields += [("response_format", "json")]
        boundary = os.urandom(16).hex()
        headers = [("Content-Type", f"multipart/form-data; boundary={boundary}"), ("Accept", "application/json")]
        if self._settings.key:
            headers.append(("Authorization", f"Bearer {self._settings.key}"))
        seconds = len(part.samples) / RATE
        return await self._transport.post(
            self._url,
            headers,
            _form(fields, _wav(part), boundary),
            AT_LEAST_S + A_SECOND_S * seconds,
            repeatable=True,
            max_kept=MOST_BYTES,
        )


def _read(answer: Answer) -> _Answer:
    if not answer.whole:
        raise TranscriptionFailed(f"The service sent no whole answer of at most {MOST_BYTES >> 20} MB.")
    try:
        return _decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise TranscriptionFailed("The service's answer is not what one with OpenAI's interface gives.") from None


def _refused(answer: Answer) -> str:
    if answer.status in (401, 403):
        return f"The service answered {answer.status}: see to transcription.api_key."
    if answer.status == 404:
        return "The service answered 404: see to transcription.url, which ends with /v1, and to transcription.service_model."
    if answer.status:
        return f"The service answered {answer.status}."
    return f"The service could not be asked: {answer.detail}."


def _words(answer: _Answer, offset_ms: int) -> list[Word]:
    return [
        Word(
            one.word.strip(),
            offset_ms + round(one.start * 1000),
            offset_ms + round(one.end * 1000),
            _confidence(answer.segments or (), one),
        )
        for one in answer.words or ()
        if one.word.strip() and math.isfinite(one.start) and math.isfinite(one.end)
    ]


def _confidence(segments: Sequence[_Segment], word: _Word) -> float | None:
    """The mean of its segment: such services tell none of a word."""
    for segment in segments:
        if segment.start <= word.start <= segment.end and segment.avg_logprob is not None:
            return round(min(math.exp(segment.avg_logprob), 1.0), 3)
    return None


def _wav(part: Part) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(part.samples.astype("<i2").tobytes())
    return content.getvalue()


def _form(fields: Sequence[tuple[str, str]], file: bytes, boundary: str) -> bytes:
    """RFC 7578; the boundary is random, so it is in none of the values."""
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields
    ]
    disposition = 'form-data; name="file"; filename="recording.wav"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: audio/wav\r\n\r\n"
    return b"".join((*lines, head.encode(), file, f"\r\n--{boundary}--\r\n".encode()))
