"""How answers look on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from typing import Any


def as_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str, whole: Collection[int] = ()) -> None:
    """A table on a terminal; tab-separated lines without a head in a pipe. The columns numbered in `whole` are not folded.

    Where there is nothing `empty` says so, to a terminal alone: a pipe gets no line.
    """
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in lines:
            print("\t".join(line))
        if not lines and empty and sys.stderr.isatty():
            aside(empty)
        return
    if not lines:
        print(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, header in enumerate(headers):
        shown.add_column(header, overflow="fold", no_wrap=number in whole)
    for line in lines:
        shown.add_row(*(Text(cell) for cell in line))
    Console().print(shown)


def aside(text: str) -> None:
    """Say something that is not the command's result."""
    print(text, file=sys.stderr)
