"""Files of scenarios as tests of pytest: a file is collected, each scenario in it is a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callwright.errors import CallwrightError
from callwright.rehearsal.outcome import Outcome
from callwright.scenarios.faults import ScenarioError
from callwright.scenarios.reading import Script, read_file
from callwright.scenarios.running import Result, simulate
from callwright.testing.story import story


class NotAsExpected(AssertionError):
    """A call was not as its scenario expects. The message says how, and what happened."""

    def __init__(self, script: Script, result: Result) -> None:
        differences = [f"  {difference.sentence}" for difference in result.differences]
        notes = [f"  {note}" for note in result.notes]
        seen = [story(result.outcome)] if isinstance(result.outcome, Outcome) else []
        head = f"{script.file}:{script.line}: {script.scenario.name}"
        super().__init__("\n".join([head, *differences, *notes, "", *seen]))


class ScenarioFile(pytest.File):
    def collect(self) -> Iterator[ScenarioItem]:
        try:
            scripts = read_file(self.path)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        for script in scripts:
            yield ScenarioItem.from_parent(self, name=script.scenario.name, script=script)


class ScenarioItem(pytest.Item):
    def __init__(self, *, script: Script, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._script = script

    def runtest(self) -> None:
        result = simulate(self._script.scenario, self.path.parent)
        if not result.met:
            raise NotAsExpected(self._script, result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong with a scenario or its flow is not in the code: no traceback."""
        if isinstance(excinfo.value, NotAsExpected | CallwrightError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, self._script.line - 1, f"scenario {self.name}"
