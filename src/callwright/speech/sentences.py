"""From the text of a step to what is spoken piece by piece: cleaned, then cut at the ends of sentences.

Each piece is spoken and kept by itself, so that a caller hears the first while the others are made, and a sentence that many
texts share is made once.
"""

from __future__ import annotations

import re
import unicodedata

MOST = 5_000  # characters of a text: about six minutes
LONGEST = 300  # of a piece, where a letter is a sound; characters that are whole syllables count threefold
FIRST = 120  # of the first piece, where it has a pause
_SYLLABLES = 3

# Tags of the markup that other speech services take. Their content is spoken, they are not.
_SSML = re.compile(
    r"</?(?:speak|voice|prosody|emphasis|say-as|break|sub|phoneme|audio|mark|lang|amazon:[a-z-]+|mstts:[a-z-]+|p|s|w)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
# Joiners that shape Indic and Persian letters; all other format characters are dropped.
_JOINERS = "\u200c\u200d"
_SELECTORS = "\ufe0e\ufe0f"  # as text, as a picture
_DROPPED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_FIRST_PICTURE = 0x2190  # symbols from here on (arrows, dingbats, emoji) are pictures, before it signs such as ° and №

_SHORTENED = """
    mr mrs ms dr prof st sr jr no nr vs etc approx dept tel ext inc ltd co e.g i.e a.m p.m
    hr fr dhr mevr drs ing bv z.b d.h u.a bzw ca usw str s.v.p m mme mlle mm sra srta ud uds d.ª dott sig
"""
_ABBREVIATIONS = frozenset(_SHORTENED.split())
# The end of a sentence: Latin, Greek and Cyrillic (with a space behind), then CJK, Devanagari and Arabic (with or without).
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？．｡।॥؟۔]+[\"'”’」』）]*|\n+")
# A word is worked on in one piece, and the engine cannot be heard of meanwhile.
_LONG_WORD = re.compile(r"[A-Za-z0-9]{60}(?=[A-Za-z0-9])")
_PAUSE = re.compile(r"[,;:،、，；：–—](?=\s)|[、，；：،]")


def clean(text: str) -> str:
    """What is spoken of a text: composed, on one line but for paragraphs, without control characters, pictures and markup.

    >>> clean("Hello,\\u00a0 <break time='1s'/>\\x01 world \\U0001F600!")
    'Hello, world !'
    """
    text = _SSML.sub(" ", unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")))
    kept = "".join(one if one == "\n" or one in _JOINERS or not _is_dropped(one) else " " for one in text)
    lines = (" ".join(line.split()) for line in kept.split("\n"))
    return "\n".join(line for line in lines if line)


def speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it.

    >>> speakable("... !"), speakable("1")
    (False, True)
    """
    return any(unicodedata.category(one)[0] in "LN" for one in text)


def split(text: str) -> list[str]:
    """Cut a clean text into its sentences, and very long ones at pauses, then between words.

    >>> split("Dr. Smith owes 3.50 euro. Press 1!")
    ['Dr. Smith owes 3.50 euro.', 'Press 1!']
    """
    text = _LONG_WORD.sub(r"\g<0> ", text)
    sentences: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if _is_end(text, start, end):
            sentences.append(text[start : end.end()].strip())
            start = end.end()
    sentences.append(text[start:].strip())
    pieces = [piece for sentence in sentences if speakable(sentence) for piece in _short(sentence)]
    return [*_soon(pieces[0]), *pieces[1:]] if pieces else []


def _is_dropped(one: str) -> bool:
    category = unicodedata.category(one)
    return category in _DROPPED or (category in ("So", "Sk") and ord(one) >= _FIRST_PICTURE) or one in _SELECTORS


def _is_end(text: str, start: int, end: re.Match[str]) -> bool:
    if end[0] != ".":
        return True
    word = text[start : end.start()].rpartition(" ")[2].lower().lstrip("(\"'“‘«[")
    after = text[end.end() :].lstrip()[:1]
    # An initial ("J. Smith"), an abbreviation, or an ordinal of German, Danish, Czech … ("am 3. Mai").
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return False
    return not (after.islower() or (word.isdecimal() and len(word) <= 2 and not after.isdecimal()))


def _weight(text: str) -> int:
    return sum(_SYLLABLES if ord(one) >= 0x2E80 else 1 for one in text)


def _short(sentence: str) -> list[str]:
    """The sentence in pieces of bounded length."""
    pieces = []
    while _weight(sentence) > LONGEST:
        room = LONGEST if _weight(sentence[:LONGEST]) <= LONGEST else LONGEST // _SYLLABLES
        cut = _last(_PAUSE, sentence, room) or sentence.rfind(" ", room // 2, room) + 1 or _whole(sentence, room)
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [piece for piece in (*pieces, sentence) if speakable(piece)]


def _whole(text: str, cut: int) -> int:
    """A place for a cut that parts no letter from its marks, where there is one near."""
    return next((at for at in range(cut, cut - 20, -1) if not unicodedata.combining(text[at])), cut)


def _soon(piece: str) -> list[str]:
    """The first piece, which a caller waits for, cut at a pause when it is long and has one."""
    room = FIRST if _weight(piece[:FIRST]) <= FIRST else FIRST // _SYLLABLES
    cut = _last(_PAUSE, piece, room) if _weight(piece) > FIRST else 0
    return [one for one in (piece[:cut].strip(), piece[cut:].strip()) if speakable(one)]


def _last(pattern: re.Pattern[str], text: str, room: int) -> int:
    """Where the last match that ends within `room` ends, if that is not too near; else 0."""
    ends = [found.end() for found in pattern.finditer(text, room // 4, room)]
    return ends[-1] if ends else 0
