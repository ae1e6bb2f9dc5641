"""What can be asked of what was answered: everything under a path is about the things that the path lists and makes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from callwright.openapi.operation import Link, Operation

# Where the thing is in an answer: what was made is all of it, a list has it first.
_MADE, _LISTED = "$response.body#/", "$response.body#/data/0/"


def linked(operations: Sequence[Operation]) -> list[Operation]:
    """The operations, their answers with links to those of ``PATH/{id}`` and below."""
    found = []
    for one in operations:
        where = {"POST": _MADE, "GET": _LISTED}.get(one.method)
        links = {} if where is None else _under(one, operations, where)
        found.append(replace(one, answers=tuple(replace(answer, links=links) for answer in one.answers)) if links else one)
    return found


def _under(one: Operation, operations: Sequence[Operation], where: str) -> dict[str, Link]:
    known_by = re.compile(re.escape(one.path) + r"/{(id|number)}")
    return {
        other.name: Link(operation=other.name, parameters={match[1]: where + match[1]}, sentence=f"{other.summary}.")
        for other in operations
        if (match := known_by.match(other.path))
    }
