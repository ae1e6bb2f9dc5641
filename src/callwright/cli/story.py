"""A call's journal as lines to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from callwright.calls.journal import AnyEntry
from callwright.calls.sentences import Names, sentence, why
from callwright.cli.happenings import OVER
from callwright.reasons import Reason

Entry = Mapping[str, Any]


def lines(call: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    """A head, each entry with its seconds since the first, and how each leg ended with what to do about it."""
    yield f"{head(call)}, {call['status'].replace('_', ' ')}"
    for entry in entries:
        yield line(call, entry, entries[0])
    yield from ends(call)


def head(call: Mapping[str, Any]) -> str:
    return f"call {call['id']} ({call['world']}), {call['source']} to {call['destination']}"


def line(call: Mapping[str, Any], entry: Entry, first: Entry) -> str:
    """An entry with its seconds since the first of its call."""
    names = {UUID(leg["id"]): f"leg {leg['n']}" for leg in call["legs"]}
    after = (_moment(entry["at"]) - _moment(first["at"])).total_seconds()
    return f"{after:+9.3f}  {_sentence(entry, names)}"


def ends(call: Mapping[str, Any]) -> Iterator[str]:
    """How each leg ended, with what to do about it."""
    for leg in call["legs"]:
        if leg["reason"] is not None:
            detail = f" ({leg['detail']})" if leg["detail"] else ""
            reason = leg["reason"]
            yield f"leg {leg['n']} ({reason['name']}): {reason['sentence']}{detail} {reason['remedy']}"


def ending(call: Mapping[str, Any]) -> str:
    """What a call came to, in a sentence; its reason as this version knows it, or by its name."""
    if call["status"] not in OVER:
        return f"The call is {call['status']}."
    try:
        reason = why(Reason(call["reason"]))
    except ValueError:
        reason = call["reason"] or call["status"]
    return f"The call is over: {reason}."


def _sentence(entry: Entry, names: Names) -> str:
    """An entry as this version tells it; one that it cannot read, since the server is of another, as it came."""
    try:
        return sentence(msgspec.convert(entry, AnyEntry), names)
    except msgspec.ValidationError:
        rest = {name: value for name, value in entry.items() if name not in ("seq", "at", "kind")}
        return f"{entry['kind']} {json.dumps(rest, ensure_ascii=False)}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
