"""What recognition is told."""

from __future__ import annotations

import msgspec


class RecogniserSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process with the model is told. `folder` holds a Whisper model as faster-whisper reads it."""

    folder: str
    threads: int = 1
    log_level: str = "info"


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A service with OpenAI's interface; `url` goes up to and with ``/v1``."""

    url: str
    key: str = ""
    model: str = "whisper-1"

    def __repr__(self) -> str:
        return f"ServiceSettings({self.url}, …)"
