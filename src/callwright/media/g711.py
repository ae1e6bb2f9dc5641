"""G.711: the two laws as tables (ITU-T G.711, G.191).

Sound is 8,000 samples a second, 16 bits each; a code is one byte. A second law is reached from the first by
`bytes.translate`, so two parties with different laws cost a table look-up and no arithmetic.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 8000
FRAME: Final = 160  # samples in 20 ms, which is also a packet's payload in bytes

Samples = NDArray[np.int16]


class Law:
    """One of the two companding laws.

    `payload_type` is its static RTP number (RFC 3551 §6), `silence` the code of no sound, `faded` a table that takes
    6 dB off a frame, `loudness` a table from code to 0–127, the size of its sample in 1/128 of full scale.
    """

    def __init__(self, name: str, payload_type: int, codes: NDArray[np.uint8], samples: Samples) -> None:
        self.name = name
        self.payload_type = payload_type
        self._codes = codes
        self._samples = samples
        self.silence = int(codes[0])
        self.silent_frame = bytes([self.silence]) * FRAME
        self.faded = self.encode((samples // 2).astype(np.int16))
        self.loudness = (np.abs(samples.astype(np.int32)) >> 8).astype(np.uint8).tobytes()

    def encode(self, samples: Samples) -> bytes:
        """Compress 16-bit samples, one byte each."""
        return self._codes.take(samples.view(np.uint16)).tobytes()

    def decode(self, payload: bytes) -> Samples:
        """Expand one byte each to 16-bit samples."""
        return self._samples.take(np.frombuffer(payload, np.uint8))

    def table_to(self, other: Law) -> bytes:
        """Make the `bytes.translate` table from this law's codes to another's."""
        return other.encode(self._samples)


# Upper ends of the eight chords, in the 14-bit (mu) and 13-bit (A) samples that G.711 works on.
_MU_CHORDS = np.array([0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF, 0x1FFF])
_A_CHORDS = np.array([0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF])
_MU_BIAS = 0x21
_MU_CLIP = 8159


def _every_sample() -> NDArray[np.int32]:
    """All 16-bit samples, in the order of their unsigned bit patterns."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)


def _mu_codes() -> NDArray[np.uint8]:
    linear = _every_sample() >> 2
    size = np.minimum(np.abs(linear), _MU_CLIP) + _MU_BIAS
    chord = np.searchsorted(_MU_CHORDS, size)
    code = np.where(chord > 7, 0x7F, chord << 4 | size >> np.minimum(chord, 7) + 1 & 0x0F)
    return (code ^ np.where(linear < 0, 0x7F, 0xFF)).astype(np.uint8)


def _mu_samples() -> Samples:
    code = ~np.arange(256, dtype=np.uint8)
    size = (((code & 0x0F).astype(np.int32) << 3) + (_MU_BIAS << 2) << (code >> 4 & 7)) - (_MU_BIAS << 2)
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_codes() -> NDArray[np.uint8]:
    linear = _every_sample() >> 3
    size = np.where(linear < 0, -linear - 1, linear)
    chord = np.searchsorted(_A_CHORDS, size)
    code = chord << 4 | size >> np.maximum(chord, 1) & 0x0F
    return (code ^ np.where(linear < 0, 0x55, 0xD5)).astype(np.uint8)


def _a_samples() -> Samples:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    chord = (code >> 4 & 7).astype(np.int32)
    step = (code & 0x0F).astype(np.int32) << 4
    size = np.where(chord == 0, step + 8, step + 0x108 << np.maximum(chord, 1) - 1)
    return np.where(code & 0x80, size, -size).astype(np.int16)


PCMU: Final = Law("PCMU", 0, _mu_codes(), _mu_samples())
PCMA: Final = Law("PCMA", 8, _a_codes(), _a_samples())
LAWS: Final = {law.payload_type: law for law in (PCMU, PCMA)}
TRANSLATED: Final = {
    (PCMU.payload_type, PCMA.payload_type): PCMU.table_to(PCMA),
    (PCMA.payload_type, PCMU.payload_type): PCMA.table_to(PCMU),
}
