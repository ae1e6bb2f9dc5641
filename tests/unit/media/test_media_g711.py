from __future__ import annotations

import warnings

import numpy as np
import pytest

from callwright.media.g711 import FRAME, LAWS, PCMA, PCMU, TRANSLATED, Law
from support.sound import share, tone

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    audioop = pytest.importorskip("audioop", reason="audioop left the standard library in Python 3.13")

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(
    ("law", "compress", "expand"), [(PCMU, audioop.lin2ulaw, audioop.ulaw2lin), (PCMA, audioop.lin2alaw, audioop.alaw2lin)]
)
def test_tables_agree_with_audioop_value_by_value(law: Law, compress, expand) -> None:
    assert law.encode(EVERY_SAMPLE) == compress(EVERY_SAMPLE.tobytes(), 2)
    assert law.decode(EVERY_CODE).tobytes() == expand(EVERY_CODE, 2)


@pytest.mark.parametrize(("law", "code"), [(PCMU, 0xFF), (PCMA, 0xD5)])
def test_silence_is_the_quietest_code_and_stays_it(law: Law, code: int) -> None:
    assert law.silent_frame == bytes([code]) * FRAME
    assert abs(int(law.decode(law.silent_frame)[0])) <= 8
    assert law.silent_frame.translate(law.faded) == law.silent_frame


@pytest.mark.parametrize(("source", "target"), list(TRANSLATED))
def test_translation_between_laws_is_decoding_and_encoding(source: int, target: int) -> None:
    through_samples = LAWS[target].encode(LAWS[source].decode(EVERY_CODE))
    assert EVERY_CODE.translate(TRANSLATED[source, target]) == through_samples


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_a_tone_survives_and_fades_by_half(law: Law) -> None:
    coded = law.encode(tone(440, 200))
    sound, faded = law.decode(coded), law.decode(coded.translate(law.faded))
    assert share(sound, 440) > 0.99
    assert np.abs(faded).max() == pytest.approx(np.abs(sound).max() / 2, rel=0.05)


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_loudness_grows_with_the_sample(law: Law) -> None:
    loud = law.encode(np.array([0, 300, 3000, 30000], np.int16)).translate(law.loudness)
    assert list(loud) == sorted(loud)
    assert loud[0] == 0
    assert loud[-1] > 100
