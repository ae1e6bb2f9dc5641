"""Two lists laid side by side: what of the one is what of the other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher


def pairs(before: Sequence[tuple[Hashable, Hashable]], after: Sequence[tuple[Hashable, Hashable]]) -> list[tuple[int, int]]:
    """Places in `before` with those in `after`, in order. Of each item its kind comes first, then all of it: items that are
    equal are paired, and between those the ones of a kind, in their order.
    """
    found: list[tuple[int, int]] = []
    for tag, begin, end, there, until in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += zip(range(begin, end), range(there, until), strict=True)
        elif tag == "replace":
            kinds, others = [kind for kind, _ in before[begin:end]], [kind for kind, _ in after[there:until]]
            for _, here, beyond, other, _ in _equal(kinds, others):
                found += [(begin + here + n, there + other + n) for n in range(beyond - here)]
    return found


def _equal(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[str, int, int, int, int]]:
    return [code for code in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if code[0] == "equal"]
