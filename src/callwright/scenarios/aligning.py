"""Two lists side by side: what was expected and what was seen, so that one thing too many is one difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

E = TypeVar("E")
S = TypeVar("S")

# Longer lists are compared place by place, as a table of all pairs would be too large.
MOST_PAIRS = 250_000


def align(expected: Sequence[E], seen: Sequence[S], same: Callable[[E, S], bool]) -> Iterator[tuple[int | None, int | None]]:
    """Places that belong together, in order; None on the side where nothing does.

    As many as can be are the same. What is left in between is taken in pairs: something else than expected.
    """
    first = 0
    while first < min(len(expected), len(seen)) and same(expected[first], seen[first]):
        yield first, first
        first += 1
    i, j = first, first
    for common_i, common_j in [*_common(expected, seen, same, first), (len(expected), len(seen))]:
        while i < common_i or j < common_j:
            yield (i if i < common_i else None), (j if j < common_j else None)
            i, j = i + 1, j + 1
        if common_i < len(expected):
            yield common_i, common_j
            i, j = common_i + 1, common_j + 1


def _common(expected: Sequence[E], seen: Sequence[S], same: Callable[[E, S], bool], first: int) -> Iterator[tuple[int, int]]:
    """The places of a longest common subsequence."""
    rows, columns = len(expected) - first, len(seen) - first
    if rows * columns > MOST_PAIRS:
        yield from ((n, n) for n in range(first, min(len(expected), len(seen))) if same(expected[n], seen[n]))
        return
    alike = [[same(one, other) for other in seen[first:]] for one in expected[first:]]
    length = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            length[i][j] = length[i + 1][j + 1] + 1 if alike[i][j] else max(length[i + 1][j], length[i][j + 1])
    i = j = 0
    while i < rows and j < columns:
        if alike[i][j]:
            yield first + i, first + j
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
