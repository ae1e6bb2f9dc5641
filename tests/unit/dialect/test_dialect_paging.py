from __future__ import annotations

import pytest

from callwright.dialect.paging import Page, page_of


@pytest.mark.parametrize(
    ("query", "page"),
    [
        # nothing asked
        ("", Page(1, 10)),
        # Python: calls, then flows and webhooks
        ("page=3", Page(3, 10)),
        ("limit=10&offset=0", Page(1, 10)),
        ("limit=10&offset=20", Page(3, 10)),
        # PHP
        ("offset=0&limit=100", Page(1, 100)),
        # Go
        ("page=1", Page(1, 10)),
        # Ruby: calls and legs, then flows and webhooks
        ("perPage=20&currentPage=2", Page(2, 20)),
        ("perPage=20&page=2", Page(2, 20)),
        # Java: calls, flows, its own tests, and nulls
        ("page=2&perPage=5", Page(2, 5)),
        ("offset=10&limit=5", Page(3, 5)),
        ("offset=0&limit=0", Page(1, 10)),
        # C# counts pages from 0
        ("limit=20&page=0", Page(1, 20)),
        # Node: flows, recordings, webhooks
        ("page=1&perPage=2", Page(1, 2)),
        ("limit=2&offset=2", Page(2, 2)),
        ("perPage=3&currentPage=1", Page(1, 3)),
        # Dart
        ("page=4&perpage=7", Page(4, 7)),
        # nonsense and extremes
        ("page=-1&perPage=-5", Page(1, 10)),
        ("page=abc&perPage=x&limit=7", Page(1, 7)),
        ("page=%1d3&perPage=%1c2%1f", Page(3, 2)),  # blanks that int() does not know
        ("perPage=0&limit=7", Page(1, 7)),
        ("perPage=100000", Page(1, 100)),
        ("page=&perPage=", Page(1, 10)),
        ("page=999999999999999999", Page(999999999999999999, 10)),
        ("page=9223372036854775807", Page((1 << 63) - 1, 10)),
        ("page=" + "9" * 100, Page((1 << 63) - 1, 10)),
        ("offset=9223372036854775807", Page(922337203685477581, 10)),
        ("page=" + "9" * 101, Page(1, 10)),
        ("page=1_0&perPage=%D9%A3", Page(1, 10)),
        ("offset=-20", Page(1, 10)),
        ("offset=15&limit=10", Page(2, 10)),
        ("page=2&offset=90", Page(2, 10)),
        ("status=ended&sort=x&&&=", Page(1, 10)),
    ],
)
def test_every_spelling_of_a_page(query: str, page: Page) -> None:
    assert page_of(query) == page


def test_the_furthest_row_fits_the_database() -> None:
    assert page_of("page=999999999999999999&perPage=100").offset < 1 << 63
