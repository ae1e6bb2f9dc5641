"""How answers look on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from callwright.plain import escaped, escaped_json


def as_json(value: Any) -> None:
    print(escaped_json(json.dumps(value, indent=2, ensure_ascii=False)))


def as_json_line(value: Any) -> None:
    """For what goes on: a line by itself, at once."""
    print(escaped_json(json.dumps(value, ensure_ascii=False)), flush=True)


def line(text: str, *, flush: bool = False) -> None:
    """A line of a result, which may quote callers, carriers and receivers: they neither move the cursor nor add lines."""
    print(escaped(text), flush=flush)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str, whole: Collection[int] = ()) -> None:
    """A table on a terminal; tab-separated lines without a head in a pipe. The columns numbered in `whole` are not folded.

    Where there is nothing `empty` says so, to a terminal alone: a pipe gets no line.
    """
    lines = [["" if cell is None else escaped(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for cells in lines:
            print("\t".join(cells))
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
    for cells in lines:
        shown.add_row(*map(Text, cells))
    Console().print(shown)


def aside(text: str) -> None:
    """Say something that is not the command's result, to whoever hears it; `text` may be of several lines."""
    with suppress(OSError):
        for one in text.split("\n"):
            print(escaped(one), file=sys.stderr)


def no_more() -> None:
    """Let standard output go, once it takes nothing: Python would fail once more when it ends and flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
