"""Files of scenarios as tests of pytest: a file is collected, each scenario in it is a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from callwright.scenarios.faults import ScenarioError
from callwright.scenarios.reading import Script, read
from callwright.scenarios.trial import Trial
from callwright.scenarios.verdict import Verdict
from callwright.settings import Settings


class NotAsExpected(AssertionError):
    """A call was not as its scenario expects, or could not be had; the message is one screen."""

    def __init__(self, verdict: Verdict) -> None:
        rows = [row.text for row in verdict.rows]
        super().__init__(verdict.error or "\n".join(rows))


class ScenarioFile(pytest.File):
    def collect(self) -> Iterator[ScenarioItem]:
        try:
            file = os.path.relpath(self.path, self.config.invocation_params.dir)
            scripts = read(self.path.read_bytes(), file, self.path.parent)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        for script in scripts:
            yield ScenarioItem.from_parent(self, name=script.scenario.name, script=script)


class ScenarioItem(pytest.Item):
    def __init__(self, *, script: Script, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._script = script

    def runtest(self) -> None:
        verdict = Trial(settings=Settings()).simulate(self._script)
        if not verdict.met:
            raise NotAsExpected(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong with a scenario or its flow is not in the code: no traceback."""
        if isinstance(excinfo.value, NotAsExpected):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, self._script.line - 1, f"scenario {self.name}"
