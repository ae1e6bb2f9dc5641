"""What items travel in: the envelope of lists, of single resources, and of errors (contract §1.4, §1.5, §3.4).

``data`` is always an array and a success never has the key ``errors``: libraries test for its presence.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from callwright.dialect.paging import Page
from callwright.dialect.render import Links
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.errors import Problem


class Pagination(msgspec.Struct, frozen=True, rename="camel"):
    total_count: int = 0
    page_count: int = 0
    current_page: int = 0
    per_page: int = 0


class Envelope(msgspec.Struct, frozen=True):
    data: Sequence[msgspec.Struct]
    links: Links = msgspec.field(name="_links")
    pagination: Pagination


class ErrorItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`message` and `description` are the same text: libraries read one or the other."""

    code: int
    message: str
    description: str
    parameter: str | None = None


class Failure(msgspec.Struct, frozen=True):
    data: None
    errors: tuple[ErrorItem, ...]


# A single resource is no page of anything; the vendor's answers have four zeros here.
_NO_PAGE = Pagination()
_encode = msgspec.json.Encoder().encode


def listing(items: Sequence[msgspec.Struct], path: str, page: Page, total: int) -> bytes:
    """One page of a list of `total` rows. The link names the page and nothing else, whatever the client's spelling."""
    page_count = -(-total // page.size)
    return _encode(
        Envelope(items, {"self": f"{path}?page={page.number}"}, Pagination(total, page_count, page.number, page.size))
    )


def single(item: msgspec.Struct, links: Links) -> bytes:
    return _encode(Envelope((item,), links, _NO_PAGE))


def failure(problem: Problem, strictness: Strictness = LENIENT) -> bytes:
    text = problem.message if problem.remedy is None else f"{problem.message} {problem.remedy}"
    return _encode(Failure(None, (ErrorItem(strictness.code(problem), text, text, problem.parameter),)))
