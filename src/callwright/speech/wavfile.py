"""The files that are played: WAV, 8 kHz, 16 bit, mono, which appear whole or not at all."""

from __future__ import annotations

import os
import struct
from pathlib import Path

RATE = 8_000
HEADER = 44


def wav(pcm: bytes) -> bytes:
    """Samples (8 kHz, 16 bit, mono) with the header of 44 bytes in front."""
    return (
        struct.pack("<4sI4s", b"RIFF", HEADER - 8 + len(pcm), b"WAVE")
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
        + struct.pack("<4sI", b"data", len(pcm))
        + pcm
    )


def write(path: Path, content: bytes) -> None:
    """Let the file appear whole or not at all, for its owner alone; raise `OSError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
