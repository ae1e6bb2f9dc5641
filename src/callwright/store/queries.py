"""Named SQL: ``-- name: list_calls`` starts a query, which ends at the next name or the end of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load(dialect: str = "sqlite") -> Mapping[str, str]:
    """Read every query of a dialect, by ``<room>.<name>``.

    A name that is given twice is an error, so that no room can shadow its own query.
    """
    queries: dict[str, str] = {}
    for file in sorted(files("callwright.store").joinpath(dialect).iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        room = file.name.removesuffix(".sql")
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, sql in zip(parts[::2], parts[1::2], strict=True):
            if (key := f"{room}.{name}") in queries:
                raise ValueError(f"{file.name} names {name} twice")
            queries[key] = sql.strip().rstrip(";")
    return queries
