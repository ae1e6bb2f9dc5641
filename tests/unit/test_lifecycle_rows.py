"""Every row of the lifecycle and every case of the conformance list has tests, and those tests are there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from support.conformance import CONFORMANCE
from support.rows import CASES, FILES, ROWS, SIMULATED, Case

HOUSE = Path(__file__).parents[2]
ALWAYS_RUN = "not (long or skip or skipif or xfail)"
# As the specification numbers them.
NUMBERED = {"N": 8, "P": 8, "A": 7, "B": 5, "C": 5, "H": 2, "L": 8, "R": 3, "E": 1}


@pytest.fixture(scope="module")
def collected() -> frozenset[str]:
    """What pytest always runs of the named files, as it names them."""
    program = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listing = subprocess.run(
        [*program, "-m", ALWAYS_RUN, *FILES.values()],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.returncode == 0, listing.stdout[-2000:] + listing.stderr
    return frozenset(line for line in listing.stdout.splitlines() if "::" in line)


def dangling(tests: Iterable[str], collected: frozenset[str]) -> Iterator[str]:
    """Names that pytest does not know; a name without parameters stands for all of its function's."""
    functions = {node.partition("[")[0] for node in collected}
    for test in tests:
        short, _, function = test.partition("::")
        node = f"{FILES.get(short, short)}::{function}"
        if node not in (collected if "[" in function else functions):
            yield test


def faults(rows: Mapping[str, tuple[str, ...]], cases: Iterable[Case], collected: frozenset[str]) -> Iterator[str]:
    """What is wrong with a table of rows, in sentences."""
    shown: set[tuple[str, str]] = set()
    for case in cases:
        name = f"{case.row}, {case.what}"
        if case.what not in rows.get(case.row, ()):
            yield f"{name}: there is no such case"
        if (case.row, case.what) in shown:
            yield f"{name}: twice"
        shown.add((case.row, case.what))
        if isinstance(case.simulated, str) and isinstance(case.sip, str):
            yield f"{name}: shown nowhere"
        for side, tests in (("simulated", case.simulated), ("over SIP", case.sip)):
            if isinstance(tests, str):
                if not tests.endswith("."):
                    yield f"{name}: no sentence says why it is not shown {side}"
                continue
            if not tests:
                yield f"{name}: no test {side}"
            for test in tests:
                if (test.partition("::")[0] in SIMULATED) is not (side == "simulated"):
                    yield f"{name}: {test} is not {side}"
            for test in dangling(tests, collected):
                yield f"{name}: {test} is no test"
    for row, whats in rows.items():
        if not whats:
            yield f"{row} has no case"
        for what in whats:
            if (row, what) not in shown:
                yield f"{row}, {what}: no test"


def test_the_rows_are_those_of_the_specification() -> None:
    numbered = [f"{letter}{number}" for letter, last in NUMBERED.items() for number in range(1, last + 1)]
    assert list(ROWS) == [*numbered, "invariants"]


def test_every_row_is_shown_on_the_simulated_side_and_over_sip(collected: frozenset[str]) -> None:
    assert list(faults(ROWS, CASES, collected)) == []


def test_every_case_of_the_conformance_list_is_shown(collected: frozenset[str]) -> None:
    assert [case for case, tests in CONFORMANCE.items() if not tests] == []
    assert list(dangling([test for tests in CONFORMANCE.values() for test in tests], collected)) == []


def test_what_is_not_named_in_the_table_is_no_file_of_it() -> None:
    named = {test.partition("::")[0] for tests in CONFORMANCE.values() for test in tests}
    for case in CASES:
        for tests in (case.simulated, case.sip):
            named |= set() if isinstance(tests, str) else {test.partition("::")[0] for test in tests}
    assert named <= set(FILES)
    assert all((HOUSE / file).is_file() for file in FILES.values())


def test_the_check_finds_what_is_wrong() -> None:
    collected = frozenset({f"{FILES['calls']}::test_one", f"{FILES['bridged']}::test_two[a]"})
    right = Case("N1", "right", ("calls::test_one",), ("bridged::test_two[a]", "bridged::test_two"))
    rows = {"N1": ("right",), "N2": ("dangling", "empty", "nowhere", "no sentence", "sides")}
    assert list(faults({"N1": ("right",)}, [right], collected)) == []
    assert list(faults({"N1": ("right", "left"), "N2": ()}, [right], collected)) == ["N1, left: no test", "N2 has no case"]
    wrong = [
        Case("N3", "unknown", ("calls::test_one",), ("bridged::test_two",)),
        Case("N2", "dangling", ("calls::test_none",), ("bridged::test_two[b]",)),
        Case("N2", "empty", (), ("bridged::test_two",)),
        Case("N2", "nowhere", "It cannot be.", "It cannot be."),
        Case("N2", "no sentence", "later", ("bridged::test_two",)),
        Case("N2", "sides", ("bridged::test_two",), ("calls::test_one",)),
        Case("N1", "right", ("calls::test_one",), ("bridged::test_two",)),
    ]
    assert list(faults(rows, [right, *wrong], collected)) == [
        "N3, unknown: there is no such case",
        "N2, dangling: calls::test_none is no test",
        "N2, dangling: bridged::test_two[b] is no test",
        "N2, empty: no test simulated",
        "N2, nowhere: shown nowhere",
        "N2, no sentence: no sentence says why it is not shown simulated",
        "N2, sides: bridged::test_two is not simulated",
        "N2, sides: calls::test_one is not over SIP",
        "N1, right: twice",
    ]
