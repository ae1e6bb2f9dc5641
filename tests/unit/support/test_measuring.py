import numpy as np
import pytest

from callwright.phone.sound import decode, encode
from support import measuring
from support.measuring import find, fingerprint, key_tones, keys, silences, tones
from support.sound import tone


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 8_000), np.int16)


def through_a_telephone(samples: np.ndarray, kind: int = 0) -> np.ndarray:
    return decode(encode(samples, kind), kind)


def test_tones_and_silences_have_their_times() -> None:
    heard = through_a_telephone(np.concatenate([silence(0.5), tone(440, 1_000), silence(0.3), tone(880, 400)]))
    found = tones(heard)
    assert [(round(one.hz or 0, -1), round(one.start, 1), round(one.length, 1)) for one in found] == [
        (440, 0.5, 1.0),
        (880, 1.8, 0.4),
    ]
    assert [(one.start, one.length) for one in silences(heard)] == [(0.0, 0.5), (1.5, 0.3)]


@pytest.mark.parametrize("kind", [0, 8])
@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_a_clip_is_found_where_it_is(kind: int, gain: float) -> None:
    clip = fingerprint(2, seed=3)
    noise = np.random.default_rng(5).normal(0, 100 * gain, 8_000 * 6)
    heard = noise.copy()
    heard[12_345 : 12_345 + len(clip)] += clip * gain
    match = find(clip, through_a_telephone(heard.astype(np.int16), kind))
    assert abs(match.at - 12_345 / 8_000) < 0.0003
    assert match.gain == pytest.approx(gain, rel=0.03)
    assert match.likeness > 0.98


def test_another_clip_is_not_found() -> None:
    heard = np.concatenate([silence(1), fingerprint(3, seed=4), silence(1)])
    assert find(fingerprint(2, seed=3), heard).likeness < 0.4
    assert find(fingerprint(2, seed=3), silence(1)).likeness == 0


def test_keys_are_read_off_their_tones() -> None:
    every = "159#D0*8"
    assert keys(through_a_telephone(key_tones(every, ms=60, gap_ms=60))) == every
    assert keys(through_a_telephone(key_tones("1122", ms=80, gap_ms=80))) == "1122"
    assert keys(np.concatenate([tone(697, 500), fingerprint(5)])) == ""


def test_how_loud_it_is() -> None:
    assert measuring.level(tone(440, 1_000, peak=32_767)) == pytest.approx(0.707, rel=0.01)
    assert measuring.level(silence(1)) == measuring.level(silence(0)) == 0
