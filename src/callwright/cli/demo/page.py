"""How the demo looks on a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich import box
from rich.console import Console
from rich.json import JSON
from rich.rule import Rule
from rich.status import Status
from rich.table import Table
from rich.text import Text

from callwright.cli.demo.expectations import EXPECTED, Finding
from callwright.cli.demo.stage import RIGHT


class Page:
    """Writes to standard output, or to standard error where that belongs to the observations."""

    def __init__(self, *, aside: bool) -> None:
        self._console = Console(stderr=aside, highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def status(self) -> AbstractContextManager[Status]:
        return self._console.status("")

    def title(self, text: str) -> None:
        self._console.print(Text(text, style="bold"))

    def finding(self, finding: Finding) -> None:
        mark = Text("  ✓ ", style="green") if finding.met else Text("  ✗ ", style="red")
        line = mark.append(finding.sentence, style="default")
        self._console.print(line.append(f"  {finding.seen}", style="dim") if finding.met else line)

    def records(self, seen: dict[str, Any]) -> None:
        """The JSON the platform answers, the callbacks it sent, and how to ask again."""
        out = self._console
        for title, name in (("GET /calls", "calls"), ("GET /calls/{id}/legs", "legs")):
            out.print(Rule(title, align="left"))
            out.print(JSON(json.dumps(seen[name])))
        out.print(Rule("Callbacks", align="left"))
        out.print(_callbacks(seen["callbacks"]))
        out.print(Text("(a) X-MessageBird-Signature, (b) MessageBird-Signature, (c) MessageBird-Signature-JWT", style="dim"))
        out.print(Rule("The same by hand", align="left"))
        for line in seen["curl"]:
            out.print(Text(line))
        out.print(Rule(style="dim"))

    def verdict(self, misses: Sequence[Finding], log: Sequence[str]) -> None:
        """Say that all is well, or one sentence for each miss after the server's last lines."""
        if not misses:
            self._console.print(f"All {len(EXPECTED)} expectations were met.")
            return
        self.log(log)
        self._errors.print(Text(f"{len(misses)} of {len(EXPECTED)} expectations were not met:", style="bold red"))
        for finding in misses:
            self._errors.print(Text(f"{finding.name}: {finding.sentence}"))

    def log(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._errors.print(Text(f"  server: {line}", style="dim"))


def _callbacks(callbacks: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Call", "No.", "Event", "Status", "(a)", "(b)", "(c)"):
        table.add_column(head)
    for callback in callbacks:
        verdicts = [(verdict, "green" if verdict == RIGHT else "red") for verdict in callback["signatures"].values()]
        cells = (callback["act"], callback["sequence"], callback["event"], callback["status"])
        table.add_row(*cells, *(Text(verdict, style=style) for verdict, style in verdicts))
    return table
