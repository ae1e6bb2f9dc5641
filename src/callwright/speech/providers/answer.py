"""Samples out of what a speech service answers."""

from __future__ import annotations

import struct

import numpy as np

from callwright.speech.sound import Samples, pcm
from callwright.speech.source import VoiceFailed

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_RATES = range(4_000, 192_001)
_MOST_CHANNELS = 8


def samples(body: bytes, rate: int) -> tuple[Samples, int]:
    """Samples and their rate: of a WAV file, else of bare 16-bit samples at `rate`; raise `VoiceFailed`.

    Services that send while they speak write no true lengths into the header (RIFF has them in front), so the data goes on to
    the end of what came.
    """
    if body.startswith(b"RIFF") and body[8:12] == b"WAVE":
        return _wav(body)
    if body.lstrip()[:1] in (b"{", b"<") or body.startswith((b"RIFF", b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3")):
        raise VoiceFailed("the answer is neither WAV nor bare samples")
    return pcm(body), rate


def _wav(body: bytes) -> tuple[Samples, int]:
    at, form = 12, None
    while at + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        at += 8
        if name == b"fmt " and size >= 16 and at + 16 <= len(body):
            form = struct.unpack_from("<HHIIHH", body, at)
        elif name == b"data":
            if form is None:
                break
            there = len(body) - at
            return _decoded(body[at : at + (min(size, there) or there)], form)
        at += size + size % 2
    raise VoiceFailed("the answer is a WAV file without sound")


def _decoded(data: bytes, form: tuple[int, ...]) -> tuple[Samples, int]:
    coding, channels, rate, _, _, bits = form
    if rate not in _RATES or not 1 <= channels <= _MOST_CHANNELS:
        raise VoiceFailed(f"the answer is a WAV file of {rate} Hz and {channels} channels")
    if coding in (_PCM, _EXTENSIBLE) and bits == 16:
        found = pcm(data)
    elif coding == _FLOAT and bits == 32:
        found = np.frombuffer(data[: len(data) // 4 * 4], "<f4").astype(np.float32)
    else:
        raise VoiceFailed(f"the answer is a WAV file of coding {coding} with {bits} bits; PCM with 16 bits is taken")
    if channels > 1:
        found = found[: len(found) // channels * channels].reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return found, rate
