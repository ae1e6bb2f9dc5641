"""Texts of others on a terminal: what would move its cursor, colour it, or turn its lines round is shown as an escape."""

from __future__ import annotations

import re

# C0, C1, the line ends of Unicode, its Bidi_Control (UAX #9 §2), and halves of characters, which cannot be written.
_BEYOND = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL = re.compile(f"[\x00-\x1f{_BEYOND}]")
_BEYOND_ASCII = re.compile(f"[{_BEYOND}]")


def escaped(text: str) -> str:
    r"""A text on one row.

    >>> escaped("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped_json(json: str) -> str:
    r"""JSON of the same value, with an escape of its own for each of these in its texts; those of ASCII have theirs.

    >>> escaped_json('["a\u2028b"]')
    '["a\\u2028b"]'
    """
    return _BEYOND_ASCII.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def not_plain(text: str) -> str | None:
    """Why a text cannot be the name of something that is told on a row."""
    found = _CONTROL.search(text)
    if found is None:
        return None
    return f"it has a control character ({escaped(found[0])}), which would disturb reports; write it on one line and without"
