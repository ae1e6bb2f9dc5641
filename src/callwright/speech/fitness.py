"""Which texts a voice cannot read, although it speaks their language.

eSpeak NG says "Chinese letter" for each kanji, speaks Hebrew and Arabic as they are commonly written, without vowels, as bare
consonants, and spells letters of other scripts by name. Pico and hibari leave out what is not Latin.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from callwright.speech.languages import Language

# Points and vowel signs, against letters: what is written with them has more than a third, what is not has next to none.
_VOWELLED = 0.3
_VOWELS = {"HEBREW": range(0x05B0, 0x05BC), "ARABIC": range(0x064B, 0x0653)}
_SCRIPTS = {"CJK": "HAN", "HIRAGANA": "KANA", "KATAKANA": "KANA", "KATAKANA-HIRAGANA": "KANA"}
_READ = {"JAPANESE": frozenset({"HAN", "KANA"}), "HANGUL": frozenset({"HANGUL", "HAN"})}
_LATIN_ONLY = frozenset({"pico", "hibari"})


def unfit(engine: str, language: Language, text: str) -> str | None:
    """What an engine of ours cannot read in a text of this language, as the end of "reads …"; None when it can."""
    scripts = {script for one in text if one.isalpha() and (script := _script(one))}
    if engine in _LATIN_ONLY:
        return None if scripts <= {"LATIN"} else "letters that are not Latin"
    if engine != "espeak":
        return None
    if language.script == "JAPANESE" and "HAN" in scripts:
        return "Japanese with kanji; written in kana it can be said"
    if language.script in _VOWELS and language.script in scripts and not _vowelled(language.script, text):
        return f"{language.name} without vowel marks"
    foreign = scripts - {"LATIN"} - _READ.get(language.script, {language.script})
    if language.script and foreign and not scripts - foreign:
        return f"{language.name} in {' and '.join(sorted(one.capitalize() for one in foreign))} letters; check the language"
    return None


def limit(language: Language) -> str:
    """What of a language eSpeak cannot read, in a few words; empty when it reads all."""
    if language.script == "JAPANESE":
        return "without kanji"
    return "only with vowel marks" if language.script in _VOWELS else ""


def _vowelled(script: str, text: str) -> bool:
    letters = sum(1 for one in text if one.isalpha() and _script(one) == script)
    marks = sum(1 for one in text if ord(one) in _VOWELS[script])
    return marks > letters * _VOWELLED


@lru_cache(maxsize=4096)
def _script(one: str) -> str:
    """The script of a letter by the first word of its name; empty for letters without a script of their own."""
    first = unicodedata.name(one, "").partition(" ")[0]
    return "" if first in ("MODIFIER", "FULLWIDTH", "FEMININE", "MASCULINE", "MICRO") else _SCRIPTS.get(first, first)
