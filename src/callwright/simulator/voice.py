"""The voice of simulated parties: what they say is spoken beside the call, and found in its recordings if that was in time."""

from __future__ import annotations

import asyncio
import wave
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from callwright.log import Log
from callwright.telephony import Speech, SpeechUnavailable, Utterance

_log = Log("simulator")

# Texts that are kept, those used last; each has at most a few hundred kilobytes.
KEPT = 64


class Voice(Protocol):
    def prepare(self, text: str) -> None:
        """Have a text ready some time soon. Never blocks."""
        ...

    def samples(self, text: str) -> bytes:
        """16 bit, 8 kHz, one channel; nothing for what is not ready, or can not be spoken."""
        ...


class _NoVoice:
    def prepare(self, text: str) -> None:
        pass

    def samples(self, text: str) -> bytes:
        return b""


NO_VOICE = _NoVoice()


class SpokenVoice:
    """Speaks as calls do, in one language, so that an utterance costs what one of a flow does, and no call waits for it."""

    def __init__(self, speech: Speech, language: str) -> None:
        self._speech = speech
        self._language = language
        self._spoken: OrderedDict[str, bytes] = OrderedDict()
        self._speaking: dict[str, asyncio.Task[None]] = {}

    def prepare(self, text: str) -> None:
        if text in self._spoken:
            self._spoken.move_to_end(text)
        elif text not in self._speaking:
            task = self._speaking[text] = asyncio.get_running_loop().create_task(self._speak(text))
            task.add_done_callback(lambda _: self._speaking.pop(text))

    def samples(self, text: str) -> bytes:
        return self._spoken.get(text, b"")

    async def _speak(self, text: str) -> None:
        try:
            utterance = Utterance(text, self._language)
            pieces = [await asyncio.to_thread(_samples_of, path) async for path in self._speech.say(utterance)]
        except (SpeechUnavailable, OSError, EOFError, wave.Error) as error:
            _log.info("party_not_heard", why=error)
            return
        self._spoken[text] = b"".join(pieces)
        while len(self._spoken) > KEPT:
            self._spoken.popitem(last=False)


def _samples_of(path: Path) -> bytes:
    with wave.open(str(path), "rb") as sound:
        return sound.readframes(sound.getnframes())
