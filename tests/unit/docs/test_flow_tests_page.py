"""Every example of the page on flow tests is what it says, and the page names every option of the command."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import yaml

from callwright.cli import flow as commands
from callwright.cli import main
from callwright.scenarios.reading import read_file
from callwright.scenarios.running import simulate

PAGE = (Path(__file__).parents[3] / "docs" / "flow-tests.md").read_text(encoding="utf-8")
FENCE = re.compile(r"(?:`(\S+)`:\n\n)?^```(json|yaml|yml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [found.groups() for found in FENCE.finditer(PAGE)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The named files of the page."""
    for name, _, text in BLOCKS:
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("text", [text for _, kind, text in BLOCKS if kind == "yaml"])
def test_examples_are_met(files: Path, text: str) -> None:
    path = files / "example.yaml"
    path.write_text(text, encoding="utf-8")
    for script in read_file(path):
        result = simulate(script.scenario)
        assert [one.sentence for one in result.differences] == []
        assert result.notes == ()


def test_there_are_examples() -> None:
    assert [name for name, *_ in BLOCKS if name] == ["menu.json", "menu.yaml"]
    assert [kind for _, kind, _ in BLOCKS].count("yaml") >= 6


def test_the_first_five_minutes_print_what_the_page_shows(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as ended:
        main(["flow", "test", "menu.yaml"])
    assert ended.value.code == 0
    shown = PAGE.partition("$ callwright flow test menu.yaml\n")[2].partition("```")[0]
    assert without_times(capsys.readouterr().out) == without_times(shown)


def test_the_screen_that_is_shown_is_one(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    scenarios = Path("menu.yaml").read_text()
    Path("menu.yaml").write_text(
        scenarios.replace("- Nobody is there. Please call again.", "- Nobody is there. Please call later.")
    )
    with pytest.raises(SystemExit):
        main(["flow", "test", "-q", "menu.yaml"])
    shown = PAGE.partition("```\nFAILED")[2].partition("```")[0]
    assert without_times("FAILED" + shown) in without_times(capsys.readouterr().out)


def without_times(text: str) -> str:
    return re.sub(r"in [0-9.]+ (ms|s)\b", r"in N \1", text)


def test_the_files_for_continuous_integration_are_yaml() -> None:
    found = [yaml.safe_load(text) for _, kind, text in BLOCKS if kind == "yml"]
    assert [next(iter(one)) for one in found] == ["jobs", "flows"]


def test_every_option_is_on_the_page() -> None:
    source = inspect.getsource(commands.try_scenarios)
    options = {*re.findall(r'"(--?[a-z-]+)"', source), "--only", "--deliver", "--junit"}
    assert {option for option in options if f"`{option}" not in PAGE} == set()
