"""What became of each method of each client library: kept in files, and equal to what the tests found, or they fail.

A module of tests calls `record` for every method and ends with `settle`; with `UPDATE` set, that writes the file of the library
instead of comparing. docs/conformance.md and the table in README.md are made of these files by scripts/docs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

FOLDER = Path(__file__).parents[1] / "conformance" / "results"
UPDATE = "CALLWRIGHT_UPDATE_TABLE"
LIBRARY = "the library itself, unmodified"
PROGRAM = "a program that sends what the library sends"

Result = Literal["works", "defect"]


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """`defect` says what the library does wrong, whatever a server answers."""

    method: str
    result: Result
    defect: str = ""


class Library(msgspec.Struct, frozen=True, omit_defaults=True):
    """`package` has its version; `not_run` says why no test runs it."""

    title: str
    package: str
    sent_by: str = ""
    not_run: str = ""
    methods: tuple[Method, ...] = ()


class About(NamedTuple):
    """A library as the table names it, and whether it speaks for itself: `LIBRARY` or `PROGRAM`."""

    title: str
    package: str
    sent_by: str = LIBRARY


_found: dict[str, dict[str, Method]] = {}


def record(library: str, method: str, result: str, defect: str = "") -> None:
    """Note what became of a method; AssertionError where it failed, or where it was noted before with another result."""
    assert result in ("works", "defect"), f"{library}: {method} {result}: {defect}"
    assert bool(defect) is (result == "defect"), f"{library}: {method}: a defect is put into words, and nothing else is"
    made = Method(method, "works" if result == "works" else "defect", defect)
    assert _found.setdefault(library, {}).setdefault(method, made) == made


def recorded(library: str) -> list[str]:
    """The methods that were noted, in the order they were."""
    return list(_found.get(library, {}))


def settle(library: str, about: About) -> None:
    """Compare what was noted of a library, a name for files, with what is kept; AssertionError with what differs."""
    path = FOLDER / f"{library}.json"
    found = Library(about.title, about.package, about.sent_by, methods=tuple(_found.get(library, {}).values()))
    if os.environ.get(UPDATE) == "1":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        return
    kept = msgspec.json.decode(path.read_bytes(), type=Library) if path.exists() else Library(*about)
    assert _sorted(found) == _sorted(kept), f"run it with {UPDATE}=1, look at {path.name} and commit it, then run scripts/docs"


def _sorted(library: Library) -> list[str]:
    """Lines that pytest shows the difference of."""
    head = f"{library.title}: {library.package}, {library.sent_by}{library.not_run}"
    return [head, *sorted(f"{one.method}: {one.result} {one.defect}".rstrip() for one in library.methods)]
