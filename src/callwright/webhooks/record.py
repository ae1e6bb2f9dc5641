"""What is kept of an answer: a receiver that fails for days with a long page must not fill the disk."""

from __future__ import annotations

from msgspec.structs import replace

from callwright.egress import Answer, Header
from callwright.egress.door import KIB, MAX_KEPT

MOST_HEADERS = 8 * KIB
# Later attempts mostly say what the first have said.
FIRST_ATTEMPTS = 3
MOST_LATER = 2 * KIB


def kept(answer: Answer, attempt: int) -> Answer:
    """The answer to a delivery's attempt of this number, counted from 1, as it is written down: its first header fields and
    the beginning of its body, in bytes.
    """
    most = MAX_KEPT if attempt <= FIRST_ATTEMPTS else MOST_LATER
    headers = _first(answer.headers)
    if len(answer.body) <= most and len(headers) == len(answer.headers):
        return answer
    return replace(answer, headers=headers, body=answer.body[:most], whole=answer.whole and len(answer.body) <= most)


def _first(headers: tuple[Header, ...]) -> tuple[Header, ...]:
    """So many of them, each whole, as have room."""
    room = MOST_HEADERS
    for count, (name, value) in enumerate(headers):
        room -= len(name.encode()) + len(value.encode())
        if room < 0:
            return headers[:count]
    return headers
