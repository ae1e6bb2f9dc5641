"""How the verdicts of scenarios look: a line each, a screen for those that are not met, and a last line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from callwright.plain import escaped
from callwright.scenarios.screen import WIDTH, Part, cut
from callwright.scenarios.verdict import Verdict

NARROWEST = 60
_COLOURS = {
    Part.TITLE: "\x1b[1m",
    Part.EXPECTED: "\x1b[32m",
    Part.SEEN: "\x1b[31m",
    Part.NOW: "\x1b[1m",
    Part.CAUSE: "\x1b[33m",
    Part.REST: "\x1b[2m",
}
_PLAIN = "\x1b[0m"


class Sheet:
    """Writes to `out`, or standard output: in colour, and as wide as it is, where that is a terminal."""

    def __init__(self, *, quiet: bool, out: TextIO | None = None) -> None:
        self._quiet = quiet
        self._out = out or sys.stdout
        self._terminal = self._out.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ

    @property
    def width(self) -> int:
        return max(NARROWEST, min(WIDTH, os.get_terminal_size(self._out.fileno()).columns)) if self._terminal else WIDTH

    def line(self, one: Verdict) -> None:
        """A scenario that was tried; of those that are met none, where it is to be quiet."""
        if one.met and self._quiet:
            return
        word = self._dyed("ok    ", "\x1b[32m") if one.met else self._dyed("FAILED", "\x1b[31m")
        times = "" if one.error else f"  {one.seconds:.2f} s of call in {one.took_s * 1000:.1f} ms"
        told = cut(f"{one.file}:{one.line}  {one.name}{times}", self.width + 60)
        self._print(f"{word}  {told}", flush=True)

    def screen(self, one: Verdict) -> None:
        self._print()
        if one.error:
            self._print(self._dyed(escaped(f"{one.name}  ({one.file}:{one.line})"), _COLOURS[Part.TITLE]))
            self._print(f"  {one.error}")
        for row in one.rows:
            self._print(self._dyed(row.text, _COLOURS.get(row.part, "")))

    def last(self, verdicts: Sequence[Verdict], errors: Sequence[str], untried: int, took_s: float) -> None:
        met = sum(1 for one in verdicts if one.met)
        told = [f"{_counted(len(verdicts), 'scenario')}: {met} met, {len(verdicts) - met} not"]
        told += [f"{untried} not tried"] if untried else []
        told += [f"{_counted(len(errors), 'file')} could not be read"] if errors else []
        seconds = sum(one.seconds for one in verdicts)
        if not self._quiet or met < len(verdicts):
            self._print()
        self._print(f"{', '.join(told)}; {seconds:.0f} s of calls in {took_s:.2f} s.")

    def _print(self, text: str = "", *, flush: bool = False) -> None:
        print(text, file=self._out, flush=flush)

    def _dyed(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours and colour else text


def as_json(verdicts: Sequence[Verdict], errors: dict[str, str]) -> dict[str, Any]:
    return {
        "ok": not errors and all(one.met for one in verdicts),
        "scenarios": [_scenario(one) for one in verdicts],
        "unreadable": [{"file": file, "faults": error.splitlines()} for file, error in errors.items()],
    }


def _scenario(one: Verdict) -> dict[str, Any]:
    return {
        "name": one.name,
        "file": one.file,
        "line": one.line,
        "ok": one.met,
        "seconds": one.seconds,
        "tookMs": round(one.took_s * 1000, 3),
        "error": one.error or None,
        "differences": [{**found._asdict(), "sentence": found.sentence} for found in one.differences],
        "causes": list(one.causes),
        "story": [line._asdict() for line in one.story],
    }


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
