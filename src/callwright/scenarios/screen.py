"""One screen about a scenario that was not met: what was expected, what happened and when, and what there was around it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from callwright.rehearsal.outcome import Outcome
from callwright.scenarios.comparing import Difference
from callwright.scenarios.running import Result
from callwright.scenarios.story import Line, story

WIDTH = 100
HEIGHT = 24
EVENTS_BEFORE = 3
EVENTS_NOW = 6
EVENTS_AFTER = 2
SAME_S = 1e-3
MOST_CAUSES = 3
# How much of two texts is shown before the first place where they differ.
LEAD = 24
# How much is shown of a URL that leaves no room for what is said of it.
URL_WIDTH = 44
_URL = re.compile(r"https?://[^\s\"']+")


class Part(Enum):
    """What a row of the screen is, for whoever gives it a colour."""

    TITLE = "title"
    EXPECTED = "expected"
    SEEN = "seen"
    EVENT = "event"
    NOW = "now"
    CAUSE = "cause"
    REST = "rest"


class Row(NamedTuple):
    part: Part
    text: str


def screen(result: Result, place: str = "", width: int = WIDTH) -> list[Row]:
    """At most `HEIGHT` rows of at most `width` characters. `place` is the file and line of what was expected."""
    first = first_difference(result.differences)
    rows = [Row(Part.TITLE, f"{result.scenario.name}{f'  ({place})' if place else ''}")]
    rows += _difference(first, width)
    rows += [Row(Part.CAUSE, f"  likely: {cause}") for cause in causes(result)[:MOST_CAUSES]]
    others = [one for one in result.differences if one is not first]
    if isinstance(result.outcome, Outcome):
        rows += _around(story(result.outcome), first.at)
    room = max(HEIGHT - len(rows) - 1, 1)
    shown = others if len(others) <= room else others[: room - 1]
    if others:
        rows.append(Row(Part.REST, f"  and {_counted(len(others), 'more difference')}:"))
        rows += [Row(Part.REST, f"    {one.where}: {one.expected}, but {one.seen}") for one in shown]
        if len(shown) < len(others):
            rows.append(Row(Part.REST, f"    … and {len(others) - len(shown)} that are not shown; --json has them"))
    return [row._replace(text=cut(row.text, width, urls=row.part not in (Part.EXPECTED, Part.SEEN))) for row in rows]


def first_difference(differences: list[Difference]) -> Difference:
    """The earliest; all later ones may follow from it."""
    return min(differences, key=lambda one: float("inf") if one.at is None else one.at)


def causes(result: Result) -> list[str]:
    """What else did not go by the script, in sentences; likely why there are differences."""
    found = list(result.notes)
    if isinstance(result.outcome, Outcome):
        asked = {fetch.url: fetch.fault for fetch in result.outcome.fetches if "is not in the script" in fetch.fault}
        found += [f"{url} was asked for a flow, and web has no answer of it." for url in asked]
        called = {leg.destination for leg in result.outcome.legs}
        found += [
            f"Nobody called {number}, of whom callees has a script."
            for number in result.scenario.callees
            if number not in called
        ]
    return found


def cut(text: str, width: int, *, urls: bool = False) -> str:
    """A text on one row: without line ends and control characters, and not longer than it may be.

    With `urls` what is too long is first taken out of the middle of URLs.
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    if urls and len(plain) > width:
        plain = with_short_urls(plain)
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def with_short_urls(text: str) -> str:
    """A text whose long URLs lack their middle."""
    return _URL.sub(lambda url: _both_ends(url[0]), text)


def _both_ends(url: str) -> str:
    """
    >>> _both_ends("https://shop.example/answers/of/the/shop/closed?call=0190c2a4-5d3e-7b1f-8a90-1c2d3e4f5a6b")
    'https://shop.example/…7b1f-8a90-1c2d3e4f5a6b'
    """
    half = URL_WIDTH // 2
    return url if len(url) <= URL_WIDTH else f"{url[: URL_WIDTH - half - 1]}…{url[-half:]}"


def _difference(one: Difference, width: int) -> Iterator[Row]:
    when = "" if one.at is None else f" at {one.at:.2f} s"
    yield Row(Part.TITLE, f"  {one.where}{when}")
    room = width - len("    expected  ")
    expected, seen, mark = side_by_side(one.expected, one.seen, room)
    yield Row(Part.EXPECTED, f"    expected  {expected}")
    yield Row(Part.SEEN, f"    but       {seen}")
    if mark:
        yield Row(Part.SEEN, f"              {mark}")


def side_by_side(expected: str, seen: str, width: int) -> tuple[str, str, str]:
    """Two texts cut to where they differ, and a row that marks in the second what does; empty where nothing is alike.

    >>> side_by_side('"Press one."', '"Press two."', 40)
    ('"Press one."', '"Press two."', '       ^^^')
    """
    blocks = difflib.SequenceMatcher(None, expected, seen, autojunk=False).get_matching_blocks()
    alike = sum(block.size for block in blocks)
    if alike * 2 < max(len(expected), len(seen)) or len(expected) + len(seen) > 20_000:
        return expected, seen, ""
    begin = next((n for n, (a, b) in enumerate(zip(expected, seen, strict=False)) if a != b), min(len(expected), len(seen)))
    shift = max(begin - LEAD, 0) if max(len(expected), len(seen)) > width else 0
    ending = _common_end(expected[begin:], seen[begin:])
    changed = max(len(seen) - begin - ending, 1)
    lead = "…" if shift else ""
    marked = " " * (begin - shift + len(lead)) + "^" * changed
    return lead + expected[shift:], lead + seen[shift:], marked[:width]


def _common_end(one: str, other: str) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _around(lines: list[Line], at: float | None) -> Iterator[Row]:
    """The few lines of the story before a time and after it."""
    if not lines:
        return
    moment = lines[-1].at if at is None else at
    before = [line for line in lines if line.at < moment - SAME_S]
    now = [line for line in lines if abs(line.at - moment) <= SAME_S]
    after = [line for line in lines if line.at > moment + SAME_S]
    yield Row(Part.EVENT, "  what happened:")
    for line in before[-EVENTS_BEFORE:]:
        yield Row(Part.EVENT, f"    {line.at:8.2f}  {line.text}")
    for line in now[-EVENTS_NOW:]:
        yield Row(Part.NOW, f"  > {line.at:8.2f}  {line.text}")
    for line in after[:EVENTS_AFTER]:
        yield Row(Part.EVENT, f"    {line.at:8.2f}  {line.text}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
