"""Conditions, row by row."""

from __future__ import annotations

import pytest

from callwright.flows.conditions import holds, unmet
from callwright.flows.schema import Condition


@pytest.mark.parametrize(
    ("value", "operator", "wanted", "held"),
    [
        ("1", "==", "1", True),
        ("1", "eq", "2", False),
        ("1", "!=", "2", True),
        ("1", "neq", "1", False),
        # numbers compare as numbers
        ("010", "==", "10", True),
        ("10", ">", "9", True),
        ("9", ">=", "10", False),
        ("-1", "<", "0.5", True),
        ("2.50", "<=", "2.5", True),
        # however long they are
        ("12345678901234567890", "==", "12345678901234567891", False),
        ("9" * 64, ">", "9" * 63 + "8", True),
        # anything else as text
        ("10#", ">", "9", False),
        ("b", ">", "a", True),
        ("1e2", "==", "100", False),
        ("inf", "==", "infinity", False),
        ("1_0", "==", "10", False),
        # a variable that nobody set
        ("", "==", "", True),
        ("", "==", "0", False),
        ("", "<", "1", True),
        ("123#", "contains", "3#", True),
        ("123", "contains", "4", False),
        ("", "contains", "", True),
    ],
)
def test_operators(value: str, operator: str, wanted: str, held: bool) -> None:
    assert holds(Condition("x", operator, wanted), value) is held


def test_all_must_hold() -> None:
    one, two = Condition("x", "==", "1"), Condition("y", "!=", "")
    assert unmet((one, two), {"x": "1", "y": "2"}) is None
    assert unmet((one, two), {"x": "1"}) is two
    assert unmet((one, two), {}) is one
