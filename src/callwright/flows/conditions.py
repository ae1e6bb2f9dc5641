"""Conditions of a step (contract §2.3.1): all must hold. A variable that nobody set is an empty string."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from callwright.flows.model import Condition

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "eq": operator.eq,
    "!=": operator.ne,
    "neq": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*", re.ASCII)


def unmet(conditions: Sequence[Condition], variables: Mapping[str, str]) -> Condition | None:
    """The first that does not hold."""
    return next((one for one in conditions if not holds(one, variables.get(one.variable, ""))), None)


def holds(condition: Condition, value: str) -> bool:
    """Compare as numbers when both sides are numbers, else as strings: 010 equals 10, and 10 is more than 9."""
    wanted = condition.value
    if condition.operator == "contains":
        return wanted in value
    compare = _COMPARE[condition.operator]
    if _NUMBER.fullmatch(value) and _NUMBER.fullmatch(wanted):
        return compare(Decimal(value.strip()), Decimal(wanted.strip()))  # exact: a float has 15 digits, a variable 64
    return compare(value, wanted)
