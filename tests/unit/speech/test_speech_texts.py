"""Texts before they are spoken: cleaned, cut into sentences, and found fit or not."""

from __future__ import annotations

import doctest
from pathlib import Path

import espeakng_loader
import py_nanotts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.speech import languages, sentences, settings
from callwright.speech.fitness import unfit
from callwright.speech.languages import LANGUAGES, find
from support.phrases import PHRASES

GO = """
    cy-GB da-DK de-DE en-AU en-GB en-GB-WLS en-IN en-US es-ES es-US fr-CA fr-FR is-IS it-IT ja-JP nb-NO nl-NL pl-PL pt-BR pt-PT
    ro-RO ru-RU sv-SE tr-TR
"""
DART = "bg-BG cs-CZ el-GR es-MX hr-HR id-ID ko-KR ms-MY sk-SK ta-IN th-TH vi-VN zh-CN zh-HK"
VOICE_MESSAGES = """
    cy-gb da-dk de-de el-gr en-au en-gb en-gb-wls en-in en-us es-es es-mx es-us fr-ca fr-fr id-id is-is it-it ja-jp ko-kr ms-my
    nb-no nl-nl pl-pl pt-br pt-pt ro-ro ru-ru sv-se ta-in th-th tr-tr vi-vn zh-cn zh-hk
"""

CONTRACT = f"{GO} {DART} {VOICE_MESSAGES}".split()


@pytest.mark.parametrize("module", [languages, sentences, settings])
def test_examples(module) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("tag", CONTRACT)
def test_every_language_of_the_contract_is_there_in_any_spelling(tag: str) -> None:
    for spelling in (tag, tag.upper(), tag.lower(), tag.replace("-", "_"), f" {tag} "):
        found = find(spelling)
        assert found is not None
        assert found.key == tag.lower()
        assert found.espeak


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.tag)
def test_voices_that_are_named_are_shipped(language) -> None:
    if language.espeak:
        assert (Path(espeakng_loader.get_data_path()) / "lang" / language.espeak).is_file()
    assert language.pico in ("", *(voice.value for voice in py_nanotts.Voice))


def test_each_language_is_there_once() -> None:
    assert len({language.key for language in LANGUAGES}) == len(LANGUAGES)


OTHERS = """
    en:en-US en-UK:en-GB en-IE:en-US de:de-DE de-LI:de-DE pt:pt-PT es-AR:es-ES es-LA:es-MX es-419:es-MX no:nb-NO cmn-CN:zh-CN
    cmn-Hans-CN:zh-CN yue-CN:zh-HK zh:zh-CN arb:ar ar-EG:ar sr-Latn-RS:sr-RS hr:hr-HR ta:ta-IN :en-US
"""


@pytest.mark.parametrize(("tag", "found"), [pair.split(":") for pair in OTHERS.split()])
def test_other_spellings(tag: str, found: str) -> None:
    language = find(tag)
    assert language is not None
    assert language.tag == found


@pytest.mark.parametrize("tag", ["xx", "nn-NO", "english", "-", "de_", "e n", "\x00", "日本語", "a" * 10_000])
def test_what_is_no_language_here(tag: str) -> None:
    assert find(tag) is None or tag == "de_"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello.", ["Hello."]),
        ("Hello. World!", ["Hello.", "World!"]),
        ("Really?! Yes… No.", ["Really?!", "Yes…", "No."]),
        ("Mr. Smith and Dr. Jones. Next.", ["Mr. Smith and Dr. Jones.", "Next."]),
        ("J. K. Rowling wrote it. Yes.", ["J. K. Rowling wrote it.", "Yes."]),
        ("It is 3.50 euro. Thanks.", ["It is 3.50 euro.", "Thanks."]),
        ("At 9.30 a.m. we open. Call then.", ["At 9.30 a.m. we open.", "Call then."]),
        ("See www.example.com today. Bye.", ["See www.example.com today.", "Bye."]),
        ('He said "Go." Then left.', ['He said "Go."', "Then left."]),
        ("Am 3. Mai. Gut so.", ["Am 3. Mai.", "Gut so."]),
        ("欢迎。请按一。", ["欢迎。", "请按一。"]),
        ("ようこそ！いちをおしてください。", ["ようこそ！", "いちをおしてください。"]),
        ("स्वागत है। एक दबाएँ।", ["स्वागत है।", "एक दबाएँ।"]),
        ("مرحبا؟ نعم.", ["مرحبا؟", "نعم."]),
        ("ยินดีต้อนรับ กดหนึ่ง", ["ยินดีต้อนรับ กดหนึ่ง"]),
        ("One\nTwo\n\nThree", ["One", "Two", "Three"]),
        ("... Hello ...", ["Hello ..."]),
        ("", []),
        ("?!", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert sentences.split(sentences.clean(text)) == pieces


def test_long_sentences_are_cut_at_pauses_then_between_words_then_anywhere() -> None:
    commas = ", ".join(["about ten letters of it"] * 40)
    assert all(piece.endswith((",", "it")) and len(piece) <= sentences.LONGEST for piece in sentences.split(commas))
    words = "word " * 400
    assert all(set(piece.split()) == {"word"} for piece in sentences.split(words))
    assert [len(piece) for piece in sentences.split("a" * 700)] == [243, 243, 223]
    assert [len(piece) for piece in sentences.split("请" * 250)] == [100, 100, 50]


def test_a_long_first_sentence_is_cut_at_a_pause_for_a_caller_waits_for_it() -> None:
    long = (
        "Thank you for calling the office, which is open from nine to five, and closed on Sundays, holidays and when it rains."
    )
    assert len(long) < sentences.FIRST
    assert sentences.split(long) == [long]
    longer = long.replace(" and closed", " and on Thursdays until eight, and closed")
    head = longer[: longer.index(" holidays")]
    assert sentences.split(f"{longer} {longer}") == [head, longer.removeprefix(head).strip(), longer]
    without = longer.replace(",", "")
    assert sentences.split(without) == [without]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a \t b\xa0c  ", "a b c"),
        ("line\r\nline\rline", "line\nline\nline"),
        ("a\x00b\x1b[31mc\x7f", "a b [31mc"),
        ("<speak>Hi <break time='500ms'/>there</speak>", "Hi there"),
        ('<Prosody rate="slow">slow</PROSODY> 5 < 6 > 4 <b>', "slow 5 < 6 > 4 <b>"),
        ("e\u0301", "é"),
        ("go \U0001f1f3\U0001f1f1 \u2764\ufe0f now", "go now"),
        ("20 °C, № 5, 3 €, 5 %, 2²", "20 °C, № 5, 3 €, 5 %, 2²"),
        ("soft\u00adhyphen \u200bspace", "soft hyphen space"),
        ("क्\u200dष", "क्\u200dष"),
        ("\ud800lone", "lone"),
        ("\u202eright to left\u202c", "right to left"),
    ],
)
def test_cleaning(text: str, clean: str) -> None:
    assert sentences.clean(text) == clean


@given(st.text(max_size=400))
def test_nothing_is_lost_and_nothing_is_endless(text: str) -> None:
    clean = sentences.clean(text)
    assert sentences.clean(clean) == clean
    pieces = sentences.split(clean)
    clean.encode()
    assert all(piece == piece.strip() and sentences.speakable(piece) for piece in pieces)
    assert all(len(piece) <= sentences.LONGEST for piece in pieces)
    letters = [one for one in clean if one.isalnum()]
    assert [one for piece in pieces for one in piece if one.isalnum()] == letters


@pytest.mark.parametrize("tag", sorted({language.tag for language in LANGUAGES if language.espeak}))
def test_every_language_is_fit_for_its_own_words(tag: str) -> None:
    language = find(tag)
    assert language is not None
    assert unfit("espeak", language, PHRASES[language.base]) is None
    assert unfit("espeak", language, "Radio 1 2 3") is None


@pytest.mark.parametrize(
    ("tag", "text", "what"),
    [
        ("ja-JP", "東京へようこそ", "Japanese with kanji; written in kana it can be said"),
        ("he-IL", "ברוכים הבאים", "Hebrew without vowel marks"),
        ("ar", "مرحبا بكم", "Arabic without vowel marks"),
        ("en-GB", "Добро пожаловать", "English, Great Britain in Cyrillic letters; check the language"),
        ("ru-RU", "Καλώς ήρθατε", "Russian in Greek letters; check the language"),
        ("nl-NL", "欢迎", "Dutch in Han letters; check the language"),
        ("zh-CN", "ようこそ", "Chinese, Mandarin in Kana letters; check the language"),
    ],
)
def test_what_espeak_reads_wrongly(tag: str, text: str, what: str) -> None:
    language = find(tag)
    assert language is not None
    assert unfit("espeak", language, text) == what
    assert unfit("piper", language, text) is None
    assert unfit("some service", language, text) is None


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("ja-JP", "ようこそ、ABC"),
        ("zh-HK", "歡迎。"),
        ("zh-CN", "欢迎 Callwright"),
        ("ru-RU", "Radio"),
        ("sr-RS", "Dobro došli"),
        ("en-GB", "Welcome, Владимир"),
        ("ko-KR", "漢字 한국어"),
        ("el-GR", "µ and Ω: Καλώς"),
        ("nl-NL", "½ ª º café ½"),
        ("ar", "1 2 3"),
    ],
)
def test_what_espeak_reads(tag: str, text: str) -> None:
    language = find(tag)
    assert language is not None
    assert unfit("espeak", language, text) is None


def test_pico_and_hibari_read_latin_alone() -> None:
    english = find("en-US")
    assert english is not None
    for engine in ("pico", "hibari"):
        assert unfit(engine, english, "Café ½ № 5, naïve") is None
        assert unfit(engine, english, "Welcome, Владимир") == "letters that are not Latin"


def test_every_language_has_a_phrase_for_tests() -> None:
    assert {language.base for language in LANGUAGES if language.espeak} == set(PHRASES)


def test_a_long_word_is_said_in_pieces() -> None:
    (said,) = sentences.split(f"The number {'9' * 150} is long.")
    assert [len(word) for word in said.split()] == [3, 6, 60, 60, 30, 2, 5]
