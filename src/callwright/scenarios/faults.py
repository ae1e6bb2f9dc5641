"""What is wrong with the files of scenarios."""

from __future__ import annotations

from typing import NamedTuple

from callwright.errors import CallwrightError
from callwright.plain import escaped
from callwright.scenarios.tree import Place

MOST_TOLD = 20


class Fault(NamedTuple):
    """`key` is where in the scenario, ``caller.acts[1].press``; empty for the whole of it. Entries count from 1."""

    file: str
    place: Place
    key: str
    sentence: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return escaped(f"{self.file}:{self.place.line}:{self.place.column}: {key}{self.sentence}.")


class ScenarioError(CallwrightError):
    """A scenario cannot be read; a line for each fault."""

    def __init__(self, faults: list[Fault]) -> None:
        faults = sorted(faults, key=lambda fault: fault.place)
        lines = [str(fault) for fault in faults[:MOST_TOLD]]
        if len(faults) > MOST_TOLD:
            lines.append(f"And {len(faults) - MOST_TOLD} more.")
        super().__init__("\n".join(lines))
        self.faults = faults
