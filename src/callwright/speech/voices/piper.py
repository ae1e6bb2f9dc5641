"""Piper voices from a folder the operator sets, in the extra ``voices``. The package is GPL-3."""

from __future__ import annotations

import json
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from callwright.speech.sound import Samples
from callwright.speech.voices.engine import CannotSpeak, EngineUnusable

_MOST_LOADED = 4  # each takes about 100 MB
# Piper takes what is between these for phonemes.
_NO_PHONEMES = str.maketrans({"[": " ", "]": " "})


class PiperFolder:
    """A voice is named by its file without ``.onnx``, and by a speaker where it has several: ``en_US-arctic-medium#3``."""

    def __init__(self, folder: str) -> None:
        try:
            import onnxruntime
            from piper import PiperConfig, PiperVoice, SynthesisConfig
        except (ImportError, OSError) as error:
            raise EngineUnusable(f"Piper cannot be loaded ({error}); pip install 'callwright[voices]'") from error
        self._folder = Path(folder)
        self._voice: Any = PiperVoice
        self._description: Any = PiperConfig
        self._options: Any = SynthesisConfig
        self._runtime: Any = onnxruntime
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        for model in sorted(self._folder.glob("*.onnx"))[:_MOST_LOADED]:
            with suppress(Exception):  # it is told when somebody asks for the voice
                self.speak("Ready.", model.stem)

    def speak(self, text: str, voice: str) -> tuple[Samples, int]:
        name, _, speaker = voice.partition("#")
        try:
            model = self._model(name)
            options = self._options(speaker_id=int(speaker) if speaker else None)
            chunks = list(model.synthesize(text.translate(_NO_PHONEMES), options))
        except Exception as error:
            raise CannotSpeak(f"the Piper voice {name} gave up ({type(error).__name__}: {_told(error)})") from None
        if not chunks:
            return np.zeros(0, np.float32), 16_000
        return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

    def _model(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._folder / f"{name}.onnx")
            if len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(name)
        return self._loaded[name]

    def _load(self, model: Path) -> Any:
        """As Piper's own, which takes all processors there are and waits for work by spinning."""
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        description = json.loads(model.with_name(f"{model.name}.json").read_bytes())
        return self._voice(
            session=self._runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"]),
            config=self._description.from_dict(description),
            download_dir=self._folder,  # where the model that Chinese voices need besides is looked for
        )


def _told(error: Exception) -> str:
    """What an error of loading says; others may repeat the text."""
    return str(error)[:200] if isinstance(error, OSError | ImportError) else "see the server's machine"
