"""The floor plan of the house: which room may import which. A room that is not listed, or looks upwards, fails here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import callwright

HOUSE = Path(callwright.__file__).parent

# Base: no floor of their own; anyone may import them. `store` among them knows only clock, ids, errors and log.
BASE = frozenset({"telephony", "audiofile", "store", "ipc", "clock", "ids", "errors", "reasons", "log", "plain"})

# Floor by floor, from the ground up. A room may import base and any room on a lower floor.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"sip", "media", "simulator", "speech", "egress", "openapi", "certificates"}),
    frozenset({"calls", "accounts"}),
    frozenset({"flows", "numbers", "trunks", "recordings", "transcriptions"}),
    frozenset({"dialect"}),
    frozenset({"webhooks"}),
    frozenset({"switch", "retention"}),
    frozenset({"api", "native"}),
    frozenset(
        {"app", "core", "web", "settings", "metrics", "supervisor", "childprocess", "datafolder", "descriptors", "watchdog"}
    ),
    frozenset({"doctor", "backup", "rehearsal"}),
    frozenset({"scenarios"}),
    frozenset({"replay"}),
    frozenset({"cli", "testing", "__main__"}),
)

# Between rooms of one floor only where an arrow is drawn.
ARROWS = frozenset(
    {
        ("sip", "media"),
        ("trunks", "numbers"),
        ("speech", "egress"),
        ("transcriptions", "recordings"),
        ("app", "core"),
        ("app", "web"),
        ("core", "settings"),
        ("core", "metrics"),
        ("core", "datafolder"),
        ("app", "settings"),
        ("app", "metrics"),
        ("app", "supervisor"),
        ("app", "datafolder"),
        ("app", "descriptors"),
        ("app", "watchdog"),
        ("supervisor", "childprocess"),
        ("__main__", "cli"),
        ("testing", "cli"),
    }
)

# What else may not be reached although it lies lower: each room with all it may import, base apart.
ONLY = {
    "store": frozenset({"clock", "ids", "errors", "log"}),
    "calls": frozenset(),
    "accounts": frozenset(),
    "sip": frozenset({"media"}),
    "media": frozenset(),
    "simulator": frozenset(),
    "egress": frozenset(),
    "openapi": frozenset(),
    "certificates": frozenset(),
    "flows": frozenset({"calls", "accounts"}),
    "speech": frozenset({"egress"}),
    "audiofile": frozenset({"errors"}),
    "numbers": frozenset({"calls", "accounts"}),
    "trunks": frozenset({"numbers"}),
    "recordings": frozenset({"calls", "accounts"}),
    "transcriptions": frozenset({"calls", "accounts", "recordings"}),
    "dialect": frozenset({"calls", "flows", "numbers", "trunks", "recordings", "transcriptions"}),
    "webhooks": frozenset({"dialect", "numbers", "calls", "accounts", "egress"}),
    "switch": frozenset({"flows", "numbers", "trunks", "calls", "accounts", "egress", "recordings", "transcriptions"}),
    "retention": frozenset({"calls", "recordings"}),
    "api": frozenset(
        {"switch", "webhooks", "dialect", "flows", "numbers", "trunks", "calls", "accounts", "recordings", "transcriptions"}
        | {"openapi"}
    ),
    "native": frozenset(
        {"switch", "retention", "webhooks", "dialect", "flows", "numbers", "trunks", "calls", "accounts", "recordings"}
        | {"transcriptions", "openapi", "simulator"}
    ),
}

# Apart from the house: the telephone shares nothing with it, and only these start it.
APART = "phone"
STARTS_PHONE = frozenset({"cli", "rehearsal"})

THIRD_PARTY = {"sippy": frozenset({"sip", "phone"}), "apsw": frozenset({"store"}), "aiohttp": frozenset({"egress"})}


def room_of(file: Path) -> str:
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[int, str]]:
    """Line and dotted name of everything a module imports; a relative import is named with its dots."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module == "callwright":
                found += [(node.lineno, f"callwright.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, module))
    return found


def allowed(room: str, target: str) -> bool:
    if target == room or target == "__version__":
        return True
    if room == APART or target == APART:
        return room in STARTS_PHONE and target == APART
    if room in ONLY:
        return target in ONLY[room] or (target in BASE and room not in BASE)
    if target in BASE:
        return True
    if (room, target) in ARROWS:
        return True
    return room not in BASE and floor(target) < floor(room)


def floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


FILES = sorted(file for file in HOUSE.rglob("*.py") if file != HOUSE / "__init__.py")


def test_every_room_is_on_the_plan() -> None:
    listed = BASE | {APART} | {room for rooms in FLOORS for room in rooms}
    there = {room_of(file) for file in FILES}
    assert there == listed


@pytest.mark.parametrize("room", sorted({room_of(file) for file in FILES}))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    wrong = []
    for file in FILES:
        if room_of(file) != room:
            continue
        for line, name in imports(file):
            where = f"{file.relative_to(HOUSE)}:{line} imports {name}"
            if name.startswith("."):
                wrong.append(f"{where}: imports are absolute")
            elif name.partition(".")[0] == "callwright" and not allowed(room, name.split(".")[1]):
                wrong.append(where)
            elif room not in THIRD_PARTY.get(name.partition(".")[0], {room}):
                wrong.append(f"{where}: that library belongs to {sorted(THIRD_PARTY[name.partition('.')[0]])}")
    assert wrong == []


def test_the_root_imports_nothing() -> None:
    assert imports(HOUSE / "__init__.py") == []


@pytest.mark.parametrize(
    ("room", "target", "may"),
    [
        ("calls", "store", True),
        ("calls", "flows", False),  # upwards
        ("flows", "telephony", True),
        ("media", "sip", False),  # the arrow points the other way
        ("sip", "media", True),
        ("store", "telephony", False),
        ("phone", "clock", False),
        ("switch", "phone", False),
        ("cli", "phone", True),
        ("api", "native", False),  # siblings
    ],
)
def test_the_plan_tells_up_from_down(room: str, target: str, may: bool) -> None:
    assert allowed(room, target) is may
