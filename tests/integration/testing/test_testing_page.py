"""The examples of docs/testing.md, run as they stand there: files by their names, commands of the CI's jobs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import callwright.testing
import callwright.testing.calls
import callwright.testing.scenarios
import callwright.testing.server  # loaded before, as pytester forgets what a run has loaded
from callwright.testing import Act, Platform, Reply, SimulatedCall, WebhookInbox
from callwright.testing.inbox import Callback

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text(encoding="utf-8")
# The name of a file stands in the line before it, last.
FILE = re.compile(r"`([\w./-]+)`[^`\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INI = re.compile(r"^```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)
JOBS = (".github/workflows/calls.yml", ".gitlab-ci.yml")


@pytest.fixture
def files(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    files = dict(FILE.findall(PAGE))
    for name, content in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    settings, scenarios = INI.findall(PAGE)
    pytester.makeini(settings + scenarios.removeprefix("[pytest]\n"))
    return files


def commands(files: dict[str, str]) -> Iterator[list[list[str]]]:
    """Those of each job that are not about installing."""
    steps = yaml.safe_load(files[JOBS[0]])["jobs"]["test"]["steps"]
    for lines in ([step["run"] for step in steps if "run" in step], yaml.safe_load(files[JOBS[1]])["calls"]["script"]):
        assert lines[0] == "pip install 'callwright[testing]'"
        yield [shlex.split(line) for line in lines[1:]]


def test_the_jobs_of_ci_run_all_examples(pytester: pytest.Pytester, files: dict[str, str]) -> None:
    assert set(files) == {
        "flows/menu.json",
        "flows/menu.scenario.yaml",
        "reminders.py",
        "test_menu.py",
        "test_reminders.py",
        *JOBS,
    }
    github, gitlab = commands(files)
    assert github == gitlab
    flow_test, run_pytest = github
    assert (flow_test[0], run_pytest[0]) == ("callwright", "pytest")
    done = subprocess.run([sys.executable, "-m", *flow_test], cwd=pytester.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = pytester.runpytest_inprocess("-p", "callwright.testing.plugin", "-p", "no:cacheprovider", *run_pytest[1:])
    result.assert_outcomes(passed=4 + 4 + 1)
    for report, cases in (("flows.xml", 1), ("pytest.xml", 9)):
        assert len(ElementTree.parse(pytester.path / report).findall(".//testcase")) == cases


@pytest.mark.parametrize("kind", [SimulatedCall, Platform, WebhookInbox, Callback, Act, Reply])
def test_the_page_names_all_there_is(kind: type) -> None:
    """A word that somebody could ask for and not find."""
    left_out = {
        "start",
        "stop",
        "close",
        "ask",
        "data",
        "log_file",
        "id",
        "over",
        "summary",
        "trust",
        "secrets",
        "url",
        "at",
        "answered",
        "what",
        "document",
    }
    public = {name for name in dir(kind) if not name.startswith("_")} - left_out
    assert [name for name in sorted(public) if not re.search(rf"\b{name}\b", PAGE)] == []


def test_the_page_names_all_parameters_of_a_call() -> None:
    taken = callwright.testing.SimulatedCalls.begin.__annotations__.keys() - {"return", "flow"}
    assert [name for name in sorted(taken) if not re.search(rf"\b{name}\b", PAGE)] == []
