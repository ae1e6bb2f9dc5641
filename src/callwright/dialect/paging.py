"""Which page a list request asks for, in every spelling the client libraries have (contract §1.7)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

DEFAULT_SIZE = 10
MAX_SIZE = 100
# What fits the integers of every client, and of the database.
MAX_NUMBER = (1 << 63) - 1

_INTEGER = re.compile(r"[+-]?[0-9]{1,100}", re.ASCII)


class Page(NamedTuple):
    """`number` counts from 1; `size` is rows a page."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return min((self.number - 1) * self.size, MAX_NUMBER)


@lru_cache(maxsize=1024)
def page_of(query: str) -> Page:
    """Read a raw query string. Names match whatever their case; nonsense falls back to the defaults, never to an error.

    >>> page_of("limit=20&offset=40")
    Page(number=3, size=20)
    """
    sent: dict[str, int | None] = {}
    for name, value in parse_qsl(query):
        sent.setdefault(name.lower(), _integer(value))
    sizes = (sent.get(name) for name in ("perpage", "limit"))
    size = min(next((size for size in sizes if size is not None and size > 0), DEFAULT_SIZE), MAX_SIZE)
    for name in ("page", "currentpage"):
        if name in sent:
            number = sent[name] or 1
            break
    else:
        number = (sent.get("offset") or 0) // size + 1
    return Page(min(max(number, 1), MAX_NUMBER), size)


def _integer(text: str) -> int | None:
    text = text.strip()  # of more blanks than `int` knows
    return int(text) if _INTEGER.fullmatch(text) else None
