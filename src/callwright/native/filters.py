"""What calls are looked for by, as a query says it: the same words for the list, its export and the live feed.

Wherever a number stands it may be written as people do (`numbers.normalised`): a source is looked for by the digits that
are on record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from callwright import ids
from callwright.calls.filters import At, CallFilter, Sought
from callwright.calls.labels import LONGEST_NAME, MOST_METADATA, MOST_TAGS, NAME_PATTERN, wrong_with_tag, wrong_with_value
from callwright.calls.lists import EVER
from callwright.calls.model import CallStatus, Direction
from callwright.clock import SECOND_US
from callwright.errors import BadQuery
from callwright.native.asking import Ask, nearest
from callwright.native.conflicts import check_conflicts
from callwright.numbers.numbers import normalised
from callwright.reasons import Reason

FILTERS = (
    "status",
    "direction",
    "source",
    "destination",
    "number",
    "flow",
    "reason",
    "tag",
    "createdFrom",
    "createdTo",
    "endedFrom",
    "endedTo",
    "durationFrom",
    "durationTo",
)
METADATA = "metadata."
REPEATED = ("status", "reason", "tag")
SHORTEST_END = 4
LONGEST_RANGE_DAYS = 31
LONGEST_DURATION_S = 10**9
DAY_US = 86_400 * SECOND_US

_STATUSES = {status.value: status for status in CallStatus}
_DIRECTIONS = {direction.value: direction for direction in Direction}
_REASONS = {reason.value: reason for reason in Reason}
_METADATA_NAME = re.compile(NAME_PATTERN)
# As `normalised` reads a number; a part of one may be of any length.
_PART_OF_NUMBER = re.compile(r"[+0-9\s().\-/]+", re.ASCII)


def call_filter(ask: Ask, *, besides: Sequence[str] = (), searched: bool = True) -> CallFilter:
    """What the query asks for; it knows nothing else but what is `besides`. Raises `BadQuery`.

    Where calls are `searched`, a text anywhere in a number is looked for in a limited range of times only.
    """
    names = tuple(name for name in ask.names() if name.startswith(METADATA))
    ask.only((*FILTERS, f"{METADATA}NAME", *besides), repeated=REPEATED, also=names)
    wanted = CallFilter(
        statuses=frozenset(_words(ask, "status", _STATUSES, example="status=ended,failed")),
        direction=_direction(ask),
        number_id=_number(ask),
        source=_sought(ask, "source"),
        destination=_sought(ask, "destination"),
        flow_id=ask.query_id("flow"),
        reasons=frozenset(_words(ask, "reason", _REASONS, example="reason=busy,no_answer")),
        tags=frozenset(_tags(ask)),
        metadata=frozenset(_metadata(ask, names)),
        created=_span(ask, "createdFrom", "createdTo"),
        ended=_span(ask, "endedFrom", "endedTo"),
        duration=_duration(ask),
    )
    _check_labels(wanted)
    check_conflicts(ask, wanted)
    if searched:
        _check_range(wanted)
    return wanted


def text_of(wanted: CallFilter) -> str:
    """The same text for filters that are equal, whatever they were written like; cursors are sealed for it."""
    parts = {
        "status": sorted(status.value for status in wanted.statuses),
        "direction": None if wanted.direction is None else wanted.direction.value,
        "number": wanted.number_id,
        "source": wanted.source and (wanted.source.at.value, wanted.source.text),
        "destination": wanted.destination and (wanted.destination.at.value, wanted.destination.text),
        "flow": wanted.flow_id,
        "reason": sorted(reason.value for reason in wanted.reasons),
        "tag": sorted(wanted.tags),
        "metadata": sorted(wanted.metadata),
        "created": wanted.created,
        "ended": wanted.ended,
        "duration": wanted.duration,
    }
    return repr([(name, part) for name, part in parts.items() if part])


def _words(ask: Ask, name: str, known: dict[str, Any], *, example: str) -> Iterator[Any]:
    """What is given several times, or once with commas."""
    for text in (word for given in ask.queries(name) for word in given.split(",")):
        if text not in known:
            told = f"must be of {', '.join(known)}" if len(known) < 16 else "is a name of the list of reasons"
            raise BadQuery(
                f"{name} {told}; it was {text[:40]!r}{nearest(text, known)}.",
                parameter=name,
                example=example,
            )
        yield known[text]


def _direction(ask: Ask) -> Direction | None:
    text = ask.query("direction")
    if text is None:
        return None
    if text not in _DIRECTIONS:
        raise BadQuery(
            f"direction must be incoming or outgoing; it was {text[:20]!r}.",
            parameter="direction",
            example="direction=incoming",
            remedy="Leave it out for both.",
        )
    return _DIRECTIONS[text]


def _number(ask: Ask) -> UUID | None:
    """An owned number by its id, which calls keep when it is removed, or by its digits."""
    text = ask.query("number")
    if text is None or (id_ := ids.parse(text)) is not None:
        return None if text is None else id_
    digits = normalised(text)
    if digits is None:
        raise BadQuery(
            f"number must be a telephone number of 3 to 15 digits or the id of one; it was {text[:40]!r}.",
            parameter="number",
            example="number=31205550100",
        )
    found = ask.parts.numbers.find(ask.world.id, digits)
    if found is None:
        raise BadQuery(
            f"number must be one of yours, and {digits} is none now.",
            parameter="number",
            example=f"destination={digits}",
            remedy="Look for others by source or destination; for one that was removed, give its id.",
        )
    return found.id


def _sought(ask: Ask, name: str) -> Sought | None:
    """``31612345678`` is the whole of it, ``316*`` its beginning, ``*5678`` its end, ``*345*`` is anywhere in it."""
    given = ask.query(name)
    if given is None:
        return None
    text = given.strip()
    starred_before, starred_after = text.startswith("*"), len(text) > 1 and text.endswith("*")
    part = text[starred_before : len(text) - starred_after]
    at = _PLACES[starred_before, starred_after]
    if at is At.WHOLE:
        part = normalised(part) or part
    elif _PART_OF_NUMBER.fullmatch(part):
        part = _digits(part, at)
    if not part:
        raise BadQuery(f"{name} says nothing to look for; it was {given[:40]!r}.", parameter=name, example=f"{name}=316*")
    if not part.isprintable():
        raise BadQuery(
            f"{name} must hold characters that can be printed; it was {given[:40]!r}.", parameter=name, example=f"{name}=316*"
        )
    # In a SIP address a star is a character like others, as in sip:*97@example.com.
    if "*" in part and ":" not in part:
        raise BadQuery(
            f"{name} may have a * before or after it, or both, and none within; it was {given[:40]!r}.",
            parameter=name,
            example=f"{name}=316*",
        )
    if at is At.END and len(part) < SHORTEST_END:
        raise BadQuery(
            f"{name} is looked for by an end of {SHORTEST_END} characters or more; it was {given[:40]!r}.",
            parameter=name,
            example=f"{name}=*5678",
            remedy=f"Give more of it, or look anywhere, as *{part[:20]}* with createdFrom and createdTo.",
        )
    return Sought(part, at)


_PLACES = {
    (False, False): At.WHOLE,
    (False, True): At.BEGINNING,
    (True, False): At.END,
    (True, True): At.ANYWHERE,
}


def _digits(part: str, at: At) -> str:
    digits = re.sub(r"[^+0-9]", "", part)
    if at is At.BEGINNING and digits.startswith("00"):
        digits = digits[2:]
    return digits.replace("+", "")


def _tags(ask: Ask) -> Iterator[str]:
    """No call has a tag that cannot be one."""
    for given in ask.queries("tag"):
        tag = given.strip()
        if "," in tag:
            raise BadQuery(
                f"tag is one tag, and none holds a comma; it was {tag[:40]!r}.",
                parameter="tag",
                example="tag=vip&tag=new",
                remedy="Repeat tag for each that a call must have.",
            )
        if (wrong := wrong_with_tag(tag)) is not None:
            raise BadQuery(f"tag {wrong}.", parameter="tag", example="tag=vip")
        yield tag


def _metadata(ask: Ask, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        inner = name.removeprefix(METADATA)
        if not _METADATA_NAME.fullmatch(inner):
            raise BadQuery(
                f"{name[:60]} names no metadata: 1 to {LONGEST_NAME} letters, digits, _, . or - are wanted after {METADATA}",
                parameter=name[:60],
                example=f"{METADATA}customer=42",
            )
        value = ask.query(name) or ""
        if (wrong := wrong_with_value(value)) is not None:
            raise BadQuery(f"{name} {wrong}.", parameter=name, example=f"{name}=42")
        yield inner, value


def _span(ask: Ask, first: str, last: str) -> tuple[int, int] | None:
    begin, end = ask.span(first, last)
    if begin is None and end is None:
        return None
    return EVER[0] if begin is None else begin, EVER[1] if end is None else end


def _duration(ask: Ask) -> tuple[int, int] | None:
    if ask.query("durationFrom") is None and ask.query("durationTo") is None:
        return None
    least = ask.whole("durationFrom", 0, 0, LONGEST_DURATION_S)
    most = ask.whole("durationTo", LONGEST_DURATION_S, 0, LONGEST_DURATION_S)
    if least > most:
        raise BadQuery(
            "durationFrom must not be more than durationTo; both are seconds.",
            parameter="durationTo",
            example="durationFrom=10&durationTo=60",
        )
    return least, most


def _check_labels(wanted: CallFilter) -> None:
    for name, asked, most in (("tag", wanted.tags, MOST_TAGS), ("metadata", wanted.metadata, MOST_METADATA)):
        if len(asked) > most:
            raise BadQuery(
                f"{name} is asked for {len(asked)} times, and no call has more than {most}.",
                parameter=name,
                example="tag=vip" if name == "tag" else f"{METADATA}customer=42",
                remedy="Ask for fewer; a call must have all of them.",
            )


def _check_range(wanted: CallFilter) -> None:
    begin, end = wanted.created or EVER
    if end - begin <= LONGEST_RANGE_DAYS * DAY_US:
        return
    both = begin != EVER[0] and end != EVER[1]
    apart = f"at most {LONGEST_RANGE_DAYS} days apart"
    rule = f"be {apart}; they are {-((begin - end) // DAY_US)}" if both else f"both be given, {apart}"
    for name, sought in (("source", wanted.source), ("destination", wanted.destination)):
        if sought is not None and sought.at is At.ANYWHERE:
            raise BadQuery(
                f"{name}=*{sought.text[:20]}* looks at every call, so createdFrom and createdTo must {rule}.",
                parameter=name,
                example=f"{name}=*{sought.text[:20]}*&createdFrom=2026-05-01T00:00:00Z&createdTo=2026-06-01T00:00:00Z",
                remedy="Narrow the range, or look for a beginning (316*) or an end (*5678).",
            )
