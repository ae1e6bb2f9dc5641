"""``callwright flow``: flows in files, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callwright.cli import main
from callwright.flows.json_schema import json_schema

BYE = {"id": "bye", "action": "hangup"}
NEVER = {"id": "never", "action": "hangup"}


@pytest.fixture
def callwright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in an empty folder; give its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        code = ended.value.code
        assert isinstance(code, int)
        assert list(tmp_path.glob("callwright-data")) == [], "a check makes no data folder"
        return code, capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("document", "code", "lines"),
    [
        (json.dumps({"steps": [BYE]}), 0, []),
        ("<Say>Hello.</Say>", 0, []),
        # keys in any case, as the server reads them
        (json.dumps({"Steps": [{"Action": "hangup"}]}), 0, []),
        (
            json.dumps({"steps": [BYE, NEVER]}),
            1,
            ["error\tsteps[1]\tStep 'never': it is never reached: step 'bye' hangs up, and no key leads here."],
        ),
        (
            json.dumps({"steps": [{"id": "a", "action": "dance"}, {"id": "b", "action": "pause", "options": {"length": -1}}]}),
            1,
            [
                "error\tsteps[0].action\tStep 'a': 'dance' is not an action. Known: transfer, say, play, pause, record, "
                "fetchCallFlow, sendKeys, tag, hangup.",
                "error\tsteps[1].options.length\tStep 'b': length must be 0 to 86400 seconds; it was -1.0.",
            ],
        ),
        (
            '<Flow><Play id="a" media="https://sounds.test/a"/></Flow>',
            0,
            [
                "warning\tsteps[0].options.media\tStep 'a': 'https://sounds.test/a' does not say that it is a sound; "
                "a name that ends in .wav or .mp3 would."
            ],
        ),
        ("<Dance/>", 1, ["error\tsteps\tA call flow needs steps. <Dance> is none and holds none; a step is one of: "]),
        ("{", 1, ["error\t\tThe body is not valid JSON: "]),
        ("", 1, ["error\tsteps\tA call flow needs steps."]),
        (
            json.dumps({"steps": [{"id": "s", "action": "say", "options": {"payload": "Hello.", "language": "tlh"}}]}),
            1,
            ["error\tsteps[0].options.payload\tStep 's': "],
        ),
        (
            '{"steps": [{"id": "r", "action": "record", "options": {"transcribe": true, "transcribeLanguage": "tlh"}}]}',
            1,
            ["error\tsteps[0].options.transcribeLanguage\tStep 'r': 'tlh' is no language that anyone writes down; "],
        ),
    ],
)
def test_a_flow_is_checked(callwright: Any, tmp_path: Path, document: str, code: int, lines: list[str]) -> None:
    (tmp_path / "flow").write_text(document)
    ended, out = callwright("flow", "check", "flow")
    assert ended == code
    assert len(out.splitlines()) == len(lines)
    assert all(got.startswith(line) for got, line in zip(out.splitlines(), lines, strict=True))


def test_warnings_count_when_asked(callwright: Any, tmp_path: Path) -> None:
    (tmp_path / "flow").write_text(json.dumps({"title": "Bye", "steps": [BYE]}))
    assert callwright("flow", "check", "flow")[0] == 0
    assert callwright("flow", "check", "--strict", "flow")[0] == 1


def test_findings_as_json(callwright: Any, tmp_path: Path) -> None:
    (tmp_path / "flow").write_text(json.dumps({"steps": [BYE, NEVER]}))
    ended, out = callwright("flow", "check", "flow", "--json")
    assert ended == 1
    assert json.loads(out) == {
        "ok": False,
        "findings": [
            {
                "severity": "error",
                "step": "never",
                "parameter": "steps[1]",
                "message": "Step 'never': it is never reached: step 'bye' hangs up, and no key leads here.",
            }
        ],
    }


def test_a_file_that_is_not_there(callwright: Any) -> None:
    assert callwright("flow", "check", "nowhere")[0] == 1


def test_the_schema(callwright: Any) -> None:
    ended, out = callwright("flow", "schema")
    assert (ended, json.loads(out)) == (0, json_schema())


def test_urls_without_a_host_are_for_flows_that_are_fetched(callwright: Any) -> None:
    document = json.dumps({"steps": [{"id": "f", "action": "fetchCallFlow", "options": {"url": "/next"}}]})
    Path("flow.json").write_text(document)
    Path("flow.xml").write_text('<FetchCallFlow url="/next"/>')
    code, told = callwright("flow", "check", "flow.json")
    assert (code, told.splitlines()[-1].split("\t")[:2]) == (1, ["error", "steps[0].options.url"])
    assert callwright("flow", "check", "--fetched", "flow.json")[0] == 0
    assert callwright("flow", "check", "flow.xml")[0] == 0
