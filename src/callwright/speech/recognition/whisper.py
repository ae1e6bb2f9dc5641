"""A Whisper model, by faster-whisper: loaded from a folder, never from a network."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import mmap
import warnings
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callwright.speech.recognition.parts import RATE, parts
from callwright.speech.recognition.settings import RecogniserSettings
from callwright.telephony import Transcript, TranscriptionFailed, Word

MODEL_FILE = "model.bin"
_HEARS_HZ = 16_000


def fault_of(folder: str) -> str | None:
    """Why a folder cannot be listened with, with what to do; None when it can. Loads nothing."""
    if importlib.util.find_spec("faster_whisper") is None:
        return 'needs a library that is not installed; install it with: pip install "callwright[transcribe]"'
    if not Path(folder, MODEL_FILE).is_file():
        return (
            f"must be a folder with a Whisper model in the form of CTranslate2, but {Path(folder, MODEL_FILE)} is not there; "
            "such folders are published as faster-whisper-…, and any Whisper model can be converted"
        )
    if not _may_run_what_it_wrote():
        return (
            "needs memory that is written and then run, for code that its library makes for this processor, and that is denied "
            "here; under systemd run: systemctl edit callwright, and add: [Service] MemoryDenyWriteExecute=false"
        )
    return None


def _may_run_what_it_wrote() -> bool:
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True


class Whisper:
    """The model, loaded when it is first needed, and kept."""

    def __init__(self, settings: RecogniserSettings) -> None:
        self._settings = settings
        self._model: Any = None

    def write_down(self, path: Path, language: str, listening: Callable[[int], None]) -> Transcript:
        """Write down a file; `listening` is told the milliseconds that were listened to. Raises `TranscriptionFailed`."""
        model = self._model = self._model or _load(self._settings)
        if language != "en" and not model.model.is_multilingual:
            raise TranscriptionFailed(
                f"The model in {self._settings.folder} understands English alone, and {language!r} was asked for: "
                "set transcription.model to one of many languages."
            )
        texts: list[str] = []
        words: list[Word] = []
        try:
            for part in parts(path):
                for segment in _segments(model, part.samples, language):
                    texts.append(segment.text.strip())
                    words += _words(segment, part.start_ms)
                    listening(part.start_ms + round(segment.end * 1000))
                listening(part.start_ms + len(part.samples) * 1000 // RATE)
        except (OSError, EOFError, wave.Error) as error:
            raise TranscriptionFailed(f"The recording cannot be read: {error}.") from None
        return Transcript("\n".join(text for text in texts if text), tuple(words), language, self._name)

    @property
    def _name(self) -> str:
        version = importlib.metadata.version("faster-whisper")
        return f"faster-whisper {version}, {Path(self._settings.folder).name}"


def _load(settings: RecogniserSettings) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from faster_whisper import WhisperModel  # type: ignore[import-untyped]

            return WhisperModel(
                settings.folder, device="cpu", compute_type="int8", cpu_threads=settings.threads, local_files_only=True
            )
    except Exception as error:  # whatever a model that is spoilt makes of its library
        raise TranscriptionFailed(f"The model in {settings.folder} cannot be loaded: {error}.") from None


def _segments(model: Any, samples: NDArray[np.int16], language: str) -> Iterator[Any]:
    import soxr

    sound = soxr.resample(samples.astype(np.float32) / 32_768, RATE, _HEARS_HZ)
    # One guess and no second: the fallbacks on poor sound take many times as long (beam 1, temperature 0). Sound without
    # speech is left out, for a model may hear words in it; so may one that is told what it has heard before.
    found, _ = model.transcribe(
        sound,
        language=language,
        beam_size=1,
        temperature=0.0,
        vad_filter=True,
        word_timestamps=True,
        condition_on_previous_text=False,
    )
    yield from found


def _words(segment: Any, offset_ms: int) -> list[Word]:
    return [
        Word(
            word.word.strip(),
            offset_ms + round(word.start * 1000),
            offset_ms + round(word.end * 1000),
            round(float(word.probability), 3),
        )
        for word in segment.words or ()
        if word.word.strip()
    ]
