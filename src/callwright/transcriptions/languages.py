"""Languages that can be asked for: those of the contract (§2.3.2) in its own spelling, and all others that recognisers know."""

from __future__ import annotations

import re

# The vendor's ten; its tags for British English and Latin American Spanish are its own.
CONTRACT = ("de-DE", "en-AU", "en-UK", "en-US", "es-ES", "es-LA", "fr-FR", "it-IT", "nl-NL", "pt-BR")

_OWN_NAMES = {"en-uk": "en-GB", "es-la": "es-419"}

# The languages of Whisper and of providers that are built on it, as ISO 639-1 (639-3 where there is none).
_CODES = """
    af am ar as az ba be bg bn bo br bs ca cmn cs cy da de el en es et eu fa fi fil fo fr gl gu ha haw he hi hr ht hu hy
    id is it ja jv jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn no oc pa pl ps pt ro ru sa
    sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""
_KNOWN = frozenset(_CODES.split())
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,4}")


def canonical(tag: str) -> str | None:
    """The tag in its usual spelling (BCP 47), whatever its case or separator; None for a language nobody here can know.

    >>> canonical("en-uk"), canonical("nl_nl"), canonical("tlh")
    ('en-GB', 'nl-NL', None)
    """
    lower = tag.strip().lower().replace("_", "-")
    if lower in _OWN_NAMES:
        return _OWN_NAMES[lower]
    if not _TAG.fullmatch(lower) or lower.partition("-")[0] not in _KNOWN:
        return None
    language, *rest = lower.split("-")
    return "-".join(
        [language, *(part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part for part in rest)]
    )


def refusal(tag: str) -> str | None:
    """Why a language cannot be asked for, with a remedy; None when it can."""
    if canonical(tag) is not None:
        return None
    return f"{tag[:40]!r} is no language that anyone writes down; use one such as {', '.join(CONTRACT)}."
