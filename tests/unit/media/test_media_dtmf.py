"""Keys in sound: found when they are there, in noise, off level and off frequency, and not found in what is none."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest

from callwright.media.dtmf import BLOCK, KEYS, NO_KEY, Presses, keys_of
from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.keypad import tone as keypad_tone
from support.talk import talk

RATE = 8000
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
ALL = "1234567890*#ABCD"


def press(key: str, ms: float, level_db: float = -10.0, twist_db: float = 0.0, off: float = 0.0) -> np.ndarray:
    """`level_db`: of each tone below full scale; `twist_db`: how much louder the high one is; `off`: of both frequencies."""
    place = KEYS.index(key)
    at = np.arange(round(ms * RATE / 1000)) / RATE * (1 + off)
    peak = 32767 * 10 ** (level_db / 20)
    low = peak * 10 ** (-twist_db / 40) * np.sin(2 * np.pi * ROWS[place // 4] * at)
    return low + peak * 10 ** (twist_db / 40) * np.sin(2 * np.pi * COLUMNS[place % 4] * at + 1.0)


def sequence(keys: str, on_ms: float, off_ms: float, **how: float) -> np.ndarray:
    gap = np.zeros(round(off_ms * RATE / 1000))
    return np.concatenate([gap, *(part for key in keys for part in (press(key, on_ms, **how), gap)), np.zeros(RATE // 10)])


def noisy(sound: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    """Noise so far below the tones' power."""
    power = np.mean(sound[np.abs(sound) > 0] ** 2)
    return sound + np.random.default_rng(seed).normal(0, np.sqrt(power / 10 ** (snr_db / 10)), len(sound))


def heard(sound: np.ndarray, law: Law = PCMU, shift: int = 0) -> list[tuple[str, float]]:
    """Keys and their milliseconds, as they come through a law."""
    samples = law.decode(law.encode(np.clip(np.rint(sound[shift:]), -32768, 32767).astype(np.int16)))
    blocks = samples[: len(samples) // BLOCK * BLOCK].astype(np.float32).reshape(-1, BLOCK)
    presses = Presses()
    ended = [presses.block(key) for key in keys_of(blocks).tolist()]
    return [(KEYS[key], count * BLOCK * 1000 / RATE) for key, count in filter(None, ended)]


def keys(sound: np.ndarray, law: Law = PCMU, shift: int = 0) -> str:
    return "".join(key for key, _ in heard(sound, law, shift))


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize(("on_ms", "off_ms"), [(80, 80), (50, 50), (40, 40)])
@pytest.mark.parametrize("snr_db", [30, 20, 15, 10])
def test_sequences_in_noise(law: Law, on_ms: float, off_ms: float, snr_db: float) -> None:
    for seed in range(5):
        assert keys(noisy(sequence(ALL, on_ms, off_ms), snr_db, seed), law, shift=17 * seed) == ALL


@pytest.mark.parametrize("level_db", [-3.5, -20, -34])
def test_sequences_loud_and_faint(level_db: float) -> None:
    assert keys(noisy(sequence(ALL, 60, 60, level_db=level_db), 25, 1)) == ALL


@pytest.mark.parametrize("twist_db", [4, 2, -4, -7.5])
def test_one_tone_may_be_louder(twist_db: float) -> None:
    for seed in range(5):
        assert keys(noisy(sequence(ALL, 50, 50, twist_db=twist_db), 20, seed), shift=seed * 23) == ALL


@pytest.mark.parametrize("twist_db", [12, -14])
def test_one_tone_that_is_far_louder_is_no_key(twist_db: float) -> None:
    assert keys(sequence(ALL, 80, 80, twist_db=twist_db)) == ""


@pytest.mark.parametrize("off", [0.015, -0.015, 0.02, -0.02])
def test_frequencies_may_be_off(off: float) -> None:
    for twist_db in (0, 3, -5):
        assert keys(noisy(sequence(ALL, 60, 60, off=off, twist_db=twist_db), 25, 1)) == ALL


@pytest.mark.parametrize("off", [0.05, -0.05])
def test_frequencies_that_are_too_far_off_are_no_keys(off: float) -> None:
    assert len(keys(sequence(ALL, 60, 60, off=off))) <= 1


def test_what_is_shorter_than_two_blocks_is_no_key() -> None:
    assert keys(sequence(ALL, 12, 60)) == ""


def test_how_long_a_key_was_down() -> None:
    for ms in (60, 100, 1000):
        [(key, found_ms)] = heard(sequence("5", ms, 50))
        assert key == "5"
        assert ms - 26 <= found_ms <= ms + 13


def test_one_key_twice_is_two_presses_and_a_bad_block_does_not_cut_one_up() -> None:
    assert keys(sequence("55", 60, 45)) == "55"
    sound = sequence("7", 300, 50)
    sound[1200:1300] = 0  # a packet lost, in the midst of it
    assert [key for key, _ in heard(sound)] == ["7"]


def test_keys_without_a_gap_are_told_apart() -> None:
    assert keys(np.concatenate([press("1", 80), press("9", 80), np.zeros(800)])) == "19"


@pytest.mark.parametrize("key", ALL)
@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_our_own_keys_are_heard(key: str, law: Law) -> None:
    coded = law.silent_frame + b"".join(keypad_tone(key, 3, law.payload_type)) + law.silent_frame * 3
    assert keys(law.decode(coded).astype(float), law) == key


@pytest.mark.parametrize(
    "hz",
    [
        (425,), (350, 440), (440, 480), (480, 620), (400, 450), (1000,), (1100,), (2100,), (697,), (1336,), (941, 2418),
        (950, 1400), (1400, 1800), (697, 770), (1209, 1477),
    ],
)  # fmt: skip
def test_tones_of_exchanges_and_machines_are_no_keys(hz: tuple[int, ...]) -> None:
    at = np.arange(2 * RATE) / RATE
    assert keys(sum(6000 * np.sin(2 * np.pi * one * at) for one in hz)) == ""


def test_noise_is_no_key() -> None:
    chance = np.random.default_rng(4)
    for scale in (100, 3000, 12_000):
        assert keys(chance.normal(0, scale, 30 * RATE)) == ""


def test_many_rows_are_as_one() -> None:
    """Whatever stands beside a block changes nothing."""
    sound = noisy(sequence(ALL * 20, 60, 60), 20, 3)
    blocks = sound[: len(sound) // BLOCK * BLOCK].astype(np.float32).reshape(-1, BLOCK)
    assert keys_of(blocks).tolist() == [int(keys_of(block[None])[0]) for block in blocks]
    assert keys_of(np.zeros((5, BLOCK), np.float32)).tolist() == [NO_KEY] * 5
    assert len(keys_of(np.zeros((0, BLOCK), np.float32))) == 0


def test_speech_holds_no_keys() -> None:
    """Minutes of it, in many voices, louder through one law and fainter through the other."""
    seconds = 0.0
    found = ""
    for sound, (law, gain) in zip(talk(), cycle(((PCMU, 1.0), (PCMA, 0.3))), strict=False):
        found += keys(sound * gain, law)
        seconds += len(sound) / RATE
    assert seconds > 200
    assert found == ""
