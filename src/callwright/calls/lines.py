"""JSON as one line, also for those who end lines wherever Unicode does, as many libraries that read text do."""

from __future__ import annotations

# NEL, LINE SEPARATOR and PARAGRAPH SEPARATOR (UAX #14, class BK and NL); those of ASCII are escapes in JSON anyway.
_ESCAPES = {b"\xc2\x85": rb"\u0085", b"\xe2\x80\xa8": rb"\u2028", b"\xe2\x80\xa9": rb"\u2029"}


def one_line(json: bytes) -> bytes:
    r"""The same value: outside of its texts JSON has none of these, and within them the escape says what the character does.

    >>> one_line('{"source":"a\u2028b"}'.encode())
    b'{"source":"a\\u2028b"}'
    """
    for end, escape in _ESCAPES.items():
        json = json.replace(end, escape)
    return json
