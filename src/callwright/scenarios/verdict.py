"""What is told of a scenario that was tried: small enough to be handed from one process to another."""

from __future__ import annotations

import msgspec

from callwright.rehearsal.outcome import Outcome
from callwright.scenarios.comparing import Difference
from callwright.scenarios.reading import Script
from callwright.scenarios.running import Result
from callwright.scenarios.screen import WIDTH, Row, causes, first_difference, screen
from callwright.scenarios.story import Line, story


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` is how long the call was, `took_s` how long that took; `rows` is the screen of one that is not met.

    `line` is the line of what is not as expected, or of the scenario. `error` says why it could not be run at all.
    """

    name: str
    file: str
    line: int
    seconds: float = 0.0
    took_s: float = 0.0
    differences: tuple[Difference, ...] = ()
    causes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    story: tuple[Line, ...] = ()
    error: str = ""

    @property
    def met(self) -> bool:
        return not self.differences and not self.error


def verdict(script: Script, result: Result, *, width: int = WIDTH) -> Verdict:
    """The story is left out where all is as expected."""
    outcome = result.outcome
    told = Verdict(
        name=script.scenario.name,
        file=script.file,
        line=script.line,
        seconds=outcome.seconds if isinstance(outcome, Outcome) else 0.0,
        took_s=result.took_s,
    )
    if result.met:
        return told
    line = script.place(f"expect.{first_difference(result.differences).where}").line
    return msgspec.structs.replace(
        told,
        line=line,
        differences=tuple(result.differences),
        causes=tuple(causes(result)),
        rows=tuple(screen(result, f"{script.file}:{line}", width)),
        story=tuple(story(outcome)) if isinstance(outcome, Outcome) else (),
    )
