"""Languages as recognisers are told them (ISO 639-1, and 639-3 where that has none)."""

from __future__ import annotations

_SAME = {"nb": "no", "jv": "jw", "iw": "he", "in": "id", "fil": "tl", "cmn": "zh"}


def code(tag: str) -> str:
    """The language of a tag.

    >>> code("en-GB"), code("nb-NO")
    ('en', 'no')
    """
    language = tag.partition("-")[0].lower()
    return _SAME.get(language, language)
