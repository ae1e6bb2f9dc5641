"""The languages that can be asked for, and what speaks each.

The tags are those of the compatible API (contract §2.3.2), of its voice messages, and of the vendor's later command. An eSpeak
voice is named by its file in the shipped data, because names alone are ambiguous: ``no`` and ``en-gb`` are not known as names,
and asking for one that is not known leaves the last language in force.
"""

from __future__ import annotations

import msgspec

DEFAULT = "en-us"


class Language(msgspec.Struct, frozen=True):
    """`tag` as the contract writes it; `espeak` and `pico` name voices of those engines, empty where there is none."""

    tag: str
    name: str
    espeak: str
    pico: str = ""
    script: str = "LATIN"

    @property
    def key(self) -> str:
        """The tag in lower case, by which languages are found."""
        return self.tag.lower()

    @property
    def base(self) -> str:
        """The language without its region: ``pt`` of ``pt-BR``."""
        return self.key.partition("-")[0]


LANGUAGES: tuple[Language, ...] = (
    Language("ar", "Arabic", "sem/ar", script="ARABIC"),
    Language("bg-BG", "Bulgarian", "zls/bg", script="CYRILLIC"),
    Language("bn-IN", "Bengali", "inc/bn", script="BENGALI"),
    Language("ca-ES", "Catalan", "roa/ca"),
    Language("cs-CZ", "Czech", "zlw/cs"),
    Language("cy-GB", "Welsh", "cel/cy"),
    Language("da-DK", "Danish", "gmq/da"),
    Language("de-AT", "German, Austria", "gmw/de", "de-DE"),
    Language("de-CH", "German, Switzerland", "gmw/de", "de-DE"),
    Language("de-DE", "German", "gmw/de", "de-DE"),
    Language("el-GR", "Greek", "grk/el", script="GREEK"),
    Language("en-AU", "English, Australia", "gmw/en", "en-GB"),
    Language("en-GB", "English, Great Britain", "gmw/en", "en-GB"),
    Language("en-GB-WLS", "English, Wales", "gmw/en", "en-GB"),
    Language("en-IN", "English, India", "gmw/en", "en-GB"),
    Language("en-NZ", "English, New Zealand", "gmw/en", "en-GB"),
    Language("en-US", "English, United States", "gmw/en-US", "en-US"),
    Language("en-ZA", "English, South Africa", "gmw/en", "en-GB"),
    Language("es-ES", "Spanish", "roa/es", "es-ES"),
    Language("es-MX", "Spanish, Mexico", "roa/es-419", "es-ES"),
    Language("es-US", "Spanish, United States", "roa/es-419", "es-ES"),
    Language("eu-ES", "Basque", "eu"),
    Language("fi-FI", "Finnish", "urj/fi"),
    Language("fil-PH", "Filipino", ""),
    Language("fr-BE", "French, Belgium", "roa/fr-BE", "fr-FR"),
    Language("fr-CA", "French, Canada", "roa/fr", "fr-FR"),
    Language("fr-FR", "French", "roa/fr", "fr-FR"),
    Language("gl-ES", "Galician", ""),
    Language("gu-IN", "Gujarati", "inc/gu", script="GUJARATI"),
    Language("he-IL", "Hebrew", "sem/he", script="HEBREW"),
    Language("hi-IN", "Hindi", "inc/hi", script="DEVANAGARI"),
    Language("hr-HR", "Croatian", "zls/hr"),
    Language("hu-HU", "Hungarian", "urj/hu"),
    Language("id-ID", "Indonesian", "poz/id"),
    Language("is-IS", "Icelandic", "gmq/is"),
    Language("it-IT", "Italian", "roa/it", "it-IT"),
    Language("ja-JP", "Japanese", "jpx/ja", script="JAPANESE"),
    Language("ko-KR", "Korean", "ko", script="HANGUL"),
    Language("lt-LT", "Lithuanian", "bat/lt"),
    Language("lv-LV", "Latvian", "bat/lv"),
    Language("ms-MY", "Malay", "poz/ms"),
    Language("nb-NO", "Norwegian", "gmq/nb"),
    Language("nl-BE", "Dutch, Belgium", "gmw/nl"),
    Language("nl-NL", "Dutch", "gmw/nl"),
    Language("pa-IN", "Punjabi", "inc/pa", script="GURMUKHI"),
    Language("pl-PL", "Polish", "zlw/pl"),
    Language("pt-BR", "Portuguese, Brazil", "roa/pt-BR"),
    Language("pt-PT", "Portuguese", "roa/pt"),
    Language("ro-RO", "Romanian", "roa/ro"),
    Language("ru-RU", "Russian", "zle/ru", script="CYRILLIC"),
    Language("sk-SK", "Slovak", "zlw/sk"),
    Language("sr-RS", "Serbian", "zls/sr", script=""),  # written in Cyrillic and Latin alike
    Language("sv-SE", "Swedish", "gmq/sv"),
    Language("ta-IN", "Tamil", "dra/ta", script="TAMIL"),
    Language("te-IN", "Telugu", "dra/te", script="TELUGU"),
    Language("th-TH", "Thai", "tai/th", script="THAI"),
    Language("tr-TR", "Turkish", "trk/tr"),
    Language("uk-UA", "Ukrainian", "zle/uk", script="CYRILLIC"),
    Language("vi-VN", "Vietnamese", "aav/vi"),
    Language("zh-CN", "Chinese, Mandarin", "sit/cmn", script="HAN"),
    Language("zh-HK", "Chinese, Cantonese", "sit/yue", script="HAN"),
)

_BY_KEY = {language.key: language for language in LANGUAGES}

# Other spellings, and the form that a language without a region stands for.
_ALIASES = {
    "arb": "ar",
    "cmn": "zh-cn",
    "cmn-cn": "zh-cn",
    "de": "de-de",
    "en": "en-us",
    "en-uk": "en-gb",
    "es": "es-es",
    "es-419": "es-mx",
    "es-la": "es-mx",
    "fr": "fr-fr",
    "fr-ch": "fr-fr",
    "in-id": "id-id",
    "iw-il": "he-il",
    "nl": "nl-nl",
    "no": "nb-no",
    "no-no": "nb-no",
    "pt": "pt-pt",
    "sr-latn-rs": "sr-rs",
    "tl-ph": "fil-ph",
    "yue": "zh-hk",
    "yue-cn": "zh-hk",
    "yue-hk": "zh-hk",
    "zh": "zh-cn",
    "zh-tw": "zh-cn",
}


def find(tag: str) -> Language | None:
    """The language of a tag in any case, with underscores or dashes; one of a region that is not known stands for its own.

    Without any tag it is English (United States).

    >>> find("EN_gb").tag, find("de-LI").tag, find("nn-NO")
    ('en-GB', 'de-DE', None)
    """
    key = tag.strip().lower().replace("_", "-") or DEFAULT
    while key:
        if found := _BY_KEY.get(_ALIASES.get(key, key)):
            return found
        shorter, dash, _ = key.rpartition("-")
        if not dash:
            return next((language for language in LANGUAGES if language.base == key), None)
        key = shorter
    return None
