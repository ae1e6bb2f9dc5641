"""A folder of Piper voices: what their descriptions say, read without Piper. Each is a ``*.onnx`` with its ``*.onnx.json``."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from callwright.log import Log
from callwright.speech.languages import Language, find
from callwright.speech.source import Voice, VoiceFailed

# A description has no gender. These are voices that many have, by the middle of their names: en_US-joe-medium.
_FEMALE_NAMES = """
    alba amy aru chaowen cori eva_k gosia hfc_female huayan irina jenny_dioco kathleen kerstin kristin lessac lisa ljspeech
    mls_female nathalie natia paola ramona salka siwis southern_english_female ugla vivi
"""
_MALE_NAMES = """
    alan bryce bui carlfm danny darkman davefx denis dimitri dmitri fahrettin gilles hfc_male joe john karlsson kusal mihai
    norman northern_english_male pau pim rdh riccardo ronnie ruslan ryan steinn thorsten tom tuga
"""
_FEMALE, _MALE = frozenset(_FEMALE_NAMES.split()), frozenset(_MALE_NAMES.split())
_LARGEST_DESCRIPTION = 4 << 20

_log = Log("speech")


class _Found(NamedTuple):
    language: Language
    voice: Voice


class PiperVoices:
    """The voices of a folder, as they were when it was made. `genders` by name wins over what is known of names."""

    def __init__(self, folder: str, genders: Mapping[str, str]) -> None:
        self.problem: str | None = None
        self.found: list[_Found] = []
        self._folder = Path(folder)
        self._hashes: dict[str, asyncio.Task[str]] = {}
        if folder:
            self._scan(genders)

    def voice(self, language: Language, gender: str) -> Voice | None:
        """The best for a language: of its region before others, of the gender before others; the first by name of equals."""
        speaking = [one for one in self.found if one.language.base == language.base]
        if not speaking:
            return None
        best = min(speaking, key=lambda one: (_strangeness(one.voice.gender, gender), one.language is not language))
        return best.voice

    async def model_hash(self, voice: Voice) -> str:
        """SHA-256 of the model, worked out once; raise `VoiceFailed` when it cannot be read."""
        name = voice.name.partition("#")[0]
        if name not in self._hashes:
            path = self._folder / f"{name}.onnx"
            self._hashes[name] = asyncio.create_task(asyncio.to_thread(_hash, path))
        try:
            return await asyncio.shield(self._hashes[name])
        except OSError as error:
            del self._hashes[name]
            raise VoiceFailed(f"the model of {name} cannot be read: {error.strerror}") from None

    def _scan(self, genders: Mapping[str, str]) -> None:
        try:
            models = sorted(self._folder.glob("*.onnx"))
            if not self._folder.is_dir():
                self.problem = f"{self._folder} is not a folder"
        except OSError as error:
            self.problem = f"{self._folder} cannot be read: {error.strerror}"
            models = []
        for model in models:
            self._take_up(model, genders)
        if not self.found and self.problem is None:
            self.problem = f"{self._folder} holds no voice: each is a file *.onnx with its *.onnx.json"
        if self.problem is not None:
            _log.warning("piper_folder", detail=self.problem, remedy="correct speech.piper_folder, or empty it")

    def _take_up(self, model: Path, genders: Mapping[str, str]) -> None:
        description = model.with_name(f"{model.name}.json")
        try:
            if description.stat().st_size > _LARGEST_DESCRIPTION:
                raise ValueError("too large")
            told = msgspec.json.decode(description.read_bytes())
            code = _code(told, model.stem)
            speakers = int(told.get("num_speakers", 1))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            _log.warning("piper_voice_left_out", voice=model.stem, detail=f"{description.name}: {type(error).__name__}")
            return
        language = find(code)
        if language is None:
            _log.warning("piper_voice_left_out", voice=model.stem, detail=f"{code} is not a language that can be asked for")
            return
        gender = genders.get(model.stem) or _gender(model.stem)
        self.found.append(_Found(language, Voice(model.stem, gender)))
        # Of a voice with many speakers those count whose gender the operator tells.
        for speaker in range(speakers):
            if told_gender := genders.get(f"{model.stem}#{speaker}"):
                self.found.append(_Found(language, Voice(f"{model.stem}#{speaker}", told_gender)))


def _code(told: Mapping[str, Any], stem: str) -> str:
    """The language: as described, else as named, else that of its phonemes."""
    described = (told.get("language") or {}).get("code") or ""
    named = stem.partition("-")[0]
    spoken = (told.get("espeak") or {}).get("voice") or ""
    code = next((str(one) for one in (described, named, spoken) if one and find(str(one)) is not None), described or named)
    return str(code)


def _gender(stem: str) -> str:
    name = stem.split("-")[1].lower() if stem.count("-") >= 1 else stem.lower()
    if name in _FEMALE or "female" in name:
        return "female"
    return "male" if name in _MALE or "male" in name else ""


def _strangeness(is_of: str, wanted: str) -> int:
    return 0 if is_of == wanted else 1 if not is_of else 2


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
