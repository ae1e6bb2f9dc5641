"""``callwright flow test``: what it prints, what it writes, and how it exits."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from callwright.cli import flow_tests, main

Run = Callable[..., tuple[int, str, str]]

SCENARIO = """
name: {name}
flow: {{steps: [{{action: pause, options: {{length: {length}}}}}]}}
expect: {{ends: {ends}}}
"""


@pytest.fixture
def callwright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; give its exit status and what it printed and said. Real times are cut out."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(("flow", "test", *arguments))
        code = ended.value.code
        assert isinstance(code, int)
        assert list(tmp_path.glob("callwright-data")) == []
        printed = capsys.readouterr()
        return code, re.sub(r"[0-9.]+ (ms|s\.)$", r"N \1", printed.out, flags=re.MULTILINE), printed.err

    return run


def write(path: str, **scenarios: tuple[int, int]) -> None:
    """Scenarios that pause and expect to end, each after so many seconds."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("---".join(SCENARIO.format(name=name, length=a, ends=b) for name, (a, b) in scenarios.items()))


def test_all_met(callwright: Run) -> None:
    write("a.yaml", one=(1, 1), two=(600, 600))
    assert callwright("a.yaml") == (
        0,
        "ok      a.yaml:2  one  1.00 s of call in N ms\n"
        "ok      a.yaml:6  two  600.00 s of call in N ms\n"
        "\n2 scenarios: 2 met, 0 not; 601 s of calls in N s.\n",
        "",
    )
    assert callwright("-q", "a.yaml") == (0, "2 scenarios: 2 met, 0 not; 601 s of calls in N s.\n", "")


def test_what_is_not_met_has_its_screen_after_all_lines(callwright: Run) -> None:
    write("a.yaml", good=(1, 1), bad=(1, 2), worse=(1, 3))
    code, out, _ = callwright("a.yaml")
    assert code == 1
    assert [line.split("  ")[0].strip() for line in out.splitlines()[:3]] == ["ok", "FAILED", "FAILED"]
    assert "\nbad  (a.yaml:8)\n  ends at 1.00 s\n    expected  2 s\n    but       1 s\n" in out
    assert "\x1b" not in out
    assert out.endswith("\n3 scenarios: 1 met, 2 not; 3 s of calls in N s.\n")
    code, out, _ = callwright("-x", "-q", "a.yaml")
    assert code == 1
    assert "worse" not in out
    assert "2 scenarios: 1 met, 1 not, 1 not tried;" in out


def test_colour_is_for_terminals(callwright: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.yaml", bad=(1, 2))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((70, 24)))
    assert "\x1b[31mFAILED\x1b[0m" in callwright("a.yaml")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in callwright("a.yaml")[1]


def test_folders_standard_input_and_a_part_of_a_name(callwright: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write("tests/b/late.yml", late=(3, 3))
    write("tests/a.yaml", Early=(1, 1))
    write("tests/.hidden/c.yaml", hidden=(1, 2))
    Path("tests/flow.json").write_text("{}")
    code, out, _ = callwright("tests", "tests/a.yaml")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[:2]] == ["tests/a.yaml:2", "tests/b/late.yml:2"]
    assert "1 scenario: 1 met" in callwright("tests", "--only", "EARL")[1]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("tests/a.yaml").read_bytes())))
    assert callwright("-")[1].startswith("ok      <standard input>:2  Early")


def test_files_that_cannot_be_read_are_told_in_a_line_and_the_others_tried(callwright: Run) -> None:
    write("a.yaml", good=(1, 1))
    Path("b.yaml").write_text("name: x\nflow: nix.json\nexpect: {status: ended}\n")
    code, out, err = callwright("b.yaml", "a.yaml", "c.yaml", "--junit", "out.xml", "--json")
    assert code == 2
    faults = ["b.yaml:2:1: flow: the flow nix.json cannot be read: No such file or directory."]
    assert err.splitlines() == [*faults, "c.yaml:1:1: it cannot be read: No such file or directory."]
    found = json.loads(out)
    assert (found["ok"], [one["ok"] for one in found["scenarios"]]) == (False, [True])
    assert found["unreadable"][0] == {"file": "b.yaml", "faults": faults}
    suites = ElementTree.parse("out.xml").getroot()
    assert [(suite.attrib["name"], suite.attrib["errors"]) for suite in suites] == [
        ("a.yaml", "0"),
        ("b.yaml", "1"),
        ("c.yaml", "1"),
    ]
    assert callwright("a.yaml", "--junit", "out.xml")[0] == 0, "a report may be written again"
    code, out, err = callwright("a.yaml", "--junit", "-")
    assert (code, ElementTree.fromstring(out).tag, Path("-").exists()) == (0, "testsuites", False)
    assert err.startswith("ok      a.yaml:2  good")


def test_a_pipe_in_a_folder_is_not_waited_for(callwright: Run) -> None:
    write("tests/a.yaml", good=(1, 1))
    os.mkfifo("tests/b.yaml")
    code, _, err = callwright("tests")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("tests/b.yaml:1:1: it cannot be read: it is a pipe")


def test_json_has_every_difference_and_the_story(callwright: Run) -> None:
    write("a.yaml", bad=(1, 2))
    code, out, _ = callwright("a.yaml", "--json")
    (one,) = json.loads(out)["scenarios"]
    assert code == 1
    assert one["differences"] == [
        {
            "where": "ends",
            "expected": "2 s",
            "seen": "1 s",
            "at": 1.0,
            "sentence": "ends: expected 2 s, but there was 1 s at 1.00 s.",
        }
    ]
    assert one["story"][-1] == {"at": 1.0, "text": "the call is over"}
    assert (one["file"], one["line"], one["seconds"], one["error"]) == ("a.yaml", 4, 1.0, None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["empty"], "The folder empty has no scenarios: files that end with .yaml or .yml."),
        (["a.yaml", "--only", "nobody"], "No scenario has 'nobody' in its name."),
        (["a.yaml", "--live", "--real-web"], "--live and --real-web cannot be had together; leave one of them out."),
        (
            ["a.yaml", "--json", "--junit", "-"],
            "--json and --junit - both write to standard output. Name a file for the report.",
        ),
        (["a.yaml", "--deliver", "nowhere"], "--deliver: 'nowhere' is no URL such as https://example.com/next."),
        (["a.yaml", "--deliver", "http://a/\nb"], "--deliver: 'http://a/\\nb' is no URL such as https://example.com/next."),
        (["a.yaml", "--junit", "no/such/folder.xml"], "no/such/folder.xml cannot be written: No such file or directory."),
        (
            ["b.yaml", "--junit", "a.yaml"],
            "--junit: a.yaml is there, and is no report of JUnit's. Take it away, or name another file.",
        ),
        ([".", "--junit", "b/../a.yaml"], "--junit: b/../a.yaml is among the scenarios. Name another file for the report."),
        (["a.yaml", "--config", "nix.toml"], "nix.toml: cannot be read: No such file or directory."),
    ],
)
def test_asked_wrongly(callwright: Run, arguments: list[str], sentence: str) -> None:
    write("a.yaml", good=(1, 1))
    Path("empty").mkdir()
    code, _, err = callwright(*arguments)
    assert (code, err) == (2, f"callwright: {sentence}\n")


def test_results_that_cannot_be_written_take_no_screen_away(callwright: Run) -> None:
    write("a.yaml", bad=(1, 2))
    code, out, err = callwright("a.yaml", "--junit", "no/such/folder.xml")
    assert (code, err) == (2, "callwright: no/such/folder.xml cannot be written: No such file or directory.\n")
    assert "expected  2 s" in out


def test_the_settings_at_hand_hold_and_those_of_a_scenario_before_them(callwright: Run) -> None:
    flow = (
        "flow: {steps: [{action: transfer, options: {destination: 31612345678}}]}\ncallees: {31612345678: {outcome: no_answer}}"
    )
    Path("a.yaml").write_text(f"name: a\n{flow}\nexpect: {{ends: 7}}\n")
    Path("b.yaml").write_text(f"name: b\n{flow}\nsettings: {{calls: {{ring_timeout: 9}}}}\nexpect: {{ends: 9}}\n")
    Path("own.toml").write_text("[calls]\nring_timeout = 7\n")
    assert callwright("a.yaml", "b.yaml", "--config", "own.toml")[0] == 0


def test_what_the_server_would_not_ask_may_be_scripted(callwright: Run) -> None:
    flow = "flow: {steps: [{action: fetchCallFlow, options: {url: 'http://10.0.0.1/a'}}]}"
    Path("a.yaml").write_text(
        f"name: a\n{flow}\nweb: {{'http://10.0.0.1/a': [{{flow: {{steps: [{{action: hangup}}]}}}}]}}\nexpect: {{ends: 0}}"
    )
    assert callwright("a.yaml")[0] == 0
    Path("b.yaml").write_text(
        "name: b\nflow: {steps: [{action: say, options: {payload: Hi., language: xx-YY}}]}\nexpect: {ends: 0}"
    )
    assert "'xx-YY' is not a language that can be spoken" in callwright("b.yaml")[2]


def test_several_processes_say_the_same_in_the_same_order(callwright: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.yaml", **{f"number{n}": (n, n if n % 3 else 99) for n in range(1, 13)})
    alone = callwright("a.yaml", "--jobs", "1")
    assert alone[0] == 1
    monkeypatch.setattr(flow_tests, "WORTH_A_PROCESS", 6)
    assert callwright("a.yaml", "--jobs", "2") == alone


def test_a_scenario_that_cannot_be_run_is_an_error_of_its_own(callwright: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.yaml", good=(1, 1), bad=(2, 2))

    def broken(scenario: object, **more: object) -> None:
        raise RuntimeError("every task waits for another")

    monkeypatch.setattr("callwright.scenarios.trial.simulate", broken)
    code, out, _ = callwright("a.yaml", "-x")
    assert code == 1
    assert "good  (a.yaml:2)\n  It could not be run: RuntimeError: every task waits for another\n" in out
