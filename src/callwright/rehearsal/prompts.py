"""What is heard in a rehearsal: texts and sounds that are known by the file that stands for them."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callwright.simulator.files import Tape
from callwright.simulator.settings import Seconds
from callwright.simulator.talk import spoken_s
from callwright.switch.sounds import SoundUnavailable
from callwright.telephony import Utterance

SOUND_S = 3.0


class Prompt(NamedTuple):
    """A text in a language, or the URL of a sound; the other is empty. `seconds` is its length."""

    seconds: float
    text: str = ""
    language: str = ""
    gender: str = ""
    url: str = ""


class Prompts:
    """Every prompt by its file."""

    def __init__(self) -> None:
        self._prompts: dict[str, Prompt] = {}
        self._files: dict[Prompt, Path] = {}

    def file(self, prompt: Prompt) -> Path:
        """What stands for a prompt."""
        path = self._files.get(prompt)
        if path is None:
            path = self._files[prompt] = self.make(len(self._files), prompt)
            self._prompts[str(path)] = prompt
        return path

    def make(self, number: int, prompt: Prompt) -> Path:
        """A name; there is no such file."""
        return Path(f"/rehearsed/{number}.wav")

    def of(self, file: str) -> Prompt | None:
        """None for what is no prompt of the flow: ring-back, music, the beep before a recording."""
        return self._prompts.get(file)


class RehearsedSpeech:
    """Speaks in no time; what it says lasts as long as a voice would need. `seconds` has lengths of texts that are known."""

    def __init__(self, prompts: Prompts, seconds: Mapping[str, float] | None = None) -> None:
        self._prompts = prompts
        self._seconds = seconds or {}

    async def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        text = utterance.text
        seconds = self._seconds.get(text)
        yield self._prompts.file(
            Prompt(spoken_s(text) if seconds is None else seconds, text, utterance.language, utterance.gender)
        )


class SoundReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a sound lasts, or the HTTP status it is refused with."""

    seconds: Annotated[Seconds, Meta(description="How many seconds it lasts.")] = SOUND_S
    status: Annotated[int, Meta(ge=200, le=599, description="The HTTP status; from 300 on it is refused.")] = 200


class RehearsedSounds:
    """Has every sound, so long as a script says, or `SOUND_S`; a script may refuse one."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._replies: dict[str, SoundReply] = {}

    def script(self, url: str, reply: SoundReply) -> None:
        self._replies[url] = reply

    def stream(self, url: str) -> _Stream:
        return _Stream(self._prompts, url, self._replies.get(url, SoundReply()))


class _Stream:
    def __init__(self, prompts: Prompts, url: str, reply: SoundReply) -> None:
        self._prompts = prompts
        self._url = url
        self._reply = reply
        self.status: int | None = None
        self.note = ""

    async def __aiter__(self) -> AsyncIterator[Path]:
        status = self._reply.status
        if status >= 300:
            raise SoundUnavailable(f"{self._url} answered {status}", status)
        self.status = status
        yield self._prompts.file(Prompt(self._reply.seconds, url=self._url))


class _NoTape:
    def say(self, at: float, samples: bytes) -> None:
        pass

    def end(self, seconds: float) -> None:
        pass


class RehearsedFiles:
    """Files for the simulator, none of which is there."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def seconds(self, file: str) -> float:
        prompt = self._prompts.of(file)
        if prompt is None:
            raise wave.Error(f"{file} stands for no prompt")
        return prompt.seconds

    def record(self, path: str, channels: int, key: bytes) -> Tape:
        return _NoTape()
